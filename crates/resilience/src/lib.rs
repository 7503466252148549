//! Calls that reach a device, kept from doing harm when the device fails.
//!
//! A [`CircuitBreaker`] stops calling what keeps failing and probes for its recovery; a [`HealthMonitor`]
//! remembers how each part is doing; a [`Guard`] puts one call under both. Nothing here retries,
//! and nothing here calls the device by itself.
//!
//! ```
//! use gpu_core::{Clock, Device};
//! use resilience::{BreakerConfig, CircuitBreaker, Guard, HealthConfig, HealthMonitor, Importance};
//!
//! # fn main() -> Result<(), resilience::Error> {
//! let clock = Clock::real();
//! let monitor = HealthMonitor::new(HealthConfig::default(), clock.clone())?;
//! let breaker = CircuitBreaker::new("upload", BreakerConfig::default(), clock)?;
//! let guard = Guard::new(breaker, monitor.register("upload", Importance::Critical)?);
//!
//! let device = Device::auto()?;
//! let stream = device.stream()?;
//! let mut numbers = device.buffer::<f32>(2)?;
//! guard.run(|| stream.write(&[1.0, 2.0], numbers.view_mut()))?;
//! assert!(monitor.snapshot().readiness.is_ready());
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod breaker;
mod error;
mod guard;
mod health;

pub use breaker::{BreakerConfig, BreakerStats, CircuitBreaker, Permit, Phase};
pub use error::{Error, Result};
pub use gpu_core::ErrorKind;
pub use guard::Guard;
pub use health::{
    Component, ComponentStats, FailureCounts, Health, HealthConfig, HealthMonitor, HealthSnapshot,
    Importance, Readiness,
};
