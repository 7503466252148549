//! When iterations begin: each after the last, or at times of their own.
//!
//! An open loop measures from the intended start, so that an iteration which had to wait for a slow one before it says so
//! (no coordinated omission). Never sleeps: an idle generator spins on the clock.

mod arrivals;
mod capacity;
mod pacer;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use capacity::{Capacity, CapacityPlan, Probe, capacity};
pub(crate) use pacer::Pacer;

use crate::report::number;

/// When iterations are intended to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "lowercase")]
pub enum Load {
    /// Each when the one before has ended.
    #[default]
    Closed,
    /// At equal distances, whatever the ones before do.
    Constant {
        /// Iterations a second.
        rate_hz: f64,
    },
    /// At random distances, exponentially distributed, as those of many independent callers are.
    Poisson {
        /// Iterations a second, on average.
        rate_hz: f64,
        /// Which of the random sequences.
        seed: u64,
    },
}

impl std::fmt::Display for Load {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => formatter.write_str("closed loop"),
            Self::Constant { rate_hz } => write!(formatter, "{} Hz, constant", number(*rate_hz)),
            Self::Poisson { rate_hz, seed } => {
                write!(formatter, "{} Hz, Poisson of seed {seed}", number(*rate_hz))
            }
        }
    }
}
