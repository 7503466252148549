//! Both definitions, written out on one thread.
//!
//! It exists to be read and to be right. Never made fast: [`optimised`](super::optimised) is.

use super::{CELLS, CONFUSED, Counts, Flow, History, KEPT, MOMENTS};

/// What every channel tells about every other.
pub fn flow(history: &History) -> Flow {
    Flow::of(|target, source| counts(history, target, source), transfer_entropy)
}

/// How often the target's next moment, its present and the source's present occurred together.
fn counts(history: &History, target: usize, source: usize) -> Counts {
    let mut counts = [0; CELLS];
    for moment in 0..MOMENTS - 1 {
        let next = usize::from(history.is_spike(target, moment + 1));
        let now = usize::from(history.is_spike(target, moment));
        let beside = usize::from(history.is_spike(source, moment));
        counts[4 * next + 2 * now + beside] += 1;
    }
    counts
}

/// Transfer entropy of a histogram, in bits.
pub fn transfer_entropy(counts: &Counts) -> f64 {
    let total = f64::from(counts.iter().sum::<u32>());
    let p = |next: usize, now: usize, beside: usize| {
        f64::from(counts[4 * next + 2 * now + beside]) / total
    };
    let mut sum = 0.0;
    for next in 0..2 {
        for now in 0..2 {
            for beside in 0..2 {
                let joint = p(next, now, beside);
                if joint == 0.0 {
                    continue;
                }
                let present = p(0, now, 0) + p(0, now, 1) + p(1, now, 0) + p(1, now, 1);
                let both_present = p(0, now, beside) + p(1, now, beside);
                let own = p(next, now, 0) + p(next, now, 1);
                sum += joint * (joint * present / (both_present * own)).log2();
            }
        }
    }
    sum
}

/// Mutual information of the noisy channel whose source is softmax(`mu`), in bits.
pub fn channel_information(mu: &[f64]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a source has fewer than 2^53 symbols")]
    let others = mu.len() as f64 - 1.0;
    let source = softmax(mu);
    let likelihood = |y: usize, x: usize| if y == x { KEPT } else { CONFUSED / others };
    let mut received = 0.0;
    for y in 0..mu.len() {
        let mut probability = 0.0;
        for (x, p) in source.iter().enumerate() {
            probability += likelihood(y, x) * p;
        }
        received -= probability * probability.log2();
    }
    let mut row = 0.0;
    for y in 0..mu.len() {
        row -= likelihood(y, 0) * likelihood(y, 0).log2();
    }
    received - row
}

/// e^mu, scaled to a sum of 1.
fn softmax(mu: &[f64]) -> Vec<f64> {
    // The largest becomes e^0, so that none overflows.
    let largest = mu.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = mu.iter().map(|mu| (mu - largest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}
