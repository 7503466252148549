//! Spikes, information flow and coupling as one kernel, which also hands the network's motion on to the next frame.
//!
//! Tolerances against the naive reference: histograms are equal, transfer entropies within 1e-12, couplings within 1e-7.

use gpu_core::{
    Axis, DeviceSlice, DeviceSliceMut, HostMemory, Kernel, KernelSource, Launch, LaunchContract,
    LaunchSpace, Params, Point, Result,
};

use super::SAMPLES;
use super::optimised::couple;
use super::system::spikes;
use crate::information::{self, CELLS, CHANNELS, History};
use crate::source::{HEADERS, Tunable, check_len, check_linear, choice};

/// Arguments, in the order of the `.cu` parameters.
#[derive(Debug)]
pub struct PerceiveArgs<'a> {
    /// The values of the frame.
    pub values: DeviceSlice<'a, f64>,
    /// Two words a channel: its moments before the frame, the older ones first.
    pub history: DeviceSlice<'a, u64>,
    /// C before the frame, row by row.
    pub coupling: DeviceSlice<'a, f64>,
    /// Angles and velocities of the network.
    pub motion: DeviceSlice<'a, f64>,
    /// The moments after the frame.
    pub next_history: DeviceSliceMut<'a, u64>,
    /// C after the frame.
    pub next_coupling: DeviceSliceMut<'a, f64>,
    /// A copy of the angles and velocities, for the network to change.
    pub next_motion: DeviceSliceMut<'a, f64>,
    /// The histogram of every target and source.
    pub counts: DeviceSliceMut<'a, u32>,
    /// The transfer entropy of every target and source.
    pub entropies: DeviceSliceMut<'a, f64>,
    /// The largest of them.
    pub te_max: DeviceSliceMut<'a, f64>,
}

/// The kernel that perceives a frame.
#[derive(Clone, Copy, Debug)]
pub struct Perceive;

// SAFETY: `perceive.cu` takes these ten views and nothing else. `check` finds the fixed lengths that its loops run to;
// of the values it reads one a channel. Its blocks share nothing that they write.
unsafe impl Kernel for Perceive {
    type Args<'a> = PerceiveArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("perceive");

    fn check(args: &PerceiveArgs<'_>, launch: &Launch) -> Result<()> {
        check_linear(Self::CONTRACT.entry, launch)?;
        check_len("the values of the frame", SAMPLES, args.values.len())?;
        check_len("the history", HISTORY_LEN, args.history.len())?;
        check_len("the coupling", COUPLINGS, args.coupling.len())?;
        check_len("the motion", 2 * SAMPLES, args.motion.len())?;
        check_len("the next history", HISTORY_LEN, args.next_history.len())?;
        check_len("the next coupling", COUPLINGS, args.next_coupling.len())?;
        check_len("the next motion", 2 * SAMPLES, args.next_motion.len())?;
        check_len("the histograms", COUNTS_LEN, args.counts.len())?;
        check_len("the transfer entropies", ENTROPIES_LEN, args.entropies.len())?;
        check_len("the largest transfer entropy", 1, args.te_max.len())
    }

    fn bind(args: &PerceiveArgs<'_>, params: &mut Params) {
        params.slice(&args.values);
        params.slice(&args.history);
        params.slice(&args.coupling);
        params.slice(&args.motion);
        params.slice_mut(&args.next_history);
        params.slice_mut(&args.next_coupling);
        params.slice_mut(&args.next_motion);
        params.slice_mut(&args.counts);
        params.slice_mut(&args.entropies);
        params.slice_mut(&args.te_max);
    }

    fn reference(args: PerceiveArgs<'_>, _launch: &Launch, memory: &HostMemory) {
        let mut history = History::from_words(memory.slice(args.history));
        history.push(spikes(memory.slice(args.values)));
        let flow = information::optimised::flow(&history);
        let next_coupling = memory.slice_mut(args.next_coupling);
        couple(memory.slice(args.coupling), &flow.shares(), next_coupling);
        memory.slice_mut(args.next_history).copy_from_slice(&history.words());
        memory.slice_mut(args.next_motion).copy_from_slice(memory.slice(args.motion));
        memory.slice_mut(args.counts).copy_from_slice(flow.counts.as_flattened().as_flattened());
        memory.slice_mut(args.entropies).copy_from_slice(flow.entropies.as_flattened());
        memory.slice_mut(args.te_max)[0] = flow.max();
    }
}

impl Tunable for Perceive {
    const SOURCE: KernelSource =
        KernelSource { name: "perceive", text: include_str!("perceive.cu"), headers: HEADERS };

    const SPACE: LaunchSpace = LaunchSpace::new(&[
        Axis { name: "threads", values: &[256, 512, 1024] },
        Axis { name: "blocks", values: &[132, 264, 528] },
    ]);

    /// The sizes of the workload are fixed, so `len` decides nothing.
    fn launch_at(point: &Point, _len: usize) -> Launch {
        let [threads, blocks] = ["threads", "blocks"].map(|axis| choice(&Self::SPACE, point, axis));
        Launch::linear(blocks, threads)
    }

    /// A block for every multiprocessor of an H100; [`Engine`](super::Engine) asks the device how many it has.
    fn launch_for(_len: usize) -> Launch {
        Launch::linear(132, 1024)
    }
}

/// Couplings of the network.
pub(super) const COUPLINGS: usize = SAMPLES * SAMPLES;

/// Words of a history.
pub(super) const HISTORY_LEN: usize = 2 * CHANNELS;

/// Transfer entropies, target by target.
pub(super) const ENTROPIES_LEN: usize = CHANNELS * CHANNELS;

/// Cells of all histograms.
pub(super) const COUNTS_LEN: usize = ENTROPIES_LEN * CELLS;
