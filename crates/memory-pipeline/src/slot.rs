//! What a batch travels with: a slot of device memory, and a ticket of events.
//!
//! Slots are used in turn, and so are tickets, of which there are more: a ticket lasts until the host has
//! seen its batch done, a slot only until the device has.

use std::time::Duration;

use gpu_core::{Device, DeviceBuffer, Event, Pod};

use crate::config::Timing;
use crate::flight::Flight;
use crate::report::{Interval, Intervals};

/// Device memory of one batch at a time. Input and output are apart, so that the next input can come while the
/// last output still leaves.
#[derive(Debug)]
pub(crate) struct DeviceSlot<I: Pod, O: Pod> {
    pub(crate) input: DeviceBuffer<I>,
    pub(crate) output: DeviceBuffer<O>,
}

/// Elements of a full batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchLen {
    pub(crate) input: usize,
    pub(crate) output: usize,
}

impl BatchLen {
    /// Elements of `batches` full batches. A length that no memory holds is refused when it is allocated.
    pub(crate) fn times(self, batches: usize) -> Self {
        let all = |len: usize| len.saturating_mul(batches);
        Self { input: all(self.input), output: all(self.output) }
    }
}

impl<I: Pod, O: Pod> DeviceSlot<I, O> {
    pub(crate) fn new(device: &Device, len: BatchLen) -> gpu_core::Result<Self> {
        Ok(Self { input: device.buffer(len.input)?, output: device.buffer(len.output)? })
    }
}

/// The events of one batch, and its leases while it is in flight.
#[derive(Debug)]
pub(crate) struct Ticket<I: Pod, O: Pod> {
    pub(crate) passed: Passed,
    /// Absent from a pipeline that times nothing.
    pub(crate) times: Option<Times>,
    /// Set from the moment everything was queued until the host has waited for `passed.download`.
    pub(crate) flight: Option<Flight<I, O>>,
}

impl<I: Pod, O: Pod> Ticket<I, O> {
    pub(crate) fn new(device: &Device, timing: Timing) -> gpu_core::Result<Self> {
        let times = match timing {
            Timing::Off => None,
            Timing::OneIn(_) => Some(Times::new(device)?),
        };
        Ok(Self { passed: Passed::new(device)?, times, flight: None })
    }
}

/// What other lanes and the host wait for: a batch is through a lane. These events order and have no time.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) upload: Event,
    pub(crate) compute: Event,
    pub(crate) download: Event,
}

impl Passed {
    pub(crate) fn new(device: &Device) -> gpu_core::Result<Self> {
        Ok(Self { upload: device.event()?, compute: device.event()?, download: device.event()? })
    }
}

/// When a timed batch was in each lane.
#[derive(Debug)]
pub(crate) struct Times {
    pub(crate) upload: Marks,
    pub(crate) compute: Marks,
    pub(crate) download: Marks,
}

/// Before and after what a batch does in one lane.
#[derive(Debug)]
pub(crate) struct Marks {
    pub(crate) start: Event,
    pub(crate) end: Event,
}

impl Times {
    fn new(device: &Device) -> gpu_core::Result<Self> {
        let marks = || Ok(Marks { start: device.timed_event()?, end: device.timed_event()? });
        Ok(Self { upload: marks()?, compute: marks()?, download: marks()? })
    }

    /// The times of a batch that is done, from `origin` on.
    pub(crate) fn intervals(&self, origin: &Event) -> gpu_core::Result<Intervals> {
        Ok(Intervals {
            upload: self.upload.interval(origin)?,
            compute: self.compute.interval(origin)?,
            download: self.download.interval(origin)?,
        })
    }
}

impl Marks {
    /// The length is asked for by itself: a difference of two offsets would lose it to rounding in a long run.
    fn interval(&self, origin: &Event) -> gpu_core::Result<Interval> {
        Ok(Interval {
            start_ns: nanoseconds(self.start.elapsed_since(origin)?),
            busy_ns: nanoseconds(self.end.elapsed_since(&self.start)?),
        })
    }
}

/// Whole nanoseconds; 584 years saturate.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
