//! The intended starts of an open loop.

use std::time::Duration;

use super::Load;

/// Offsets from the first moment of the run, ascending, without end.
#[derive(Clone, Debug)]
pub(super) enum Arrivals {
    Constant { period_s: f64, next: u64 },
    Poisson { period_s: f64, elapsed_s: f64, random: fastrand::Rng },
}

impl Arrivals {
    /// `None` for a closed loop, whose iterations have no intended start.
    pub(super) fn of(load: Load) -> Option<Self> {
        match load {
            Load::Closed => None,
            Load::Constant { rate_hz } => {
                Some(Self::Constant { period_s: rate_hz.recip(), next: 0 })
            }
            Load::Poisson { rate_hz, seed } => {
                let random = fastrand::Rng::with_seed(seed);
                Some(Self::Poisson { period_s: rate_hz.recip(), elapsed_s: 0.0, random })
            }
        }
    }

    pub(super) fn next(&mut self) -> Duration {
        let offset_s = match self {
            Self::Constant { period_s, next } => {
                let offset_s = *next as f64 * *period_s;
                *next += 1;
                offset_s
            }
            Self::Poisson { period_s, elapsed_s, random } => {
                // The logarithm of a number in (0, 1]: never infinite.
                *elapsed_s -= (1.0 - random.f64()).ln() * *period_s;
                *elapsed_s
            }
        };
        Duration::try_from_secs_f64(offset_s).unwrap_or(Duration::MAX)
    }
}
