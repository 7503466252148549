//! The knobs of a pipeline.

use crate::error::{Error, Result};

/// Most slots on the device.
pub const DEPTH_MAX: usize = 64;
/// Most batches queued behind the slots.
pub const AHEAD_MAX: usize = 64;

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
}

impl Config {
    /// Batches of `batch_len` elements through three slots, with two more queued.
    pub const fn new(batch_len: usize) -> Self {
        Self { batch_len, depth: 3, ahead: 2 }
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
        Ok(())
    }
}
