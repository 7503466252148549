//! Measurements on a clock that only the workload moves.

use std::time::Duration;

use super::*;
use crate::error::Error;
use crate::statistics::Quantile;
use crate::workload::Output;

/// Takes 100, 1, 2, 3, ... ms on a manual clock and breaks at a given step.
struct Stepper {
    clock: Clock,
    prepared: u64,
    steps: u64,
    breaks_at: u64,
}

impl Workload for Stepper {
    fn name(&self) -> String {
        "stepper".to_owned()
    }

    fn n(&self) -> usize {
        1
    }

    fn prepare(&mut self) -> Result<()> {
        // Not part of the latency either.
        self.clock.advance(Duration::from_secs(5));
        self.prepared += 1;
        Ok(())
    }

    fn step(&mut self) -> Result<()> {
        assert_eq!(self.prepared, self.steps + 1, "every iteration has an input of its own");
        self.clock.advance(Duration::from_millis(self.steps.checked_sub(1).map_or(100, |s| s + 1)));
        self.steps += 1;
        Ok(())
    }

    fn outputs(&self, _visit: &mut dyn FnMut(Output<'_>)) {}

    fn check(&self) -> Result<()> {
        // Not part of the latency.
        self.clock.advance(Duration::from_secs(9));
        if self.steps <= self.breaks_at {
            return Ok(());
        }
        Err(Error::OutputValue { workload: self.name(), output: "x", index: 0, value: f64::NAN })
    }

    fn phases(&self) -> Result<Vec<Phase>> {
        Ok(vec![Phase::new("kernel", Duration::from_millis(self.steps))])
    }
}

const PLAN: MeasurePlan = MeasurePlan {
    warm_up: WarmUp { window: 1, windows_max: 2 },
    load: Load::Closed,
    iterations: 10,
    phase_passes: 3,
};

fn run(breaks_at: u64, plan: &MeasurePlan, over_count_max: u64) -> Result<Measurement> {
    let clock = Clock::manual();
    let mut stepper = Stepper { clock: clock.clone(), prepared: 0, steps: 0, breaks_at };
    let budget = Budget { limit_ns: 5_000_000, over_count_max };
    measure(&mut stepper, plan, &[budget], &clock, |_| {})
}

#[test]
fn the_cold_and_warm_up_iterations_are_not_samples() {
    let seen = run(u64::MAX, &PLAN, u64::MAX).unwrap();
    assert_eq!(seen.cold_ns, 100_000_000);
    let summary = seen.recorder.summary();
    // Samples are 3..=12 ms: neither the cold 100 ms, nor 1 and 2 ms of warm-up, nor the checks between.
    assert_eq!(summary.samples, 10);
    assert_eq!(summary.p50_ns, Some(7_000_000));
    assert_eq!(summary.max_ns, Some(12_000_000));
    assert_eq!(seen.recorder.over_counts(), [8]);
    // The 14th iteration is the first with events, which is not kept.
    assert_eq!(seen.phases, [Phase::new("kernel", Duration::from_millis(16))]);
    // Ten iterations of 7.5 ms on average, whatever happened between them.
    assert!((seen.rate_hz - 1e3 / 7.5).abs() < 1e-9, "{}", seen.rate_hz);
}

#[test]
fn an_output_that_is_not_finite_ends_the_measurement() {
    let samples_only = MeasurePlan { phase_passes: 0, ..PLAN };
    // The cold iteration, a sample, and a pass with events.
    for (breaks_at, plan) in [(0, &samples_only), (12, &samples_only), (15, &PLAN)] {
        let error = run(breaks_at, plan, u64::MAX).unwrap_err();
        assert_eq!(error.to_string(), "workload `stepper`: x is NaN at index 0");
    }
}

#[test]
fn sampling_ends_with_the_first_sample_that_breaks_a_limit_for_certain() {
    // Samples of 3, 4, 5, 6 ms: the third is at the limit.
    assert_eq!(run(u64::MAX, &PLAN, 0).unwrap().recorder.len(), 3);
    assert_eq!(run(u64::MAX, &PLAN, 1).unwrap().recorder.len(), 4);
    assert_eq!(run(u64::MAX, &PLAN, 7).unwrap().recorder.len(), 10);
    assert_eq!(run(u64::MAX, &PLAN, 8).unwrap().recorder.len(), 10);
}

#[test]
fn the_warm_up_ends_when_two_windows_agree_and_is_bounded() {
    let plan = |windows_max| MeasurePlan { warm_up: WarmUp { window: 2, windows_max }, ..PLAN };
    // Medians of 1, 3, 5, ... ms: 39 and 41 ms are the first that differ by no more than 5 %.
    let settled = run(u64::MAX, &plan(50), u64::MAX).unwrap().warm_up;
    assert_eq!(settled.medians_ns, [Some(39_000_000), Some(41_000_000)]);
    assert_eq!((settled.iterations, settled.is_settled()), (1 + 2 * 21, true));
    let cut = run(u64::MAX, &plan(20), u64::MAX).unwrap().warm_up;
    assert_eq!((cut.iterations, cut.is_settled()), (1 + 2 * 20, false));
    assert!(!run(u64::MAX, &plan(0), u64::MAX).unwrap().warm_up.is_settled());
}

/// A server that takes as long as it is told, and stands still when told.
struct Server {
    clock: Clock,
    takes: Duration,
    /// When it stands still for a second, from its first iteration.
    stalls_s: Vec<u64>,
    prepares: Duration,
    start: std::time::Instant,
}

impl Server {
    fn new(takes: Duration) -> Self {
        let clock = Clock::manual();
        let start = clock.now();
        Self { clock, takes, stalls_s: Vec::new(), prepares: Duration::ZERO, start }
    }

    fn measure(&mut self, load: Load, iterations: u64) -> Measurement {
        let plan = MeasurePlan {
            warm_up: WarmUp { window: 1, windows_max: 0 },
            load,
            iterations,
            phase_passes: 0,
        };
        let clock = self.clock.clone();
        measure(self, &plan, &[], &clock, |_| {}).unwrap()
    }
}

impl Workload for Server {
    fn name(&self) -> String {
        "server".to_owned()
    }

    fn n(&self) -> usize {
        1
    }

    fn prepare(&mut self) -> Result<()> {
        self.clock.advance(self.prepares);
        Ok(())
    }

    fn step(&mut self) -> Result<()> {
        self.clock.advance(self.takes);
        let elapsed = self.clock.now() - self.start;
        if self.stalls_s.first().is_some_and(|&second| elapsed >= Duration::from_secs(second)) {
            self.stalls_s.remove(0);
            self.clock.advance(Duration::from_secs(1));
        }
        Ok(())
    }

    fn outputs(&self, _visit: &mut dyn FnMut(Output<'_>)) {}
}

/// A minute of a server that takes 1 ms and stands still for three of the sixty seconds: p99.9 in milliseconds.
fn stalled(load: Load, iterations: u64) -> (f64, Measurement) {
    let mut server = Server::new(Duration::from_millis(1));
    server.stalls_s = vec![10, 30, 50];
    let seen = server.measure(load, iterations);
    let p999 = seen.recorder.quantile(Quantile::P999).unwrap();
    (p999 as f64 / 1e6, seen)
}

#[test]
fn a_closed_loop_hides_stalls_that_an_open_one_shows() {
    let (closed, _) = stalled(Load::Closed, 57_000);
    assert_eq!(closed, 1.0);
    let (open, seen) = stalled(Load::Constant { rate_hz: 500.0 }, 30_000);
    assert!((990.5..=991.5).contains(&open), "{open}");
    let OpenLoop { service, slip } = seen.open_loop.unwrap();
    assert_eq!(service.quantile(Quantile::P999), Some(1_000_000), "without waiting it looks well");
    assert_eq!(slip.quantile(Quantile::MAX), Some(0), "the generator was never late");
    assert!((seen.rate_hz - 500.0).abs() < 0.1, "{}", seen.rate_hz);
}

#[test]
fn waiting_is_what_queueing_theory_says() {
    // M/D/1: Poisson arrivals, one server of constant time D, load r: the mean wait is r D / (2 (1 - r))
    // (Pollaczek and Khinchine).
    for (rate_hz, tolerance) in [(300.0, 0.02), (700.0, 0.05)] {
        let mut server = Server::new(Duration::from_millis(1));
        let seen = server.measure(Load::Poisson { rate_hz, seed: 5 }, 400_000);
        let wait_ms = seen.recorder.mean_ns().unwrap() as f64 / 1e6 - 1.0;
        let load = rate_hz / 1e3;
        let expected = load / (2.0 * (1.0 - load));
        let error = (wait_ms / expected - 1.0).abs();
        assert!(error < tolerance, "{rate_hz} Hz: {wait_ms} ms, theory says {expected} ms");
    }
}

#[test]
fn a_generator_that_is_elsewhere_slips_and_one_that_waits_for_the_server_does_not() {
    let mut server = Server::new(Duration::from_millis(1));
    server.prepares = Duration::from_millis(3);
    let seen = server.measure(Load::Constant { rate_hz: 1000.0 }, 100);
    let slip = seen.open_loop.unwrap().slip;
    // It begins 3 ms after it could have, each time.
    assert_eq!(slip.quantile(Quantile::P50), Some(3_000_000));
    let mut overloaded = Server::new(Duration::from_millis(2));
    let seen = overloaded.measure(Load::Constant { rate_hz: 1000.0 }, 100);
    assert_eq!(seen.open_loop.unwrap().slip.quantile(Quantile::MAX), Some(0));
    // The last one waited 99 ms longer than the first.
    assert_eq!(seen.recorder.quantile(Quantile::MAX), Some(101_000_000));
}
