//! Two-sided confidence intervals of percentiles, between two order statistics of the samples.
//!
//! Free of any assumption about the distribution of latencies; never interpolates, and never passes the largest sample
//! off as an upper bound.

use super::Quantile;
use super::binomial::at_most;

/// Between which sorted samples, from 1, a quantile lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankInterval {
    /// `None` if it may lie below the smallest sample.
    pub lower: Option<u64>,
    /// `None` if it may lie above the largest sample.
    pub upper: Option<u64>,
}

/// Where `quantile` of all iterations lies among `samples` sorted ones with `confidence`, half of the doubt on either side.
///
/// `effective` is how many independent samples they are worth; counts among so many are scaled to `samples`.
pub fn rank_interval(
    samples: u64,
    effective: u64,
    quantile: Quantile,
    confidence: f64,
) -> RankInterval {
    let effective = effective.min(samples);
    let tail = (1.0 - confidence) / 2.0;
    let below = |count: u64| at_most(effective, quantile.share(), count);
    // So many are surely at or below it: the smallest count whose chance is over the tail, since one less is not.
    let at_least = first(effective, |count| below(count) > tail);
    // No more than so many are at or below it, so that the next one is surely above.
    let at_most = first(effective, |count| below(count) >= 1.0 - tail);
    let scaled = |count: u64| {
        let scaled = u128::from(count) * u128::from(samples) / u128::from(effective.max(1));
        u64::try_from(scaled).ok()
    };
    RankInterval {
        lower: scaled(at_least).filter(|&rank| rank > 0),
        upper: scaled(at_most).filter(|_| at_most < effective).map(|rank| rank + 1),
    }
}

/// The first of 0..=`last` that satisfies `is_enough`, which the later ones do too.
fn first(last: u64, is_enough: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, last);
    while low < high {
        let middle = low + (high - low) / 2;
        if is_enough(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUANTILES: [Quantile; 4] = [Quantile::P50, Quantile::P90, Quantile::P99, Quantile::P999];

    #[test]
    fn ranks_are_those_of_the_table() {
        let table = [
            (1_000, [(469, Some(532)), (881, Some(919)), (983, Some(997)), (997, None)]),
            (
                10_000,
                [
                    (4_902, Some(5_099)),
                    (8_941, Some(9_059)),
                    (9_880, Some(9_920)),
                    (9_983, Some(9_997)),
                ],
            ),
            (
                100_000,
                [
                    (49_690, Some(50_311)),
                    (89_814, Some(90_187)),
                    (98_938, Some(99_062)),
                    (99_880, Some(99_920)),
                ],
            ),
            (
                1_000_000,
                [
                    (499_020, Some(500_981)),
                    (899_412, Some(900_589)),
                    (989_805, Some(990_196)),
                    (998_938, Some(999_062)),
                ],
            ),
        ];
        for (samples, expected) in table {
            let ranks = QUANTILES.map(|quantile| {
                let ranks = rank_interval(samples, samples, quantile, 0.95);
                (ranks.lower.unwrap(), ranks.upper)
            });
            assert_eq!(ranks, expected, "{samples} samples");
        }
    }

    #[test]
    fn an_upper_end_appears_at_the_first_number_of_samples_that_has_one() {
        for (quantile, fewest) in QUANTILES.into_iter().zip([6, 36, 368, 3_688]) {
            let upper = |samples| rank_interval(samples, samples, quantile, 0.95).upper;
            assert_eq!(upper(fewest - 1), None, "{quantile}");
            assert_eq!(upper(fewest), Some(fewest), "{quantile}");
        }
    }

    #[test]
    fn dependent_samples_widen_the_interval() {
        let ranks = |effective| rank_interval(100_000, effective, Quantile::P99, 0.95);
        assert_eq!(ranks(10_000), RankInterval { lower: Some(98_800), upper: Some(99_191) });
        assert_eq!(ranks(367).upper, None);
        assert_eq!(ranks(0), RankInterval { lower: None, upper: None });
    }
}
