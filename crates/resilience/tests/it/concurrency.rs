//! Many threads on one breaker and one monitor.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use gpu_core::{Clock, ErrorKind};
use resilience::{
    BreakerConfig, CircuitBreaker, Guard, HealthConfig, HealthMonitor, Importance, Phase,
};

const THREADS: usize = 8;

#[test]
fn no_call_is_counted_twice_or_lost() {
    const CALLS: u64 = 20_000;
    let clock = Clock::manual();
    let monitor = HealthMonitor::new(HealthConfig::default(), clock.clone()).unwrap();
    let config = BreakerConfig {
        failures: 3,
        open: Duration::from_micros(50),
        open_max: Duration::from_micros(400),
        probes: 2,
        ..BreakerConfig::default()
    };
    let breaker = CircuitBreaker::new("kernel", config, clock.clone()).unwrap();
    let ran = AtomicU64::new(0);
    let seen: Vec<[u64; 3]> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS as u64)
            .map(|thread| {
                let (clock, ran) = (&clock, &ran);
                let component = monitor.register("kernel", Importance::Critical).unwrap();
                let guard = Guard::new(breaker.clone(), component);
                scope.spawn(move || {
                    let mut seen = [0; 3];
                    for call in 0..CALLS {
                        clock.advance(Duration::from_micros(1));
                        let result = guard.run(|| {
                            ran.fetch_add(1, Ordering::Relaxed);
                            // Bursts of failures, shifted from thread to thread.
                            match (call / 64 + thread) % 4 {
                                0 => Err(gpu_core::Error::OutOfMemory { bytes: 1 }),
                                _ => Ok(()),
                            }
                        });
                        let slot = match &result {
                            Ok(()) => 0,
                            Err(error) if error.is_refusal() => 2,
                            Err(_) => 1,
                        };
                        seen[slot] += 1;
                    }
                    seen
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let sum = |slot: usize| seen.iter().map(|counts| counts[slot]).sum::<u64>();
    let stats = breaker.stats();
    assert_eq!(stats.succeeded, sum(0));
    assert_eq!(stats.failed, sum(1));
    assert_eq!(stats.refused, sum(2));
    assert_eq!(stats.admitted, ran.load(Ordering::Relaxed));
    assert_eq!(stats.admitted + stats.refused, CALLS * THREADS as u64);
    assert_eq!((stats.ignored, stats.in_flight), (0, 0));
    assert!(stats.opened > 0, "the failures come in bursts that open it");
    let part = &monitor.snapshot().components[0];
    assert_eq!((part.successes, part.failures.total(), part.refusals), (sum(0), sum(1), sum(2)));
}

#[test]
fn at_most_the_configured_probes_run_at_once_when_half_open() {
    const PROBES: u32 = 3;
    const ROUNDS: usize = 200;
    let clock = Clock::manual();
    let config = BreakerConfig { failures: 1, probes: PROBES, ..BreakerConfig::default() };
    for _ in 0..ROUNDS {
        let breaker = CircuitBreaker::new("kernel", config.clone(), clock.clone()).unwrap();
        breaker.admit().unwrap().failure(ErrorKind::Transient);
        clock.advance(Duration::from_secs(60));
        let (entered, together) = (AtomicU32::new(0), Barrier::new(THREADS));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    together.wait();
                    let permit = breaker.admit();
                    entered.fetch_add(u32::from(permit.is_ok()), Ordering::Relaxed);
                    // Every thread holds its permit until all have asked.
                    together.wait();
                    if let Ok(permit) = permit {
                        permit.success();
                    }
                });
            }
        });
        assert_eq!(entered.into_inner(), PROBES);
        assert_eq!(breaker.phase(), Phase::Closed);
    }
}

#[test]
fn components_registered_at_once_stay_within_the_limit() {
    const MAX: usize = 5;
    const ROUNDS: usize = 300;
    let config = HealthConfig { components_max: MAX, ..HealthConfig::default() };
    for _ in 0..ROUNDS {
        let monitor = HealthMonitor::new(config.clone(), Clock::manual()).unwrap();
        let (registered, together) = (AtomicU32::new(0), Barrier::new(THREADS));
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (monitor, registered, together) = (&monitor, &registered, &together);
                scope.spawn(move || {
                    together.wait();
                    for index in 0..MAX {
                        let name = format!("{thread}-{index}");
                        let component = monitor.register(&name, Importance::Optional);
                        registered.fetch_add(u32::from(component.is_ok()), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(registered.into_inner() as usize, MAX);
        assert_eq!(monitor.snapshot().components.len(), MAX);
    }
}
