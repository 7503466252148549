//! Loads keep their rates, and the search for a capacity finds one that is known.

use std::time::Duration;

use gpu_core::Clock;

use super::arrivals::Arrivals;
use super::*;
use crate::verdict::Verdict;

fn offsets(load: Load, count: usize) -> Vec<Duration> {
    let mut arrivals = Arrivals::of(load).unwrap();
    (0..count).map(|_| arrivals.next()).collect()
}

#[test]
fn a_constant_load_does_not_drift() {
    let offsets = offsets(Load::Constant { rate_hz: 3.0 }, 3_000_001);
    assert_eq!(offsets[0], Duration::ZERO);
    assert_eq!(offsets[3_000_000], Duration::from_secs(1_000_000));
}

#[test]
fn a_rate_is_told_in_five_digits() {
    let load = Load::Poisson { rate_hz: 548.342_415_711_545_5, seed: 7 };
    assert_eq!(load.to_string(), "548.34 Hz, Poisson of seed 7");
    assert_eq!(Load::Constant { rate_hz: 400.0 }.to_string(), "400 Hz, constant");
}

#[test]
fn a_poisson_load_has_its_rate_its_spread_and_its_seed() {
    let load = |seed| Load::Poisson { rate_hz: 1000.0, seed };
    let ascending = offsets(load(1), 100_000);
    let gaps: Vec<f64> =
        ascending.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1e3).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let spread = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    // Mean and standard deviation of an exponential distribution are the same.
    assert!((mean - 1.0).abs() < 0.01 && (spread - 1.0).abs() < 0.03, "{mean} {spread}");
    assert_eq!(offsets(load(1), 10), ascending[..10]);
    assert_ne!(offsets(load(2), 10), ascending[..10]);
}

#[test]
fn a_real_clock_is_waited_for() {
    let clock = Clock::real();
    let mut pacer = Pacer::new(Load::Constant { rate_hz: 1e4 }, &clock);
    for _ in 0..20 {
        let begun = pacer.begin();
        pacer.end(begun);
    }
    assert!(pacer.elapsed() >= Duration::from_micros(1900), "{:?}", pacer.elapsed());
}

fn search(capacity_hz: f64, start_hz: f64, probes: u32) -> Capacity {
    capacity(&CapacityPlan { start_hz, probes }, |rate_hz| {
        Ok::<_, ()>((rate_hz <= capacity_hz).into())
    })
    .unwrap()
}

#[test]
fn a_known_capacity_is_enclosed_from_either_side() {
    for start_hz in [1.0, 700.0, 4000.0, 100_000.0] {
        let found = search(1234.5, start_hz, 20);
        let (holds, breaks) = (found.holds_hz.unwrap(), found.breaks_hz.unwrap());
        assert!(holds <= 1234.5 && breaks > 1234.5, "{holds} {breaks}");
        assert!(breaks / holds < 1.01, "from {start_hz}: {holds} {breaks}");
        assert_eq!(found.probes.len(), 20);
    }
}

#[test]
fn a_search_that_is_too_short_says_what_it_knows() {
    let found = search(1e9, 1.0, 3);
    assert_eq!((found.holds_hz, found.breaks_hz), (Some(4.0), None));
    let found = search(0.0, 8.0, 3);
    assert_eq!((found.holds_hz, found.breaks_hz), (None, Some(2.0)));
}

#[test]
fn a_rate_that_decides_nothing_does_not_hold() {
    let plan = CapacityPlan { start_hz: 10.0, probes: 1 };
    let found = capacity(&plan, |_| Ok::<_, ()>(Verdict::invalid("late"))).unwrap();
    assert_eq!((found.holds_hz, found.breaks_hz), (None, Some(10.0)));
}
