//! A ratio of two times from paired blocks, and a bound on either side of it.
//!
//! Pure. The bounds are those of a circular block bootstrap (Politis and Romano, A circular block-resampling procedure for
//! stationary data, 1992) of the median of the blocks' log ratios. As few whole stretches as a run holds tell little of
//! the spread, so the distance of a bound is widened as Student's is for as many degrees of freedom.

use std::fmt::{Display, Formatter};

use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

/// How many times as fast one side is as the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// Median over the blocks of the ratio of their medians.
    pub ratio: f64,
    /// The true ratio lies above this with a confidence of 95 %, one-sided.
    pub lower: f64,
    /// The true ratio lies below this with a confidence of 95 %, one-sided.
    pub upper: f64,
}

/// The chance that the truth lies beyond a bound.
const RISK: f64 = 0.05;

/// Resamples: the rank of a bound among them is exact to a tenth of a percent of them.
const RESAMPLES: usize = 2000;

/// With fewer blocks there is no spread to speak of.
const BLOCKS_MIN: usize = 8;

impl Gain {
    /// The gain in blocks of a baseline's and a choice's times, in one unit; `None` for fewer than 8 blocks, and where a
    /// time is not above zero. The same blocks and seed give the same bounds.
    pub fn of(blocks: &[[f64; 2]], seed: u64) -> Option<Self> {
        let logs = blocks.iter().map(|[baseline, choice]| (baseline / choice).ln());
        let logs: Vec<f64> = logs.collect();
        let usable = blocks.len() >= BLOCKS_MIN && logs.iter().all(|log| log.is_finite());
        usable.then(|| {
            let [lower, middle, upper] = bounds(&logs, seed);
            Self { ratio: middle.exp(), lower: lower.exp(), upper: upper.exp() }
        })
    }
}

impl Display for Gain {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        // A bound is rounded to its own side, or it would bound less than was shown.
        let (lower, upper) =
            ((self.lower * 100.0).floor() / 100.0, (self.upper * 100.0).ceil() / 100.0);
        let ratio = self.ratio;
        write!(formatter, "{ratio:.2} times as fast, at least {lower:.2}, at most {upper:.2}")
    }
}

/// The median of `values` between a bound below and one above what it estimates.
fn bounds(values: &[f64], seed: u64) -> [f64; 3] {
    let len = values.len();
    let stretch = stretch(len);
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by(|&one, &other| values[one].total_cmp(&values[other]));
    let sorted: Vec<f64> = order.iter().map(|&place| values[place]).collect();
    let mut rank = vec![0; len];
    for (at, &place) in order.iter().enumerate() {
        rank[place] = at;
    }
    let mut random = fastrand::Rng::with_seed(seed);
    let mut counts = vec![0; len];
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            counts.fill(0);
            for drawn in (0..len).step_by(stretch) {
                let start = random.usize(..len);
                (0..stretch.min(len - drawn)).for_each(|i| counts[rank[(start + i) % len]] += 1);
            }
            median_of_counts(&sorted, &counts)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to RESAMPLES")]
    let beyond = (RISK * RESAMPLES as f64) as usize;
    let middle = median_of_counts(&sorted, &vec![1; len]);
    let wide = |end: f64| middle + widening(len, stretch) * (end - middle);
    [wide(medians[beyond]), middle, wide(medians[RESAMPLES - 1 - beyond])]
}

/// Blocks that are drawn together, so that what lasts over several is in the resamples as well: the cube root, which is
/// the order at which the error of the spread is smallest (Hall, Horowitz and Jing, 1995).
fn stretch(len: usize) -> usize {
    let mut side = 1;
    while side * side * side < len {
        side += 1;
    }
    side
}

/// What a bound's distance is multiplied by.
fn widening(len: usize, stretch: usize) -> f64 {
    let share = stretch as f64 / len as f64;
    let normal = Normal::standard().inverse_cdf(1.0 - RISK);
    let freedom = (len / stretch - 1) as f64;
    let student = StudentsT::new(0.0, 1.0, freedom).expect("8 blocks hold 4 stretches");
    // A resample of whole stretches spreads less than the blocks do, by the share of one stretch.
    student.inverse_cdf(1.0 - RISK) / normal / (1.0 - share).sqrt()
}

/// The median of `sorted` values of which each comes as often as its count says.
fn median_of_counts(sorted: &[f64], counts: &[usize]) -> f64 {
    let len = sorted.len();
    let at = |rank: usize| {
        let mut seen = 0;
        let place = counts.iter().position(|count| {
            seen += count;
            seen > rank
        });
        sorted[place.expect("the counts add up to the number of values")]
    };
    f64::midpoint(at((len - 1) / 2), at(len / 2))
}

#[cfg(test)]
mod tests;
