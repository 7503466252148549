//! The binomial distribution by exact sums of its terms.
//!
//! Never by `statrs`' regularised beta function: its continued fraction stops after 140 terms, which is far from
//! converged at the median of a million samples. The sum takes a few standard deviations of terms and always converges.

use statrs::function::erf::erf_inv;
use statrs::function::gamma::ln_gamma;

/// The chance of at most `count` hits in `trials` independent ones with chance `share` each.
pub(super) fn at_most(trials: u64, share: f64, count: u64) -> f64 {
    if count >= trials || share <= 0.0 {
        return 1.0;
    }
    if share >= 1.0 {
        return 0.0;
    }
    // The smaller side is summed, from its largest term outwards.
    let odds = share / (1.0 - share);
    let (n, k) = (trials as f64, count as f64);
    if k <= n * share {
        let ratios = (0..count).rev().map(|j| (j + 1) as f64 / ((trials - j) as f64 * odds));
        sum(term(n, share, k), ratios)
    } else {
        let ratios = (count + 2..=trials).map(|j| (trials - j + 1) as f64 * odds / j as f64);
        1.0 - sum(term(n, share, k + 1.0), ratios)
    }
}

/// `first`, and after it each term by its ratio to the one before, until terms no longer count.
fn sum(first: f64, ratios: impl Iterator<Item = f64>) -> f64 {
    let (mut term, mut total) = (first, first);
    for ratio in ratios {
        term *= ratio;
        total += term;
        if term <= total * 1e-17 {
            break;
        }
    }
    total
}

/// The chance of exactly `k` hits of `n`.
fn term(n: f64, share: f64, k: f64) -> f64 {
    let choices = ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
    (choices + k * share.ln() + (n - k) * (-share).ln_1p()).exp()
}

/// How many standard deviations a normal variable stays below with chance `confidence`.
pub(super) fn normal_deviations(confidence: f64) -> f64 {
    std::f64::consts::SQRT_2 * erf_inv(2.0 * confidence - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_equal_values_found_by_hand() {
        // (1 + 10 + 45) / 1024, and its mirror.
        assert!((at_most(10, 0.5, 2) - 56.0 / 1024.0).abs() < 1e-15);
        assert!((at_most(10, 0.5, 7) - 968.0 / 1024.0).abs() < 1e-15);
        assert!((at_most(459, 0.01, 0) - 0.99f64.powi(459)).abs() < 1e-12);
        assert_eq!([at_most(5, 0.3, 5), at_most(5, 0.0, 0), at_most(5, 1.0, 4)], [1.0, 1.0, 0.0]);
    }

    #[test]
    fn a_million_trials_are_summed_to_the_end() {
        // Of an odd number of fair trials, at most half hit as often as not.
        assert!((at_most(999_999, 0.5, 499_999) - 0.5).abs() < 1e-7);
        // One and the same sum from either side.
        let left: f64 = at_most(1_000_000, 0.5, 499_000);
        let right = 1.0 - at_most(1_000_000, 0.5, 500_999);
        assert!((left - right).abs() < 1e-9, "{left} {right}");
    }

    #[test]
    fn deviations_are_those_of_the_tables() {
        for (confidence, expected) in [(0.95, 1.644_854), (0.975, 1.959_964), (0.995, 2.575_829)] {
            assert!((normal_deviations(confidence) - expected).abs() < 1e-5);
        }
    }
}
