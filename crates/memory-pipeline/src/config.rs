//! The knobs of a pipeline.

use std::num::NonZero;

use gpu_core::Pod;

use crate::calibration::ChunkChoice;
use crate::error::{Error, Result};

/// Most slots on the device.
pub const DEPTH_MAX: usize = 64;
/// Most batches queued behind the slots.
pub const AHEAD_MAX: usize = 64;
/// Most threads that copy ordinary memory.
pub const STAGING_THREADS_MAX: usize = 256;

/// How large and how deep a pipeline is. Everything it needs follows, see [`Budget`](crate::Budget).
///
/// ```
/// use memory_pipeline::Config;
///
/// let deeper = Config { depth: 5, ..Config::new(1 << 20) };
/// # assert_eq!(deeper.batch_len, 1 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Config {
    /// Elements of a full batch of input.
    pub batch_len: usize,
    /// Slots on the device, each with an input and an output buffer: 3 let upload, compute and download overlap.
    pub depth: usize,
    /// Batches that may be queued behind the slots, so that no copy engine waits for the host between two batches.
    pub ahead: usize,
    /// Which batches are timed.
    pub timing: Timing,
    /// Threads that copy ordinary memory to and from page-locked buffers; with 1 the caller's own thread does, and nothing
    /// is allocated while a run goes on.
    pub staging_threads: usize,
}

/// Which batches have events with a time around their work in each lane.
///
/// Recording one costs about ten times what recording an event for order alone does, and a timed batch has six.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    /// None: the report has no times of the device.
    Off,
    /// One in so many, and in a run's beginning the batches whose numbers are powers of two, so that a short run has times too.
    OneIn(u32),
}

impl Timing {
    /// Every batch.
    pub const EVERY: Self = Self::OneIn(1);
    /// One batch in 64.
    pub const SAMPLED: Self = Self::OneIn(64);

    /// Whether batch number `batch` is timed.
    pub fn is_timed(self, batch: u64) -> bool {
        match self {
            Self::Off => false,
            Self::OneIn(count) => {
                let count = u64::from(count);
                batch.is_multiple_of(count) || (batch < count && batch.is_power_of_two())
            }
        }
    }
}

impl Config {
    /// Batches of `batch_len` elements through three slots, with two more queued, one in 64 timed, staged by the caller's thread.
    pub const fn new(batch_len: usize) -> Self {
        Self { batch_len, depth: 3, ahead: 2, timing: Timing::SAMPLED, staging_threads: 1 }
    }

    /// Batches of the size that was measured to be enough for the link, as far as whole elements of `I` allow, staged by all processors but one.
    ///
    /// ```no_run
    /// use gpu_core::Device;
    /// use memory_pipeline::{ChunkChoice, ChunkSearch, Config};
    ///
    /// # fn main() -> memory_pipeline::Result<()> {
    /// let choice = ChunkChoice::measure(&Device::auto()?, ChunkSearch::default())?;
    /// let config = Config::tuned::<f32>(&choice);
    /// # Ok(())
    /// # }
    /// ```
    pub fn tuned<I: Pod>(choice: &ChunkChoice) -> Self {
        let batch_len = (choice.chunk_bytes / size_of::<I>().max(1)).max(1);
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let staging_threads = (processors - 1).clamp(1, STAGING_THREADS_MAX);
        Self { staging_threads, ..Self::new(batch_len) }
    }

    /// Batches that the device may have been given and the host has not seen done.
    pub fn in_flight_max(&self) -> usize {
        self.depth // one batch a slot
            + self.ahead // waiting for a slot, on the device's queues
    }

    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |what, actual, min, max| Err(Error::Config { what, actual, min, max });
        if self.batch_len == 0 {
            return refuse("batch_len", 0, 1, usize::MAX);
        }
        if !(1..=DEPTH_MAX).contains(&self.depth) {
            return refuse("depth", self.depth, 1, DEPTH_MAX);
        }
        if self.ahead > AHEAD_MAX {
            return refuse("ahead", self.ahead, 0, AHEAD_MAX);
        }
        if !(1..=STAGING_THREADS_MAX).contains(&self.staging_threads) {
            return refuse("staging_threads", self.staging_threads, 1, STAGING_THREADS_MAX);
        }
        if self.timing == Timing::OneIn(0) {
            return refuse("timing, one batch in so many,", 0, 1, u32::MAX as usize);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_run_has_timed_batches_and_a_long_one_has_few() {
        let timed = |timing: Timing, batches: u64| {
            (0..batches).filter(|&batch| timing.is_timed(batch)).collect::<Vec<_>>()
        };
        assert_eq!(timed(Timing::EVERY, 4), [0, 1, 2, 3]);
        assert_eq!(timed(Timing::SAMPLED, 40), [0, 1, 2, 4, 8, 16, 32]);
        assert_eq!(timed(Timing::SAMPLED, 6400).len(), 6 + 100);
        assert!(timed(Timing::Off, 1000).is_empty());
    }
}
