//! The same from whole words: a cell of a histogram is a population count, and the noisy channel is one pass.
//!
//! With integer counts of a total N, p(y', y, x) p(y) / (p(y, x) p(y', y)) is a quotient of whole numbers, so it is
//! exactly 1 where nothing flows. Of the channel's output, (P p)_y = 0.9 p_y + 0.1 (1 - p_y) / (n - 1).

use super::{CELLS, CONFUSED, Counts, Flow, History, KEPT, MOMENTS};

/// What every channel tells about every other.
pub fn flow(history: &History) -> Flow {
    let channels = history.bits();
    Flow::of(|target, source| counts(channels[target], channels[source]), transfer_entropy)
}

fn counts(target: u128, source: u128) -> Counts {
    // The last moment has none after it.
    const WITH_NEXT: u128 = u128::MAX >> (u128::BITS as usize - (MOMENTS - 1));
    let pick = |bits: u128, is_set: bool| if is_set { bits } else { !bits };
    let mut counts = [0; CELLS];
    for (cell, count) in counts.iter_mut().enumerate() {
        let next = pick(target >> 1, cell & 4 != 0);
        let now = pick(target, cell & 2 != 0);
        let beside = pick(source, cell & 1 != 0);
        *count = (next & now & beside & WITH_NEXT).count_ones();
    }
    counts
}

/// Transfer entropy of a histogram, in bits.
fn transfer_entropy(counts: &Counts) -> f64 {
    let mut sum = 0.0;
    for (cell, &joint) in counts.iter().enumerate() {
        if joint == 0 {
            continue;
        }
        let (next, now, beside) = (cell & 4, cell & 2, cell & 1);
        let both_present = counts[now + beside] + counts[4 + now + beside];
        let own = counts[next + now] + counts[next + now + 1];
        let present = counts[now] + counts[now + 1] + counts[4 + now] + counts[4 + now + 1];
        let quotient = f64::from(joint * present) / f64::from(both_present * own);
        sum += f64::from(joint) * quotient.log2();
    }
    sum / f64::from(counts.iter().sum::<u32>())
}

/// Mutual information of the noisy channel whose source is softmax(`mu`), in bits.
pub fn channel_information(mu: &[f64]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a source has fewer than 2^53 symbols")]
    let confused = CONFUSED / (mu.len() as f64 - 1.0);
    let largest = mu.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = mu.iter().map(|mu| (mu - largest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let received: f64 = weights
        .iter()
        .map(|weight| {
            let p = weight / sum;
            let probability = KEPT * p + confused * (1.0 - p);
            -probability * probability.log2()
        })
        .sum();
    received + KEPT * KEPT.log2() + CONFUSED * confused.log2()
}
