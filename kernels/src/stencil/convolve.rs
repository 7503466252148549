//! The convolution, with a tile of the image and its margin in shared memory.
//!
//! Meaning and tolerance are those of [`WindowArgs`]. How many elements a thread takes is chosen by a switch inside the
//! one kernel, so every choice has the registers of the largest, 64: at most 1024 threads are resident on a
//! multiprocessor. That is what occupancy counts.

use gpu_core::{
    Axis, Error, HostMemory, Kernel, KernelSource, Launch, LaunchContract, LaunchSpace, Params,
    Point, Result,
};

use super::{MARGIN, WINDOW, WindowArgs};
use crate::source::{HEADERS, Tunable, check_linear, choice, side_of, tiles};

/// Elements of a tile side by side, as the kernel has it.
const ACROSS: u32 = 32;

/// Elements that a thread may take.
const ITEMS: &[u32] = &[1, 2, 4, 8, 16];

/// Arguments, in the order of the `.cu` parameters.
#[derive(Debug)]
pub struct ConvolveArgs<'a> {
    /// The image, the weights and the output.
    pub window: WindowArgs<'a>,
    /// Elements below each other that a thread computes: 1, 2, 4, 8 or 16. The launch must have room for their tile.
    pub items: u32,
}

/// The kernel that weighs windows.
#[derive(Clone, Copy, Debug)]
pub struct Convolve;

impl Convolve {
    /// The items of a thread that `point` of the space stands for.
    pub fn items_at(point: &Point) -> u32 {
        choice(&Self::SPACE, point, "items")
    }

    /// A launch of blocks of `threads` threads with `items` elements each that cover `rows` by `columns` elements.
    pub fn launch([rows, columns]: [u32; 2], threads: u32, items: u32) -> Launch {
        let blocks = tiles([rows, columns], [threads / ACROSS * items, ACROSS]);
        Launch::linear(blocks, threads).with_shared_bytes(shared_bytes(threads, items))
    }
}

/// The weights, their columns padded to groups of four, and a tile with its margin.
fn shared_bytes(threads: u32, items: u32) -> u32 {
    let [down, across] = [threads / ACROSS * items, ACROSS].map(|side| side as usize + MARGIN);
    let numbers = WINDOW * WINDOW.next_multiple_of(4) + down * across;
    u32::try_from(numbers * size_of::<f32>()).unwrap_or(u32::MAX)
}

// SAFETY: `convolve.cu` takes (input, weights, output, rows, columns, items), and touches (rows + 8)(columns + 8), 81 and
// rows * columns elements, which `check` finds to be all of the three, and the shared memory of weights and tile, which
// `check` finds to be there; blocks are whole warps, and its loop is bounded by the tiles for every launch.
unsafe impl Kernel for Convolve {
    type Args<'a> = ConvolveArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("convolve").threads(32, 512);

    fn check(args: &ConvolveArgs<'_>, launch: &Launch) -> Result<()> {
        let kernel = Self::CONTRACT.entry;
        check_linear(kernel, launch)?;
        if !ITEMS.contains(&args.items) {
            let reason = "a thread takes 1, 2, 4, 8 or 16 items";
            return Err(Error::Argument { kernel, reason });
        }
        if launch.shared_bytes < shared_bytes(launch.block[0], args.items) {
            let reason =
                "its tile does not fit into the shared memory; launch with `Convolve::launch`";
            return Err(Error::Argument { kernel, reason });
        }
        args.window.check()
    }

    fn bind(args: &ConvolveArgs<'_>, params: &mut Params) {
        args.window.bind(params);
        params.scalar(args.items);
    }

    fn reference(args: ConvolveArgs<'_>, _launch: &Launch, memory: &HostMemory) {
        args.window.reference(memory);
    }
}

impl Tunable for Convolve {
    const SOURCE: KernelSource =
        KernelSource { name: "convolve", text: include_str!("convolve.cu"), headers: HEADERS };

    const SPACE: LaunchSpace = LaunchSpace::new(&[
        Axis { name: "threads", values: &[64, 128, 256, 512] },
        Axis { name: "items", values: ITEMS },
    ]);

    /// For a square output of `len` elements; [`Convolve::launch`] takes any shape.
    fn launch_at(point: &Point, len: usize) -> Launch {
        let threads = choice(&Self::SPACE, point, "threads");
        Self::launch([side_of(len); 2], threads, Self::items_at(point))
    }

    fn launch_for(len: usize) -> Launch {
        Self::launch([side_of(len); 2], 128, 8)
    }
}
