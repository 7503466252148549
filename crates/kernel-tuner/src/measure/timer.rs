//! Timers: how long a piece of queued work takes on its device.

use std::time::Duration;

use gpu_core::{Device, Event, Stream};

/// Times work that is queued on a stream.
pub trait Timer {
    /// Queues `work` once and tells how long the device took for it.
    ///
    /// # Errors
    /// What queueing or the device failed with.
    fn time(
        &mut self,
        stream: &Stream,
        work: &mut dyn FnMut(&Stream) -> gpu_core::Result<()>,
    ) -> gpu_core::Result<Duration>;
}

/// Time between two events around the work. On a host backend, which runs the work on the processor,
/// the events carry wall time.
///
/// Events resolve about half a microsecond, and a kernel's launch gap lies between them:
/// for kernels of a few microseconds, queue several launches as one piece of work.
#[derive(Debug)]
pub struct EventTimer {
    start: Event,
    end: Event,
}

impl EventTimer {
    /// A timer for streams of `device`.
    ///
    /// # Errors
    /// What the driver says.
    pub fn new(device: &Device) -> gpu_core::Result<Self> {
        Ok(Self { start: device.timed_event()?, end: device.timed_event()? })
    }
}

impl Timer for EventTimer {
    fn time(
        &mut self,
        stream: &Stream,
        work: &mut dyn FnMut(&Stream) -> gpu_core::Result<()>,
    ) -> gpu_core::Result<Duration> {
        stream.record(&self.start)?;
        work(stream)?;
        stream.record(&self.end)?;
        self.end.synchronize()?;
        self.end.elapsed_since(&self.start)
    }
}
