//! Why there is no recommendation, no measurement or no cache.

use std::path::PathBuf;

use gpu_core::{Capability, ErrorKind};

use crate::outcome::Counts;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call of this crate failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration to compare with did not do the work.
    #[error("the baseline `{point}` of `{subject}` cannot be compared with: {reason}")]
    Baseline {
        /// What is tuned.
        subject: String,
        /// The baseline.
        point: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A cache file that does not hold what was saved. It is left as it is.
    #[error("tuning cache {} cannot be read: {reason}; repair it, or move it away", path.display())]
    CacheCorrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A cache file that cannot be read or written.
    #[error("tuning cache {}: {source}", path.display())]
    CacheFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A setting that cannot work.
    #[error("`{field}` {reason}")]
    Config {
        /// The setting.
        field: &'static str,
        /// What it must be.
        reason: &'static str,
    },
    /// The device failed in a way that no other configuration would survive.
    #[error(transparent)]
    Device(#[from] gpu_core::Error),
    /// A space without points.
    #[error("the tuning space of `{subject}` has no points; give every axis a value")]
    EmptySpace {
        /// What is tuned.
        subject: String,
    },
    /// Occupancy was asked of something without multiprocessors.
    #[error(
        "`{device}` has no multiprocessors to occupy; name a capability with `KernelTuner::for_capability`"
    )]
    NoMultiprocessors {
        /// The device.
        device: String,
    },
    /// No configuration was both right and measured.
    #[error(
        "no configuration of `{subject}` can be chosen: {} refused, {} failed, {} wrong",
        counts.refused, counts.failed, counts.wrong
    )]
    NothingWorks {
        /// What is tuned.
        subject: String,
        /// What became of the candidates.
        counts: Counts,
    },
    /// A search that asks for a point which does not exist.
    #[error("search `{search}` asks for point {index} of a space of {len}")]
    Search {
        /// The search.
        search: &'static str,
        /// What it asked for.
        index: usize,
        /// How many there are.
        len: usize,
    },
    /// A capability that the table of limits does not know. It is never guessed.
    #[error("compute capability {capability} is not in the table of hardware limits")]
    UnknownCapability {
        /// The capability.
        capability: Capability,
    },
}

impl Error {
    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Device(error) => error.kind(),
            Self::CacheFile { .. } | Self::NoMultiprocessors { .. } => ErrorKind::Unavailable,
            Self::Baseline { .. }
            | Self::CacheCorrupt { .. }
            | Self::Config { .. }
            | Self::EmptySpace { .. }
            | Self::NothingWorks { .. }
            | Self::Search { .. }
            | Self::UnknownCapability { .. } => ErrorKind::Invalid,
        }
    }
}
