//! A pipeline: what it is made of, and what it tells of itself.
//!
//! All that the device and the pools hold is allocated and created here, before the first batch, and nothing of it afterwards.
//! Only a run with staging threads allocates on the host: its channels, and a job for each batch that they copy.

mod cancel;
mod execute;
mod journey;
mod staging;

use std::sync::Arc;
use std::time::Instant;

use gpu_core::{Clock, Device, Event};
use rayon::ThreadPool;

pub use self::cancel::Canceller;
use crate::budget::{BatchBytes, Budget};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::lane::Lanes;
use crate::pool::{Lease, PinnedMemoryPool, PoolConfig};
use crate::report::{PipelineReport, Tally};
use crate::slot::{BatchLen, DeviceSlot, Ticket, nanoseconds};
use crate::stage::Stage;

/// A pipeline with three streams: batch n goes up while n - 1 is computed and n - 2 comes down.
///
/// [`pipeline_execute`](Self::pipeline_execute) runs a slice, [`run`](Self::run) a source of batches;
/// [`submit`](Self::submit) and [`complete`](Self::complete) are what both are made of.
pub struct MemoryOptimizer<S: Stage> {
    /// First, so that it is dropped first: batches in flight wait for the lanes before anything else goes.
    tickets: Vec<Ticket<S::Input, S::Output>>,
    slots: Vec<DeviceSlot<S::Input, S::Output>>,
    lanes: Arc<Lanes>,
    stage: S,
    inputs: PinnedMemoryPool,
    outputs: PinnedMemoryPool,
    /// Elements of a full batch.
    len: BatchLen,
    config: Config,
    device: Device,
    clock: Clock,
    /// Passed right before the first upload of a run; times count from here.
    origin: Event,
    /// Batches queued since the run began: the number of the next one.
    submitted: u64,
    /// Batches completed since the run began. Invariant: at most `submitted`, and within
    /// `in_flight_max` of it; the tickets from here to `submitted` hold a flight, the others none.
    completed: u64,
    tally: Tally,
    /// The threads that copy ordinary memory; none where the caller's own does.
    staging: Option<Arc<ThreadPool>>,
    canceller: Canceller,
    started: Option<Instant>,
    ended: Option<Instant>,
}

/// A batch that is done.
#[derive(Debug)]
pub struct Batch<I: gpu_core::Pod, O: gpu_core::Pod> {
    /// The batch's number in the run, from 0, in the order of submission.
    pub index: u64,
    /// What went up, ready to be filled again.
    pub input: Lease<I>,
    /// What the stage made of it.
    pub output: Lease<O>,
}

impl<S: Stage> MemoryOptimizer<S> {
    /// Allocates everything that [`budget`](Self::budget) lists, and creates streams and events.
    ///
    /// # Errors
    /// [`Error::Config`] names a knob out of range; [`Error::StageLength`] a stage without output;
    /// otherwise what the driver says.
    pub fn new(device: &Device, stage: S, config: Config) -> Result<Self> {
        config.check()?;
        let len = BatchLen { input: config.batch_len, output: stage.output_len(config.batch_len) };
        if len.output == 0 {
            return Err(Error::StageLength { batch: 0, len: 0, max: usize::MAX });
        }
        let buffers = budget::<S>(&config, len).buffers_per_pool;
        let inputs = PoolConfig::uniform::<S::Input>(buffers, len.input);
        let outputs = PoolConfig::uniform::<S::Output>(buffers, len.output);
        let tickets = 0..config.in_flight_max();
        Ok(Self {
            tickets: tickets
                .map(|_| Ticket::new(device, config.timing))
                .collect::<gpu_core::Result<_>>()?,
            slots: (0..config.depth)
                .map(|_| DeviceSlot::new(device, len))
                .collect::<gpu_core::Result<_>>()?,
            lanes: Arc::new(Lanes::new(device)?),
            stage,
            inputs: PinnedMemoryPool::new(device, inputs)?,
            outputs: PinnedMemoryPool::new(device, outputs)?,
            len,
            config,
            device: device.clone(),
            clock: Clock::real(),
            origin: device.timed_event()?,
            submitted: 0,
            completed: 0,
            tally: Tally::new(),
            staging: staging::threads(config.staging_threads)?,
            canceller: Canceller::default(),
            started: None,
            ended: None,
        })
    }

