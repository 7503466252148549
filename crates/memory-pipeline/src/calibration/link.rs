//! Copies through the lanes of a pipeline, with events between them that say how far each way had come when.
//!
//! Never frees a buffer before its copies were seen to be done: they are held as those of a pipeline are.

use std::sync::Arc;

use gpu_core::{Device, Event, Stream};

use crate::error::{Error, Result};
use crate::flight::{Flight, Journeys};
use crate::lane::Lanes;
use crate::pool::{PinnedMemoryPool, PoolConfig};
use crate::slot::{BatchLen, DeviceSlot, nanoseconds};

/// Buffers that the copies of one way go round in, on the host and on the device.
const RING: usize = 4;
/// Parts of a pass between whose ends the progress of a way is known; the copies of a part flow undisturbed.
const PARTS: usize = 16;

/// Which ways are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traffic {
    Up,
    Down,
    Both,
}

/// Everything that a pass needs, allocated.
pub(super) struct Link {
    /// First, so that it is dropped first: it waits for the lanes.
    flights: Vec<Flight<u8, u8>>,
    slots: Vec<DeviceSlot<u8, u8>>,
    lanes: Arc<Lanes>,
    origin: Event,
    up: Track,
    down: Track,
}

/// The events of one way, in the order in which its lane passes them.
struct Track {
    marks: Vec<Event>,
}

/// How far a way had come when, in bytes and nanoseconds; both grow.
#[derive(Clone, Debug, Default, PartialEq)]
struct Progress {
    points: Vec<(f64, f64)>,
}

impl Link {
    pub(super) fn new(device: &Device, chunk_bytes: usize) -> Result<Self> {
        let pool = PinnedMemoryPool::new(device, PoolConfig::uniform::<u8>(2 * RING, chunk_bytes))?;
        let lanes = Arc::new(Lanes::new(device)?);
        let flight = || {
            let (input, output) = (pool.acquire(chunk_bytes)?, pool.acquire(chunk_bytes)?);
            Ok(Flight::new(Arc::clone(&lanes), (input, output), Journeys::One))
        };
        let len = BatchLen { input: chunk_bytes, output: chunk_bytes };
        Ok(Self {
            flights: (0..RING).map(|_| flight()).collect::<Result<_>>()?,
            slots: (0..RING)
                .map(|_| DeviceSlot::new(device, len))
                .collect::<gpu_core::Result<_>>()?,
            lanes,
            origin: device.timed_event()?,
            up: Track::new(device)?,
            down: Track::new(device)?,
        })
    }

    /// Sends `chunks` chunks each used way and returns the rates up and down, in bytes a nanosecond; 0 for an unused way.
    ///
    /// With both ways in use, a rate is over the time in which both had work. [`Error::TooShort`] if the clock saw no time pass.
    pub(super) fn pass(&mut self, traffic: Traffic, chunks: usize) -> Result<[f64; 2]> {
        let (is_up, is_down) = (traffic != Traffic::Down, traffic != Traffic::Up);
        let lanes = Arc::clone(&self.lanes);
        lanes.upload.record(&self.origin)?;
        lanes.download.wait(&self.origin)?;
        for chunk in 0..chunks {
            let (ring, mark) = (chunk % RING, mark_at(chunk, chunks));
            let (flight, slot) = (&mut self.flights[ring], &mut self.slots[ring]);
            if is_up {
                self.up.record(&lanes.upload, mark)?;
                flight.upload(slot.input.view_mut())?;
            }
            if is_down {
                self.down.record(&lanes.download, mark)?;
                flight.download(slot.output.view())?;
            }
        }
        if is_up {
            self.up.record(&lanes.upload, mark_at(chunks, chunks))?;
        }
        if is_down {
            self.down.record(&lanes.download, mark_at(chunks, chunks))?;
        }
        lanes.upload.synchronize()?;
        lanes.download.synchronize()?;
        let chunk_bytes = self.slots[0].input.len();
        let progress = |track: &Track| track.progress(&self.origin, chunks, chunk_bytes);
        let up = if is_up { progress(&self.up)? } else { Progress::default() };
        let down = if is_down { progress(&self.down)? } else { Progress::default() };
        let rate = |way: &Progress, other: &Progress| {
            way.rate_beside(other).ok_or(Error::TooShort { chunks, chunk_bytes })
        };
        let up_rate = if is_up { rate(&up, &down)? } else { 0.0 };
        let down_rate = if is_down { rate(&down, &up)? } else { 0.0 };
        Ok([up_rate, down_rate])
    }
}

/// The mark that is recorded before copy number `chunk` of `chunks`, and after the last one; the first and the last always are.
fn mark_at(chunk: usize, chunks: usize) -> Option<usize> {
    let parts = chunks.min(PARTS);
    (0..=parts).find(|&part| part * chunks / parts == chunk)
}

