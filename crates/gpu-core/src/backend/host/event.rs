//! Events of the host backend.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::graph::Mark;
use super::{EventTiming, Queue, Shared};
use crate::clock::Clock;
use crate::error::{Error, Result};

/// A point in a stream.
#[derive(Debug)]
pub(crate) struct Event {
    shared: Arc<Shared>,
    state: Arc<EventState>,
    timing: EventTiming,
}

/// What an event shares with the records and waits that are queued.
#[derive(Debug)]
pub(super) struct EventState {
    records: Mutex<Records>,
}

#[derive(Debug)]
struct Records {
    /// Ticket of the last record; they count from 1, and 0 is an event that was never recorded.
    last: u64,
    /// Tickets of the records that were not reached yet: each is its own point, in whichever stream it stands.
    pending: Vec<u64>,
    /// When the last record was reached.
    time: Option<Instant>,
    /// Where the last record stands, if it went to a capture.
    mark: Option<Mark>,
}

impl EventState {
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_passed(&self, ticket: u64) -> bool {
        !self.records().pending.contains(&ticket)
    }

    pub(super) fn pass(&self, ticket: u64, time: Option<Instant>) {
        let mut records = self.records();
        records.pending.retain(|&pending| pending != ticket);
        if ticket == records.last {
            records.time = time;
        }
    }
}

impl Event {
    pub(super) fn new(shared: Arc<Shared>, timing: EventTiming) -> Self {
        // Room for the records of a few streams, so that recording allocates nothing.
        let records = Records { last: 0, pending: Vec::with_capacity(8), time: None, mark: None };
        let state = Arc::new(EventState { records: Mutex::new(records) });
        Self { shared, state, timing }
    }

    /// The clock, if this event remembers a time.
    pub(super) fn clock(&self, clock: &Clock) -> Option<Clock> {
        (self.timing == EventTiming::On).then(|| clock.clone())
    }

    /// Moves the event to a new record, which the caller queues under the same lock.
    pub(super) fn next_record(&self) -> (u64, Arc<EventState>) {
        let mut records = self.state.records();
        records.last += 1;
        let ticket = records.last;
        records.pending.push(ticket);
        records.time = None;
        records.mark = None;
        (ticket, Arc::clone(&self.state))
    }

    /// Moves the event to a place in a capture, where it has no time.
    pub(super) fn set_mark(&self, mark: Mark) {
        let mut records = self.state.records();
        records.time = None;
        records.mark = Some(mark);
    }

    pub(super) fn mark(&self) -> Option<Mark> {
        self.state.records().mark.clone()
    }

    pub(super) fn last_record(&self) -> (u64, Arc<EventState>) {
        (self.state.records().last, Arc::clone(&self.state))
    }

    pub(crate) fn synchronize(&self) -> Result<()> {
        match &mut self.shared.state().queue {
            Queue::Eager => Ok(()),
            Queue::Simulated(simulator) => {
                let (ticket, state) = self.last_record();
                simulator.run_until(|_| state.is_passed(ticket))
            }
        }
    }

    /// Each look lets the simulated device go on a little, so that looking again and again comes to an end.
    pub(crate) fn is_complete(&self) -> Result<bool> {
        if let Queue::Simulated(simulator) = &mut self.shared.state().queue {
            simulator.tick()?;
        }
        let (ticket, state) = self.last_record();
        Ok(state.is_passed(ticket))
    }

    pub(crate) fn elapsed_since(&self, earlier: &Self) -> Result<Duration> {
        let time = |event: &Self| event.state.records().time.ok_or(Error::EventUntimed);
        Ok(time(self)?.saturating_duration_since(time(earlier)?))
    }
}
