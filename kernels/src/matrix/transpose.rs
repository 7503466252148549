//! The transpose of a matrix in single precision.
//!
//! Tolerance: none; numbers are moved. Written as they are read, neighbours of a row go to places a whole column apart;
//! turned in shared memory first, both sides of the copy run along rows (Ruetsch and Micikevicius, Optimizing Matrix
//! Transpose in CUDA, 2009).

use gpu_core::{
    Axis, DeviceSlice, DeviceSliceMut, Error, HostMemory, Kernel, KernelSource, Launch,
    LaunchContract, LaunchSpace, Params, Point, Result,
};

use crate::source::{HEADERS, Tunable, check_len, check_linear, choice, side_of, tiles};

/// Where a tile is turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staging {
    /// Nowhere: each number is written as it is read.
    Direct,
    /// In shared memory, each of its rows one longer than the tile, so that columns lie in different banks.
    Shared,
}

/// How a block goes through the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransposeTile {
    /// Rows and columns of a tile: 16, 32 or 64.
    pub side: u32,
    /// Where it is turned.
    pub staging: Staging,
}

/// Sides of a tile.
const SIDES: &[u32] = &[16, 32, 64];

impl TransposeTile {
    /// The tile that `point` of the space of [`Transpose`] stands for.
    pub fn at(point: &Point) -> Self {
        let staging = match choice(&Transpose::SPACE, point, "shared") {
            0 => Staging::Direct,
            _ => Staging::Shared,
        };
        Self { side: choice(&Transpose::SPACE, point, "side"), staging }
    }

    /// A launch of blocks of `threads` threads that cover `rows` by `columns` elements with this tile.
    pub fn launch(&self, [rows, columns]: [u32; 2], threads: u32) -> Launch {
        let blocks = tiles([rows, columns], [self.side; 2]);
        Launch::linear(blocks, threads).with_shared_bytes(self.shared_bytes())
    }

    fn shared_bytes(&self) -> u32 {
        match self.staging {
            Staging::Direct => 0,
            Staging::Shared => self.side * (self.side + 1) * 4,
        }
    }
}

/// Arguments, in the order of the `.cu` parameters.
#[derive(Debug)]
pub struct TransposeArgs<'a> {
    /// The matrix, rows x columns.
    pub input: DeviceSlice<'a, f32>,
    /// Its transpose, columns x rows.
    pub output: DeviceSliceMut<'a, f32>,
    /// Rows of the input.
    pub rows: u32,
    /// Columns of the input.
    pub columns: u32,
    /// How a block goes through it; the launch must have room for it.
    pub tile: TransposeTile,
}

/// The kernel that transposes a matrix.
#[derive(Clone, Copy, Debug)]
pub struct Transpose;

impl Transpose {
    /// The generic baseline: 128 threads that write a tile of 32 x 32 as they read it.
    pub fn baseline() -> Point {
        let is_baseline = |point: &Point| {
            TransposeTile::at(point) == TransposeTile { side: 32, staging: Staging::Direct }
                && point.value("threads") == Some(128)
        };
        Self::SPACE.points().find(is_baseline).expect("the space holds the baseline")
    }
}

// SAFETY: `transpose.cu` takes (input, output, rows, columns, side, staged), and touches rows * columns elements of each
// view, which `check` finds to be all of both, and a padded tile of shared memory where it is staged, which `check`
// finds to be there; its loop is bounded by the tiles for every launch.
unsafe impl Kernel for Transpose {
    type Args<'a> = TransposeArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("transpose");

    fn check(args: &TransposeArgs<'_>, launch: &Launch) -> Result<()> {
        let kernel = Self::CONTRACT.entry;
        check_linear(kernel, launch)?;
        if !SIDES.contains(&args.tile.side) {
            let reason = "a tile has sides of 16, 32 or 64";
            return Err(Error::Argument { kernel, reason });
        }
        if launch.shared_bytes < args.tile.shared_bytes() {
            let reason =
                "its tile does not fit into the shared memory; launch with `TransposeTile::launch`";
            return Err(Error::Argument { kernel, reason });
        }
        let len = args.rows as usize * args.columns as usize;
        check_len("the matrix of transpose", len, args.input.len())?;
        check_len("the output of transpose", len, args.output.len())
    }

    fn bind(args: &TransposeArgs<'_>, params: &mut Params) {
        params.slice(&args.input);
        params.slice_mut(&args.output);
        params.scalar(args.rows);
        params.scalar(args.columns);
        params.scalar(args.tile.side);
        params.scalar(u32::from(args.tile.staging == Staging::Shared));
    }

    fn reference(args: TransposeArgs<'_>, _launch: &Launch, memory: &HostMemory) {
        transpose(args.columns, memory.slice(args.input), memory.slice_mut(args.output));
    }
}

impl Tunable for Transpose {
    const SOURCE: KernelSource =
        KernelSource { name: "transpose", text: include_str!("transpose.cu"), headers: HEADERS };

    const SPACE: LaunchSpace = LaunchSpace::new(&[
        Axis { name: "threads", values: &[64, 128, 256, 512, 1024] },
        Axis { name: "side", values: SIDES },
        Axis { name: "shared", values: &[0, 1] },
    ]);

    /// For a square matrix of `len` elements; [`TransposeTile::launch`] takes any shape.
    fn launch_at(point: &Point, len: usize) -> Launch {
        let threads = choice(&Self::SPACE, point, "threads");
        TransposeTile::at(point).launch([side_of(len); 2], threads)
    }

    fn launch_for(len: usize) -> Launch {
        let tile = TransposeTile { side: 32, staging: Staging::Shared };
        tile.launch([side_of(len); 2], 256)
    }
}

/// What the kernel means: rows of `columns` numbers become columns. The host backend runs exactly this.
pub fn transpose(columns: u32, input: &[f32], output: &mut [f32]) {
    let columns = columns as usize;
    let rows = input.len().checked_div(columns).unwrap_or(0);
    for (i, row) in input.chunks_exact(columns.max(1)).enumerate() {
        for (j, &number) in row.iter().enumerate() {
            output[j * rows + i] = number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        let mut output = [0.0; 6];
        transpose(3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &mut output);
        assert_eq!(output, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }

    #[test]
    fn twice_is_not_at_all() {
        for (rows, columns) in [(0_u16, 5_u16), (1, 7), (33, 65), (64, 3)] {
            let input: Vec<f32> = (0..rows * columns).map(f32::from).collect();
            let (mut once, mut twice) = (vec![0.0; input.len()], vec![0.0; input.len()]);
            transpose(columns.into(), &input, &mut once);
            transpose(rows.into(), &once, &mut twice);
            assert_eq!(twice, input);
        }
    }

    #[test]
    fn the_baseline_uses_no_shared_memory() {
        let launch = Transpose::launch_at(&Transpose::baseline(), 1 << 20);
        assert_eq!(launch, Launch::linear(1024, 128));
    }
}
