//! C = A B, a thread to each element: the product that is written where nobody has tuned.
//!
//! Meaning, arguments and tolerance are those of [`ProductArgs`].

use gpu_core::{
    Axis, HostMemory, Kernel, KernelSource, Launch, LaunchContract, LaunchSpace, Params, Point,
    Result,
};

use super::ProductArgs;
use crate::source::{GRID_MAX, HEADERS, Tunable, blocks_for, check_linear, choice};

/// The kernel that multiplies matrices without shared memory. A baseline: [`Gemm`](super::Gemm) is the one to use.
#[derive(Clone, Copy, Debug)]
pub struct GemmDirect;

// SAFETY: `gemm_direct.cu` takes (a, b, c, m, n, k), and touches m k, k n and m n elements, which `check` finds to be all
// of the three; its loop is bounded by m n for every launch.
unsafe impl Kernel for GemmDirect {
    type Args<'a> = ProductArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("gemm_direct");

    fn check(args: &ProductArgs<'_>, launch: &Launch) -> Result<()> {
        check_linear(Self::CONTRACT.entry, launch)?;
        args.check(Self::CONTRACT.entry)
    }

    fn bind(args: &ProductArgs<'_>, params: &mut Params) {
        args.bind(params);
    }

    fn reference(args: ProductArgs<'_>, _launch: &Launch, memory: &HostMemory) {
        args.reference(memory);
    }
}

impl Tunable for GemmDirect {
    const SOURCE: KernelSource = KernelSource {
        name: "gemm_direct",
        text: include_str!("gemm_direct.cu"),
        headers: HEADERS,
    };

    const SPACE: LaunchSpace =
        LaunchSpace::new(&[Axis { name: "threads", values: &[64, 128, 256, 512, 1024] }]);

    /// `len` is the number of elements of C.
    fn launch_at(point: &Point, len: usize) -> Launch {
        blocks_for(len, choice(&Self::SPACE, point, "threads"), 1, GRID_MAX)
    }

    /// The generic baseline: 128 threads, each with one element.
    fn launch_for(len: usize) -> Launch {
        blocks_for(len, 128, 1, GRID_MAX)
    }
}
