//! What a count of samples over a limit proves about a percentile.
//!
//! A gate is one-sided: with confidence `c`, at most the share `1 - p` of all iterations is over the limit. It holds for
//! a number of samples that was fixed beforehand, and for one statement: [`each_of`] divides the doubt among several.
//! The same bound decides MLPerf LoadGen's early stopping, whose values the tests contain.

use super::Quantile;
use super::binomial::{at_most, normal_deviations};

/// Most of `samples` that may be over a limit so that `quantile` is shown to be below it with `confidence`; `None` if
/// that many samples show nothing, however few are over.
///
/// `effective` is how many independent samples they are worth, as [`effective_samples`](super::effective_samples) finds.
/// The largest count that shows it there is scaled to `samples`, rounded down.
pub fn over_count_max(
    samples: u64,
    effective: u64,
    quantile: Quantile,
    confidence: f64,
) -> Option<u64> {
    if quantile == Quantile::MAX {
        // The largest of these samples is a fact about them and needs no inference.
        return (samples > 0).then_some(0);
    }
    let effective = effective.min(samples);
    let shows = |count| at_most(effective, quantile.share_above(), count) <= 1.0 - confidence;
    if effective == 0 || !shows(0) {
        return None;
    }
    // Invariant: `low` shows it and `high` does not.
    let (mut low, mut high) = (0, effective);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if shows(middle) { low = middle } else { high = middle }
    }
    let scaled = u128::from(low) * u128::from(samples) / u128::from(effective);
    u64::try_from(scaled).ok()
}

/// Fewest independent samples that show `quantile` to be below a limit with `confidence` when `over_count` are over it.
pub fn samples_min(quantile: Quantile, confidence: f64, over_count: u64) -> u64 {
    if quantile == Quantile::MAX {
        return 1;
    }
    let shows = |samples| at_most(samples, quantile.share_above(), over_count) <= 1.0 - confidence;
    let (mut low, mut high) = (over_count, over_count + 1);
    while !shows(high) {
        (low, high) = (high, high * 2);
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if shows(middle) { high = middle } else { low = middle }
    }
    high
}

/// About how many independent samples tell a share of hits from that above `quantile`, if the two differ by `gap`:
/// the normal approximation `z^2 q (1 - q) / gap^2`.
pub fn samples_needed(quantile: Quantile, gap: f64, confidence: f64) -> f64 {
    let spread = quantile.share() * quantile.share_above();
    (normal_deviations(confidence) / gap).powi(2) * spread
}

/// The confidence that each of `statements` needs so that all hold together with `confidence` (Bonferroni).
pub fn each_of(statements: usize, confidence: f64) -> f64 {
    1.0 - (1.0 - confidence) / statements.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(samples: u64, confidence: f64) -> [Option<u64>; 3] {
        [Quantile::P90, Quantile::P99, Quantile::P999]
            .map(|quantile| over_count_max(samples, samples, quantile, confidence))
    }

    #[test]
    fn the_gate_allows_what_the_table_says() {
        let table = [
            (1_000, [Some(84), Some(4), None], [Some(78), Some(2), None]),
            (10_000, [Some(950), Some(83), Some(4)], [Some(930), Some(77), Some(2)]),
            (100_000, [Some(9_843), Some(948), Some(83)], [Some(9_779), Some(927), Some(77)]),
            (
                270_336,
                [Some(26_776), Some(2_618), Some(243)],
                [Some(26_670), Some(2_583), Some(232)],
            ),
            (
                1_000_000,
                [Some(99_506), Some(9_836), Some(947)],
                [Some(99_302), Some(9_768), Some(926)],
            ),
        ];
        for (samples, at_95, at_99) in table {
            assert_eq!(counts(samples, 0.95), at_95, "{samples} at 95 %");
            assert_eq!(counts(samples, 0.99), at_99, "{samples} at 99 %");
        }
    }

    #[test]
    fn fewest_samples_are_those_of_load_gen() {
        let quantiles = [Quantile::P90, Quantile::P99, Quantile::P999];
        let fewest = |confidence, over| quantiles.map(|q| samples_min(q, confidence, over));
        assert_eq!(fewest(0.95, 0), [29, 299, 2_995]);
        assert_eq!(fewest(0.99, 0), [44, 459, 4_603]);
        assert_eq!(fewest(0.99, 1), [64, 662, 6_636]);
        assert_eq!(samples_min(Quantile::MAX, 0.95, 0), 1);
    }

    #[test]
    fn samples_for_a_margin_are_those_of_load_gen() {
        // Two-sided 99 %: half of the doubt on either side.
        let rows = [(Quantile::P90, 0.005, 23_886.0), (Quantile::P99, 0.0005, 262_742.0)];
        for (quantile, margin, expected) in rows {
            assert_eq!(samples_needed(quantile, margin, 0.995).ceil(), expected, "{quantile}");
        }
    }

    #[test]
    fn dependent_samples_allow_fewer_and_never_more() {
        let allowed = |effective| over_count_max(100_000, effective, Quantile::P99, 0.95);
        assert_eq!(allowed(100_000), Some(948));
        assert_eq!(allowed(200_000), Some(948), "nothing is worth more than itself");
        // 83 of 10,000 independent ones, a tenth of a sample each.
        assert_eq!(allowed(10_000), Some(830));
        assert_eq!(allowed(299), Some(0));
        assert_eq!(allowed(298), None);
    }

    #[test]
    fn the_largest_sample_needs_no_inference() {
        assert_eq!(over_count_max(1, 1, Quantile::MAX, 0.95), Some(0));
        assert_eq!(over_count_max(0, 0, Quantile::MAX, 0.95), None);
    }

    #[test]
    fn statements_together_need_more_confidence_each() {
        assert!((each_of(5, 0.95) - 0.99).abs() < 1e-12);
        assert_eq!(each_of(1, 0.95), 0.95);
    }
}
