//! What a run took: bytes, times of each lane as the device's events said, and how much of it overlapped.
//!
//! Never guesses: on a host, where one operation runs at a time, the same arithmetic shows no overlap.

mod overlap;
mod svg;
mod tally;
mod trace;

use gpu_core::BackendKind;

pub use self::overlap::{Ceiling, LaneTimes, Measured, Overlap};
pub(crate) use self::tally::{BatchRecord, Interval, Intervals, Tally};
use crate::calibration::LinkRates;
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
    /// Batches whose lanes were timed, see [`Timing`](crate::Timing).
    pub timed_batches: u64,
    /// How long each lane was at work on the timed batches, from the events around its work.
    pub busy: LaneTimes,
    /// How long each lane stood idle between its first work and its last; `None` unless every batch was timed, and on
    /// a simulated host, whose times are no measurement.
    pub bubbles: Option<LaneTimes>,
    /// Batches from the first to the last timed one, which the span covers.
    pub span_batches: u64,
    /// From the start of the first upload to the end of the last timed download, on the device's clock.
    pub span_ns: u64,
    /// What the busy times and the span say about overlap.
    pub overlap: Overlap,
    /// When each lane had which batch, for the first 256 timed batches.
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

impl PipelineReport {
    /// How close the run came to what the link gives both ways at once, as `rates` of the same device say.
    pub fn ceiling(&self, rates: &LinkRates) -> Ceiling {
        let is_comparable =
            self.backend == rates.backend && self.backend != BackendKind::HostSimulated;
        let Self { timed_batches, busy, span_batches, span_ns, .. } = *self;
        let span_ns = if is_comparable { span_ns } else { 0 };
        let measured = Measured { timed_batches, busy, span_batches, span_ns };
        let batches = self.batches.max(1) as f64;
        let batch_bytes = [self.bytes_up, self.bytes_down].map(|bytes| bytes as f64 / batches);
        Ceiling::new(&measured, rates, batch_bytes)
    }

    /// The timeline as a picture: a lane a row, a batch a bar, the time to the right. One SVG file, light or dark as the reader's page is.
    pub fn svg(&self) -> String {
        svg::picture(self)
    }

    /// The timeline as trace events, a lane a thread, for Perfetto and `chrome://tracing`.
    ///
    /// The format is the JSON object form of Google's "Trace Event Format".
    pub fn chrome_trace(&self) -> String {
        trace::events(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two batches of a millisecond a lane, the last download 1 ns short of it.
    pub(super) fn two_batches() -> PipelineReport {
        let mut tally = Tally::new();
        for batch in 0..2 {
            let at = |lane: u64| {
                let late = u64::from(lane == 2 && batch == 1);
                Interval { start_ns: (batch + lane) * 1_000_000 + late, busy_ns: 1_000_000 - late }
            };
            let intervals = Intervals { upload: at(0), compute: at(1), download: at(2) };
            tally.add(&BatchRecord {
                batch,
                bytes_up: 1,
                bytes_down: 1,
                intervals: Some(intervals),
            });
        }
        tally.report(BackendKind::Cuda, 3, 0)
    }
}
