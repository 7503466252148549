//! A device, read beside the work that it does.
//!
//! Reads on a thread of its own, so that a slow reading delays no work; the work ends the watch.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use gpu_core::{Clock, Monitor, Reading};

use super::trace::{Observation, Trace, Work};

/// What tells how busy a device is.
pub trait Sensor: Send + std::fmt::Debug {
    /// The device now, and the time since the call before.
    ///
    /// # Errors
    /// What the device's library says.
    fn read(&mut self) -> gpu_core::Result<Reading>;
}

impl Sensor for Monitor {
    fn read(&mut self) -> gpu_core::Result<Reading> {
        Self::read(self)
    }
}

/// Work that was done, added by the thread that does it and read by the watch.
#[derive(Debug, Default)]
pub struct Progress {
    bytes: AtomicU64,
    operations: AtomicU64,
}

impl Progress {
    /// Adds work that is done: seen to be, not only queued.
    pub fn add(&self, work: Work) {
        self.bytes.fetch_add(work.bytes, Ordering::Relaxed);
        self.operations.fetch_add(work.operations, Ordering::Relaxed);
    }

    fn total(&self) -> Work {
        Work {
            bytes: self.bytes.load(Ordering::Relaxed),
            operations: self.operations.load(Ordering::Relaxed),
        }
    }
}

/// Reads `sensor` every `period` while `work` runs on this thread.
pub fn watch<R>(
    clock: &Clock,
    period: Duration,
    sensor: &mut dyn Sensor,
    progress: &Progress,
    work: impl FnOnce() -> R,
) -> (R, Trace) {
    let end = End::default();
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut trace = Trace { observations: Vec::new(), period, failure: None };
            let start = clock.now();
            let mut due = start;
            loop {
                let now = clock.now();
                if now >= due {
                    let (at, work) = (now.saturating_duration_since(start), progress.total());
                    match sensor.read() {
                        Ok(reading) => {
                            trace.observations.push(Observation { at, reading, work });
                        }
                        Err(error) => {
                            trace.failure.get_or_insert_with(|| error.to_string());
                        }
                    }
                    due += period;
                }
                if end.comes_within(due.saturating_duration_since(clock.now())) {
                    return trace;
                }
            }
        });
        let ended = {
            // Also ends the watch if the work panics, for which the scope would wait without end.
            let _guard = Ending(&end);
            work()
        };
        let trace = watcher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (ended, trace)
    })
}

/// Whether the work has ended, and a way to wait for it.
#[derive(Default)]
struct End {
    has_come: Mutex<bool>,
    comes: Condvar,
}

impl End {
    fn comes_within(&self, wait: Duration) -> bool {
        let has_come = self.has_come.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.comes.wait_timeout_while(has_come, wait, |has_come| !*has_come);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Ends a watch when it is dropped.
struct Ending<'a>(&'a End);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        *self.0.has_come.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.comes.notify_all();
    }
}
