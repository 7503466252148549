//! The journey of a batch: [`MemoryOptimizer::submit`] sends it off, [`MemoryOptimizer::complete`] waits for it.
//!
//! Never allocates, frees or creates anything on the device, and waits on the host in one place, for the
//! oldest batch. An error drains the three streams before any buffer is let go.

use std::sync::Arc;

use super::{Batch, MemoryOptimizer, place};
use crate::error::{Error, Rejected, Result, Step};
use crate::flight::{Flight, Journeys};
use crate::passage::Passage;
use crate::pool::Lease;
use crate::report::BatchRecord;
use crate::slot::Ticket;
use crate::stage::Stage;

impl<S: Stage> MemoryOptimizer<S> {
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
        let mut flight = Flight::new(Arc::clone(&self.lanes), (input, output), Journeys::One);
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
        let Ticket { passed, times, .. } = &self.tickets[place(batch, self.tickets.len())];
        let times = times.as_ref().filter(|_| self.config.timing.is_timed(batch));
        // The batch that last used this slot, whose ticket is still its own: there are at least as many as slots.
        // If the host has seen it done, nothing needs to wait for it.
        let last = batch.checked_sub(self.config.depth as u64);
        let last = last.filter(|&last| last >= self.completed);
        let passage = Passage {
            lanes: &self.lanes,
            slot: &mut self.slots[place(batch, self.config.depth)],
            stage: &mut self.stage,
            flight,
            passed,
            last: last.map(|last| &self.tickets[place(last, self.tickets.len())].passed),
            times,
            origin: times.filter(|_| batch == 0).map(|_| &self.origin),
        };
        passage.queue()
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
        let Ticket { passed, times, flight } = &mut self.tickets[ticket];
        let flight = flight.take().expect("a ticket of a batch in flight holds its flight");
        let failed = |step| move |source| Error::Batch { batch: index, step, source };
        // The only place where the host waits while all is well.
        passed.download.synchronize().map_err(failed(Step::Complete))?;
        // SAFETY: the event that was just passed follows the download in its lane, which had waited for the stage, which had
        // waited for the upload; all were queued for this flight, or `submit` would not have kept it.
        let (input, output) = unsafe { flight.land() };
        let times = times.as_ref().filter(|_| self.config.timing.is_timed(index));
        let intervals = times.map(|times| times.intervals(&self.origin)).transpose();
        let intervals = intervals.map_err(failed(Step::Measure))?;
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

    /// A buffer for the output of `input_len` elements, if they can be submitted at all.
    fn room_for(&self, input_len: usize) -> Result<Lease<S::Output>> {
        let (batch, max) = (self.submitted, self.len);
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
        let mut output = self.outputs.acquire(max.output)?;
        output.resize(output_len)?;
        Ok(output)
    }
}
