//! The health monitor's knobs.

use std::time::Duration;

use crate::error::{Error, Result};

/// When a component's health changes.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthConfig {
    /// Failures in a row that make a component degraded.
    pub degraded_after: u32,
    /// Failures in a row that make it unhealthy.
    pub unhealthy_after: u32,
    /// Successes in a row that lift it by one step.
    pub recovered_after: u32,
    /// A component without a report for this long is at best degraded; `None` for components that may idle.
    pub stale_after: Option<Duration>,
    /// Weight of the newest latency in the moving average, above 0 and at most 1.
    pub latency_weight: f64,
    /// Most components that can be registered.
    pub components_max: usize,
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            degraded_after: 1,
            unhealthy_after: 3,
            recovered_after: 2,
            stale_after: None,
            latency_weight: 0.1,
            components_max: 256,
        }
    }
}

impl HealthConfig {
    pub(super) fn check(&self) -> Result<()> {
        let refuse = |field, reason| Err(Error::Config { field, reason });
        if self.degraded_after == 0 {
            return refuse("HealthConfig::degraded_after", "must be at least 1");
        }
        if self.unhealthy_after < self.degraded_after {
            return refuse("HealthConfig::unhealthy_after", "must be at least `degraded_after`");
        }
        if self.recovered_after == 0 {
            return refuse("HealthConfig::recovered_after", "must be at least 1");
        }
        if !(self.latency_weight > 0.0 && self.latency_weight <= 1.0) {
            return refuse("HealthConfig::latency_weight", "must be above 0 and at most 1");
        }
        if self.components_max == 0 {
            return refuse("HealthConfig::components_max", "must be at least 1");
        }
        Ok(())
    }
}
