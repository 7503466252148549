//! The journey of a batch: [`MemoryOptimizer::submit`] sends it off, [`MemoryOptimizer::complete`] waits for it.
//!
//! Never allocates, frees or creates anything on the device after `new`, and waits on the host
//! in one place, for the oldest batch. An error drains the three streams before any buffer is let go.

use std::sync::Arc;
use std::time::Instant;

use gpu_core::{Clock, Device, Event};

use crate::budget::{BatchBytes, Budget};
use crate::config::Config;
use crate::error::{Error, Rejected, Result, Step};
use crate::flight::Flight;
use crate::lane::Lanes;
use crate::pool::{Lease, PinnedMemoryPool, PoolConfig};
use crate::report::{BatchRecord, PipelineReport, Tally};
use crate::slot::{BatchLen, Slot, Ticket, nanoseconds};
use crate::stage::Stage;

/// A pipeline with three streams: batch n goes up while n - 1 is computed and n - 2 comes down.
///
/// [`pipeline_execute`](Self::pipeline_execute) runs a slice, [`run`](Self::run) a source of batches;
/// [`submit`](Self::submit) and [`complete`](Self::complete) are what both are made of.
pub struct MemoryOptimizer<S: Stage> {
    /// First, so that it is dropped first: batches in flight wait for the lanes before anything else goes.
    tickets: Vec<Ticket<S::Input, S::Output>>,
    slots: Vec<Slot<S::Input, S::Output>>,
    lanes: Arc<Lanes>,
    stage: S,
    inputs: PinnedMemoryPool<S::Input>,
    outputs: PinnedMemoryPool<S::Output>,
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
        let pool_of = |buffer_len| PoolConfig { buffers, buffer_len };
        let tickets = 0..config.in_flight_max();
        Ok(Self {
            tickets: tickets.map(|_| Ticket::new(device)).collect::<gpu_core::Result<_>>()?,
            slots: (0..config.depth)
                .map(|_| Slot::new(device, len))
                .collect::<gpu_core::Result<_>>()?,
            lanes: Arc::new(Lanes::new(device)?),
            stage,
            inputs: PinnedMemoryPool::new(device, pool_of(len.input))?,
            outputs: PinnedMemoryPool::new(device, pool_of(len.output))?,
            config,
            device: device.clone(),
            clock: Clock::real(),
            origin: device.timed_event()?,
            submitted: 0,
            completed: 0,
            tally: Tally::new(),
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
        self.inputs.acquire()
    }

    /// Sends a batch off, without waiting, and returns its number. The lease's length is the batch's.
    ///
    /// # Errors
    /// Gives the input back with [`Error::Full`], [`Error::BatchLength`], [`Error::StageLength`], [`Error::Exhausted`] (the
    /// caller holds too many outputs), [`Error::Closed`], or [`Error::Batch`] where the device fails. Batches in flight
    /// go on, and the next one that is submitted gets this number.
    pub fn submit(&mut self, input: Lease<S::Input>) -> Result<u64, Rejected<S::Input>> {
        let output = match self.room_for(input.len()) {
            Ok(output) => output,
            Err(error) => return Err(Rejected { error, input: Some(input) }),
        };
        let batch = self.submitted;
        self.started.get_or_insert_with(|| self.clock.now());
        let mut flight = Flight::new(Arc::clone(&self.lanes), input, output);
        if let Err((step, source)) = self.queue(batch, &mut flight) {
            let input = flight.settle().map(|(input, _)| input);
            return Err(Rejected { error: Error::Batch { batch, step, source }, input });
        }
        let ticket = place(batch, self.tickets.len());
        self.tickets[ticket].flight = Some(flight);
        self.submitted += 1;
        Ok(batch)
    }

    /// Queues the whole journey of a batch: up, through the stage, and down.
    fn queue(
        &mut self,
        batch: u64,
        flight: &mut Flight<S::Input, S::Output>,
    ) -> Result<(), (Step, gpu_core::Error)> {
        let (up, compute, down) = (&self.lanes.upload, &self.lanes.compute, &self.lanes.download);
        let slot = &mut self.slots[place(batch, self.config.depth)];
        let events = &self.tickets[place(batch, self.tickets.len())].events;
        // The batch that last used this slot, whose ticket is still its own: there are at least as many as slots.
        let last = batch.checked_sub(self.config.depth as u64);
        let last = last.map(|last| &self.tickets[place(last, self.tickets.len())].events);
        let (input_len, output_len) = flight.lens();
        let failed = |step| move |source| (step, source);

        let mut upload = || {
            if let Some(last) = last {
                up.wait(&last.compute.end)?; // it has read the input that we overwrite
            } else if batch == 0 {
                up.record(&self.origin)?;
            }
            up.record(&events.upload.start)?;
            flight.upload(slot.input.view_mut().range(0..input_len)?)?;
            up.record(&events.upload.end)
        };
        upload().map_err(failed(Step::Upload))?;

        let mut run = || {
            compute.wait(&events.upload.end)?;
            if let Some(last) = last {
                compute.wait(&last.download.end)?; // it has left with the output that we overwrite
            }
            compute.record(&events.compute.start)?;
            let input = slot.input.view().range(0..input_len)?;
            let output = slot.output.view_mut().range(0..output_len)?;
            self.stage.enqueue(compute, input, output)?;
            compute.record(&events.compute.end)
        };
        run().map_err(failed(Step::Compute))?;

        let mut download = || {
            down.wait(&events.compute.end)?;
            down.record(&events.download.start)?;
            flight.download(slot.output.view().range(0..output_len)?)?;
            down.record(&events.download.end)
        };
        download().map_err(failed(Step::Download))
    }

    /// Waits for the oldest batch in flight; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Batch`] where the device fails it. The batch is lost, its buffers are back in their pools;
    /// younger batches are still to be completed.
    pub fn complete(&mut self) -> Result<Option<Batch<S::Input, S::Output>>> {
        if self.in_flight() == 0 {
            return Ok(None);
        }
        let index = self.completed;
        self.completed += 1;
        let ticket = place(index, self.tickets.len());
        let Ticket { events, flight } = &mut self.tickets[ticket];
        let flight = flight.take().expect("a ticket of a batch in flight holds its flight");
        let failed = |step| move |source| Error::Batch { batch: index, step, source };
        // The only place where the host waits while all is well.
        events.download.end.synchronize().map_err(failed(Step::Complete))?;
        // SAFETY: the event that was just passed follows the download in its lane, which had waited for the stage, which had
        // waited for the upload; all were queued for this flight, or `submit` would not have kept it.
        let (input, output) = unsafe { flight.land() };
        let intervals = events.intervals(&self.origin).map_err(failed(Step::Measure))?;
        self.ended = Some(self.clock.now());
        self.tally.add(&BatchRecord {
            batch: index,
            bytes_up: size_of_val(&*input) as u64,
            bytes_down: size_of_val(&*output) as u64,
            intervals,
        });
        Ok(Some(Batch { index, input, output }))
    }

    /// Gives up every batch in flight: waits for the device, then every buffer is back in its pool.
    pub fn abandon(&mut self) {
        for ticket in &mut self.tickets {
            ticket.flight = None;
        }
        self.completed = self.submitted;
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
        budget::<S>(&self.config, self.batch_len())
    }

    /// The knobs it was made with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What it does to a batch.
    pub fn stage(&self) -> &S {
        &self.stage
    }

    /// Where inputs come from.
    pub fn inputs(&self) -> &PinnedMemoryPool<S::Input> {
        &self.inputs
    }

    /// Where outputs come from.
    pub fn outputs(&self) -> &PinnedMemoryPool<S::Output> {
        &self.outputs
    }

    fn batch_len(&self) -> BatchLen {
        BatchLen { input: self.config.batch_len, output: self.outputs.buffer_len() }
    }

    /// A buffer for the output of `input_len` elements, if they can be submitted at all.
    fn room_for(&self, input_len: usize) -> Result<Lease<S::Output>> {
        let (batch, max) = (self.submitted, self.batch_len());
        if self.lanes.is_unsettled() {
            return Err(Error::Closed);
        }
        if self.is_full() {
            return Err(Error::Full { in_flight: self.in_flight() });
        }
        if input_len == 0 || input_len > max.input {
            return Err(Error::BatchLength { batch, len: input_len, max: max.input });
        }
        let output_len = self.stage.output_len(input_len);
        if output_len == 0 || output_len > max.output {
            return Err(Error::StageLength { batch, len: output_len, max: max.output });
        }
        let mut output = self.outputs.acquire()?;
        output.resize(output_len)?;
        Ok(output)
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
fn place(batch: u64, len: usize) -> usize {
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
