//! y <- alpha x + y in single precision.
//!
//! Tolerance: none. Device and reference both use the fused multiply-add of IEEE 754, which rounds once, so
//! every element has the same bits.

use gpu_core::{
    Axis, DeviceSlice, DeviceSliceMut, HostMemory, Kernel, KernelSource, Launch, LaunchContract,
    LaunchSpace, Params, Point, Result,
};

use crate::source::{GRID_MAX, HEADERS, Tunable, blocks_for, check_len, check_linear, choice};

/// Arguments, in the order of the `.cu` parameters; `len` follows from the views.
#[derive(Debug)]
pub struct SaxpyArgs<'a> {
    /// The vector that is scaled.
    pub x: DeviceSlice<'a, f32>,
    /// The vector that is added to, as long as `x`.
    pub y: DeviceSliceMut<'a, f32>,
    /// The scale.
    pub alpha: f32,
}

/// The kernel y <- alpha x + y.
#[derive(Clone, Copy, Debug)]
pub struct Saxpy;

// SAFETY: `saxpy.cu` takes (x, y, len, alpha) and touches `len` elements of each, which `check` finds to be all of both;
// its loop is bounded by `len` for every launch.
unsafe impl Kernel for Saxpy {
    type Args<'a> = SaxpyArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("saxpy");

    fn check(args: &SaxpyArgs<'_>, launch: &Launch) -> Result<()> {
        check_linear(Self::CONTRACT.entry, launch)?;
        check_len("y of saxpy", args.x.len(), args.y.len())
    }

    fn bind(args: &SaxpyArgs<'_>, params: &mut Params) {
        params.slice(&args.x);
        params.slice_mut(&args.y);
        params.scalar(args.y.len() as u64);
        params.scalar(args.alpha);
    }

    fn reference(args: SaxpyArgs<'_>, _launch: &Launch, memory: &HostMemory) {
        saxpy(args.alpha, memory.slice(args.x), memory.slice_mut(args.y));
    }
}

impl Tunable for Saxpy {
    const SOURCE: KernelSource =
        KernelSource { name: "saxpy", text: include_str!("saxpy.cu"), headers: HEADERS };

    const SPACE: LaunchSpace = LaunchSpace::new(&[
        Axis { name: "threads", values: &[64, 128, 256, 512, 1024] },
        Axis { name: "items", values: &[1, 2, 4, 8] },
    ]);

    fn launch_at(point: &Point, len: usize) -> Launch {
        let [threads, items] = ["threads", "items"].map(|axis| choice(&Self::SPACE, point, axis));
        blocks_for(len, threads, items, GRID_MAX)
    }

    fn launch_for(len: usize) -> Launch {
        blocks_for(len, 256, 1, GRID_MAX)
    }
}

/// What the kernel means. The host backend runs exactly this.
pub fn saxpy(alpha: f32, x: &[f32], y: &mut [f32]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = alpha.mul_add(x, *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_whole_numbers_are_exact() {
        let mut y = [1.0, -2.0, 0.5];
        saxpy(3.0, &[1.0, 2.0, -4.0], &mut y);
        assert_eq!(y, [4.0, 4.0, -11.5]);
    }

    #[test]
    fn the_product_is_not_rounded_before_the_sum() {
        // (1 + e)(1 - e) - 1 is -e^2 when rounded once, and 0 when the product is rounded first.
        let e = f32::EPSILON;
        let mut y = [-1.0];
        saxpy(1.0 + e, &[1.0 - e], &mut y);
        assert_eq!(y, [-e * e]);
    }
}
