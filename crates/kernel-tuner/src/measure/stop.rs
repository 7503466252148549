//! When enough samples have been taken: pure, from the samples alone.
//!
//! The interval of the median is the distribution-free one between order statistics
//! (Conover, "Practical Nonparametric Statistics", on the sign test). It assumes independent samples.

use crate::error::{Error, Result};

/// Most samples of one measurement; the binomial sum below is exact up to here.
const SAMPLES_MAX: usize = 1000;

/// With fewer samples no interval of the median reaches 95 %.
const SAMPLES_MIN: usize = 6;

/// When to stop repeating a measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StopRule {
    /// Fewest samples.
    pub samples_min: usize,
    /// Most samples.
    pub samples_max: usize,
    /// Half the width of the median's 95 % interval, relative to the median, that is narrow enough.
    pub half_width_max: f64,
}

/// What a stopping rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Take another sample.
    Continue,
    /// The interval is narrow enough.
    Precise,
    /// The most samples were taken, and the interval is still wide.
    Capped,
}

impl Default for StopRule {
    fn default() -> Self {
        Self { samples_min: 10, samples_max: 100, half_width_max: 0.02 }
    }
}

impl StopRule {
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |field, reason| Err(Error::Config { field, reason });
        if self.samples_min < SAMPLES_MIN {
            return refuse("StopRule::samples_min", "must be at least 6, or there is no interval");
        }
        if self.samples_max < self.samples_min || self.samples_max > SAMPLES_MAX {
            return refuse("StopRule::samples_max", "must lie in `samples_min`..=1000");
        }
        if self.half_width_max.is_nan() || self.half_width_max <= 0.0 {
            return refuse("StopRule::half_width_max", "must be above 0");
        }
        Ok(())
    }

    /// Whether `samples`, in any order, are enough.
    pub fn decide(&self, samples: &[f64]) -> Decision {
        if samples.len() < self.samples_min {
            return Decision::Continue;
        }
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let is_precise = median_interval(&sorted)
            .is_some_and(|(low, high)| (high - low) / 2.0 <= self.half_width_max * median(&sorted));
        match is_precise {
            true => Decision::Precise,
            false if samples.len() >= self.samples_max => Decision::Capped,
            false => Decision::Continue,
        }
    }
}

/// The middle of sorted samples, or the mean of the two in the middle.
///
/// # Panics
/// Without a sample.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

/// The narrowest symmetric pair of order statistics of sorted samples that contains the median of what they are
/// drawn from with a probability of at least 95 %; `None` for fewer than 6 or more than 1000 samples.
pub fn median_interval(sorted: &[f64]) -> Option<(f64, f64)> {
    let len = sorted.len();
    if !(SAMPLES_MIN..=SAMPLES_MAX).contains(&len) {
        return None;
    }
    // P(at most k of len samples lie below the median) is a sum of binomial terms with p = 1/2.
    let count = f64::from(u32::try_from(len).ok()?);
    let mut term = 0.5_f64.powf(count);
    let mut below = 0.0;
    let mut excluded = 0_usize;
    let mut k = 0.0;
    while below + term <= 0.025 {
        below += term;
        excluded += 1;
        term *= (count - k) / (k + 1.0);
        k += 1.0;
    }
    let low = excluded.checked_sub(1)?;
    Some((sorted[low], sorted[len - 1 - low]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ascending(len: u32) -> Vec<f64> {
        (1..=len).map(f64::from).collect()
    }

    #[test]
    fn the_interval_of_the_median_has_the_ranks_of_the_published_tables() {
        for (len, ranks) in [
            (5, None),
            (6, Some((1.0, 6.0))),
            (8, Some((1.0, 8.0))),
            (9, Some((2.0, 8.0))),
            (10, Some((2.0, 9.0))),
            (15, Some((4.0, 12.0))),
            (20, Some((6.0, 15.0))),
            (25, Some((8.0, 18.0))),
            (50, Some((18.0, 33.0))),
            (100, Some((40.0, 61.0))),
            (1000, Some((469.0, 532.0))),
            (1001, None),
        ] {
            assert_eq!(median_interval(&ascending(len)), ranks, "{len} samples");
        }
    }

    #[test]
    fn a_measurement_stops_when_it_is_precise_or_capped_and_not_before() {
        let rule = StopRule { samples_min: 6, samples_max: 12, half_width_max: 0.05 };
        let noisy = |len: usize| [10.0, 20.0].into_iter().cycle().take(len).collect::<Vec<_>>();
        for (samples, decision) in [
            (vec![10.0; 5], Decision::Continue),
            (vec![10.0; 6], Decision::Precise),
            (vec![10.0, 10.1, 9.9, 10.2, 10.0, 10.4], Decision::Precise),
            // Half of 9.0..=10.4 is 0.7, and 5 % of the median is 0.5.
            (vec![10.0, 10.1, 9.0, 10.2, 10.0, 10.4], Decision::Continue),
            // One wild sample among nine lies outside the interval.
            (vec![10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 99.0], Decision::Precise),
            (noisy(11), Decision::Continue),
            (noisy(12), Decision::Capped),
            (vec![0.0; 6], Decision::Precise),
        ] {
            assert_eq!(rule.decide(&samples), decision, "{samples:?}");
        }
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        let good = StopRule::default();
        assert!(good.check().is_ok());
        for (bad, field) in [
            (StopRule { samples_min: 5, ..good }, "samples_min"),
            (StopRule { samples_max: 9, ..good }, "samples_max"),
            (StopRule { samples_max: 1001, ..good }, "samples_max"),
            (StopRule { half_width_max: f64::NAN, ..good }, "half_width_max"),
        ] {
            let error = bad.check().unwrap_err();
            assert!(error.to_string().starts_with(&format!("`StopRule::{field}` ")), "{error}");
        }
    }
}
