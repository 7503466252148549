//! A fixed schedule of batches that is recorded once and sent off with one call.
//!
//! What streams cost a batch at a time, two copies and a launch with their waits, a graph costs once for all. A copy costs more to
//! send off than a kernel even so, so that one copy can carry several batches.
//! Never lets anybody name a buffer while the device may use it: sending it off moves the whole schedule.

use std::sync::Arc;

use gpu_core::{Device, DeviceSlice, DeviceSliceMut, Graph, Stream};

use crate::config::DEPTH_MAX;
use crate::error::{Error, Result, Step};
use crate::flight::{Flight, Journeys};
use crate::lane::Lanes;
use crate::passage::Passage;
use crate::pool::{BUFFERS_MAX, PinnedMemoryPool, PoolConfig};
use crate::slot::{BatchLen, DeviceSlot, Passed};
use crate::stage::Stage;

/// How large a schedule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ReplayConfig {
    /// Elements of a batch of input. Every batch is full.
    pub batch_len: usize,
    /// Batches of the schedule, each with a page-locked input and output of its own.
    pub batches: usize,
    /// Slots on the device, as for [`Config`](crate::Config). Each holds what one copy carries.
    pub depth: usize,
    /// Batches that one copy carries, at most. The stage is queued for each batch all the same.
    pub batches_per_copy: usize,
}

impl ReplayConfig {
    /// `batches` batches of `batch_len` elements through three slots, each copied by itself.
    pub const fn new(batch_len: usize, batches: usize) -> Self {
        Self { batch_len, batches, depth: 3, batches_per_copy: 1 }
    }

    fn check(&self) -> Result<()> {
        let knobs = [
            ("batch_len", self.batch_len, usize::MAX),
            ("batches", self.batches, BUFFERS_MAX),
            ("depth", self.depth, DEPTH_MAX),
            ("batches_per_copy", self.batches_per_copy, BUFFERS_MAX),
        ];
        match knobs.into_iter().find(|(_, actual, max)| !(1..=*max).contains(actual)) {
            Some((what, actual, max)) => Err(Error::Config { what, actual, min: 1, max }),
            None => Ok(()),
        }
    }

    /// Batches of each copy, in order: as many as may be, and in the last one what is left.
    fn copies(&self) -> impl ExactSizeIterator<Item = usize> {
        let Self { batches, batches_per_copy: each, .. } = *self;
        (0..batches.div_ceil(each)).map(move |copy| each.min(batches - copy * each))
    }
}

