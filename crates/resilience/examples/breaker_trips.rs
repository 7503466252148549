//! What does a caller see when a device starts to fail, and when it works again?
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::time::Duration;

use gpu_core::{Clock, Device, ErrorKind, FaultPlan, Operation};
use resilience::{
    BreakerConfig, CircuitBreaker, Error, Guard, HealthConfig, HealthMonitor, Importance,
};

fn main() -> Result<(), Error> {
    // A manual clock, so that the example need not wait; a service takes `Clock::real()`.
    let clock = Clock::manual();
    let monitor = HealthMonitor::new(HealthConfig::default(), clock.clone())?;
    let config = BreakerConfig { failures: 3, ..BreakerConfig::default() };
    let breaker = CircuitBreaker::new("upload", config, clock.clone())?;
    let guard = Guard::new(breaker, monitor.register("upload", Importance::Critical)?);

    let device = Device::host();
    let stream = device.stream()?;
    let mut numbers = device.buffer::<f32>(4)?;
    let plan = FaultPlan::none().fail_from(Operation::Upload, 2, ErrorKind::Transient);
    let device = device.with_faults(plan);

    for call in 0..9 {
        if call == 7 {
            println!("-- the device is repaired, and half a second passes");
            let _ = device.clone().with_faults(FaultPlan::none());
            clock.advance(Duration::from_millis(500));
        }
        let result = guard.run(|| stream.write(&[1.0; 4], numbers.view_mut()));
        let outcome = result.map_or_else(|error| error.to_string(), |()| "ok".to_owned());
        println!("call {call}: {outcome}");
    }
    println!("{:?}", guard.breaker().stats());
    println!("{:?}", monitor.snapshot().readiness);
    Ok(())
}
