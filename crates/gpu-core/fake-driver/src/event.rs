//! Events: points in streams, each record of its own.

use std::collections::BTreeSet;

use crate::code::{CAPTURED_EVENT, INVALID_HANDLE, INVALID_VALUE, NOT_READY, Outcome};
use crate::driver::Driver;

/// `CU_EVENT_BLOCKING_SYNC` and `CU_EVENT_DISABLE_TIMING`.
const BLOCKING: u32 = 1;
const UNTIMED: u32 = 2;

#[derive(Debug)]
pub(crate) struct Event {
    context: u64,
    is_timed: bool,
    /// Not yet destroyed; records and waits that are queued outlive the handle.
    pub(crate) is_open: bool,
    /// Ticket of the last record; they count from 1, and 0 is an event that was never recorded.
    pub(crate) last: u64,
    /// Tickets of the records that were not reached yet.
    pending: Vec<u64>,
    /// When the last record that was reached was, in virtual time.
    passed_ns: Option<u64>,
    /// Set while the last record is of a capture: which, and the nodes it stands behind.
    pub(crate) captured: Option<(u64, BTreeSet<usize>)>,
}

impl Driver {
    pub(crate) fn create_event(&mut self, flags: u32) -> Outcome<u64> {
        let context = self.current()?;
        if flags & !(BLOCKING | UNTIMED) != 0 {
            return Err(INVALID_VALUE);
        }
        let handle = self.handle();
        let event = Event {
            context,
            is_timed: flags & UNTIMED == 0,
            is_open: true,
            last: 0,
            pending: Vec::new(),
            passed_ns: None,
            captured: None,
        };
        self.events.insert(handle, event);
        Ok(handle)
    }

    pub(crate) fn destroy_event(&mut self, handle: u64) -> Outcome {
        let event = self.event(handle)?;
        event.is_open = false;
        if event.pending.is_empty() {
            self.events.remove(&handle);
        }
        Ok(())
    }

    /// The event behind a handle of the program's.
    pub(crate) fn event(&mut self, handle: u64) -> Outcome<&mut Event> {
        self.current()?;
        if !self.events.get(&handle).is_some_and(|event| event.is_open) {
            self.journal.violation("an event was used that is not there");
        }
        self.events.get_mut(&handle).filter(|event| event.is_open).ok_or(INVALID_HANDLE)
    }

    pub(crate) fn record(&mut self, handle: u64, stream: u64) -> Outcome {
        let stream = self.stream(stream)?;
        let context = self.queues[&stream].context;
        let event = self.event(handle)?;
        if event.context != context {
            return Err(INVALID_HANDLE);
        }
        if self.queues[&stream].capture.is_some() {
            return self.capture_record(stream, handle);
        }
        let event = self.event(handle)?;
        event.captured = None;
        event.last += 1;
        let ticket = event.last;
        event.pending.push(ticket);
        self.submit_record(stream, handle, ticket);
        Ok(())
    }

    pub(crate) fn wait(&mut self, stream: u64, handle: u64, flags: u32) -> Outcome {
        let stream = self.stream(stream)?;
        let event = self.event(handle)?;
        if flags != 0 {
            return Err(INVALID_VALUE);
        }
        let is_captured = event.captured.is_some();
        let ticket = event.last;
        if is_captured || self.queues[&stream].capture.is_some() {
            return self.capture_wait(stream, handle);
        }
        self.submit_wait(stream, handle, ticket);
        Ok(())
    }

    pub(crate) fn synchronize_event(&mut self, handle: u64) -> Outcome {
        let ticket = self.uncaptured(handle)?;
        self.run_until(|driver| driver.is_passed(handle, ticket))?;
        self.now_ns = self.now_ns.max(self.passed_ns(handle));
        Ok(())
    }

    /// Each look lets the device go on a little, so that looking again and again comes to an end.
    pub(crate) fn query_event(&mut self, handle: u64) -> Outcome {
        let ticket = self.uncaptured(handle)?;
        self.step();
        if self.is_passed(handle, ticket) { Ok(()) } else { Err(NOT_READY) }
    }

    pub(crate) fn elapsed_ms(&mut self, earlier: u64, later: u64) -> Outcome<f32> {
        let mut times_ns = [0.0; 2];
        for (time_ns, handle) in times_ns.iter_mut().zip([earlier, later]) {
            let ticket = self.uncaptured(handle)?;
            let event = self.event(handle)?;
            let Some(passed_ns) = event.passed_ns.filter(|_| event.is_timed) else {
                let is_waited_for = event.is_timed && ticket > 0;
                return Err(if is_waited_for { NOT_READY } else { INVALID_HANDLE });
            };
            if event.pending.contains(&ticket) {
                return Err(NOT_READY);
            }
            *time_ns = passed_ns as f64;
        }
        #[expect(clippy::cast_possible_truncation, reason = "the driver tells no more digits")]
        let elapsed_ms = ((times_ns[1] - times_ns[0]) / 1e6) as f32;
        Ok(elapsed_ms)
    }

    /// The last record, unless that is of a capture and so will never be reached.
    fn uncaptured(&mut self, handle: u64) -> Outcome<u64> {
        let event = self.event(handle)?;
        let (last, captured) = (event.last, event.captured.as_ref().map(|(capture, _)| *capture));
        match captured {
            None => Ok(last),
            Some(capture) => {
                self.invalidate(Some(capture));
                Err(CAPTURED_EVENT)
            }
        }
    }

    pub(crate) fn is_passed(&self, event: u64, ticket: u64) -> bool {
        self.events.get(&event).is_none_or(|event| !event.pending.contains(&ticket))
    }

    pub(crate) fn passed_ns(&self, event: u64) -> u64 {
        self.events.get(&event).and_then(|event| event.passed_ns).unwrap_or(0)
    }

    /// A record was reached.
    pub(crate) fn pass(&mut self, handle: u64, ticket: u64, now_ns: u64) {
        let Some(event) = self.events.get_mut(&handle) else { return };
        event.pending.retain(|&pending| pending != ticket);
        event.passed_ns = Some(now_ns);
        if !event.is_open && event.pending.is_empty() {
            self.events.remove(&handle);
        }
    }
}