/// A schedule of batches through upload, stage and download, idle: inputs can be written and outputs read.
///
/// [`launch`](Self::launch) moves it to the device and [`wait`](ReplayInFlight::wait) brings it back. Two schedules can take turns: while
/// one is in flight, the host fills and reads the other.
///
/// ```
/// use gpu_core::{Device, DeviceSlice, DeviceSliceMut, Stream};
/// use memory_pipeline::{Error, Replay, ReplayConfig, Stage};
///
/// struct Echo;
///
/// impl Stage for Echo {
///     type Input = u32;
///     type Output = u32;
///
///     fn enqueue(
///         &mut self,
///         stream: &Stream,
///         input: DeviceSlice<'_, u32>,
///         output: DeviceSliceMut<'_, u32>,
///     ) -> gpu_core::Result<()> {
///         stream.copy(input, output)
///     }
/// }
///
/// # fn main() -> Result<(), Error> {
/// let mut replay = Replay::new(&Device::auto()?, Echo, ReplayConfig::new(4, 8))?;
/// for round in 0..3 {
///     replay.inputs_mut().for_each(|input| input.fill(round));
///     replay = replay.launch()?.wait()?;
///     assert!(replay.outputs().all(|output| *output == [round; 4]));
/// }
/// # Ok(())
/// # }
/// ```
///
/// What is in flight has no buffers to name:
///
/// ```compile_fail,E0382
/// # use memory_pipeline::{Error, Replay, Stage};
/// fn peek<S: Stage<Output = u8>>(
///     replay: Replay<S>,
///     other: Replay<S>,
/// ) -> Result<u8, Error> {
///     let in_flight = replay.launch()?;
///     let first = replay.outputs().next().map_or(0, |output| output[0]);
///     in_flight.wait()?;
///     Ok(first)
/// }
/// ```
///
/// While another one is in flight, it can be read:
///
/// ```
/// # use memory_pipeline::{Error, Replay, Stage};
/// # fn peek<S: Stage<Output = u8>>(
/// #     replay: Replay<S>,
/// #     other: Replay<S>,
/// # ) -> Result<u8, Error> {
///     let in_flight = other.launch()?;
/// #     let first = replay.outputs().next().map_or(0, |output| output[0]);
/// #     in_flight.wait()?;
/// #     Ok(first)
/// # }
/// ```
///
/// Nor by a slice that was taken before:
///
/// ```compile_fail,E0505
/// # use memory_pipeline::{Error, Replay, Stage};
/// fn peek<S: Stage<Output = u8>>(
///     replay: Replay<S>,
///     other: Replay<S>,
/// ) -> Result<u8, Error> {
///     let first = replay.outputs().next();
///     replay.launch()?.wait()?;
///     Ok(first.map_or(0, |output| output[0]))
/// }
/// ```
///
/// Of the one that stays, it can be read all along:
///
/// ```
/// # use memory_pipeline::{Error, Replay, Stage};
/// # fn peek<S: Stage<Output = u8>>(
/// #     replay: Replay<S>,
/// #     other: Replay<S>,
/// # ) -> Result<u8, Error> {
/// #     let first = replay.outputs().next();
///     other.launch()?.wait()?;
/// #     Ok(first.map_or(0, |output| output[0]))
/// # }
/// ```
pub struct Replay<S: Stage> {
    /// First, so that they are dropped first: they wait for the lanes before anything else goes.
    ///
    /// Invariant: none of their copies can run while this is not inside a [`ReplayInFlight`].
    flights: Vec<FlightOf<S>>,
    graph: Graph,
    /// Elements of a batch.
    len: BatchLen,
    /// What the graph reads and writes on the device: held, and never touched from here.
    _slots: Vec<SlotOf<S>>,
    lanes: Arc<Lanes>,
    stage: S,
    config: ReplayConfig,
}

type FlightOf<S> = Flight<<S as Stage>::Input, <S as Stage>::Output>;
type SlotOf<S> = DeviceSlot<<S as Stage>::Input, <S as Stage>::Output>;

/// A schedule that the device was given. Dropping it waits for the device and gives its buffers up.
#[must_use = "the results are there when it was waited for"]
pub struct ReplayInFlight<S: Stage> {
    replay: Replay<S>,
}

/// A schedule that failed, and itself back.
#[derive(thiserror::Error)]
#[error("{error}")]
pub struct ReplayFailed<S: Stage> {
    /// Why.
    #[source]
    pub error: Error,
    /// The schedule, idle, its outputs of no use; `None` if copies of it may run for ever: its buffers are then never used again.
    pub replay: Option<Box<Replay<S>>>,
}

