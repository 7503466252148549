//! What a device could do at best: the time below which no launch of a kernel can come.
//!
//! After Williams, Waterman and Patterson, Roofline (2009). The memory's ceiling is measured, by a copy in the same run;
//! that of the arithmetic is calculated, from lanes and a measured clock. Never guesses the lanes of a device it
//! does not know, and never holds against memory what fits into the cache.

use gpu_core::{Capability, Device, DeviceProperties, Stream};
use kernel_tuner::{EventTimer, Timer as _};

use super::blocks::median;

/// What an algorithm has to do, counted from its definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Inputs read once and outputs written once, in bytes.
    pub bytes: u64,
    /// Multiplications and additions; a fused one counts as two. Random numbers and elementary functions are not counted.
    pub flops: u64,
    /// The numbers it calculates with.
    pub precision: Precision,
}

/// What kind of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    Single,
    /// 64 bits.
    Double,
}

/// What holds a kernel back at best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundBy {
    /// Bytes at the measured rate of a copy.
    Memory,
    /// Multiplications and additions on all lanes at the measured clock.
    Arithmetic,
}

/// The least time that some work can take on a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roofline {
    /// That time, in microseconds.
    pub floor_us: f64,
    /// What it is bound by.
    pub bound_by: BoundBy,
}

/// Bytes of each buffer of the copy: larger than any cache.
const COPY_BYTES: usize = 512 << 20;
const COPIES: usize = 20;

/// Bytes a second, read and written together, of copies from memory to memory: the median of 20.
///
/// # Errors
/// If memory runs out or the device fails.
pub fn copy_rate(device: &Device) -> gpu_core::Result<f64> {
    let from = device.buffer::<u8>(COPY_BYTES)?;
    let mut to = device.buffer::<u8>(COPY_BYTES)?;
    let (stream, mut timer) = (device.stream()?, EventTimer::new(device)?);
    let copy = &mut |stream: &Stream| stream.copy(from.view(), to.view_mut());
    timer.time(&stream, copy)?;
    let times = (0..COPIES).map(|_| Ok(timer.time(&stream, copy)?.as_secs_f64()));
    let seconds = median(times.collect::<gpu_core::Result<_>>()?);
    Ok(2.0 * COPY_BYTES as f64 / seconds)
}

impl Roofline {
    /// What bounds `work` on `device`, whose memory copies `bytes_per_s` and whose multiprocessors run at `clock_hz`, where
    /// that was measured; `None` if neither ceiling is known.
    pub fn of(
        work: &Work,
        device: &DeviceProperties,
        bytes_per_s: f64,
        clock_hz: Option<f64>,
    ) -> Option<Self> {
        let bound = |seconds: f64, bound_by| Self { floor_us: seconds * 1e6, bound_by };
        let reaches_memory = work.bytes > u64::from(device.l2_bytes);
        let memory =
            reaches_memory.then(|| bound(work.bytes as f64 / bytes_per_s, BoundBy::Memory));
        let arithmetic = device.capability.zip(clock_hz).and_then(|(capability, clock_hz)| {
            let lanes = lanes(capability, work.precision)? * device.multiprocessors;
            let flops_per_s = 2.0 * f64::from(lanes) * clock_hz;
            Some(bound(work.flops as f64 / flops_per_s, BoundBy::Arithmetic))
        });
        memory.into_iter().chain(arithmetic).max_by(|a, b| a.floor_us.total_cmp(&b.floor_us))
    }

    /// The share of what is possible that a time is. Near 1 at best, and a little above it for a kernel that reads more
    /// than it writes, since memory gives that faster than a copy.
    pub fn share(&self, time_us: f64) -> f64 {
        self.floor_us / time_us
    }
}

/// Fused multiply-adds that a multiprocessor starts in a cycle (CUDA C++ Programming Guide, throughput of native arithmetic
/// instructions); `None` for a capability that is not here.
fn lanes(capability: Capability, precision: Precision) -> Option<u32> {
    let (single, double) = match (capability.major, capability.minor) {
        (7, 5) => (64, 2),
        (8, 0) => (64, 32),
        (8, 6 | 9) => (128, 2),
        (9, 0) => (128, 64),
        _ => return None,
    };
    Some(match precision {
        Precision::Single => single,
        Precision::Double => double,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hopper() -> DeviceProperties {
        let mut device = Device::host().properties().clone();
        device.capability = Some(Capability::new(9, 0));
        device.multiprocessors = 132;
        device.l2_bytes = 50 << 20;
        device
    }

    #[test]
    fn the_lower_of_two_ceilings_bounds_a_kernel() {
        let of = |work: &Work, clock| Roofline::of(work, &hopper(), 3e12, clock);
        // 132 multiprocessors with 128 lanes at 1.7 GHz do 57.4 single-precision TFLOP/s.
        let flops = 57_446_400_000;
        let work = Work { bytes: 1 << 30, flops, precision: Precision::Single };
        let arithmetic = of(&work, Some(1.7e9)).unwrap();
        assert_eq!(arithmetic.bound_by, BoundBy::Arithmetic);
        assert!((arithmetic.floor_us - 1000.0).abs() < 1e-6, "{arithmetic:?}");
        assert!((arithmetic.share(1250.0) - 0.8).abs() < 1e-9);
        let memory = of(&work, None).unwrap();
        assert_eq!(memory.bound_by, BoundBy::Memory);
        assert!((memory.floor_us - 357.9).abs() < 0.1, "{memory:?}");
        let double = of(&Work { precision: Precision::Double, ..work }, Some(1.7e9)).unwrap();
        assert!((double.floor_us - 2000.0).abs() < 1e-6, "{double:?}");
    }

    #[test]
    fn what_fits_into_the_cache_is_not_held_against_memory() {
        let work = Work { bytes: 50 << 20, flops: 0, precision: Precision::Single };
        assert_eq!(Roofline::of(&work, &hopper(), 3e12, None), None);
    }

    #[test]
    fn the_lanes_of_an_unknown_device_are_not_guessed() {
        let mut device = hopper();
        device.capability = Some(Capability::new(42, 0));
        let work = Work { bytes: 1, flops: 1 << 40, precision: Precision::Single };
        assert_eq!(Roofline::of(&work, &device, 3e12, Some(1e9)), None);
    }
}
