//! Readiness and registration.

use super::*;

fn monitor(config: HealthConfig) -> HealthMonitor {
    HealthMonitor::new(config, Clock::manual()).unwrap()
}

fn fail(component: &Component, times: u32) {
    for _ in 0..times {
        component.failure(ErrorKind::Transient);
    }
}

#[test]
fn the_one_critical_part_that_fails_is_not_averaged_away() {
    let monitor = monitor(HealthConfig::default());
    for index in 0..30 {
        monitor.register(&format!("cache-{index}"), Importance::Optional).unwrap();
    }
    let device = monitor.register("device", Importance::Critical).unwrap();
    assert_eq!(monitor.snapshot().readiness, Readiness::Ready);
    fail(&device, 3);
    let readiness = monitor.snapshot().readiness;
    let component = "device".to_owned();
    assert_eq!(readiness, Readiness::NotReady { component, health: Health::Unhealthy });
    assert!(!readiness.is_ready());
}

#[test]
fn an_optional_part_that_fails_degrades_the_whole_and_is_named() {
    let monitor = monitor(HealthConfig::default());
    monitor.register("device", Importance::Critical).unwrap();
    let metrics = monitor.register("metrics", Importance::Optional).unwrap();
    fail(&metrics, 9);
    let readiness = monitor.snapshot().readiness;
    let component = "metrics".to_owned();
    assert_eq!(readiness, Readiness::Degraded { component, health: Health::Unhealthy });
    assert!(readiness.is_ready());
}

#[test]
fn a_lost_device_is_never_ready_again() {
    let clock = Clock::manual();
    let monitor = HealthMonitor::new(HealthConfig::default(), clock.clone()).unwrap();
    let part = monitor.register("copies", Importance::Optional).unwrap();
    part.failure(ErrorKind::Poisoned);
    for _ in 0..100 {
        clock.advance(Duration::from_secs(3600));
        part.success(Duration::from_millis(1));
    }
    // Registering the name again does not start it over.
    monitor.register("copies", Importance::Optional).unwrap().success(Duration::ZERO);
    let component = "copies".to_owned();
    let expected = Readiness::NotReady { component, health: Health::Poisoned };
    assert_eq!(monitor.snapshot().readiness, expected);
}

#[test]
fn a_component_too_many_is_refused_by_name_and_a_known_one_is_not() {
    let monitor = monitor(HealthConfig { components_max: 1, ..HealthConfig::default() });
    monitor.register("first", Importance::Critical).unwrap();
    assert!(monitor.register("first", Importance::Critical).is_ok());
    let error = monitor.register("second", Importance::Critical).unwrap_err();
    assert_eq!(
        error.to_string(),
        "health component `second` is one too many (limit 1); raise `HealthConfig::components_max`"
    );
    assert_eq!(error.kind(), ErrorKind::Exhausted);
}

#[test]
fn settings_that_cannot_work_are_named() {
    let good = HealthConfig::default();
    for (bad, field) in [
        (HealthConfig { degraded_after: 0, ..good.clone() }, "degraded_after"),
        (HealthConfig { degraded_after: 4, ..good.clone() }, "unhealthy_after"),
        (HealthConfig { recovered_after: 0, ..good.clone() }, "recovered_after"),
        (HealthConfig { latency_weight: f64::NAN, ..good.clone() }, "latency_weight"),
        (HealthConfig { latency_weight: 1.5, ..good.clone() }, "latency_weight"),
        (HealthConfig { components_max: 0, ..good }, "components_max"),
    ] {
        let error = HealthMonitor::new(bad, Clock::manual()).unwrap_err();
        assert!(error.to_string().starts_with(&format!("`HealthConfig::{field}` ")), "{error}");
    }
}

#[test]
fn a_snapshot_is_readable_by_machines() {
    let monitor = monitor(HealthConfig::default());
    let part = monitor.register("upload", Importance::Critical).unwrap();
    part.success(Duration::from_micros(250));
    part.failure(ErrorKind::Exhausted);
    let text = serde_json::to_value(monitor.snapshot()).unwrap();
    let expected = serde_json::json!({
        "readiness": { "state": "degraded", "component": "upload", "health": "degraded" },
        "components": [{
            "name": "upload", "importance": "critical", "health": "degraded", "successes": 1,
            "failures": { "exhausted": 1, "invalid": 0, "poisoned": 0, "transient": 0, "unavailable": 0 },
            "refusals": 0, "consecutive_failures": 1, "since_success_ms": 0.0, "latency_us_average": 250.0,
        }],
    });
    assert_eq!(text, expected);
}