impl<S: Stage> Replay<S> {
    /// Allocates buffers and slots, and records the schedule: [`Stage::enqueue`] is called once for each batch, now and never again.
    ///
    /// # Errors
    /// [`Error::Config`] names a knob out of range; [`Error::StageLength`] a stage without output; [`Error::Batch`] a batch
    /// that could not be recorded, such as one whose stage waits; otherwise what the driver says.
    pub fn new(device: &Device, mut stage: S, config: ReplayConfig) -> Result<Self> {
        config.check()?;
        let len = BatchLen { input: config.batch_len, output: stage.output_len(config.batch_len) };
        if len.output == 0 {
            return Err(Error::StageLength { batch: 0, len: 0, max: usize::MAX });
        }
        let lanes = Arc::new(Lanes::new(device)?);
        let largest = len.times(config.batches_per_copy.min(config.batches));
        let copies = config.copies().len();
        let pool = |config| PinnedMemoryPool::new(device, config);
        let inputs = pool(PoolConfig::uniform::<S::Input>(copies, largest.input))?;
        let outputs = pool(PoolConfig::uniform::<S::Output>(copies, largest.output))?;
        let flight = |batches| {
            let len = len.times(batches);
            let mut input = inputs.acquire(largest.input)?;
            let mut output = outputs.acquire(largest.output)?;
            input.resize(len.input)?;
            output.resize(len.output)?;
            Ok(Flight::new(Arc::clone(&lanes), (input, output), Journeys::Replayed))
        };
        let mut flights = config.copies().map(flight).collect::<Result<Vec<_>>>()?;
        let slots = 0..config.depth.min(copies);
        let mut slots = slots
            .map(|_| DeviceSlot::new(device, largest))
            .collect::<gpu_core::Result<Vec<_>>>()?;
        let mut each = Each { stage: &mut stage, len, batches: 0 };
        let recorded = record(device, &lanes, &mut each, (&mut flights, &mut slots));
        let graph = recorded.map_err(|failed| failed.error(each.batches, &config))?;
        Ok(Self { flights, graph, len, _slots: slots, lanes, stage, config })
    }

    /// What each batch takes up, in order.
    pub fn inputs_mut(&mut self) -> impl Iterator<Item = &mut [S::Input]> {
        let len = self.len.input;
        // SAFETY: this is idle, so no copy of its flights can run before it is launched, which takes it by value.
        let copies = self.flights.iter_mut().map(|flight| unsafe { flight.input_mut() });
        copies.flat_map(move |batches| batches.chunks_exact_mut(len))
    }

    /// What each batch brought down last, in order; zeros before the first launch.
    pub fn outputs(&self) -> impl Iterator<Item = &[S::Output]> {
        let len = self.len.output;
        // SAFETY: as for `inputs_mut`.
        let copies = self.flights.iter().map(|flight| unsafe { flight.output() });
        copies.flat_map(move |batches| batches.chunks_exact(len))
    }

    /// Sends all batches off, without waiting.
    ///
    /// # Errors
    /// [`Error::Device`] with what the driver says, and the schedule back.
    pub fn launch(self) -> Result<ReplayInFlight<S>, ReplayFailed<S>> {
        match self.lanes.upload.replay(&self.graph) {
            Ok(()) => Ok(ReplayInFlight { replay: self }),
            Err(error) => Err(self.settled_after(error)),
        }
    }

    /// What it does to a batch.
    pub fn stage(&self) -> &S {
        &self.stage
    }

    /// How large it is.
    pub fn config(&self) -> &ReplayConfig {
        &self.config
    }

    /// Copies and launches of the schedule.
    pub fn nodes(&self) -> usize {
        self.graph.nodes()
    }

    /// Gives a schedule back once nothing of it can run; otherwise drops it, which gives up its buffers.
    fn settled_after(self, error: gpu_core::Error) -> ReplayFailed<S> {
        let replay = self.lanes.settle().is_ok().then(|| Box::new(self));
        ReplayFailed { error: Error::Device(error), replay }
    }
}

impl<S: Stage> ReplayInFlight<S> {
    /// Waits for all batches.
    ///
    /// # Errors
    /// [`Error::Device`] with what the work failed with, and the schedule back if nothing of it can run any more.
    pub fn wait(self) -> Result<Replay<S>, ReplayFailed<S>> {
        let Self { replay } = self;
        // The lane that a schedule is sent off in waits for its last download, so this is the only wait.
        match replay.lanes.upload.synchronize() {
            Ok(()) => Ok(replay),
            Err(error) => Err(replay.settled_after(error)),
        }
    }

