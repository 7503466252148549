//! Two configurations in turn, block by block, each block in the order baseline, choice, choice, baseline.
//!
//! So that drift of clocks or load within a block meets both alike. Never drops a time.

use gpu_core::{Point, Stream};
use kernel_tuner::{Subject, Timer};

/// What to compare, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Turns<'a> {
    /// Baseline and choice; the subject is prepared for both.
    pub points: [&'a Point; 2],
    /// Blocks.
    pub blocks: usize,
    /// Samples of each of the four visits in a block, at least one.
    pub samples: usize,
}

/// Times two points of a subject: in each block, the median of the samples of both visits, in microseconds. `progress`
/// hears of each block.
///
/// Each visit starts with one unseen run, since the other side has just used the caches.
///
/// # Errors
/// What a run fails with.
pub fn interleave(
    subject: &mut dyn Subject,
    timer: &mut impl Timer,
    stream: &Stream,
    turns: &Turns<'_>,
    progress: &mut dyn FnMut(),
) -> gpu_core::Result<Vec<[f64; 2]>> {
    let Turns { points, samples, .. } = *turns;
    let mut blocks = Vec::with_capacity(turns.blocks);
    for _ in 0..turns.blocks {
        let mut times_us = [const { Vec::new() }; 2];
        for side in [0, 1, 1, 0] {
            let work = &mut |stream: &Stream| subject.enqueue(points[side], stream);
            timer.time(stream, work)?;
            for _ in 0..samples.max(1) {
                times_us[side].push(timer.time(stream, work)?.as_secs_f64() * 1e6);
            }
        }
        blocks.push(times_us.map(median));
        progress();
    }
    Ok(blocks)
}

/// The middle of `values`, or the mean of the two in the middle; at least one is there.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    f64::midpoint(values[last / 2], values[values.len() / 2])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gpu_core::{Axis, Device, Launch, LaunchSpace};
    use kernel_tuner::{Mismatch, Ready};

    use super::*;

    const SPACE: LaunchSpace = LaunchSpace::new(&[Axis { name: "threads", values: &[128, 256] }]);

    /// Writes down which point was run.
    #[derive(Default)]
    struct Scribe {
        runs: Vec<u32>,
    }

    impl Subject for Scribe {
        fn name(&self) -> &str {
            "scribe"
        }

        fn space(&self) -> LaunchSpace {
            SPACE
        }

        fn baseline(&self) -> Point {
            SPACE.point(0).unwrap()
        }

        fn prepare(&mut self, _point: &Point) -> gpu_core::Result<Ready> {
            Ok(Ready { launch: Launch::linear(1, 128), attributes: None })
        }

        fn enqueue(&mut self, point: &Point, _stream: &Stream) -> gpu_core::Result<()> {
            self.runs.push(point.value("threads").unwrap());
            Ok(())
        }

        fn poison(&mut self, _stream: &Stream) -> gpu_core::Result<()> {
            Ok(())
        }

        fn verify(&mut self, _stream: &Stream) -> gpu_core::Result<Result<(), Mismatch>> {
            Ok(Ok(()))
        }
    }

    /// Every run takes a microsecond more than the one before.
    struct Slowing(u64);

    impl Timer for Slowing {
        fn time(
            &mut self,
            stream: &Stream,
            work: &mut dyn FnMut(&Stream) -> gpu_core::Result<()>,
        ) -> gpu_core::Result<Duration> {
            work(stream)?;
            self.0 += 1;
            Ok(Duration::from_micros(self.0))
        }
    }

    #[test]
    fn a_block_visits_both_in_a_palindrome_and_steady_drift_meets_both_alike() {
        let mut scribe = Scribe::default();
        let stream = Device::host().stream().unwrap();
        let points = [0, 1].map(|index| SPACE.point(index).unwrap());
        let turns = Turns { points: [&points[0], &points[1]], blocks: 2, samples: 2 };
        let mut done = 0;
        let blocks = interleave(&mut scribe, &mut Slowing(0), &stream, &turns, &mut || done += 1);
        let visit = |threads| [threads; 3];
        let block = [visit(128), visit(256), visit(256), visit(128)].concat();
        assert_eq!(scribe.runs, [block.clone(), block].concat());
        assert_eq!(done, 2);
        // Runs 2, 3, 11 and 12 against 5, 6, 8 and 9, and the same twelve runs later.
        assert_eq!(blocks.unwrap(), [[7.0, 7.0], [19.0, 19.0]]);
    }
}
