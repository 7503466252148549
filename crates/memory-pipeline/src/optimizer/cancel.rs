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
    /// Set by whoever cancels, cleared by the run that it ends.
    is_cancelled: Arc<AtomicBool>,
}

impl Canceller {
    /// Ends the run in progress with [`Error::Cancelled`] before its next batch; without one, the next run.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether somebody cancelled since this was last asked.
    pub(crate) fn take(&self) -> bool {
        // The first look writes nothing to a line that others read.
        self.is_cancelled.load(Ordering::Relaxed)
            && self.is_cancelled.swap(false, Ordering::Relaxed)
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
