//! C = A B, with a tile of C in the registers of each thread and slices of A and B in shared memory.
//!
//! Meaning and tolerance are those of [`ProductArgs`]. The tile is chosen by a switch inside the one kernel, so every
//! tile has the registers of the largest, 128: at most 512 threads are resident on a multiprocessor. That is what
//! occupancy counts, and what small tiles lose by it is part of their time.

use gpu_core::{
    Axis, Error, HostMemory, Kernel, KernelSource, Launch, LaunchContract, LaunchSpace, Params,
    Point, Result,
};

use super::{ProductArgs, ProductShape};
use crate::source::{HEADERS, Tunable, check_linear, choice, side_of, tiles};

/// What a thread and a block take at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GemmTile {
    /// Rows of C that a thread computes: 1, 2, 4 or 8.
    pub rows: u32,
    /// Columns of C that a thread computes: 1, 2, 4 or 8.
    pub columns: u32,
    /// Columns of A, and rows of B, that a block holds in shared memory: 8, 16 or 32.
    pub depth: u32,
}

/// Threads of a block side by side along a row of C, as the kernel has it.
const ACROSS: u32 = 16;

/// Numbers between two columns of a slice of A, as the kernel has it.
const PADDING: u32 = 4;

/// Sides of the part of C that a thread computes.
const SIDES: &[u32] = &[1, 2, 4, 8];

/// Depths of a slice.
const DEPTHS: &[u32] = &[8, 16, 32];

impl GemmTile {
    /// The tile that `point` of the space of [`Gemm`] stands for.
    pub fn at(point: &Point) -> Self {
        let axis = |name| choice(&Gemm::SPACE, point, name);
        Self { rows: axis("rows"), columns: axis("columns"), depth: axis("depth") }
    }

    /// A launch of blocks of `threads` threads that cover a product with this tile.
    pub fn launch(&self, shape: ProductShape, threads: u32) -> Launch {
        let [rows, columns] = self.block(threads);
        let blocks = tiles([shape.m, shape.n], [rows, columns]);
        Launch::linear(blocks, threads).with_shared_bytes(self.shared_bytes(threads))
    }

    /// Rows and columns of C that a block computes at a time.
    fn block(&self, threads: u32) -> [u32; 2] {
        [threads / ACROSS * self.rows, ACROSS * self.columns]
    }

    /// Two slices of A and two of B: one pair is used while the other arrives.
    fn shared_bytes(&self, threads: u32) -> u32 {
        let [rows, columns] = self.block(threads);
        2 * self.depth * (rows + PADDING + columns) * 4
    }

    fn check(&self, launch: &Launch) -> Result<()> {
        let kernel = Gemm::CONTRACT.entry;
        let Self { rows, columns, depth } = self;
        if !SIDES.contains(rows) || !SIDES.contains(columns) || !DEPTHS.contains(depth) {
            let reason = "a thread takes 1, 2, 4 or 8 rows and columns, a block 8, 16 or 32 deep";
            return Err(Error::Argument { kernel, reason });
        }
        if launch.shared_bytes < self.shared_bytes(launch.block[0]) {
            let reason =
                "its slices do not fit into the shared memory; launch with `GemmTile::launch`";
            return Err(Error::Argument { kernel, reason });
        }
        Ok(())
    }
}

/// Arguments, in the order of the `.cu` parameters.
#[derive(Debug)]
pub struct GemmArgs<'a> {
    /// The matrices.
    pub product: ProductArgs<'a>,
    /// How they are cut; the launch must have room for it.
    pub tile: GemmTile,
}

/// The kernel that multiplies matrices.
#[derive(Clone, Copy, Debug)]
pub struct Gemm;

// SAFETY: `gemm.cu` takes (a, b, c, m, n, k, rows, columns, depth), and touches m k, k n and m n elements, which `check`
// finds to be all of the three, and the shared memory of its slices, which `check` finds to be there; sides are at
// most 2^30, so that no index of a tile at the edge wraps. Groups of four are read where address and side allow it.
unsafe impl Kernel for Gemm {
    type Args<'a> = GemmArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("gemm").threads(32, 256);

    fn check(args: &GemmArgs<'_>, launch: &Launch) -> Result<()> {
        check_linear(Self::CONTRACT.entry, launch)?;
        args.product.check(Self::CONTRACT.entry)?;
        args.tile.check(launch)
    }

    fn bind(args: &GemmArgs<'_>, params: &mut Params) {
        args.product.bind(params);
        params.scalar(args.tile.rows);
        params.scalar(args.tile.columns);
        params.scalar(args.tile.depth);
    }

    fn reference(args: GemmArgs<'_>, _launch: &Launch, memory: &HostMemory) {
        args.product.reference(memory);
    }
}

impl Tunable for Gemm {
    const SOURCE: KernelSource =
        KernelSource { name: "gemm", text: include_str!("gemm.cu"), headers: HEADERS };

    const SPACE: LaunchSpace = LaunchSpace::new(&[
        Axis { name: "threads", values: &[64, 128, 256] },
        Axis { name: "rows", values: SIDES },
        Axis { name: "columns", values: SIDES },
        Axis { name: "depth", values: DEPTHS },
    ]);

    /// For a square C of `len` elements; [`GemmTile::launch`] takes any shape.
    fn launch_at(point: &Point, len: usize) -> Launch {
        let threads = choice(&Self::SPACE, point, "threads");
        GemmTile::at(point).launch(ProductShape::square(side_of(len)), threads)
    }

    fn launch_for(len: usize) -> Launch {
        let tile = GemmTile { rows: 8, columns: 8, depth: 8 };
        tile.launch(ProductShape::square(side_of(len)), 256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_covers_the_product_and_holds_its_slices() {
        let tile = GemmTile { rows: 8, columns: 4, depth: 16 };
        let shape = ProductShape { m: 129, n: 64, k: 5 };
        let launch = tile.launch(shape, 256);
        // Blocks of 128 x 64: two of them below each other.
        let shared_bytes = 2 * 16 * (128 + 4 + 64) * 4;
        assert_eq!(launch, Launch::linear(2, 256).with_shared_bytes(shared_bytes));
        assert!(tile.check(&launch).is_ok());
        let error = tile.check(&launch.with_shared_bytes(shared_bytes - 1)).unwrap_err();
        assert!(error.to_string().contains("GemmTile::launch"), "{error}");
        let odd = GemmTile { rows: 3, ..tile };
        assert!(odd.check(&launch).is_err());
    }
}
