//! A fixed schedule of batches that is recorded once and sent off with one call.
//!
//! What streams cost a batch at a time, three copies and launches with their waits, a graph costs once for all.
//! Never lets anybody name a buffer while the device may use it: sending it off moves the whole schedule.

use std::sync::Arc;

use gpu_core::{Device, Graph};

use crate::config::DEPTH_MAX;
use crate::error::{Error, Result, Step};
use crate::flight::Flight;
use crate::lane::Lanes;
use crate::optimizer::place;
use crate::passage::Passage;
use crate::pool::{BUFFERS_MAX, PinnedMemoryPool, PoolConfig};
use crate::slot::{BatchLen, Passed, Slot};
use crate::stage::Stage;

/// How large a schedule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ReplayConfig {
    /// Elements of a batch of input. Every batch is full.
    pub batch_len: usize,
    /// Batches of the schedule, each with a page-locked input and output of its own.
    pub batches: usize,
    /// Slots on the device, as for [`Config`](crate::Config).
    pub depth: usize,
}

impl ReplayConfig {
    /// `batches` batches of `batch_len` elements through three slots.
    pub const fn new(batch_len: usize, batches: usize) -> Self {
        Self { batch_len, batches, depth: 3 }
    }

    fn check(&self) -> Result<()> {
        let knobs = [
            ("batch_len", self.batch_len, usize::MAX),
            ("batches", self.batches, BUFFERS_MAX),
            ("depth", self.depth, DEPTH_MAX),
        ];
        match knobs.into_iter().find(|(_, actual, max)| !(1..=*max).contains(actual)) {
            Some((what, actual, max)) => Err(Error::Config { what, actual, min: 1, max }),
            None => Ok(()),
        }
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
/// fn peek<S: Stage<Output = u8>>(replay: Replay<S>) -> Result<u8, Error> {
///     let in_flight = replay.launch()?;
///     let first = replay.outputs().next().unwrap()[0];
///     in_flight.wait()?;
///     Ok(first)
/// }
/// ```
///
/// Nor by a slice that was taken before:
///
/// ```compile_fail,E0505
/// # use memory_pipeline::{Error, Replay, Stage};
/// fn peek<S: Stage<Output = u8>>(replay: Replay<S>) -> Result<u8, Error> {
///     let first = replay.outputs().next().unwrap();
///     replay.launch()?.wait()?;
///     Ok(first[0])
/// }
/// ```
pub struct Replay<S: Stage> {
    /// First, so that they are dropped first: they wait for the lanes before anything else goes.
    ///
    /// Invariant: none of their copies can run while this is not inside a [`ReplayInFlight`].
    flights: Vec<FlightOf<S>>,
    graph: Graph,
    /// What the graph reads and writes on the device: held, and never touched from here.
    _slots: Vec<SlotOf<S>>,
    lanes: Arc<Lanes>,
    stage: S,
    config: ReplayConfig,
}

type FlightOf<S> = Flight<<S as Stage>::Input, <S as Stage>::Output>;
type SlotOf<S> = Slot<<S as Stage>::Input, <S as Stage>::Output>;

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
        let pool = |config| PinnedMemoryPool::new(device, config);
        let inputs = pool(PoolConfig::uniform::<S::Input>(config.batches, len.input))?;
        let outputs = pool(PoolConfig::uniform::<S::Output>(config.batches, len.output))?;
        let flight = |_| {
            let (input, output) = (inputs.acquire(len.input)?, outputs.acquire(len.output)?);
            Ok(Flight::new(Arc::clone(&lanes), input, output))
        };
        let mut flights = (0..config.batches).map(flight).collect::<Result<Vec<_>>>()?;
        let slots = 0..config.depth.min(config.batches);
        let mut slots =
            slots.map(|_| Slot::new(device, len)).collect::<gpu_core::Result<Vec<_>>>()?;
        let graph = record(device, &lanes, &mut stage, (&mut flights, &mut slots))?;
        Ok(Self { flights, graph, _slots: slots, lanes, stage, config })
    }

    /// What each batch takes up, in order.
    pub fn inputs_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [S::Input]> {
        // SAFETY: this is idle, so no copy of its flights can run before it is launched, which takes it by value.
        self.flights.iter_mut().map(|flight| unsafe { flight.input_mut() })
    }

    /// What each batch brought down last, in order; zeros before the first launch.
    pub fn outputs(&self) -> impl ExactSizeIterator<Item = &[S::Output]> {
        // SAFETY: as for `inputs_mut`.
        self.flights.iter().map(|flight| unsafe { flight.output() })
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

/// Records the passage of every batch through the slots in turn, into the upload lane.
fn record<S: Stage>(
    device: &Device,
    lanes: &Lanes,
    stage: &mut S,
    (flights, slots): (&mut [FlightOf<S>], &mut [SlotOf<S>]),
) -> Result<Graph> {
    let depth = slots.len();
    let batches = flights.len() as u64;
    let events = slots.iter().map(|_| Passed::new(device)).collect::<gpu_core::Result<Vec<_>>>()?;
    let mut failed_at: Option<(u64, Step)> = None;
    let last = &events[place(batches - 1, depth)];
    let graph = lanes.upload.capture(|| {
        for (batch, flight) in (0..batches).zip(flights) {
            let (slot, passed) = (&mut slots[place(batch, depth)], &events[place(batch, depth)]);
            let passage = Passage {
                lanes,
                slot,
                stage: &mut *stage,
                flight,
                passed,
                last: (batch >= depth as u64).then_some(passed),
                times: None,
                origin: None,
            };
            passage.queue().map_err(|(step, source)| {
                failed_at = Some((batch, step));
                source
            })?;
        }
        // Downloads follow each other in their lane, so the whole schedule ends with the last one.
        lanes.upload.wait(&last.download)
    });
    graph.map_err(|source| match failed_at {
        Some((batch, step)) => Error::Batch { batch, step, source },
        None => Error::Device(source),
    })
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
