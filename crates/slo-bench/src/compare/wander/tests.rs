//! Comparisons of runs of machines that wander: what a single pair may claim.

use fastrand::Rng;

use super::super::tests::sections;
use super::*;
use crate::compare::{Comparison, Outcome, Side, Tolerance, compare, compare_with_bases};
use crate::recorder::Recorder;

/// Samples of a run.
const SAMPLES: u64 = 10_000;

/// A machine whose speed wanders as a process of first order does, on from one run to the next.
#[derive(Debug)]
struct Machine {
    rng: Rng,
    /// In how many runs it forgets, and by how much its speed deviates.
    scale: f64,
    size: f64,
    /// The logarithm of what every latency is multiplied by.
    level: f64,
}

impl Machine {
    fn new(seed: u64, scale: f64, size: f64) -> Self {
        let mut machine = Self { rng: Rng::with_seed(seed), scale, size, level: 0.0 };
        machine.level = size * machine.normal();
        machine
    }

    /// Close enough to a normal deviate.
    fn normal(&mut self) -> f64 {
        (0..4).map(|_| self.rng.f64() - 0.5).sum::<f64>() * 3.0_f64.sqrt()
    }

    /// Latencies of 50 us by 2 % with one slow one in 50, times `factor`.
    fn run(&mut self, factor: f64) -> Latency {
        let mut recorder = Recorder::new(&[], SAMPLES);
        let kept = (-1.0 / (self.scale * SAMPLES as f64)).exp();
        let step = self.size * (1.0 - kept * kept).sqrt();
        for _ in 0..SAMPLES {
            self.level = kept * self.level + step * self.normal();
            let slow = if self.rng.u32(0..50) == 0 { 1.2 + 0.3 * self.rng.f64() } else { 1.0 };
            let ns = 50_000.0 * self.level.exp() * (1.0 + 0.02 * self.normal()) * slow * factor;
            let latency = std::time::Duration::from_secs_f64(ns * 1e-9);
            recorder.record(u64::from(latency.subsec_nanos()));
        }
        recorder.summary()
    }
}

fn compared(base: &Latency, head: &Latency) -> Comparison {
    let [base, head] = [base, head].map(|latency| sections(latency.clone()));
    compare(&[(&base, &head)], &Tolerance::default()).unwrap()
}

fn is_alarm(compared: &Comparison) -> bool {
    compared.rows.iter().any(|row| matches!(row.outcome, Outcome::Worse | Outcome::Better))
}

#[test]
fn one_pair_of_a_machine_that_wanders_raises_an_alarm_at_most_once_in_twenty() {
    const PAIRS: u64 = 40;
    let mut most_without_laps = 0;
    for scale in [1.0 / 50.0, 0.1, 1.0 / 3.0, 1.0, 3.0] {
        for size in [0.0, 0.003, 0.01, 0.03] {
            let (mut alarms, mut without_laps) = (0, 0);
            for seed in 0..PAIRS {
                let mut machine = Machine::new(seed, scale, size);
                let [mut base, mut head] = [(); 2].map(|()| machine.run(1.0));
                alarms += u64::from(is_alarm(&compared(&base, &head)));
                base.laps.clear();
                head.laps.clear();
                without_laps += u64::from(is_alarm(&compared(&base, &head)));
            }
            assert!(alarms <= PAIRS / 20, "scale {scale}, size {size}: {alarms} of {PAIRS}");
            most_without_laps = most_without_laps.max(without_laps);
        }
    }
    assert!(most_without_laps > PAIRS / 4, "these machines mislead who does not look at laps");
}

#[test]
fn one_pair_of_a_quiet_machine_finds_a_service_that_is_five_percent_slower() {
    for (scale, size) in [(1.0, 0.0), (0.1, 0.003), (1.0 / 3.0, 0.003)] {
        for seed in 0..20 {
            let mut machine = Machine::new(seed, scale, size);
            let row = compared(&machine.run(1.0), &machine.run(1.05)).rows.swap_remove(0);
            assert_eq!(row.outcome, Outcome::Worse, "seed {seed}, size {size}: {}", row.words());
        }
    }
}

