//! One call of active inference as one cooperative kernel.
//!
//! Tolerance against the naive reference after one call from the same state: [`TOLERANCES`](super::TOLERANCES).
//! Sums run in a fixed order, so a launch repeats its results bit by bit.

use gpu_core::{
    Axis, DeviceSlice, DeviceSliceMut, Error, HostMemory, Kernel, KernelSource, Launch,
    LaunchContract, LaunchSpace, Params, Point, Result,
};

use super::optimised::Model;
use super::{
    COLUMNS, ITERATIONS, MODES, OBSERVATIONS, OUTPUTS, POLICIES, Parameters, SUBSTEPS, WINDOWS,
    frame, index,
};
use crate::source::{HEADERS, Tunable, check_len, check_linear, choice};

/// Arguments, in the order of the `.cu` parameters.
#[derive(Debug)]
pub struct InferArgs<'a> {
    /// The observations of this call.
    pub observations: DeviceSlice<'a, f64>,
    /// The coupling with the windows of every mode added up, [`Coupling::folded`](super::Coupling::folded).
    pub folded: DeviceSlice<'a, f64>,
    /// The mean before the call.
    pub mu: DeviceSlice<'a, f64>,
    /// The [`OUTPUTS`]; the mean after the call comes first.
    pub outputs: DeviceSliceMut<'a, f64>,
    /// The windows at the end of every policy.
    pub foreseen: DeviceSliceMut<'a, f64>,
    /// Room for what the blocks leave for each other; its length is [`Self::scratch_len`].
    pub scratch: DeviceSliceMut<'a, [f64; 2]>,
    /// Two counts that must be 0 and are 0 again afterwards.
    pub arrivals: DeviceSliceMut<'a, u32>,
    /// Into how many parts the substeps of a pair of windows are cut, a thread to each: 10, 20 or 50.
    pub parts: u32,
    /// Constants of the model.
    pub parameters: Parameters,
    /// Seed of the atmosphere and of the windows' noise.
    pub seed: u64,
    /// Calls since the agent's beginning.
    pub calls: u64,
}

/// The kernel that calls an agent.
#[derive(Clone, Copy, Debug)]
pub struct Infer;

// SAFETY: `infer.cu` takes the seven views, then parts and frame (32 bits), the seed (64 bits) and fourteen doubles.
// `check` finds the fixed lengths that its loops run to, and a scratch for `parts`, which divides the substeps and
// is a multiple of the ten that are read at a time. Pairs are read as 16 aligned bytes: buffers start at multiples
// of 256, and ranges of a view of pairs at multiples of 16. Counts that are not 0 let a block read what another has
// not written yet, which makes results wrong and nothing else: no index and no loop depends on what is read.
unsafe impl Kernel for Infer {
    type Args<'a> = InferArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("infer").threads(32, 512).cooperative();

    fn check(args: &InferArgs<'_>, launch: &Launch) -> Result<()> {
        check_linear(Self::CONTRACT.entry, launch)?;
        args.parameters.check()?;
        if !PARTS.contains(&args.parts) {
            let reason = "the substeps are cut into 10, 20 or 50 parts";
            return Err(Error::Argument { kernel: Self::CONTRACT.entry, reason });
        }
        check_len("the frame of observations", OBSERVATIONS, args.observations.len())?;
        check_len("the folded coupling of the agent", WINDOWS * MODES, args.folded.len())?;
        check_len("the mean of the agent", WINDOWS, args.mu.len())?;
        check_len("the outputs of the agent", OUTPUTS, args.outputs.len())?;
        check_len("the foreseen windows", POLICIES * WINDOWS, args.foreseen.len())?;
        check_len(
            "the scratch of the agent",
            Self::Args::scratch_len(args.parts),
            args.scratch.len(),
        )?;
        check_len("the arrivals of the agent", ARRIVALS, args.arrivals.len())
    }

