//! Why a call was refused, or how it failed.

use std::sync::Arc;
use std::time::Duration;

use gpu_core::ErrorKind;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a guarded call gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More components than the monitor was made for.
    #[error(
        "health component `{name}` is one too many (limit {max}); raise `HealthConfig::components_max`"
    )]
    ComponentsFull {
        /// The component that did not fit.
        name: String,
        /// How many fit.
        max: usize,
    },
    /// A setting that cannot work.
    #[error("`{field}` {reason}")]
    Config {
        /// The setting.
        field: &'static str,
        /// What it must be.
        reason: &'static str,
    },
    /// The call itself failed.
    #[error(transparent)]
    Device(#[from] gpu_core::Error),
    /// The device was lost; the call was not made, and none will be.
    #[error("`{name}` lost its device; restart the process to use it again")]
    Lost {
        /// The breaker.
        name: Arc<str>,
    },
    /// Too many recent failures; the call was not made.
    #[error("`{name}` is open after repeated failures; retry in {} ms", retry_in.as_millis())]
    Open {
        /// The breaker.
        name: Arc<str>,
        /// When the next call may be let through.
        retry_in: Duration,
    },
    /// Probes are testing whether the device has recovered; the call was not made.
    #[error("`{name}` is testing its recovery with {probes} calls; retry when they have returned")]
    Probing {
        /// The breaker.
        name: Arc<str>,
        /// Probes in flight.
        probes: u32,
    },
}

impl Error {
    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::ComponentsFull { .. } => ErrorKind::Exhausted,
            Self::Config { .. } => ErrorKind::Invalid,
            Self::Device(error) => error.kind(),
            Self::Lost { .. } => ErrorKind::Poisoned,
            Self::Open { .. } | Self::Probing { .. } => ErrorKind::Transient,
        }
    }

    /// Whether the call was refused, so that the device never saw it.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Open { .. } | Self::Probing { .. })
    }
}
