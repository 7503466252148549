//! Passes of a workload whose every stage is scripted, on a clock that only it moves.

use std::time::Duration;

use fastrand::Rng;
use gpu_core::Clock;

use super::*;
use crate::error::Result;
use crate::workload::{Output, Phase, Workload};

/// Host, upload, kernel, download: the usual nanoseconds of each.
const USUAL_NS: [u64; 4] = [6_000, 2_000, 8_000, 2_000];
const STAGES: [&str; 4] = ["host", "upload", "kernel", "download"];

/// Takes what `times` says of each iteration, by stage, the host's first.
struct Scripted<F> {
    clock: Clock,
    times: F,
    iterations: u64,
    phases_ns: [u64; 3],
}

impl<F: FnMut(u64) -> [u64; 4]> Workload for Scripted<F> {
    fn name(&self) -> String {
        "scripted".to_owned()
    }

    fn n(&self) -> usize {
        1
    }

    fn prepare(&mut self) -> Result<()> {
        // Not part of the wall time.
        self.clock.advance(Duration::from_secs(1));
        Ok(())
    }

    fn step(&mut self) -> Result<()> {
        let [host, phases @ ..] = (self.times)(self.iterations);
        self.clock.advance(Duration::from_nanos(host + phases.iter().sum::<u64>()));
        self.phases_ns = phases;
        self.iterations += 1;
        Ok(())
    }