impl Track {
    fn new(device: &Device) -> gpu_core::Result<Self> {
        let marks = (0..=PARTS).map(|_| device.timed_event()).collect::<gpu_core::Result<_>>()?;
        Ok(Self { marks })
    }

    fn record(&self, lane: &Stream, mark: Option<usize>) -> gpu_core::Result<()> {
        mark.map_or(Ok(()), |mark| lane.record(&self.marks[mark]))
    }

    fn progress(
        &self,
        origin: &Event,
        chunks: usize,
        chunk_bytes: usize,
    ) -> gpu_core::Result<Progress> {
        let parts = chunks.min(PARTS);
        let point = |part: usize| {
            let ns = nanoseconds(self.marks[part].elapsed_since(origin)?);
            Ok((ns as f64, (part * chunks / parts * chunk_bytes) as f64))
        };
        Ok(Progress { points: (0..=parts).map(point).collect::<gpu_core::Result<_>>()? })
    }
}

impl Progress {
    /// First and last moment.
    fn extent(&self) -> Option<(f64, f64)> {
        Some((self.points.first()?.0, self.points.last()?.0))
    }

    /// Bytes that had been copied at `ns`, between two marks in proportion to the time.
    fn bytes_at(&self, ns: f64) -> f64 {
        let after = self.points.iter().position(|point| point.0 >= ns);
        let after = after.unwrap_or(self.points.len() - 1).max(1);
        let ((from_ns, from), (to_ns, to)) = (self.points[after - 1], self.points[after]);
        let share = if to_ns > from_ns { (ns - from_ns) / (to_ns - from_ns) } else { 1.0 };
        from + share * (to - from)
    }

    /// The rate while `other` was at work too, over all its own time if the other never was; `None` if no time passed.
    fn rate_beside(&self, other: &Self) -> Option<f64> {
        let (start_ns, end_ns) = self.extent()?;
        let both = other.extent().map(|(from, to)| (start_ns.max(from), end_ns.min(to)));
        let (from, to) = both.filter(|(from, to)| to > from).unwrap_or((start_ns, end_ns));
        (to > from).then(|| (self.bytes_at(to) - self.bytes_at(from)) / (to - from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(points: &[(f64, f64)]) -> Progress {
        Progress { points: points.to_vec() }
    }

    #[test]
    fn a_rate_is_over_the_time_in_which_both_ways_had_work() {
        // Up: 100 bytes in 10 ns beside the other way, then 100 in 5 ns alone.
        let up = progress(&[(0.0, 0.0), (10.0, 100.0), (15.0, 200.0)]);
        let down = progress(&[(0.0, 0.0), (10.0, 50.0)]);
        assert_eq!((up.rate_beside(&down), down.rate_beside(&up)), (Some(10.0), Some(5.0)));
        let nothing = Progress::default();
        assert_eq!(up.rate_beside(&nothing), Some(200.0 / 15.0));
        assert_eq!(nothing.rate_beside(&up), None);
    }

    #[test]
    fn a_pass_that_took_no_time_has_no_rate() {
        let at_once = progress(&[(7.0, 0.0), (7.0, 50.0), (7.0, 100.0)]);
        let slow = progress(&[(0.0, 0.0), (10.0, 100.0)]);
        for other in [Progress::default(), slow.clone(), at_once.clone()] {
            assert_eq!(at_once.rate_beside(&other), None);
        }
        assert_eq!(slow.rate_beside(&at_once), Some(10.0));
        // A clock that ticks once in a pass has marks at one moment, and a rate all the same.
        let coarse = progress(&[(0.0, 0.0), (0.0, 50.0), (10.0, 100.0), (10.0, 150.0)]);
        assert!(coarse.rate_beside(&coarse).is_some_and(|rate| rate > 0.0));
    }

    #[test]
    fn between_two_marks_progress_is_in_proportion() {
        let up = progress(&[(2.0, 0.0), (4.0, 10.0), (8.0, 20.0)]);
        let at = [2.0, 3.0, 4.0, 6.0, 8.0].map(|ns| up.bytes_at(ns));
        assert_eq!(at, [0.0, 5.0, 10.0, 15.0, 20.0]);
    }

    #[test]
    fn ways_that_never_ran_at_once_have_their_own_rates() {
        let first = progress(&[(0.0, 0.0), (10.0, 30.0)]);
        let second = progress(&[(10.0, 0.0), (20.0, 50.0)]);
        assert_eq!(
            (first.rate_beside(&second), second.rate_beside(&first)),
            (Some(3.0), Some(5.0))
        );
    }

    #[test]
    fn every_pass_has_a_first_and_a_last_mark_and_no_more_than_there_are_events() {
        for chunks in [1, 2, 15, 16, 17, 100, 128] {
            let marks: Vec<_> = (0..=chunks).filter_map(|chunk| mark_at(chunk, chunks)).collect();
            let expected: Vec<_> = (0..=chunks.min(PARTS)).collect();
            assert_eq!(marks, expected, "{chunks} chunks");
        }
    }
}
