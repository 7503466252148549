//! Arithmetic in registers and nothing else: a point that is turned about the origin a given number of times.
//!
//! One block of it keeps a device "busy" with a share of a percent of what it has; as many blocks as fit show what
//! single-precision arithmetic can reach at all. A turn is two fused multiply-adds, of which each needs the one before:
//! x <- x + e y, y <- y - e x with e = 1/16, which has determinant 1 and keeps to an ellipse, so that no turn can be left
//! out (Minsky's circle, HAKMEM item 149). Ends after the turns that were asked for, by no clock. Tolerance: none.

use gpu_core::{
    Axis, DeviceSliceMut, HostMemory, Kernel, KernelSource, Launch, LaunchContract, LaunchSpace,
    Params, Point, Result,
};

use crate::source::{HEADERS, Tunable, blocks_for, check_linear, choice};

/// Arguments, in the order of the `.cu` parameters; `len` follows from the view.
#[derive(Debug)]
pub struct SpinArgs<'a> {
    /// Where each point ends; point `index` starts as point `index % SPIN_STARTS` does.
    pub output: DeviceSliceMut<'a, f32>,
    /// How often each point is turned.
    pub turns: u32,
}

/// How many points start differently.
pub const SPIN_STARTS: usize = 64;

/// Floating-point operations of one turn of one point.
pub const SPIN_OPERATIONS: u32 = 4;

/// The kernel that turns points.
#[derive(Clone, Copy, Debug)]
pub struct Spin;

// SAFETY: `spin.cu` takes (output, len, turns) and writes `len` elements, which are all of the output; both its loops are
// bounded for every launch.
unsafe impl Kernel for Spin {
    type Args<'a> = SpinArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("spin");

    fn check(_args: &SpinArgs<'_>, launch: &Launch) -> Result<()> {
        check_linear(Self::CONTRACT.entry, launch)
    }

    fn bind(args: &SpinArgs<'_>, params: &mut Params) {
        params.slice_mut(&args.output);
        params.scalar(args.output.len() as u64);
        params.scalar(args.turns);
    }

    fn reference(args: SpinArgs<'_>, _launch: &Launch, memory: &HostMemory) {
        spin(args.turns, memory.slice_mut(args.output));
    }
}

impl Tunable for Spin {
    const SOURCE: KernelSource =
        KernelSource { name: "spin", text: include_str!("spin.cu"), headers: HEADERS };

    const SPACE: LaunchSpace =
        LaunchSpace::new(&[Axis { name: "threads", values: &[128, 256, 512, 1024] }]);

    fn launch_at(point: &Point, len: usize) -> Launch {
        blocks_for(len, choice(&Self::SPACE, point, "threads"), 1, BLOCKS_MAX)
    }

    fn launch_for(len: usize) -> Launch {
        blocks_for(len, 1024, 1, BLOCKS_MAX)
    }
}

/// What a grid may have along its first side.
const BLOCKS_MAX: u32 = i32::MAX.unsigned_abs();

/// What the kernel means. The host backend runs exactly this.
pub fn spin(turns: u32, output: &mut [f32]) {
    let ends: [f32; SPIN_STARTS] = std::array::from_fn(|start| turned(turns, start));
    for chunk in output.chunks_mut(SPIN_STARTS) {
        chunk.copy_from_slice(&ends[..chunk.len()]);
    }
}

/// Where the point of this start ends.
fn turned(turns: u32, start: usize) -> f32 {
    const E: f32 = 0.0625;
    #[expect(clippy::cast_precision_loss, reason = "a start is below 64")]
    let (mut x, mut y) = (1.0 - start as f32 / 128.0, 0.0_f32);
    for _ in 0..turns {
        x = E.mul_add(y, x);
        y = (-E).mul_add(x, y);
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_turn_by_the_angle_of_their_step_and_keep_to_the_ellipse() {
        // A turn has determinant 1 and trace 2 - e^2, so its angle p has cos p = 1 - e^2 / 2, and x after k turns
        // of a point that starts at (r, 0) is r cos((k - 1/2) p) / cos(p / 2).
        let angle = (1.0 - 0.0625_f64.powi(2) / 2.0).acos();
        for turns in [0_u32, 1, 2, 50, 1000, 10_000] {
            let mut output = [f32::NAN; SPIN_STARTS];
            spin(turns, &mut output);
            for (start, &x) in (0_u8..).zip(&output) {
                let radius = 1.0 - f64::from(start) / 128.0;
                let phase = (f64::from(turns) - 0.5) * angle;
                let expected = radius * phase.cos() / (angle / 2.0).cos();
                // Each turn rounds twice.
                let bound = 2.0 * f64::from(turns + 1) * f64::from(f32::EPSILON);
                let difference = (f64::from(x) - expected).abs();
                assert!(difference <= bound, "{turns} turns from {start}: {x} for {expected}");
            }
        }
    }

    #[test]
    fn starts_repeat() {
        let mut output = [f32::NAN; SPIN_STARTS + 3];
        spin(77, &mut output);
        assert_eq!(output[SPIN_STARTS..], output[..3]);
    }
}
