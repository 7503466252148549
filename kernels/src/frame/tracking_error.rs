//! How far each value of a frame is from its target.
//!
//! Tolerance: none. One subtraction an element has the same bits everywhere.

use gpu_core::{
    Axis, DeviceSlice, DeviceSliceMut, HostMemory, Kernel, KernelSource, Launch, LaunchContract,
    LaunchSpace, Params, Point, Result,
};

use crate::source::{HEADERS, Tunable, blocks_for, check_len, check_linear, choice};

/// Values in a frame, and as many targets.
pub const SAMPLES: usize = 900;

/// Elements of a frame: first its values, then their targets.
pub const FRAME_LEN: usize = 2 * SAMPLES;

/// Arguments, in the order of the `.cu` parameters; `len` follows from the views.
#[derive(Debug)]
pub struct TrackingErrorArgs<'a> {
    /// Whole frames of [`FRAME_LEN`] elements, one after the other; may be none.
    pub frames: DeviceSlice<'a, f64>,
    /// [`SAMPLES`] errors for each frame: target - value.
    pub errors: DeviceSliceMut<'a, f64>,
}

/// The kernel that subtracts values from their targets.
#[derive(Clone, Copy, Debug)]
pub struct TrackingError;

// SAFETY: `tracking_error.cu` takes (frames, errors, len) with `len` the number of errors, and reads 2 elements of
// the frame an error belongs to; `check` finds whole frames, as many as there are groups of 900 errors.
unsafe impl Kernel for TrackingError {
    type Args<'a> = TrackingErrorArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("tracking_error");

    fn check(args: &TrackingErrorArgs<'_>, launch: &Launch) -> Result<()> {
        check_linear(Self::CONTRACT.entry, launch)?;
        let whole = args.frames.len().div_ceil(FRAME_LEN);
        check_len("a batch of frames", whole * FRAME_LEN, args.frames.len())?;
        check_len("the errors of the frames", whole * SAMPLES, args.errors.len())
    }

    fn bind(args: &TrackingErrorArgs<'_>, params: &mut Params) {
        params.slice(&args.frames);
        params.slice_mut(&args.errors);
        params.scalar(args.errors.len() as u64);
    }

    fn reference(args: TrackingErrorArgs<'_>, _launch: &Launch, memory: &HostMemory) {
        tracking_error(memory.slice(args.frames), memory.slice_mut(args.errors));
    }
}

impl Tunable for TrackingError {
    const SOURCE: KernelSource = KernelSource {
        name: "tracking_error",
        text: include_str!("tracking_error.cu"),
        headers: HEADERS,
    };

    const SPACE: LaunchSpace = LaunchSpace::new(&[
        Axis { name: "threads", values: &[64, 128, 256, 512] },
        Axis { name: "items", values: &[1, 2, 4] },
    ]);

    fn launch_at(point: &Point, len: usize) -> Launch {
        let [threads, items] = ["threads", "items"].map(|axis| choice(&Self::SPACE, point, axis));
        blocks_for(len, threads, items, BLOCKS_MAX)
    }

    /// `len` is the number of errors.
    fn launch_for(len: usize) -> Launch {
        blocks_for(len, 256, 1, BLOCKS_MAX)
    }
}

/// What a grid may have along its first side.
const BLOCKS_MAX: u32 = i32::MAX.unsigned_abs();

/// What the kernel means. The host backend runs exactly this.
pub fn tracking_error(frames: &[f64], errors: &mut [f64]) {
    for (frame, errors) in frames.chunks_exact(FRAME_LEN).zip(errors.chunks_exact_mut(SAMPLES)) {
        let (values, targets) = frame.split_at(SAMPLES);
        for ((error, &value), &target) in errors.iter_mut().zip(values).zip(targets) {
            *error = target - value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_its_own_targets_distance() {
        // The value says frame and sample; its target is ten times that.
        let place = |index: usize| f64::from(u32::try_from(index).unwrap());
        let mut frames = Vec::new();
        for frame in 0..3 {
            frames.extend((0..SAMPLES).map(|sample| place(1000 * frame + sample)));
            frames.extend((0..SAMPLES).map(|sample| 10.0 * place(1000 * frame + sample)));
        }
        let mut errors = vec![f64::NAN; 3 * SAMPLES];
        tracking_error(&frames, &mut errors);
        for (index, &error) in errors.iter().enumerate() {
            let expected = 9.0 * place(1000 * (index / SAMPLES) + index % SAMPLES);
            assert_eq!(error.to_bits(), expected.to_bits(), "error {index}");
        }
    }
}
