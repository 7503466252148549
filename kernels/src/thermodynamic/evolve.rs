//! One call of a network of any size as one cooperative kernel.
//!
//! Tolerance against the naive reference after one call from the same state: [`TOLERANCES`](super::TOLERANCES).
//! Sums run in a fixed order, so a launch repeats its results bit by bit.

use gpu_core::{
    Axis, DeviceSlice, DeviceSliceMut, HostMemory, Kernel, KernelSource, Launch, LaunchContract,
    LaunchSpace, Params, Point, Result,
};

use super::optimised::Medium;
use super::{OBSERVABLES, Parameters};
use crate::source::{HEADERS, Tunable, check_len, check_linear, choice};

/// Arguments of both kernels of the network; the number of oscillators follows from the views.
#[derive(Debug)]
pub struct EvolveArgs<'a> {
    /// C, row by row.
    pub coupling: DeviceSlice<'a, f64>,
    /// Driving forces.
    pub omega: DeviceSlice<'a, f64>,
    /// Angles, before and after.
    pub theta: DeviceSliceMut<'a, f64>,
    /// Velocities, before and after.
    pub v: DeviceSliceMut<'a, f64>,
    /// Room for cosine and sine of every angle, twice.
    pub table: DeviceSliceMut<'a, [f64; 2]>,
    /// Room for a normal number a step and oscillator; [`Evolve`] alone uses it.
    pub noise: DeviceSliceMut<'a, f64>,
    /// Room for heat and interaction of every oscillator.
    pub rows: DeviceSliceMut<'a, [f64; 2]>,
    /// The [`OBSERVABLES`], in the order of [`Observables`](super::Observables).
    pub observables: DeviceSliceMut<'a, f64>,
    /// Where angles, velocities and observables are written once more, one after the other: page-locked memory
    /// that a scope lends, or room on the device.
    pub mirror: DeviceSliceMut<'a, f64>,
    /// A count that is 0 before and after every call, by which blocks meet; [`EvolveResident`](super::EvolveResident)
    /// alone uses it. Calls that run at the same time need one each.
    pub arrivals: DeviceSliceMut<'a, u64>,
    /// Constants of the network.
    pub parameters: Parameters,
    /// Seed of the thermal noise.
    pub seed: u64,
    /// Steps since the network's beginning.
    pub steps_done: u64,
}

impl EvolveArgs<'_> {
    /// Refuses arguments that do not fit together, and launches along more than one dimension.
    pub(super) fn check(&self, kernel: &'static str, launch: &Launch) -> Result<()> {
        check_linear(kernel, launch)?;
        self.parameters.check()?;
        let n = self.parameters.n;
        check_len("the coupling of the network", n.saturating_mul(n), self.coupling.len())?;
        check_len("omega of the network", n, self.omega.len())?;
        check_len("theta of the network", n, self.theta.len())?;
        check_len("v of the network", n, self.v.len())?;
        check_len("the table of the network", 2 * n, self.table.len())?;
        check_len("the noise of the network", noise_len(&self.parameters), self.noise.len())?;
        check_len("the rows of the network", n, self.rows.len())?;
        check_len("the observables of the network", OBSERVABLES, self.observables.len())?;
        check_len("the mirror of the network", results_len(n), self.mirror.len())?;
        check_len("the arrivals of the network", 1, self.arrivals.len())
    }

    /// Pushes what stands behind the views in both kernels.
    pub(super) fn bind_scalars(&self, params: &mut Params) {
        let Parameters { n, steps, coupling, friction, temperature, dt } = self.parameters;
        #[expect(clippy::cast_possible_truncation, reason = "`check` found n to fit 32 bits")]
        params.scalar(n as u32);
        params.scalar(steps);
        params.scalar(self.steps_done);
        params.scalar(self.seed);
        for constant in [coupling, friction, temperature, dt] {
            params.scalar(constant);
        }
    }

    /// What both kernels mean.
    pub(super) fn reference(self, memory: &HostMemory) {
        let medium = Medium {
            parameters: self.parameters,
            seed: self.seed,
            omega: memory.slice(self.omega),
            coupling: memory.slice(self.coupling),
        };
        let (theta, v) = (memory.slice_mut(self.theta), memory.slice_mut(self.v));
        let observables = medium.evolve(self.steps_done, theta, v);
        let observables = observables.to_device();
        memory.slice_mut(self.observables).copy_from_slice(&observables);
        let (angles, rest) = memory.slice_mut(self.mirror).split_at_mut(theta.len());
        let (velocities, observed) = rest.split_at_mut(v.len());
        angles.copy_from_slice(theta);
        velocities.copy_from_slice(v);
        observed.copy_from_slice(&observables);
    }
}

