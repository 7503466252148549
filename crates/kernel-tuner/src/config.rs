//! The tuner's knobs.

use crate::error::{Error, Result};
use crate::measure::StopRule;

/// How carefully a tuner measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TunerConfig {
    /// Runs of a configuration before its first sample.
    pub warm_up: usize,
    /// When a configuration has been sampled enough.
    pub stop: StopRule,
    /// Turns that baseline and best take in the last comparison.
    pub contest_turns: usize,
    /// Samples in each of these turns.
    pub contest_samples: usize,
    /// Most questions that a search may ask.
    pub asks_max: usize,
}

impl Default for TunerConfig {
    fn default() -> Self {
        Self {
            warm_up: 3,
            stop: StopRule::default(),
            contest_turns: 10,
            contest_samples: 5,
            asks_max: 100_000,
        }
    }
}

impl TunerConfig {
    pub(crate) fn check(&self) -> Result<()> {
        self.stop.check()?;
        let refuse = |field, reason| Err(Error::Config { field, reason });
        if !(6..=1000).contains(&self.contest_turns.saturating_mul(self.contest_samples)) {
            return refuse(
                "TunerConfig::contest_turns",
                "times `contest_samples` must lie in 6..=1000",
            );
        }
        if self.asks_max == 0 {
            return refuse("TunerConfig::asks_max", "must be at least 1");
        }
        Ok(())
    }
}
