//! The breaker's knobs.

use std::time::Duration;

use crate::error::{Error, Result};

/// Most failures a window can count; each takes one time stamp, kept for the breaker's life.
const FAILURES_MAX: u32 = 1024;

/// When a breaker opens, for how long, and how it tests for recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Failures within the window that open the breaker.
    pub failures: u32,
    /// How far back failures count.
    pub window: Duration,
    /// How long the first opening lasts.
    pub open: Duration,
    /// The longest opening; each failed recovery doubles the last one up to this.
    pub open_max: Duration,
    /// Calls that test a recovery: as many are let through at once, and all must succeed.
    pub probes: u32,
    /// A recovery whose probes have not all returned by then has failed.
    pub probe_timeout: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures: 5,
            window: Duration::from_secs(10),
            open: Duration::from_millis(500),
            open_max: Duration::from_secs(60),
            probes: 1,
            probe_timeout: Duration::from_secs(30),
        }
    }
}

impl BreakerConfig {
    pub(super) fn check(&self) -> Result<()> {
        let refuse = |field, reason| Err(Error::Config { field, reason });
        if self.failures == 0 || self.failures > FAILURES_MAX {
            return refuse("BreakerConfig::failures", "must lie in 1..=1024");
        }
        if self.probes == 0 {
            return refuse("BreakerConfig::probes", "must be at least 1, or nothing ever recovers");
        }
        if self.window.is_zero() {
            return refuse("BreakerConfig::window", "must be longer than 0");
        }
        if self.open.is_zero() || self.open_max < self.open {
            return refuse("BreakerConfig::open", "must be longer than 0 and at most `open_max`");
        }
        if self.probe_timeout.is_zero() {
            return refuse("BreakerConfig::probe_timeout", "must be longer than 0");
        }
        Ok(())
    }

    /// How long an opening lasts that follows `failed_recoveries` failed recoveries.
    pub(super) fn open_duration(&self, failed_recoveries: u32) -> Duration {
        let factor = 1u32.checked_shl(failed_recoveries).unwrap_or(u32::MAX);
        self.open.saturating_mul(factor).min(self.open_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failed_recovery_doubles_the_opening_up_to_the_cap() {
        let config = BreakerConfig {
            open: Duration::from_secs(1),
            open_max: Duration::from_secs(10),
            ..BreakerConfig::default()
        };
        let seconds: Vec<_> =
            [0, 1, 2, 3, 4, 31, 32, u32::MAX].map(|n| config.open_duration(n).as_secs()).into();
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10, 10, 10]);
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        let good = BreakerConfig::default();
        assert_eq!(good.check(), Ok(()));
        let zero = Duration::ZERO;
        for (bad, field) in [
            (BreakerConfig { failures: 0, ..good.clone() }, "failures"),
            (BreakerConfig { failures: FAILURES_MAX + 1, ..good.clone() }, "failures"),
            (BreakerConfig { probes: 0, ..good.clone() }, "probes"),
            (BreakerConfig { window: zero, ..good.clone() }, "window"),
            (BreakerConfig { open: zero, ..good.clone() }, "open"),
            (BreakerConfig { open_max: good.open / 2, ..good.clone() }, "open"),
            (BreakerConfig { probe_timeout: zero, ..good }, "probe_timeout"),
        ] {
            let text = bad.check().unwrap_err().to_string();
            assert!(text.starts_with(&format!("`BreakerConfig::{field}` ")), "{text}");
        }
    }
}