#[test]
fn what_changes_from_run_to_run_misleads_one_baseline_and_not_five() {
    const HEADS: u64 = 40;
    let (mut by_one, mut by_five) = (0, 0);
    for seed in 0..HEADS {
        // Steady while it is measured, and another 3 % at each start.
        let mut machine = Machine::new(seed, 1e9, 0.03);
        let runs = [(); 6].map(|()| {
            machine.level = machine.size * machine.normal();
            sections(machine.run(1.0))
        });
        let bases: Vec<Side<'_>> = runs[1..].iter().map(|run| &run[..]).collect();
        let is_alarm = |bases: &[Side<'_>]| {
            is_alarm(&compare_with_bases(bases, &runs[0], &Tolerance::default()).unwrap())
        };
        by_one += u64::from(is_alarm(&bases[..1]));
        by_five += u64::from(is_alarm(&bases));
    }
    assert!(by_five <= HEADS / 20, "{by_five} of {HEADS}");
    assert!(by_one > HEADS / 4, "no one run can know: {by_one} of {HEADS}");
}

#[test]
fn five_baselines_of_steady_runs_find_a_service_that_is_four_percent_slower() {
    for seed in 0..10 {
        let mut machine = Machine::new(seed, 1e9, 0.002);
        let mut taken = |factor| {
            machine.level = machine.size * machine.normal();
            sections(machine.run(factor))
        };
        let head = taken(1.04);
        let bases = [(); 5].map(|()| taken(1.0));
        let bases: Vec<Side<'_>> = bases.iter().map(|base| &base[..]).collect();
        let held = compare_with_bases(&bases, &head, &Tolerance::default()).unwrap();
        assert_eq!(held.rows[0].outcome, Outcome::Worse, "seed {seed}: {}", held.rows[0].words());
    }
}

/// A run of laps whose percentiles are all the same.
fn laps(ns: [u64; LAPS]) -> Latency {
    let lap = |ns| Lap { p50_ns: ns, p90_ns: ns, p99_ns: ns, p999_ns: None };
    Latency { laps: vec![ns.map(|ns| lap(Some(ns))).to_vec()], ..Recorder::new(&[], 1).summary() }
}

const UNEVEN: [u64; LAPS] = [101, 99, 101, 99, 101, 99, 101, 99, 101, 99];

#[test]
fn laps_that_differ_reach_as_far_as_student_and_welch_say() {
    let reach = |base: &Latency, head: &Latency| reach([base, head], Quantile::P90, 0.95);
    // Ten deviations of 1 % have a standard error of 1 / 300, and neighbours are unlike rather than alike.
    let (even, uneven) = (laps([100; LAPS]), laps(UNEVEN));
    let expected = 2.262_157 / 300.0;
    assert!((reach(&even, &uneven) - expected).abs() < 1e-6, "{}", reach(&even, &uneven));
    let expected = 2.100_922 / 300.0 * 2.0_f64.sqrt();
    assert!((reach(&uneven, &uneven) - expected).abs() < 1e-6, "{}", reach(&uneven, &uneven));
    assert!(reach(&even, &even) < 1e-9);
    // Two nodes that wander each for itself: half the error of one of them.
    let two = Latency { laps: [&uneven.laps[..], &even.laps].concat(), ..even.clone() };
    let expected = 2.262_157 / 300.0 / 2.0;
    assert!((reach(&even, &two) - expected).abs() < 1e-6, "{}", reach(&even, &two));
}

#[test]
fn a_slow_wander_reaches_farther_than_a_fast_one_of_the_same_size() {
    let even = laps([100; LAPS]);
    let reach = |ns| reach([&even, &laps(ns)], Quantile::P50, 0.95);
    let slow = reach([99, 99, 99, 99, 99, 101, 101, 101, 101, 101]);
    // The variance of two laps instead of ten, and 9 / 5 degrees of freedom.
    assert!(slow > reach(UNEVEN) * 5.0_f64.sqrt() * 2.0, "{slow}");
}

#[test]
fn a_percentile_that_laps_do_not_support_moves_as_far_as_the_median() {
    let (even, uneven) = (laps([100; LAPS]), laps(UNEVEN));
    let at = |quantile| reach([&even, &uneven], quantile, 0.95);
    assert!(at(Quantile::P999) > 0.0);
    assert!((at(Quantile::P999) - at(Quantile::P50)).abs() < 1e-12);
    let without = Recorder::new(&[], 1).summary();
    assert!(reach([&without, &uneven], Quantile::P50, 0.95) == 0.0, "as before there were laps");
}
