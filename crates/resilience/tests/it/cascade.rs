//! A device that starts to fail is left alone, and taken back when it works again.

use std::cell::Cell;
use std::time::Duration;

use gpu_core::{Clock, Device, DeviceBuffer, ErrorKind, FaultPlan, Operation, Stream};
use resilience::{
    BreakerConfig, CircuitBreaker, Error, Guard, Health, HealthConfig, HealthMonitor, Importance,
    Phase,
};

/// Uploads through a guard, counting those that reach the device.
struct Service {
    clock: Clock,
    device: Device,
    stream: Stream,
    numbers: DeviceBuffer<f32>,
    monitor: HealthMonitor,
    guard: Guard,
    reached: Cell<u32>,
}

impl Service {
    fn new(plan: FaultPlan) -> Self {
        let clock = Clock::manual();
        let device = Device::host();
        let (stream, numbers) = (device.stream().unwrap(), device.buffer(4).unwrap());
        let config = BreakerConfig {
            failures: 3,
            window: Duration::from_secs(10),
            open: Duration::from_secs(1),
            open_max: Duration::from_secs(8),
            probes: 2,
            probe_timeout: Duration::from_secs(5),
        };
        let breaker = CircuitBreaker::new("upload", config, clock.clone()).unwrap();
        let monitor = HealthMonitor::new(HealthConfig::default(), clock.clone()).unwrap();
        let guard = Guard::new(breaker, monitor.register("upload", Importance::Critical).unwrap());
        let device = device.with_faults(plan);
        Self { clock, device, stream, numbers, monitor, guard, reached: Cell::new(0) }
    }

    fn upload(&mut self) -> Result<(), Error> {
        let (reached, stream, numbers) = (&self.reached, &self.stream, &mut self.numbers);
        self.guard.run(|| {
            reached.set(reached.get() + 1);
            stream.write(&[1.0; 4], numbers.view_mut())
        })
    }

    fn repair(&self) {
        let _ = self.device.clone().with_faults(FaultPlan::none());
    }
}

#[test]
fn a_device_that_fails_from_call_7_on_is_called_3_times_more_and_no_further() {
    let plan = FaultPlan::none().fail_from(Operation::Upload, 7, ErrorKind::Transient);
    let mut service = Service::new(plan);
    let results: Vec<_> = (0..1000).map(|_| service.upload()).collect();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 7);
    assert_eq!(service.reached.get(), 7 + 3);
    let refused = results.iter().filter(|r| matches!(r, Err(error) if error.is_refusal()));
    assert_eq!(refused.count(), 990);
    assert_eq!(
        results.last().unwrap().as_ref().unwrap_err().to_string(),
        "`upload` is open after repeated failures; retry in 1000 ms"
    );
    let snapshot = service.monitor.snapshot();
    assert!(!snapshot.readiness.is_ready());
    let part = &snapshot.components[0];
    assert_eq!((part.successes, part.failures.transient, part.refusals), (7, 3, 990));
}

#[test]
fn while_the_device_stays_broken_one_probe_reaches_it_for_every_opening() {
    let plan = FaultPlan::none().fail_from(Operation::Upload, 0, ErrorKind::Transient);
    let mut service = Service::new(plan);
    // A call every 100 ms for 100 s.
    for _ in 0..1000 {
        let _ = service.upload();
        service.clock.advance(Duration::from_millis(100));
    }
    let stats = service.guard.breaker().stats();
    // Openings of 1, 2, 4 and then 8 s: probes after 1, 3, 7, 15, 23, ... 95 s and the 3 that opened it.
    assert_eq!(service.reached.get(), 3 + 14);
    assert_eq!(stats.opened, 1 + 14);
}

#[test]
fn a_repaired_device_is_found_by_probes_and_used_again() {
    let plan = FaultPlan::none().fail_from(Operation::Upload, 2, ErrorKind::Exhausted);
    let mut service = Service::new(plan);
    while service.guard.breaker().phase() == Phase::Closed {
        let _ = service.upload();
    }
    service.repair();
    assert!(service.upload().unwrap_err().is_refusal());
    service.clock.advance(Duration::from_millis(999));
    assert!(service.upload().unwrap_err().is_refusal());
    service.clock.advance(Duration::from_millis(1));
    service.upload().unwrap();
    assert_eq!(service.guard.breaker().phase(), Phase::HalfOpen);
    service.upload().unwrap();
    assert_eq!(service.guard.breaker().phase(), Phase::Closed);
    for _ in 0..100 {
        service.upload().unwrap();
    }
    assert_eq!(service.guard.component().health(), Health::Healthy);
    assert!(service.monitor.snapshot().readiness.is_ready());
}

#[test]
fn a_lost_device_is_not_called_again_and_never_ready() {
    let plan = FaultPlan::none().fail_once(Operation::Upload, 1, ErrorKind::Poisoned);
    let mut service = Service::new(plan);
    service.upload().unwrap();
    assert_eq!(service.upload().unwrap_err().kind(), ErrorKind::Poisoned);
    service.repair();
    for _ in 0..100 {
        service.clock.advance(Duration::from_secs(3600));
        let error = service.upload().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`upload` lost its device; restart the process to use it again"
        );
    }
    assert_eq!(service.reached.get(), 2);
    assert!(!service.monitor.snapshot().readiness.is_ready());
}

#[test]
fn the_callers_own_mistakes_never_open_it() {
    let plan = FaultPlan::none().fail_from(Operation::Upload, 0, ErrorKind::Invalid);
    let mut service = Service::new(plan);
    for _ in 0..100 {
        assert_eq!(service.upload().unwrap_err().kind(), ErrorKind::Invalid);
    }
    assert_eq!(service.reached.get(), 100);
    assert_eq!(service.guard.breaker().phase(), Phase::Closed);
    assert_eq!(service.guard.component().health(), Health::Healthy);
}
