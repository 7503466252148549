//! What a pool's memory and a pool come back in when they cannot become one another: the thing and the reason, nothing lost.

use gpu_core::HostRegion;

use super::PinnedMemoryPool;
use crate::error::Error;

/// A pool that cannot be taken apart yet.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct PoolInUse {
    /// [`Error::InUse`].
    #[source]
    pub error: Error,
    /// The pool as it was.
    pub pool: PinnedMemoryPool,
}

/// Regions that did not become a pool.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct RegionsRefused {
    /// Why.
    #[source]
    pub error: Error,
    /// They, with their content and in their order, but for those that the driver does not let go of.
    pub regions: Vec<HostRegion>,
}

impl From<PoolInUse> for Error {
    fn from(in_use: PoolInUse) -> Self {
        in_use.error
    }
}

impl From<RegionsRefused> for Error {
    fn from(refused: RegionsRefused) -> Self {
        refused.error
    }
}