    fn outputs(&self, _visit: &mut dyn FnMut(Output<'_>)) {}

    fn phases(&self) -> Result<Vec<Phase>> {
        // Reading events takes time that is nobody's.
        self.clock.advance(Duration::from_millis(1));
        let phases = STAGES[1..].iter().zip(self.phases_ns);
        Ok(phases.map(|(&name, ns)| Phase::new(name, Duration::from_nanos(ns))).collect())
    }
}

/// A pass of iterations that take what `times` says; number 0 is the one that is not kept.
fn pass(passes: u32, times: impl FnMut(u64) -> [u64; 4]) -> Option<Attribution> {
    let clock = Clock::manual();
    let mut workload = Scripted { clock: clock.clone(), times, iterations: 0, phases_ns: [0; 3] };
    marked_pass(&mut workload, passes, &clock).unwrap().unwrap().attribution()
}

/// Iterations whose every stage wanders, 1 % of them with `fault_ns` more in one stage.
fn faulty(seed: u64, stage: usize, fault_ns: u64) -> impl FnMut(u64) -> [u64; 4] {
    let mut rng = Rng::with_seed(seed);
    move |_| {
        let mut times = USUAL_NS.map(|ns| {
            // A tenth more on average, without an end: as far as 70 % more in one of a thousand.
            let wander = -(1.0 - rng.f64()).ln() * 0.1;
            ns + u64::from(Duration::from_secs_f64(ns as f64 * wander * 1e-9).subsec_nanos())
        });
        times[stage] += if rng.u32(..100) == 0 { fault_ns } else { 0 };
        times
    }
}

#[test]
fn a_stage_that_is_slow_in_one_of_a_hundred_iterations_is_named() {
    const RUNS: u64 = 100;
    for (stage, name) in STAGES.iter().enumerate() {
        for passes in [1_000, 10_000] {
            let runs = if passes == 1_000 { RUNS } else { RUNS / 10 };
            let is_named = |seed: &u64| {
                let seen = pass(passes, faulty(*seed, stage, 8_000)).unwrap();
                assert_eq!(seen.tails.len(), 2, "p99 and p99.9");
                seen.tails.iter().all(|tail| seen.leader(tail) == *name)
            };
            let named = (0..runs).filter(is_named).count() as u64;
            assert!(named * 100 >= runs * 95, "{name}: {named} of {runs} runs of {passes}");
        }
    }
}

/// Usual iterations, but one of a hundred slower on the host and in the kernel.
fn two_slow(iteration: u64) -> [u64; 4] {
    let [host, upload, kernel, download] = USUAL_NS;
    match iteration.is_multiple_of(100) {
        true => [host + 3_000, upload, kernel + 1_000, download],
        false => USUAL_NS,
    }
}

#[test]
fn shares_are_those_of_the_time_beyond_the_usual() {
    // 100, 200, ... 10,000 are slow; 0, as slow, is not kept.
    let seen = pass(10_000, two_slow).unwrap();
    assert_eq!((seen.iterations, seen.usual_ns.as_slice()), (10_000, USUAL_NS.as_slice()));
    assert_eq!(seen.stages, STAGES);
    let [p99, p999] = seen.tails.as_slice() else { panic!("{seen:?}") };
    // The percentile's own iteration and the slower ones: of p99 one usual iteration is part.
    assert_eq!((p99.iterations, p99.from_ns), (101, 18_000));
    assert_eq!((p999.iterations, p999.from_ns), (11, 22_000));
    assert_eq!(p999.excess_ns, [3_000, 0, 1_000, 0]);
    assert_eq!(p999.largest_in, [11, 0, 0, 0]);
    assert_eq!(p999.shares(), [0.75, 0.0, 0.25, 0.0]);
    assert_eq!((p999.host_share(), p999.excess_total_ns()), (0.75, 4_000));
    assert_eq!(
        seen.words(),
        "the 11 slowest of 10000 iterations with events, from p99.9 up, take 4.0 us more than usual: host 75 % (largest in 11), kernel 25 % (largest in 0)"
    );
}

#[test]
fn the_eight_slowest_iterations_are_kept_by_number() {
    let times = |iteration: u64| match iteration {
        0 => [1_000_000, 0, 0, 0],
        40..50 => [6_000, 2_000, 8_000, 2_000 + iteration * 1_000],
        _ => USUAL_NS,
    };
    let seen = pass(100, times).unwrap();
    let numbers: Vec<_> = seen.worst.iter().map(|example| example.iteration).collect();
    assert_eq!(numbers, [49, 48, 47, 46, 45, 44, 43, 42]);
    let SlowIteration { wall_ns, stages_ns, .. } = &seen.worst[0];
    assert_eq!(
        (*wall_ns, stages_ns.as_slice()),
        (67_000, [6_000, 2_000, 8_000, 51_000].as_slice())
    );
    let quantiles: Vec<_> = seen.tails.iter().map(|tail| tail.quantile.as_str()).collect();
    assert_eq!(quantiles, ["p99"], "a hundred iterations do not tell p99.9");
}

#[test]
fn one_long_iteration_has_the_share_and_not_the_count() {
    let mut rng = Rng::with_seed(3);
    let times = |iteration: u64| {
        let mut times = USUAL_NS;
        times[2] += rng.u64(..500) + if iteration.is_multiple_of(90) { 2_000 } else { 0 };
        times[0] += if iteration == 500 { 1_000_000 } else { 0 };
        times
    };
    let seen = pass(1_000, times).unwrap();
    let tail = &seen.tails[0];
    assert_eq!((seen.leader(tail), tail.iterations), ("host", 11));
    assert_eq!(tail.largest_in, [1, 0, 10, 0]);
}

#[test]
fn nothing_is_said_of_passes_that_are_too_short_or_never_slow_or_without_events() {
    assert_eq!(pass(99, two_slow), None);
    assert_eq!(pass(1_000, |_| USUAL_NS), None);
    struct Bare;
    impl Workload for Bare {
        fn name(&self) -> String {
            "bare".to_owned()
        }

        fn n(&self) -> usize {
            1
        }

        fn step(&mut self) -> Result<()> {
            Ok(())
        }

        fn outputs(&self, _visit: &mut dyn FnMut(Output<'_>)) {}
    }
    // All of its time would be the host's by construction.
    assert!(marked_pass(&mut Bare, 1_000, &Clock::manual()).unwrap().is_none());
}

#[test]
fn events_that_come_to_more_than_the_wall_time_leave_the_host_none() {
    let clock = Clock::manual();
    let times = |_| USUAL_NS;
    let mut workload = Scripted { clock: clock.clone(), times, iterations: 0, phases_ns: [0; 3] };
    let mut marked = marked_pass(&mut workload, 100, &clock).unwrap().unwrap();
    let phases = STAGES[1..].iter().map(|&name| Phase::new(name, Duration::from_micros(20)));
    marked.push(59_000, &phases.collect::<Vec<_>>());
    let slowest = &marked.attribution().unwrap().worst[0];
    assert_eq!(slowest.stages_ns, [0, 20_000, 20_000, 20_000]);
}
