//! Simulated services whose slow samples come in bursts: how often intervals cover, and gates err.

use super::*;
use crate::statistics::{Quantile, over_count_max, rank_interval};

/// Over-limit indicators of `samples`, a share `share` of which is over, in bursts of `burst` on average.
///
/// `stride` 1: the samples of a burst follow each other. Otherwise a burst spares all but each `stride`-th sample.
struct Service {
    samples: u64,
    share: f64,
    burst: f64,
    stride: u64,
}

impl Service {
    fn run(&self, random: &mut fastrand::Rng) -> Indicator {
        let mut indicator = Indicator::with_capacity(self.samples);
        let slots = (self.burst * self.stride as f64).max(1.0);
        let hits = self.burst.max(1.0);
        // Whole gaps so that `hits` of `slots + gap` are over.
        let gap = (hits / self.share - slots).max(1.0);
        let mut slow = random.f64() * (slots + gap) < slots;
        while indicator.len() < self.samples {
            if slow {
                for _ in 0..geometric(random, hits) {
                    indicator.push(true);
                    (1..self.stride).for_each(|_| indicator.push(false));
                }
            } else {
                (0..geometric(random, gap)).for_each(|_| indicator.push(false));
            }
            slow = !slow;
        }
        indicator
    }
}

/// From 1, with that mean; independent samples are bursts of one after gaps that may be empty.
fn geometric(random: &mut fastrand::Rng, mean: f64) -> u64 {
    if mean <= 1.0 {
        return 1;
    }
    let draw = (1.0 - random.f64()).ln() / (-1.0 / mean).ln_1p();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few times the mean"
    )]
    let whole = draw as u64 + 1;
    whole
}

/// Independent samples.
fn independent(samples: u64, share: f64, random: &mut fastrand::Rng) -> Indicator {
    let mut indicator = Indicator::with_capacity(samples);
    while indicator.len() < samples {
        (1..geometric(random, 1.0 / share)).for_each(|_| indicator.push(false));
        indicator.push(true);
    }
    indicator
}

fn indicator(samples: u64, share: f64, burst: f64, random: &mut fastrand::Rng) -> Indicator {
    if burst <= 1.0 {
        return independent(samples, share, random);
    }
    Service { samples, share, burst, stride: 1 }.run(random)
}

const SAMPLES: u64 = 100_000;
const RUNS: u32 = 600;

/// Share of runs for which `holds`.
fn share_of_runs(holds: impl FnMut(u32) -> bool) -> f64 {
    (0..RUNS).map(holds).filter(|&held| held).count() as f64 / f64::from(RUNS)
}

/// How often the 95 % interval of `quantile` contains the value that exactly `1 - p` of all samples exceed.
fn coverage(quantile: Quantile, burst: f64, is_corrected: bool) -> f64 {
    let mut random = fastrand::Rng::with_seed(20_261_122);
    share_of_runs(|_| {
        let indicator = indicator(SAMPLES, quantile.share_above(), burst, &mut random);
        let below = SAMPLES - indicator.count();
        let effective = if is_corrected { effective_samples(&[&indicator]) } else { SAMPLES };
        let ranks = rank_interval(SAMPLES, effective, quantile, 0.95);
        ranks.lower.is_none_or(|rank| rank <= below) && ranks.upper.is_none_or(|rank| rank > below)
    })
}

/// How often a service with a share `share` over the limit passes the gate on p99.
fn accepted(share: f64, burst: f64, gate: impl Fn(&Indicator) -> u64) -> f64 {
    let mut random = fastrand::Rng::with_seed(7);
    share_of_runs(|_| {
        let indicator = indicator(SAMPLES, share, burst, &mut random);
        indicator.count() <= gate(&indicator)
    })
}

fn corrected(indicator: &Indicator) -> u64 {
    let effective = effective_samples(&[indicator]);
    over_count_max(SAMPLES, effective, Quantile::P99, 0.95).unwrap_or(0)
}

#[test]
fn intervals_cover_for_independent_and_for_bursty_samples() {
    for (quantile, burst) in [
        (Quantile::P99, 1.0),
        (Quantile::P99, 2.0),
        (Quantile::P99, 5.0),
        (Quantile::P99, 20.0),
        (Quantile::P99, 40.0),
        (Quantile::P999, 4.0),
    ] {
        let covered = coverage(quantile, burst, true);
        assert!((0.93..=0.97).contains(&covered), "{quantile}, bursts of {burst}: {covered}");
    }
    // What the correction is for: without it bursts of 20 leave about a quarter.
    let covered = coverage(Quantile::P99, 20.0, false);
    assert!(covered < 0.35, "{covered}");
}

#[test]
fn a_service_just_over_its_limit_seldom_passes() {
    for burst in [1.0, 2.0, 5.0, 20.0, 100.0] {
        let share = accepted(0.0101, burst, corrected);
        assert!(share <= 0.05, "bursts of {burst}: {share}");
    }
    // A gate that compares the measured percentile with the limit.
    let naive = accepted(0.0101, 1.0, |_| SAMPLES / 100);
    assert!((0.33..0.43).contains(&naive), "{naive}");
    // A gate for independent samples, met by bursts.
    let uncorrected = accepted(0.0101, 20.0, |_| 948);
    assert!(uncorrected > 0.3, "{uncorrected}");
}

#[test]
fn a_service_well_below_its_limit_passes() {
    assert!(accepted(0.008, 1.0, corrected) > 0.99);
    assert!(accepted(0.008, 2.0, corrected) > 0.95);
    assert!(accepted(0.005, 5.0, corrected) > 0.95);
}

#[test]
fn independent_samples_are_worth_themselves() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut total = 0.0;
    for _ in 0..50 {
        let indicator = indicator(SAMPLES, 0.01, 1.0, &mut random);
        total += effective_samples(&[&indicator]) as f64 / SAMPLES as f64;
    }
    assert!(total / 50.0 > 0.9, "{}", total / 50.0);
    let none = Indicator::of(&[0; 1000], |_| false);
    assert_eq!(effective_samples(&[&none, &none]), 2000);
    assert_eq!(effective_samples(&[]), 0);
}

#[test]
fn bursts_that_do_not_touch_are_seen_by_their_blocks() {
    let mut random = fastrand::Rng::with_seed(3);
    let service = Service { samples: SAMPLES, share: 0.01, burst: 5.0, stride: 10 };
    let mut worth: Vec<u64> =
        (0..51).map(|_| effective_samples(&[&service.run(&mut random)])).collect();
    worth.sort_unstable();
    // Two-state bursts of five are worth about a ninth.
    assert!((SAMPLES / 15..SAMPLES / 5).contains(&worth[25]), "{}", worth[25]);
}

#[test]
fn the_order_of_series_does_not_matter() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut all = [10_000, 7_000, 333].map(|samples| indicator(samples, 0.02, 4.0, &mut random));
    let forwards = effective_samples(&all.iter().collect::<Vec<_>>());
    all.reverse();
    assert_eq!(effective_samples(&all.iter().collect::<Vec<_>>()), forwards);
    assert!(forwards < 17_333);
}
