//! One call of a network whose matrix fits into the registers of the device, as one cooperative kernel.
//!
//! The matrix is read once a call and not once a step. Meaning, arguments and tolerance are those of [`Evolve`](super::Evolve).

use gpu_core::{
    Axis, Error, HostMemory, Kernel, KernelSource, Launch, LaunchContract, LaunchSpace, Params,
    Point, Result,
};

use super::{EvolveArgs, Parameters};
use crate::source::{HEADERS, Tunable, choice};

/// Threads of every block: the kernel is compiled for this number.
const THREADS: u32 = 256;

/// Most rows of the matrix that a block holds.
pub(super) const ROWS_MAX: u32 = 8;

/// Most columns: four for each thread.
const COLUMNS_MAX: usize = 4 * THREADS as usize;

/// The kernel that evolves a network of at most 1024 oscillators by one call.
#[derive(Clone, Copy, Debug)]
pub struct EvolveResident;

impl EvolveResident {
    /// Refuses networks that a device cannot hold, however many multiprocessors it has.
    pub(super) fn check_size(parameters: &Parameters) -> Result<()> {
        if parameters.n > COLUMNS_MAX {
            let reason = "it holds at most 1024 oscillators; use `Evolve`";
            return Err(Error::Argument { kernel: Self::CONTRACT.entry, reason });
        }
        Ok(())
    }

    /// Blocks of `rows` rows for `n` oscillators.
    pub(super) fn launch(n: usize, rows: u32) -> Launch {
        let blocks = n.div_ceil(rows.max(1) as usize).max(1);
        Launch::linear(u32::try_from(blocks).unwrap_or(u32::MAX), THREADS)
    }
}

// SAFETY: `evolve_resident.cu` takes the views without the noise, then n and steps (32 bits), steps_done and seed (64
// bits) and four doubles. `check` finds the views as long as `evolve.cu` needs them, one count of arrivals, at most 8
// rows for every block of the grid and 1024 columns, which are the sizes of its arrays; its loops are bounded
// by n and steps. The contract admits blocks of 256 threads only, and the grid is resident; a block waits for a
// count that every block adds to, so that every wait ends.
unsafe impl Kernel for EvolveResident {
    type Args<'a> = EvolveArgs<'a>;

    const CONTRACT: LaunchContract =
        LaunchContract::new("evolve_resident").threads(THREADS, THREADS).cooperative();

    fn check(args: &EvolveArgs<'_>, launch: &Launch) -> Result<()> {
        args.check(Self::CONTRACT.entry, launch)?;
        Self::check_size(&args.parameters)?;
        if args.parameters.n.div_ceil(launch.grid[0] as usize) > ROWS_MAX as usize {
            let reason = "a block holds at most 8 rows; launch more blocks";
            return Err(Error::Argument { kernel: Self::CONTRACT.entry, reason });
        }
        Ok(())
    }

    fn bind(args: &EvolveArgs<'_>, params: &mut Params) {
        params.slice(&args.coupling);
        params.slice(&args.omega);
        params.slice_mut(&args.theta);
        params.slice_mut(&args.v);
        params.slice_mut(&args.table);
        params.slice_mut(&args.rows);
        params.slice_mut(&args.observables);
        params.slice_mut(&args.mirror);
        params.slice_mut(&args.arrivals);
        args.bind_scalars(params);
    }

    fn reference(args: EvolveArgs<'_>, _launch: &Launch, memory: &HostMemory) {
        args.reference(memory);
    }
}

impl Tunable for EvolveResident {
    const SOURCE: KernelSource = KernelSource {
        name: "evolve_resident",
        text: include_str!("evolve_resident.cu"),
        headers: HEADERS,
    };

    const SPACE: LaunchSpace =
        LaunchSpace::new(&[Axis { name: "rows", values: &[4, 5, 6, 7, ROWS_MAX] }]);

    /// `len` is the number of oscillators; axis `rows` is how many of them a block takes.
    fn launch_at(point: &Point, len: usize) -> Launch {
        Self::launch(len, choice(&Self::SPACE, point, "rows"))
    }

    fn launch_for(len: usize) -> Launch {
        Self::launch(len, ROWS_MAX)
    }
}
