//! Control, synchronisation and the outputs of a frame, as a kernel of one block.
//!
//! Tolerance against the naive reference: 1e-7, [`TOLERANCES`](super::TOLERANCES). Sums run in a fixed order, so a launch
//! repeats its results bit by bit.

use gpu_core::{
    Axis, DeviceSlice, DeviceSliceMut, Error, HostMemory, Kernel, KernelSource, Launch,
    LaunchContract, LaunchSpace, Params, Point, Result,
};

use super::optimised::{Action, act};
use super::outputs::{AGENT_METRICS, Block};
use super::{OUTPUTS, SAMPLES};
use crate::active_inference;
use crate::information::optimised::channel_information;
use crate::source::{HEADERS, Tunable, check_len, check_linear, choice};
use crate::synchronisation::optimised::step_all;
use crate::thermodynamic::OBSERVABLES;

/// Arguments, in the order of the `.cu` parameters.
#[derive(Debug)]
pub struct ActArgs<'a> {
    /// What the agent puts out.
    pub agent: DeviceSlice<'a, f64>,
    /// What the network shows.
    pub observables: DeviceSlice<'a, f64>,
    /// The largest transfer entropy.
    pub te_max: DeviceSlice<'a, f64>,
    /// The targets of the frame.
    pub targets: DeviceSlice<'a, f64>,
    /// The angles of the network.
    pub theta: DeviceSlice<'a, f64>,
    /// The phases of both banks before the frame.
    pub phases: DeviceSlice<'a, f64>,
    /// The frequencies of both banks.
    pub frequencies: DeviceSlice<'a, f64>,
    /// The corrected mean.
    pub next_mu: DeviceSliceMut<'a, f64>,
    /// The phases of both banks after the frame.
    pub next_phases: DeviceSliceMut<'a, f64>,
    /// The [`OUTPUTS`]: page-locked memory that a scope lends, or room on the device.
    pub outputs: DeviceSliceMut<'a, f64>,
}

/// The kernel that acts on a frame.
#[derive(Clone, Copy, Debug)]
pub struct Act;

// SAFETY: `act.cu` takes these ten views and nothing else. `check` finds the fixed lengths that it touches, element by
// element of the window of each thread, and one block; the contract admits at least a thread a window.
unsafe impl Kernel for Act {
    type Args<'a> = ActArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("act").threads(928, 1024);

    fn check(args: &ActArgs<'_>, launch: &Launch) -> Result<()> {
        check_linear(Self::CONTRACT.entry, launch)?;
        if launch.blocks() != 1 {
            let reason = "it is the work of one block; launch no more";
            return Err(Error::Argument { kernel: Self::CONTRACT.entry, reason });
        }
        check_len("the outputs of the agent", active_inference::OUTPUTS, args.agent.len())?;
        check_len("the observables of the network", OBSERVABLES, args.observables.len())?;
        check_len("the largest transfer entropy", 1, args.te_max.len())?;
        check_len("the targets of the frame", SAMPLES, args.targets.len())?;
        check_len("the angles of the network", SAMPLES, args.theta.len())?;
        check_len("the phases of the banks", 2 * SAMPLES, args.phases.len())?;
        check_len("the frequencies of the banks", 2 * SAMPLES, args.frequencies.len())?;
        check_len("the corrected mean", SAMPLES, args.next_mu.len())?;
        check_len("the next phases of the banks", 2 * SAMPLES, args.next_phases.len())?;
        check_len("the outputs of the frame", OUTPUTS, args.outputs.len())
    }

    fn bind(args: &ActArgs<'_>, params: &mut Params) {
        params.slice(&args.agent);
        params.slice(&args.observables);
        params.slice(&args.te_max);
        params.slice(&args.targets);
        params.slice(&args.theta);
        params.slice(&args.phases);
        params.slice(&args.frequencies);
        params.slice_mut(&args.next_mu);
        params.slice_mut(&args.next_phases);
        params.slice_mut(&args.outputs);
    }

    fn reference(args: ActArgs<'_>, _launch: &Launch, memory: &HostMemory) {
        let agent = memory.slice(args.agent);
        let (means, agent_metrics) = agent.split_at(agent.len() - AGENT_METRICS.len());
        let (mu, u) = means.split_at(SAMPLES);
        let Action { control, mu, prediction } = act(mu, u, memory.slice(args.targets));
        let coherence = step_all(
            memory.slice(args.phases),
            memory.slice(args.frequencies),
            (&mu, memory.slice(args.theta)),
            memory.slice_mut(args.next_phases),
        );
        memory.slice_mut(args.next_mu).copy_from_slice(&mu);
        let block = Block {
            agent_metrics,
            network: memory.slice(args.observables),
            te_max: memory.slice(args.te_max)[0],
            coherence,
            information: channel_information(&mu),
            control: &control,
            prediction: &prediction,
        };
        block.write(memory.slice_mut(args.outputs));
    }
}

impl Tunable for Act {
    const SOURCE: KernelSource =
        KernelSource { name: "act", text: include_str!("act.cu"), headers: HEADERS };

    const SPACE: LaunchSpace = LaunchSpace::new(&[Axis { name: "threads", values: &[928, 1024] }]);

    /// The sizes of the workload are fixed, so `len` decides nothing.
    fn launch_at(point: &Point, _len: usize) -> Launch {
        Launch::linear(1, choice(&Self::SPACE, point, "threads"))
    }

    fn launch_for(_len: usize) -> Launch {
        Launch::linear(1, 928)
    }
}
