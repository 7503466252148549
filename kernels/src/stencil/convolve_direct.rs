//! The convolution, a thread to each element: what is written where nobody has tuned.
//!
//! Meaning, arguments and tolerance are those of [`WindowArgs`].

use gpu_core::{
    Axis, HostMemory, Kernel, KernelSource, Launch, LaunchContract, LaunchSpace, Params, Point,
    Result,
};

use super::WindowArgs;
use crate::source::{GRID_MAX, HEADERS, Tunable, blocks_for, check_linear, choice};

/// The kernel that weighs windows without shared memory. A baseline: [`Convolve`](super::Convolve) is the one to use.
#[derive(Clone, Copy, Debug)]
pub struct ConvolveDirect;

// SAFETY: `convolve_direct.cu` takes (input, weights, output, rows, columns), and touches (rows + 8)(columns + 8), 81 and
// rows * columns elements, which `check` finds to be all of the three; its loop is bounded by the output for every launch.
unsafe impl Kernel for ConvolveDirect {
    type Args<'a> = WindowArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("convolve_direct");

    fn check(args: &WindowArgs<'_>, launch: &Launch) -> Result<()> {
        check_linear(Self::CONTRACT.entry, launch)?;
        args.check()
    }

    fn bind(args: &WindowArgs<'_>, params: &mut Params) {
        args.bind(params);
    }

    fn reference(args: WindowArgs<'_>, _launch: &Launch, memory: &HostMemory) {
        args.reference(memory);
    }
}

impl Tunable for ConvolveDirect {
    const SOURCE: KernelSource = KernelSource {
        name: "convolve_direct",
        text: include_str!("convolve_direct.cu"),
        headers: HEADERS,
    };

    const SPACE: LaunchSpace =
        LaunchSpace::new(&[Axis { name: "threads", values: &[64, 128, 256, 512, 1024] }]);

    /// `len` is the number of elements of the output.
    fn launch_at(point: &Point, len: usize) -> Launch {
        blocks_for(len, choice(&Self::SPACE, point, "threads"), 1, GRID_MAX)
    }

    /// The generic baseline: 128 threads, each with one element.
    fn launch_for(len: usize) -> Launch {
        blocks_for(len, 128, 1, GRID_MAX)
    }
}
