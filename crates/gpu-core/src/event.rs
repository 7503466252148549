//! A point in a stream that the host and other streams can wait for.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::RawEvent;
use crate::device::DeviceInner;
use crate::error::{Error, Result};
use crate::fault::Operation;

/// A reusable point in a stream. Recording it again moves it.
///
/// Made by [`Device::event`](crate::Device::event), or by
/// [`Device::timed_event`](crate::Device::timed_event), which costs ten times as much to record.
#[derive(Debug)]
pub struct Event {
    pub(crate) raw: RawEvent,
    pub(crate) device: Arc<DeviceInner>,
}

impl Event {
    /// Blocks the host until the device has passed the last record of this event.
    /// An event that was never recorded has been passed.
    ///
    /// # Errors
    /// What the work before the event failed with.
    pub fn synchronize(&self) -> Result<()> {
        self.device.run(Operation::Synchronize, |_| self.raw.synchronize())
    }

    /// Whether the device has passed the last record of this event. Never blocks.
    ///
    /// # Errors
    /// What the work before the event failed with.
    pub fn is_complete(&self) -> Result<bool> {
        self.device.run(Operation::Synchronize, |_| self.raw.is_complete())
    }

    /// Time on the device from `earlier` to this event; both passed and timed.
    ///
    /// # Errors
    /// [`Error::EventUntimed`] if either has no time; [`Error::OtherDevice`].
    pub fn elapsed_since(&self, earlier: &Self) -> Result<Duration> {
        if earlier.device.id != self.device.id {
            return Err(Error::OtherDevice { what: "the earlier event" });
        }
        self.device.run(Operation::Synchronize, |_| self.raw.elapsed_since(&earlier.raw))
    }
}
