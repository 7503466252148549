//! What a run took: bytes, times of each lane as the device's events said, and how much of it overlapped.
//!
//! Never guesses: on a host, where one operation runs at a time, the same arithmetic shows no overlap.

mod overlap;

use gpu_core::BackendKind;

pub use self::overlap::{LaneTimes, Overlap};
use crate::lane::Lane;

/// Batches of a run whose spans are kept.
pub const TIMELINE_BATCHES_MAX: usize = 256;

/// One run of a pipeline.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct PipelineReport {
    /// Where it ran; figures of a host say nothing about a GPU.
    pub backend: BackendKind,
    /// Slots on the device.
    pub depth: usize,
    /// Batches that came back.
    pub batches: u64,
    /// Bytes that were uploaded.
    pub bytes_up: u64,
    /// Bytes that were downloaded.
    pub bytes_down: u64,
    /// From the first submit to the last completion, on the host's clock.
    pub wall_ns: u64,
    /// How long each lane was at work, from the events around its work.
    pub busy: LaneTimes,
    /// From the start of the first upload to the end of the last download, on the device's clock.
    pub span_ns: u64,
    /// What the busy times and the span say about overlap.
    pub overlap: Overlap,
    /// When each lane had which batch, for the first 256 batches.
    pub timeline: Vec<Span>,
}

/// A batch in a lane. Times count from the start of the first upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Span {
    /// The batch's number, from 0.
    pub batch: u64,
    /// The lane.
    pub lane: Lane,
    /// When its work began.
    pub start_ns: u64,
    /// When its work was done.
    pub end_ns: u64,
}

/// The times of one lane's work on one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) start_ns: u64,
    pub(crate) busy_ns: u64,
}

impl Interval {
    fn end_ns(self) -> u64 {
        self.start_ns.saturating_add(self.busy_ns)
    }
}

/// The times of one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Intervals {
    pub(crate) upload: Interval,
    pub(crate) compute: Interval,
    pub(crate) download: Interval,
}

/// A batch that came back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BatchRecord {
    pub(crate) batch: u64,
    pub(crate) bytes_up: u64,
    pub(crate) bytes_down: u64,
    pub(crate) intervals: Intervals,
}

/// The sums of a run so far. Allocates only when made.
#[derive(Debug)]
pub(crate) struct Tally {
    batches: u64,
    bytes_up: u64,
    bytes_down: u64,
    busy: LaneTimes,
    span_ns: u64,
    /// Invariant: never grows past the capacity it was made with.
    timeline: Vec<Span>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            batches: 0,
            bytes_up: 0,
            bytes_down: 0,
            busy: LaneTimes::default(),
            span_ns: 0,
            timeline: Vec::with_capacity(TIMELINE_BATCHES_MAX * Lane::ALL.len()),
        }
    }

    /// Forgets the run, keeping the memory.
    pub(crate) fn clear(&mut self) {
        let mut timeline = std::mem::take(&mut self.timeline);
        timeline.clear();
        *self = Self {
            timeline,
            batches: 0,
            bytes_up: 0,
            bytes_down: 0,
            busy: LaneTimes::default(),
            span_ns: 0,
        };
    }

    pub(crate) fn add(&mut self, record: &BatchRecord) {
        let Intervals { upload, compute, download } = record.intervals;
        self.batches += 1;
        self.bytes_up += record.bytes_up;
        self.bytes_down += record.bytes_down;
        self.busy.upload_ns += upload.busy_ns;
        self.busy.compute_ns += compute.busy_ns;
        self.busy.download_ns += download.busy_ns;
        self.span_ns = self.span_ns.max(download.end_ns());
        if self.timeline.len() + Lane::ALL.len() <= TIMELINE_BATCHES_MAX * Lane::ALL.len() {
            let lanes = Lane::ALL.into_iter().zip([upload, compute, download]);
            self.timeline.extend(lanes.map(|(lane, interval)| Span {
                batch: record.batch,
                lane,
                start_ns: interval.start_ns,
                end_ns: interval.end_ns(),
            }));
        }
    }

    pub(crate) fn report(
        &self,
        backend: BackendKind,
        depth: usize,
        wall_ns: u64,
    ) -> PipelineReport {
        let mut overlap = Overlap::new(self.batches, self.busy, self.span_ns);
        if backend == BackendKind::HostSimulated {
            // The order was drawn at random and the intervals cover each other's work: no measurement.
            (overlap.efficiency, overlap.speedup) = (None, None);
        }
        PipelineReport {
            backend,
            depth,
            batches: self.batches,
            bytes_up: self.bytes_up,
            bytes_down: self.bytes_down,
            wall_ns,
            busy: self.busy,
            span_ns: self.span_ns,
            overlap,
            timeline: self.timeline.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(batch: u64) -> BatchRecord {
        let at = |start_ns| Interval { start_ns: start_ns + 10 * batch, busy_ns: 10 };
        BatchRecord {
            batch,
            bytes_up: 4,
            bytes_down: 8,
            intervals: Intervals { upload: at(0), compute: at(10), download: at(20) },
        }
    }

    #[test]
    fn the_report_sums_what_the_events_said() {
        let mut tally = Tally::new();
        (0..4).for_each(|batch| tally.add(&record(batch)));
        let report = tally.report(BackendKind::Cuda, 3, 99);
        assert_eq!((report.batches, report.bytes_up, report.bytes_down), (4, 16, 32));
        assert_eq!(report.busy, LaneTimes { upload_ns: 40, compute_ns: 40, download_ns: 40 });
        assert_eq!((report.span_ns, report.wall_ns), (60, 99));
        assert_eq!(report.overlap.efficiency, Some(1.0));
        let last = Span { batch: 3, lane: Lane::Download, start_ns: 50, end_ns: 60 };
        assert_eq!(report.timeline.last(), Some(&last));
    }

    #[test]
    fn the_timeline_keeps_the_first_batches_and_the_sums_keep_all() {
        let mut tally = Tally::new();
        let capacity = tally.timeline.capacity();
        let count = TIMELINE_BATCHES_MAX as u64 + 10;
        (0..count).for_each(|batch| tally.add(&record(batch)));
        assert_eq!(tally.batches, count);
        assert_eq!(tally.timeline.len(), 3 * TIMELINE_BATCHES_MAX);
        assert_eq!(tally.timeline.capacity(), capacity);
        tally.clear();
        assert_eq!(tally.timeline.capacity(), capacity);
        assert_eq!(tally.report(BackendKind::Host, 3, 0).overlap.efficiency, None);
    }
}
