//! a <- b + scale c in double precision: the triad of STREAM (McCalpin), which asks for memory and hardly anything else.
//!
//! Moves 24 bytes an element: two read, one written. Tolerance: none; device and reference round once.

use gpu_core::{
    Axis, DeviceSlice, DeviceSliceMut, HostMemory, Kernel, KernelSource, Launch, LaunchContract,
    LaunchSpace, Params, Point, Result,
};

use crate::source::{HEADERS, Tunable, blocks_for, check_len, check_linear, choice};

/// Arguments, in the order of the `.cu` parameters; `len` follows from the views.
#[derive(Debug)]
pub struct TriadArgs<'a> {
    /// What is added to.
    pub b: DeviceSlice<'a, f64>,
    /// What is scaled, as long as `b`.
    pub c: DeviceSlice<'a, f64>,
    /// The sum, as long as `b`.
    pub a: DeviceSliceMut<'a, f64>,
    /// The scale.
    pub scale: f64,
}

/// The kernel a <- b + scale c.
#[derive(Clone, Copy, Debug)]
pub struct Triad;

// SAFETY: `triad.cu` takes (b, c, a, len, scale) and touches `len` elements of each, which `check` finds to be all of
// all three; its loop is bounded by `len` for every launch.
unsafe impl Kernel for Triad {
    type Args<'a> = TriadArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("triad");

    fn check(args: &TriadArgs<'_>, launch: &Launch) -> Result<()> {
        check_linear(Self::CONTRACT.entry, launch)?;
        check_len("c of triad", args.b.len(), args.c.len())?;
        check_len("a of triad", args.b.len(), args.a.len())
    }

    fn bind(args: &TriadArgs<'_>, params: &mut Params) {
        params.slice(&args.b);
        params.slice(&args.c);
        params.slice_mut(&args.a);
        params.scalar(args.b.len() as u64);
        params.scalar(args.scale);
    }

    fn reference(args: TriadArgs<'_>, _launch: &Launch, memory: &HostMemory) {
        let (b, c) = (memory.slice(args.b), memory.slice(args.c));
        triad(args.scale, b, c, memory.slice_mut(args.a));
    }
}

impl Tunable for Triad {
    const SOURCE: KernelSource =
        KernelSource { name: "triad", text: include_str!("triad.cu"), headers: HEADERS };

    const SPACE: LaunchSpace = LaunchSpace::new(&[
        Axis { name: "threads", values: &[128, 256, 512, 1024] },
        Axis { name: "items", values: &[1, 2, 4, 8] },
    ]);

    fn launch_at(point: &Point, len: usize) -> Launch {
        let [threads, items] = ["threads", "items"].map(|axis| choice(&Self::SPACE, point, axis));
        blocks_for(len, threads, items, BLOCKS_MAX)
    }

    fn launch_for(len: usize) -> Launch {
        blocks_for(len, 512, 2, BLOCKS_MAX)
    }
}

/// What a grid may have along its first side.
const BLOCKS_MAX: u32 = i32::MAX.unsigned_abs();

/// What the kernel means. The host backend runs exactly this.
pub fn triad(scale: f64, b: &[f64], c: &[f64], a: &mut [f64]) {
    for ((a, &b), &c) in a.iter_mut().zip(b).zip(c) {
        *a = scale.mul_add(c, b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_whole_numbers_are_exact() {
        let mut a = [f64::NAN; 3];
        triad(3.0, &[1.0, -2.0, 0.5], &[1.0, 2.0, -4.0], &mut a);
        assert_eq!(a, [4.0, 4.0, -11.5]);
    }

    #[test]
    fn the_product_is_not_rounded_before_the_sum() {
        // (1 + e)(1 - e) - 1 is -e^2 when rounded once, and 0 when the product is rounded first.
        let e = f64::EPSILON;
        let mut a = [f64::NAN];
        triad(1.0 + e, &[-1.0], &[1.0 - e], &mut a);
        assert_eq!(a, [-e * e]);
    }
}