    /// The same pipeline with its wall time on another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// A buffer to fill with the next batch.
    ///
    /// # Errors
    /// [`Error::Exhausted`] if the caller holds more than the [`Budget`] has for it.
    pub fn acquire(&self) -> Result<Lease<S::Input>> {
        self.inputs.acquire(self.len.input)
    }

    /// Begins a new run: batches count from 0 again, and the report forgets the last run.
    ///
    /// # Errors
    /// [`Error::Busy`] while batches are in flight.
    pub fn restart(&mut self) -> Result<()> {
        let in_flight = self.in_flight();
        if in_flight > 0 {
            return Err(Error::Busy { in_flight });
        }
        (self.submitted, self.completed) = (0, 0);
        (self.started, self.ended) = (None, None);
        self.tally.clear();
        Ok(())
    }

    /// What the run took so far: all batches that came back.
    pub fn report(&self) -> PipelineReport {
        let wall =
            self.started.zip(self.ended).map(|(from, to)| to.saturating_duration_since(from));
        let wall_ns = wall.map_or(0, nanoseconds);
        self.tally.report(self.device.backend(), self.config.depth, wall_ns)
    }

    /// Batches submitted and not yet completed.
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.submitted - self.completed)
            .expect("no more batches are in flight than there are tickets")
    }

    /// Whether a batch must be completed before another can be submitted.
    pub fn is_full(&self) -> bool {
        self.in_flight() == self.tickets.len()
    }

    /// What the pipeline has allocated.
    pub fn budget(&self) -> Budget {
        budget::<S>(&self.config, self.len)
    }

    /// The knobs it was made with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// What it does to a batch.
    pub fn stage(&self) -> &S {
        &self.stage
    }

    /// Where inputs come from.
    pub fn inputs(&self) -> &PinnedMemoryPool {
        &self.inputs
    }

    /// Where outputs come from.
    pub fn outputs(&self) -> &PinnedMemoryPool {
        &self.outputs
    }
}

impl<S: Stage> std::fmt::Debug for MemoryOptimizer<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("MemoryOptimizer")
            .field("config", &self.config)
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

/// Where batch number `batch` sits in a ring of `len` places.
pub(crate) fn place(batch: u64, len: usize) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below `len`, a usize")]
    let place = (batch % len as u64) as usize;
    place
}

fn budget<S: Stage>(config: &Config, len: BatchLen) -> Budget {
    let batch = BatchBytes {
        input: len.input.saturating_mul(size_of::<S::Input>()),
        output: len.output.saturating_mul(size_of::<S::Output>()),
    };
    Budget::new(config, batch)
}

#[cfg(test)]
mod tests {
    use gpu_core::{DeviceSlice, DeviceSliceMut, ErrorKind, Stream};

    use super::*;

    struct Echo;

    impl Stage for Echo {
        type Input = u8;
        type Output = u8;

        fn enqueue(
            &mut self,
            stream: &Stream,
            input: DeviceSlice<'_, u8>,
            output: DeviceSliceMut<'_, u8>,
        ) -> gpu_core::Result<()> {
            stream.copy(input, output)
        }
    }

    #[test]
    fn a_pipeline_whose_lanes_could_not_be_waited_for_takes_no_batch() {
        let mut pipeline = MemoryOptimizer::new(&Device::host(), Echo, Config::new(1)).unwrap();
        pipeline.submit(pipeline.acquire().unwrap()).unwrap();
        let failed_wait = Err(gpu_core::Error::NoDevice);
        assert!(pipeline.lanes.note(failed_wait).is_err());
        let rejected = pipeline.submit(pipeline.acquire().unwrap()).unwrap_err();
        assert_eq!(rejected.error, Error::Closed);
        assert_eq!(rejected.error.kind(), ErrorKind::Poisoned);
        assert!(rejected.input.is_some());
        assert!(pipeline.complete().unwrap().is_some(), "what was in flight still comes back");
    }
}
