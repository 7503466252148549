//! A point in a stream that the host and other streams can wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// Whether its last record went to a capture, where it is an edge and no point in time.
    is_captured: AtomicBool,
    pub(crate) device: Arc<DeviceInner>,
}

impl Event {
    pub(crate) fn new(device: Arc<DeviceInner>, raw: RawEvent) -> Self {
        Self { raw, is_captured: AtomicBool::new(false), device }
    }

    pub(crate) fn is_captured(&self) -> bool {
        self.is_captured.load(Ordering::Acquire)
    }

    pub(crate) fn set_captured(&self, is_captured: bool) {
        self.is_captured.store(is_captured, Ordering::Release);
    }

    /// Looks at the last record, which must be in time.
    fn look<R>(&self, look: impl FnOnce() -> Result<R>) -> Result<R> {
        self.device.run(Operation::Synchronize, |_| {
            if self.is_captured() { Err(Error::EventCaptured) } else { look() }
        })
    }

    /// Blocks the host until the device has passed the last record of this event.
    /// An event that was never recorded has been passed.
    ///
    /// # Errors
    /// [`Error::EventCaptured`], or what the work before the event failed with.
    pub fn synchronize(&self) -> Result<()> {
        self.look(|| self.raw.synchronize())
    }

    /// Whether the device has passed the last record of this event. Never blocks.
    ///
    /// # Errors
    /// [`Error::EventCaptured`], or what the work before the event failed with.
    pub fn is_complete(&self) -> Result<bool> {
        self.look(|| self.raw.is_complete())
    }

    /// Time on the device from `earlier` to this event; both passed and timed.
    ///
    /// # Errors
    /// [`Error::EventUntimed`] if either has no time; [`Error::OtherDevice`].
    pub fn elapsed_since(&self, earlier: &Self) -> Result<Duration> {
        if earlier.device.id != self.device.id {
            return Err(Error::OtherDevice { what: "the earlier event" });
        }
        self.device.run(Operation::Synchronize, |_| {
            if self.is_captured() || earlier.is_captured() {
                return Err(Error::EventUntimed);
            }
            self.raw.elapsed_since(&earlier.raw)
        })
    }
}
