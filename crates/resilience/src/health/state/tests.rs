//! The health machine by tables.

use super::*;

fn config() -> HealthConfig {
    HealthConfig { degraded_after: 1, unhealthy_after: 3, recovered_after: 2, ..Default::default() }
}

/// Health after each report: `+` success, `t` transient, `i` invalid, `u` unavailable, `x` exhausted, `p` poisoned.
fn walk(reports: &str) -> String {
    let now = gpu_core::Clock::manual().now();
    let mut state = State::new(now);
    let mut text = String::new();
    for report in reports.chars() {
        let kind = match report {
            't' => Some(ErrorKind::Transient),
            'i' => Some(ErrorKind::Invalid),
            'u' => Some(ErrorKind::Unavailable),
            'x' => Some(ErrorKind::Exhausted),
            'p' => Some(ErrorKind::Poisoned),
            _ => None,
        };
        match kind {
            Some(kind) => state.on_failure(now, kind, &config()),
            None => state.on_success(now, Duration::from_millis(1), &config()),
        }
        text.push(match state.health(now, &config()) {
            Health::Healthy => 'H',
            Health::Degraded => 'D',
            Health::Unhealthy => 'U',
            Health::Poisoned => 'P',
        });
    }
    text
}

#[test]
fn every_report_does_to_every_health_what_the_table_says() {
    for (reports, healths) in [
        // One step down at a time, one step up for every two successes in a row.
        ("+txu+++++", "HDDUUDDHH"),
        // A flapping component never reads as healthy.
        ("t+t+t+t+", "DDDDDDDD"),
        // A failure between two successes starts the recovery over.
        ("ttt+t++", "DDUUUUD"),
        // The caller's mistakes change nothing, in neither direction.
        ("iiii", "HHHH"),
        ("tti+i+", "DDDDDH"),
        // What is not there cannot serve.
        ("uuu", "DDU"),
        // Terminal.
        ("p++++++", "PPPPPPP"),
        ("ttpt+", "DDPPP"),
    ] {
        assert_eq!(walk(reports), healths, "after {reports}");
    }
}

#[test]
fn silence_degrades_and_a_report_ends_it() {
    let config = HealthConfig { stale_after: Some(Duration::from_secs(5)), ..config() };
    let start = gpu_core::Clock::manual().now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut state = State::new(start);
    assert_eq!(state.health(at(5), &config), Health::Healthy);
    assert_eq!(state.health(at(6), &config), Health::Degraded);
    state.on_success(at(6), Duration::ZERO, &config);
    assert_eq!(state.health(at(7), &config), Health::Healthy);
    state.on_failure(at(8), ErrorKind::Poisoned, &config);
    assert_eq!(state.health(at(60), &config), Health::Poisoned);
}

#[test]
fn the_latency_average_starts_at_the_first_and_follows_the_weight() {
    let config = HealthConfig { latency_weight: 0.25, ..config() };
    let now = gpu_core::Clock::manual().now();
    let mut state = State::new(now);
    assert_eq!(state.latency, None);
    state.on_success(now, Duration::from_secs(4), &config);
    assert_eq!(state.latency, Some(4.0));
    state.on_success(now, Duration::from_secs(8), &config);
    assert_eq!(state.latency, Some(5.0));
}

#[test]
fn failures_are_counted_by_kind() {
    let now = gpu_core::Clock::manual().now();
    let mut state = State::new(now);
    let kinds = [
        ErrorKind::Exhausted,
        ErrorKind::Invalid,
        ErrorKind::Poisoned,
        ErrorKind::Transient,
        ErrorKind::Unavailable,
    ];
    for (index, kind) in kinds.into_iter().enumerate() {
        for _ in 0..=index {
            state.on_failure(now, kind, &config());
        }
    }
    let FailureCounts { exhausted, invalid, poisoned, transient, unavailable } = state.failures;
    assert_eq!([exhausted, invalid, poisoned, transient, unavailable], [1, 2, 3, 4, 5]);
    assert_eq!(state.failures.total(), 15);
}