    /// Whether waiting would return at once. Never blocks.
    ///
    /// # Errors
    /// What the work failed with.
    pub fn is_done(&self) -> Result<bool> {
        Ok(self.replay.lanes.upload.is_idle()?)
    }
}

/// A stage that is queued for each of the batches that one copy brought.
struct Each<'a, S> {
    stage: &'a mut S,
    len: BatchLen,
    /// Batches queued so far.
    batches: usize,
}

impl<S: Stage> Stage for Each<'_, S> {
    type Input = S::Input;
    type Output = S::Output;

    fn enqueue(
        &mut self,
        stream: &Stream,
        input: DeviceSlice<'_, S::Input>,
        mut output: DeviceSliceMut<'_, S::Output>,
    ) -> gpu_core::Result<()> {
        for batch in 0..input.len() / self.len.input {
            let input = input.range(batch * self.len.input..(batch + 1) * self.len.input)?;
            let (one, rest) = output.split_at(self.len.output)?;
            self.stage.enqueue(stream, input, one)?;
            self.batches += 1;
            output = rest;
        }
        Ok(())
    }
}

/// Why a schedule could not be recorded.
struct Unrecorded {
    source: gpu_core::Error,
    /// Which copy could not be queued, and on which step.
    copy: Option<(usize, Step)>,
}

impl Unrecorded {
    /// The error, which names a batch: that of the stage if the stage failed, otherwise the first of the copy.
    fn error(self, staged: usize, config: &ReplayConfig) -> Error {
        let Self { source, copy } = self;
        let Some((copy, step)) = copy else { return Error::Device(source) };
        let batch = if step == Step::Compute { staged } else { copy * config.batches_per_copy };
        Error::Batch { batch: batch as u64, step, source }
    }
}

impl From<gpu_core::Error> for Unrecorded {
    fn from(source: gpu_core::Error) -> Self {
        Self { source, copy: None }
    }
}

/// Records the passage of everything that flies through the slots in turn, into the upload lane.
fn record<S: Stage>(
    device: &Device,
    lanes: &Lanes,
    stage: &mut S,
    (flights, slots): (&mut [FlightOf<S>], &mut [SlotOf<S>]),
) -> Result<Graph, Unrecorded> {
    let depth = slots.len();
    let events = slots.iter().map(|_| Passed::new(device)).collect::<gpu_core::Result<Vec<_>>>()?;
    let mut failed_at = None;
    let last = &events[(flights.len() - 1) % depth];
    let graph = lanes.upload.capture(|| {
        for (copy, flight) in flights.iter_mut().enumerate() {
            let (slot, passed) = (&mut slots[copy % depth], &events[copy % depth]);
            let passage = Passage {
                lanes,
                slot,
                stage: &mut *stage,
                flight,
                passed,
                last: (copy >= depth).then_some(passed),
                times: None,
                origin: None,
            };
            passage.queue().map_err(|(step, source)| {
                failed_at = Some((copy, step));
                source
            })?;
        }
        // Downloads follow each other in their lane, so the whole schedule ends with the last one.
        lanes.upload.wait(&last.download)
    });
    graph.map_err(|source| Unrecorded { source, copy: failed_at })
}

impl<S: Stage> From<ReplayFailed<S>> for Error {
    fn from(failed: ReplayFailed<S>) -> Self {
        failed.error
    }
}

impl<S: Stage> std::fmt::Debug for Replay<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Replay")
            .field("config", &self.config)
            .field("nodes", &self.nodes())
            .finish_non_exhaustive()
    }
}

impl<S: Stage> std::fmt::Debug for ReplayInFlight<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ReplayInFlight").field("replay", &self.replay).finish()
    }
}

impl<S: Stage> std::fmt::Debug for ReplayFailed<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ReplayFailed")
            .field("error", &self.error)
            .field("replay", &self.replay)
            .finish()
    }
}
