//! One component's pure health machine: no clock, no lock.

use std::time::{Duration, Instant};

use gpu_core::ErrorKind;

use super::config::HealthConfig;

/// How a component is doing. Later values are worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Calls succeed.
    Healthy,
    /// Some calls fail, or none was reported for too long.
    Degraded,
    /// Calls keep failing.
    Unhealthy,
    /// The device is lost. Terminal: nothing in this process heals it.
    Poisoned,
}

/// Failures by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct FailureCounts {
    /// A resource ran out.
    pub exhausted: u64,
    /// The caller's mistakes. They say nothing about the component.
    pub invalid: u64,
    /// The device was lost.
    pub poisoned: u64,
    /// May succeed when repeated; panics count here.
    pub transient: u64,
    /// What was asked for is not on this machine.
    pub unavailable: u64,
}

impl FailureCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.exhausted + self.invalid + self.poisoned + self.transient + self.unavailable
    }

    fn count(&mut self, kind: ErrorKind) {
        *match kind {
            ErrorKind::Exhausted => &mut self.exhausted,
            ErrorKind::Invalid => &mut self.invalid,
            ErrorKind::Poisoned => &mut self.poisoned,
            ErrorKind::Transient => &mut self.transient,
            ErrorKind::Unavailable => &mut self.unavailable,
        } += 1;
    }
}

#[derive(Debug)]
pub(super) struct State {
    health: Health,
    pub(super) successes: u64,
    pub(super) failures: FailureCounts,
    pub(super) refusals: u64,
    pub(super) consecutive_failures: u32,
    consecutive_successes: u32,
    pub(super) last_success: Option<Instant>,
    /// The last report, or the registration.
    last_report: Instant,
    /// Moving average, in seconds.
    pub(super) latency: Option<f64>,
}

impl State {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            health: Health::Healthy,
            successes: 0,
            failures: FailureCounts::default(),
            refusals: 0,
            consecutive_failures: 0,
            consecutive_successes: 0,
            last_success: None,
            last_report: now,
            latency: None,
        }
    }

    /// The health that reports have led to, no better than degraded when they have stopped coming.
    pub(super) fn health(&self, now: Instant, config: &HealthConfig) -> Health {
        let silence = now.saturating_duration_since(self.last_report);
        match config.stale_after {
            Some(limit) if silence > limit => self.health.max(Health::Degraded),
            _ => self.health,
        }
    }

    pub(super) fn on_success(&mut self, now: Instant, latency: Duration, config: &HealthConfig) {
        self.successes += 1;
        self.last_report = now;
        self.last_success = Some(now);
        self.consecutive_failures = 0;
        let newest = latency.as_secs_f64();
        let average = self.latency.unwrap_or(newest);
        self.latency = Some(average + config.latency_weight * (newest - average));

        self.consecutive_successes += 1;
        if self.consecutive_successes >= config.recovered_after {
            self.consecutive_successes = 0;
            self.health = match self.health {
                Health::Healthy | Health::Degraded => Health::Healthy,
                Health::Unhealthy => Health::Degraded,
                Health::Poisoned => Health::Poisoned,
            };
        }
    }

    pub(super) fn on_failure(&mut self, now: Instant, kind: ErrorKind, config: &HealthConfig) {
        self.failures.count(kind);
        self.last_report = now;
        if kind == ErrorKind::Invalid {
            return;
        }
        self.consecutive_successes = 0;
        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        let reached = match self.consecutive_failures {
            _ if kind == ErrorKind::Poisoned => Health::Poisoned,
            count if count >= config.unhealthy_after => Health::Unhealthy,
            count if count >= config.degraded_after => Health::Degraded,
            _ => Health::Healthy,
        };
        // Failures never lift a component.
        self.health = self.health.max(reached);
    }
}

#[cfg(test)]
mod tests;
