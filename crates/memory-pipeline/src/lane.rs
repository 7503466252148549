//! The three streams that a batch passes, one after the other.

use std::sync::atomic::{AtomicBool, Ordering};

use gpu_core::{Device, Stream};

/// One of the three streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Host to device.
    Upload,
    /// The stage.
    Compute,
    /// Device to host.
    Download,
}

impl Lane {
    /// All three, in the order in which a batch passes them.
    pub const ALL: [Self; 3] = [Self::Upload, Self::Compute, Self::Download];
}

impl std::fmt::Display for Lane {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Upload => "upload",
            Self::Compute => "compute",
            Self::Download => "download",
        })
    }
}

/// The streams, and whether they can still be waited for.
#[derive(Debug)]
pub(crate) struct Lanes {
    pub(crate) upload: Stream,
    pub(crate) compute: Stream,
    pub(crate) download: Stream,
    /// Invariant: never cleared. What was in flight then may be in flight for ever.
    is_unsettled: AtomicBool,
}

impl Lanes {
    pub(crate) fn new(device: &Device) -> gpu_core::Result<Self> {
        Ok(Self {
            upload: device.stream()?,
            compute: device.stream()?,
            download: device.stream()?,
            is_unsettled: AtomicBool::new(false),
        })
    }

    /// Waits until nothing in any lane touches memory any more.
    ///
    /// Every lane is waited for even if one fails, and one failure is remembered.
    pub(crate) fn settle(&self) -> gpu_core::Result<()> {
        let settled = [&self.upload, &self.compute, &self.download].map(Stream::settle);
        self.note(settled.into_iter().collect())
    }

    /// Remembers a failed wait.
    pub(crate) fn note(&self, result: gpu_core::Result<()>) -> gpu_core::Result<()> {
        if result.is_err() {
            self.is_unsettled.store(true, Ordering::Release);
        }
        result
    }

    /// Whether a wait for the lanes has failed.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.is_unsettled.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settling_waits_for_every_lane() {
        for seed in 0..20 {
            let device = Device::host_simulated(seed);
            let lanes = Lanes::new(&device).unwrap();
            let mut buffer = device.buffer::<u8>(1).unwrap();
            let all = [&lanes.upload, &lanes.compute, &lanes.download];
            for lane in all {
                (0..9).for_each(|_| lane.zero(buffer.view_mut()).unwrap());
            }
            lanes.settle().unwrap();
            let idle = all.map(|lane| lane.is_idle().unwrap());
            assert_eq!(idle, [true; 3], "seed {seed}");
        }
    }

    #[test]
    fn one_failed_wait_is_remembered_whatever_follows() {
        let lanes = Lanes::new(&Device::host()).unwrap();
        lanes.settle().unwrap();
        assert!(!lanes.is_unsettled());
        assert!(lanes.note(Err(gpu_core::Error::NoDevice)).is_err());
        lanes.settle().unwrap();
        assert!(lanes.is_unsettled());
    }
}
