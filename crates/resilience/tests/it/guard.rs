//! What a guard promises of each call.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use gpu_core::{Clock, ErrorKind};
use resilience::{
    BreakerConfig, CircuitBreaker, Error, Guard, HealthConfig, HealthMonitor, Importance, Phase,
};

fn guard(clock: &Clock, config: BreakerConfig) -> Guard {
    let monitor = HealthMonitor::new(HealthConfig::default(), clock.clone()).unwrap();
    let component = monitor.register("kernel", Importance::Critical).unwrap();
    Guard::new(CircuitBreaker::new("kernel", config, clock.clone()).unwrap(), component)
}

fn one_failure_opens() -> BreakerConfig {
    BreakerConfig { failures: 1, ..BreakerConfig::default() }
}

#[test]
fn a_refused_call_never_runs() {
    let guard = guard(&Clock::manual(), one_failure_opens());
    let failed: Result<(), _> = guard.run(|| Err(gpu_core::Error::OutOfMemory { bytes: 1 }));
    assert_eq!(failed.unwrap_err(), Error::Device(gpu_core::Error::OutOfMemory { bytes: 1 }));
    let refused = guard.run(|| -> gpu_core::Result<()> { panic!("must not run") });
    assert!(matches!(refused, Err(Error::Open { .. })));
    assert_eq!(guard.component().stats().refusals, 1);
}

#[test]
fn the_duration_of_a_success_is_the_clocks() {
    let clock = Clock::manual();
    let guard = guard(&clock, BreakerConfig::default());
    guard
        .run(|| {
            clock.advance(Duration::from_micros(1500));
            Ok(())
        })
        .unwrap();
    clock.advance(Duration::from_millis(2));
    let stats = guard.component().stats();
    assert_eq!(stats.latency_us_average, Some(1500.0));
    assert_eq!(stats.since_success_ms, Some(2.0));
}

#[test]
fn a_panic_counts_as_a_failure_and_goes_on() {
    let guard = guard(&Clock::manual(), one_failure_opens());
    let caught = catch_unwind(AssertUnwindSafe(|| {
        guard.run(|| -> gpu_core::Result<()> { std::panic::panic_any(17_u32) })
    }));
    assert_eq!(*caught.unwrap_err().downcast::<u32>().unwrap(), 17);
    assert_eq!(guard.breaker().phase(), Phase::Open);
    let stats = guard.component().stats();
    assert_eq!((stats.successes, stats.failures.transient), (0, 1));
}

#[test]
fn errors_of_other_types_keep_their_type_and_are_judged_by_their_kind() {
    #[derive(Debug, PartialEq)]
    struct Busy;
    let guard = guard(&Clock::manual(), one_failure_opens());
    let call = || guard.run_as(|_: &Busy| ErrorKind::Exhausted, || Err::<(), _>(Busy));
    assert_eq!(call(), Ok(Err(Busy)));
    assert!(call().unwrap_err().is_refusal());
}

#[test]
fn a_permit_that_is_dropped_counts_as_a_call_that_was_not_made() {
    let clock = Clock::manual();
    let breaker = CircuitBreaker::new("kernel", one_failure_opens(), clock.clone()).unwrap();
    breaker.admit().unwrap().failure(ErrorKind::Transient);
    clock.advance(Duration::from_secs(60));
    let probe = breaker.admit().unwrap();
    assert!(matches!(breaker.admit(), Err(Error::Probing { probes: 1, .. })));
    drop(probe);
    assert_eq!(breaker.phase(), Phase::HalfOpen);
    breaker.admit().unwrap().success();
    assert_eq!(breaker.phase(), Phase::Closed);
    let stats = breaker.stats();
    assert_eq!((stats.admitted, stats.succeeded, stats.failed, stats.ignored), (3, 1, 1, 1));
}

#[test]
fn a_call_from_before_the_trip_decides_nothing_after_it() {
    let clock = Clock::manual();
    let breaker = CircuitBreaker::new("kernel", one_failure_opens(), clock.clone()).unwrap();
    let slow = breaker.admit().unwrap();
    breaker.admit().unwrap().failure(ErrorKind::Transient);
    clock.advance(Duration::from_secs(60));
    let probe = breaker.admit().unwrap();
    slow.success();
    assert_eq!(breaker.phase(), Phase::HalfOpen, "only the probe may close it");
    assert_eq!(breaker.stats().late, 1);
    probe.success();
    assert_eq!(breaker.phase(), Phase::Closed);
}

#[test]
fn a_probe_that_hangs_does_not_keep_the_breaker_half_open() {
    let clock = Clock::manual();
    let config = BreakerConfig { probe_timeout: Duration::from_secs(5), ..one_failure_opens() };
    let breaker = CircuitBreaker::new("kernel", config, clock.clone()).unwrap();
    breaker.admit().unwrap().failure(ErrorKind::Transient);
    clock.advance(Duration::from_secs(1));
    let hung = breaker.admit().unwrap();
    clock.advance(Duration::from_secs(5));
    assert!(matches!(breaker.admit(), Err(Error::Open { .. })));
    clock.advance(Duration::from_secs(1));
    breaker.admit().unwrap().success();
    assert_eq!(breaker.phase(), Phase::Closed);
    hung.failure(ErrorKind::Transient);
    assert_eq!(breaker.phase(), Phase::Closed);
}
