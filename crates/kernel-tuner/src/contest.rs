//! The last comparison: baseline and best in turn, so that drift of clocks or load meets both alike.

use gpu_core::{Point, Stream};

use crate::measure::{Decision, Measured, Timer, sample_us};
use crate::subject::Subject;

/// How many samples each side gets, in how many turns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turns {
    pub(crate) count: usize,
    pub(crate) samples: usize,
}

/// Times `points` in alternating turns, the first one leading every other time (A B, B A, ...).
///
/// Each turn starts with one unseen run, since the other side has just used the caches.
pub(crate) fn contest(
    subject: &mut dyn Subject,
    timer: &mut impl Timer,
    stream: &Stream,
    points: [&Point; 2],
    turns: Turns,
) -> gpu_core::Result<[Measured; 2]> {
    let mut samples_us = [Vec::new(), Vec::new()];
    for turn in 0..turns.count {
        let order = if turn % 2 == 0 { [0, 1] } else { [1, 0] };
        for side in order {
            subject.prepare(points[side])?;
            let work = &mut |stream: &Stream| subject.enqueue(points[side], stream);
            sample_us(timer, stream, work)?;
            for _ in 0..turns.samples {
                samples_us[side].push(sample_us(timer, stream, work)?);
            }
        }
    }
    let measured = samples_us.map(|samples| Measured::from_samples(samples, Decision::Capped));
    Ok(measured.map(|side| side.expect("checked turns give 6 to 1000 samples")))
}
