//! The same on all cores: a step is one sine and one cosine of every phase.
//!
//! By the angle-difference formulas, with C and S the means of cosine and sine: R sin(Phi - phi) = S cos phi - C sin phi
//! and sin(psi - phi) = sin psi cos phi - cos psi sin phi. The result does not depend on the number of threads: what is
//! summed over phases is summed by one thread.

use rayon::prelude::*;

use super::{Banks, DRIVE, DT, PULL, STEPS};
use crate::thermodynamic::wrap;

/// Phases that are worth handing to another core: a few microseconds of work.
const PHASES_MIN: usize = 128;

/// One call, driven by `mu` and `theta`, one of each for every phase of a bank; the coherence at its end.
pub fn synchronise(banks: &mut Banks, mu: &[f64], theta: &[f64]) -> f64 {
    let mut next = banks.phases.clone();
    let coherence = step_all(&banks.phases, banks.frequencies(), (mu, theta), &mut next);
    banks.phases = next;
    coherence
}

/// One call from `before` to `phases`; the coherence at its end.
pub(crate) fn step_all(
    before: &[f64],
    frequencies: &[f64],
    (mu, theta): (&[f64], &[f64]),
    phases: &mut [f64],
) -> f64 {
    let n = mu.len();
    phases.copy_from_slice(before);
    let theta = table_of(theta);
    let pushes = mu.iter().copied().chain(theta.iter().map(|&[_, sine]| sine));
    let drives: Vec<f64> =
        frequencies.iter().zip(pushes).map(|(frequency, push)| frequency + DRIVE * push).collect();
    let mut table = table_of(phases);
    for _ in 0..STEPS {
        let (phi, psi) = table.split_at(n);
        let means = [mean(phi.iter().copied()), mean(psi.iter().copied())];
        for (i, (phase, drive)) in phases.iter_mut().zip(&drives).enumerate() {
            let (own, other) = (table[i], table[(i + n) % (2 * n)]);
            *phase += DT * (drive + PULL * pull(own, means[i / n]) + pull(own, other));
        }
        table = table_of(phases);
    }
    phases.iter_mut().for_each(|phase| *phase = wrap(*phase));
    let (phi, psi) = table.split_at(n);
    let apart = |(&own, &other): (&[f64; 2], &[f64; 2])| {
        [own[0] * other[0] + own[1] * other[1], pull(own, other)]
    };
    let [cosine, sine] = mean(phi.iter().zip(psi).map(apart));
    cosine.hypot(sine)
}

/// Cosine and sine of every phase.
fn table_of(phases: &[f64]) -> Vec<[f64; 2]> {
    let cosine_and_sine = |phase: &f64| {
        let (sine, cosine) = phase.sin_cos();
        [cosine, sine]
    };
    phases.par_iter().with_min_len(PHASES_MIN).map(cosine_and_sine).collect()
}

/// The sine of the angle from `own` to `other`, times the length of `other`.
fn pull([cosine, sine]: [f64; 2], [other_cosine, other_sine]: [f64; 2]) -> f64 {
    other_sine * cosine - other_cosine * sine
}

fn mean(points: impl ExactSizeIterator<Item = [f64; 2]>) -> [f64; 2] {
    #[expect(clippy::cast_precision_loss, reason = "a bank has fewer than 2^53 phases")]
    let n = points.len() as f64;
    let sum = points.fold([0.0, 0.0], |sum, point| [sum[0] + point[0], sum[1] + point[1]]);
    sum.map(|sum| sum / n)
}