/// The kernel that evolves a network of any size by one call.
#[derive(Clone, Copy, Debug)]
pub struct Evolve;

// SAFETY: `evolve.cu` takes the views without the arrivals, then n and steps (32 bits), steps_done and seed (64 bits) and four doubles.
// `check` finds n * n couplings, n of omega, theta, v and rows, 2 n of the table, steps * n of the noise and the
// observables, which is all that its loops, bounded by n and steps for every launch, touch. Pairs are read as 16
// aligned bytes: buffers start at multiples of 256, and ranges of a view of pairs at multiples of 16.
unsafe impl Kernel for Evolve {
    type Args<'a> = EvolveArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("evolve").threads(32, 512).cooperative();

    fn check(args: &EvolveArgs<'_>, launch: &Launch) -> Result<()> {
        args.check(Self::CONTRACT.entry, launch)
    }

    fn bind(args: &EvolveArgs<'_>, params: &mut Params) {
        params.slice(&args.coupling);
        params.slice(&args.omega);
        params.slice_mut(&args.theta);
        params.slice_mut(&args.v);
        params.slice_mut(&args.table);
        params.slice_mut(&args.noise);
        params.slice_mut(&args.rows);
        params.slice_mut(&args.observables);
        params.slice_mut(&args.mirror);
        args.bind_scalars(params);
    }

    fn reference(args: EvolveArgs<'_>, _launch: &Launch, memory: &HostMemory) {
        args.reference(memory);
    }
}

impl Tunable for Evolve {
    const SOURCE: KernelSource =
        KernelSource { name: "evolve", text: include_str!("evolve.cu"), headers: HEADERS };

    const SPACE: LaunchSpace = LaunchSpace::new(&[
        Axis { name: "threads", values: &[64, 128, 224, 256, 512] },
        Axis { name: "rows", values: &[1, 2] },
    ]);

    /// `len` is the number of oscillators; axis `rows` is how many of them a warp takes.
    fn launch_at(point: &Point, len: usize) -> Launch {
        let [threads, rows] = ["threads", "rows"].map(|axis| choice(&Self::SPACE, point, axis));
        rows_launch(len, threads, rows)
    }

    fn launch_for(len: usize) -> Launch {
        rows_launch(len, 256, 1)
    }
}

/// Enough blocks for a warp to every `rows` rows.
fn rows_launch(len: usize, threads: u32, rows: u32) -> Launch {
    let rows_per_block = (threads / WARP).max(1) * rows;
    let blocks = len.div_ceil(rows_per_block as usize).max(1);
    Launch::linear(u32::try_from(blocks).unwrap_or(u32::MAX), threads)
}

const WARP: u32 = 32;

/// Angles, velocities and observables of `n` oscillators.
pub(crate) fn results_len(n: usize) -> usize {
    n.saturating_mul(2).saturating_add(OBSERVABLES)
}

/// Elements of the noise: one for each step and oscillator.
pub(crate) fn noise_len(parameters: &Parameters) -> usize {
    parameters.n.saturating_mul(parameters.steps as usize)
}
