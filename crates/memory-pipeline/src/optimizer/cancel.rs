//! A way to end a run from another thread.
//!
//! Never waits, and never touches a batch: the run itself drains what is in flight when it looks next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::MemoryOptimizer;
use crate::error::{Error, Result};
use crate::stage::Stage;

/// Ends runs of one pipeline. Cheap to clone, and usable from any thread.
#[derive(Clone, Debug, Default)]
pub struct Canceller {
    flags: Arc<Flags>,
}

#[derive(Debug, Default)]
struct Flags {
    /// Set by whoever cancels, cleared by the run that it ends.
    is_cancelled: AtomicBool,
    /// Set and cleared by a fleet, which ends one run of all its members and no other.
    is_alarmed: AtomicBool,
}

impl Canceller {
    /// Ends the run in progress with [`Error::Cancelled`] before its next batch; without one, the next run.
    pub fn cancel(&self) {
        self.flags.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Ends the run in progress, and every other one until [`calm`](Self::calm).
    pub(crate) fn alarm(&self) {
        self.flags.is_alarmed.store(true, Ordering::Relaxed);
    }

    /// Ends the alarm. What somebody cancelled stays cancelled.
    pub(crate) fn calm(&self) {
        self.flags.is_alarmed.store(false, Ordering::Relaxed);
    }

    /// Whether there is an alarm, or somebody cancelled since this was last asked.
    pub(crate) fn take(&self) -> bool {
        let Flags { is_cancelled, is_alarmed } = &*self.flags;
        // The first look writes nothing to a line that others read.
        let was_cancelled =
            is_cancelled.load(Ordering::Relaxed) && is_cancelled.swap(false, Ordering::Relaxed);
        was_cancelled || is_alarmed.load(Ordering::Relaxed)
    }
}

impl<S: Stage> MemoryOptimizer<S> {
    /// What ends a run of this pipeline from another thread. [`abandon`](Self::abandon) is for batches submitted one by one.
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    pub(super) fn check_cancelled(&self) -> Result<()> {
        if self.canceller.take() {
            return Err(Error::Cancelled { completed: self.completed });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_alarm_leaves_what_a_user_cancelled() {
        let canceller = Canceller::default();
        canceller.alarm();
        assert!(canceller.take() && canceller.take(), "an alarm lasts");
        canceller.cancel();
        canceller.calm();
        assert!(canceller.take(), "the next run is cancelled");
        assert!(!canceller.take(), "and no other");
    }
}
