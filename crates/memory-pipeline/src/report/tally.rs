//! The sums of a run so far, from which its report is made.
//!
//! Never allocates once it is made, and never keeps more than the first spans.

use gpu_core::BackendKind;

use super::overlap::{LaneTimes, Measured, Overlap};
use super::{PipelineReport, Span, TIMELINE_BATCHES_MAX};
use crate::lane::Lane;

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
    /// Its times, if it was timed.
    pub(crate) intervals: Option<Intervals>,
}

/// The sums of a run so far. Allocates only when made.
#[derive(Debug)]
pub(crate) struct Tally {
    sums: Sums,
    /// Invariant: never grows past the capacity it was made with.
    timeline: Vec<Span>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    batches: u64,
    bytes_up: u64,
    bytes_down: u64,
    measured: Measured,
    lanes: [Extent; 3],
}

/// When a lane first had work, when it last had some, and how much there was.
#[derive(Clone, Copy, Debug, Default)]
struct Extent {
    first_start_ns: u64,
    last_end_ns: u64,
    busy_ns: u64,
}

impl Extent {
    fn add(&mut self, is_first: bool, interval: Interval) {
        if is_first {
            self.first_start_ns = interval.start_ns;
        }
        self.last_end_ns = interval.end_ns();
        self.busy_ns += interval.busy_ns;
    }

    fn idle_ns(self) -> u64 {
        (self.last_end_ns.saturating_sub(self.first_start_ns)).saturating_sub(self.busy_ns)
    }
}

/// One figure of each lane.
fn lane_times([upload_ns, compute_ns, download_ns]: [u64; 3]) -> LaneTimes {
    LaneTimes { upload_ns, compute_ns, download_ns }
}

impl Tally {
    pub(crate) fn new() -> Self {
        let timeline = Vec::with_capacity(TIMELINE_BATCHES_MAX * Lane::ALL.len());
        Self { sums: Sums::default(), timeline }
    }

    /// Forgets the run, keeping the memory.
    pub(crate) fn clear(&mut self) {
        self.sums = Sums::default();
        self.timeline.clear();
    }

    pub(crate) fn add(&mut self, record: &BatchRecord) {
        self.sums.batches += 1;
        self.sums.bytes_up += record.bytes_up;
        self.sums.bytes_down += record.bytes_down;
        if let Some(intervals) = record.intervals {
            self.add_times(record.batch, intervals);
        }
    }

    fn add_times(&mut self, batch: u64, Intervals { upload, compute, download }: Intervals) {
        let Sums { measured, lanes, .. } = &mut self.sums;
        let intervals = [upload, compute, download];
        let is_first = measured.timed_batches == 0;
        lanes.iter_mut().zip(intervals).for_each(|(lane, interval)| lane.add(is_first, interval));
        measured.timed_batches += 1;
        measured.busy = lane_times(lanes.map(|lane| lane.busy_ns));
        measured.span_batches = batch + 1;
        measured.span_ns = measured.span_ns.max(download.end_ns());
        if self.timeline.len() + Lane::ALL.len() <= TIMELINE_BATCHES_MAX * Lane::ALL.len() {
            let lanes = Lane::ALL.into_iter().zip(intervals);
            self.timeline.extend(lanes.map(|(lane, interval)| Span {
                batch,
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
        let Sums { batches, bytes_up, bytes_down, measured, lanes } = self.sums;
        let Measured { timed_batches, busy, span_batches, span_ns } = measured;
        let mut overlap = Overlap::new(&measured);
        let mut bubbles = (timed_batches == batches && batches > 0)
            .then(|| lane_times(lanes.map(Extent::idle_ns)));
        if backend == BackendKind::HostSimulated {
            // The order was drawn at random and the intervals cover each other's work: no measurement.
            (overlap.efficiency, overlap.speedup, bubbles) = (None, None, None);
        }
        PipelineReport {
            backend,
            depth,
            batches,
            bytes_up,
            bytes_down,
            wall_ns,
            timed_batches,
            busy,
            bubbles,
            span_batches,
            span_ns,
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
        let intervals = Intervals { upload: at(0), compute: at(10), download: at(20) };
        BatchRecord { batch, bytes_up: 4, bytes_down: 8, intervals: Some(intervals) }
    }

    #[test]
    fn the_report_sums_what_the_events_said() {
        let mut tally = Tally::new();
        (0..4).for_each(|batch| tally.add(&record(batch)));
        let report = tally.report(BackendKind::Cuda, 3, 99);
        assert_eq!((report.batches, report.bytes_up, report.bytes_down), (4, 16, 32));
        assert_eq!(report.busy, lane_times([40; 3]));
        assert_eq!((report.span_ns, report.wall_ns), (60, 99));
        assert_eq!((report.timed_batches, report.span_batches), (4, 4));
        assert_eq!(report.overlap.efficiency, Some(1.0));
        assert_eq!(report.bubbles, Some(LaneTimes::default()));
        let last = Span { batch: 3, lane: Lane::Download, start_ns: 50, end_ns: 60 };
        assert_eq!(report.timeline.last(), Some(&last));
    }

    #[test]
    fn a_lane_that_waits_between_two_batches_has_a_bubble() {
        let mut tally = Tally::new();
        tally.add(&record(0));
        let mut late = record(1);
        let intervals = late.intervals.as_mut().unwrap();
        intervals.compute.start_ns += 7;
        intervals.download.start_ns += 9;
        tally.add(&late);
        let bubbles = |backend| tally.report(backend, 3, 0).bubbles;
        assert_eq!(bubbles(BackendKind::Cuda), Some(lane_times([0, 7, 9])));
        assert_eq!(bubbles(BackendKind::HostSimulated), None);
    }

    #[test]
    fn batches_without_times_count_and_the_timed_ones_speak_for_the_span() {
        let mut tally = Tally::new();
        for batch in 0..10 {
            let mut record = record(batch);
            record.intervals = record.intervals.filter(|_| batch % 4 == 0);
            tally.add(&record);
        }
        let report = tally.report(BackendKind::Cuda, 3, 0);
        assert_eq!((report.batches, report.timed_batches, report.span_batches), (10, 3, 9));
        assert_eq!((report.busy.upload_ns, report.span_ns), (30, 110));
        assert_eq!(report.overlap.bound_ns, 110.0);
        let unknown = (report.overlap.efficiency, report.bubbles);
        assert_eq!(unknown, (None, None), "nobody knows what the other batches did");
    }

    #[test]
    fn the_timeline_keeps_the_first_batches_and_the_sums_keep_all() {
        let mut tally = Tally::new();
        let capacity = tally.timeline.capacity();
        let count = TIMELINE_BATCHES_MAX as u64 + 10;
        (0..count).for_each(|batch| tally.add(&record(batch)));
        assert_eq!(tally.sums.batches, count);
        assert_eq!(tally.timeline.len(), 3 * TIMELINE_BATCHES_MAX);
        assert_eq!(tally.timeline.capacity(), capacity);
        tally.clear();
        assert_eq!(tally.timeline.capacity(), capacity);
        assert_eq!(tally.report(BackendKind::Host, 3, 0).overlap.efficiency, None);
    }
}