    fn bind(args: &InferArgs<'_>, params: &mut Params) {
        params.slice(&args.observations);
        params.slice(&args.folded);
        params.slice(&args.mu);
        params.slice_mut(&args.outputs);
        params.slice_mut(&args.foreseen);
        params.slice_mut(&args.scratch);
        params.slice_mut(&args.arrivals);
        params.scalar(args.parts);
        params.scalar(frame(args.calls));
        params.scalar(args.seed);
        let Parameters { precision, prior_variance, variance, rate, .. } = args.parameters;
        let Parameters { mode_rate, mode_variance, friction, diffusion, dt, .. } = args.parameters;
        for constant in [precision, prior_variance, variance, rate] {
            params.scalar(constant);
        }
        for constant in [mode_rate, mode_variance, friction, diffusion, dt] {
            params.scalar(constant);
        }
        for gain in args.parameters.gains {
            params.scalar(gain);
        }
    }

    fn reference(args: InferArgs<'_>, _launch: &Launch, memory: &HostMemory) {
        let model = Model {
            parameters: args.parameters,
            folded: memory.slice(args.folded),
            seed: args.seed,
            calls: args.calls,
        };
        let observations = memory.slice(args.observations);
        let observations = observations.first_chunk().expect("`check` found the length");
        let (outputs, foreseen) = model.infer(observations, memory.slice(args.mu));
        outputs.write(memory.slice_mut(args.outputs));
        memory.slice_mut(args.foreseen).copy_from_slice(&foreseen);
    }
}

impl Tunable for Infer {
    const SOURCE: KernelSource =
        KernelSource { name: "infer", text: include_str!("infer.cu"), headers: HEADERS };

    const SPACE: LaunchSpace = LaunchSpace::new(&[
        Axis { name: "threads", values: &[128, 256, 384, 512] },
        Axis { name: "blocks", values: &[66, 132, 264] },
    ]);

    /// The sizes of the workload are fixed, so `len` decides nothing. How the substeps are cut follows from the launch.
    fn launch_at(point: &Point, _len: usize) -> Launch {
        let [threads, blocks] = ["threads", "blocks"].map(|axis| choice(&Self::SPACE, point, axis));
        Launch::linear(blocks, threads)
    }

    /// A block for every multiprocessor of an H100; [`Inference`](super::Inference) asks the device how many it has.
    fn launch_for(_len: usize) -> Launch {
        Launch::linear(132, THREADS)
    }
}

impl InferArgs<'_> {
    /// Pairs of numbers that the blocks leave for each other: the noise of every part and pair of windows, the normal numbers of
    /// the atmosphere, and a share of every free energy and risk for each triple of windows.
    pub fn scratch_len(parts: u32) -> usize {
        let noise = parts as usize * COLUMNS * (WINDOWS / 2);
        let atmosphere = COLUMNS * (MODES / 2);
        let shares = (ITERATIONS + 1) * (WINDOWS / 3 + 1) + COLUMNS * OBSERVATIONS;
        noise + atmosphere + shares.div_ceil(2)
    }
}

/// Counts of arrivals.
pub(crate) const ARRIVALS: usize = 2;

/// Threads of a block that do well without tuning.
pub(crate) const THREADS: u32 = 512;

/// The ways in which the substeps can be cut. The kernel reads ten parts at a time.
const PARTS: [u32; 3] = [10, 20, 50];

/// How the substeps are best cut for `launch`: so that the thread with the most draws has the fewest of them.
///
/// Every part is also one more number to collect for each window, which is taken as a twentieth of a draw: an estimate,
/// without which the traffic of many parts would count for nothing.
pub(crate) fn parts_for(launch: &Launch) -> u32 {
    let threads = u128::from(launch.blocks()) * u128::from(launch.threads());
    let cost = |parts: u32| {
        let tasks = COLUMNS * (WINDOWS / 2) * parts as usize;
        let draws = (tasks as u128).div_ceil(threads.max(1)) * u128::from(index(SUBSTEPS) / parts);
        20 * draws + u128::from(parts)
    };
    PARTS.into_iter().min_by_key(|&parts| cost(parts)).unwrap_or(PARTS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_substeps_are_cut_so_that_every_thread_gets_its_share() {
        // 675,000 draws of a pair: 67,584 threads take ten each, twice as many take five.
        let cases =
            [(132, 512, 10), (264, 512, 20), (66, 512, 10), (264, 384, 10), (4000, 512, 50)];
        for (blocks, threads, parts) in cases {
            let launch = Launch::linear(blocks, threads);
            assert_eq!(parts_for(&launch), parts, "{blocks} x {threads}");
        }
        assert!(PARTS.into_iter().all(|parts| SUBSTEPS.is_multiple_of(parts as usize)));
    }
}
