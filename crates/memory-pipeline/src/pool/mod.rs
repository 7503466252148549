//! Page-locked buffers of a few sizes, leased without lock, driver call, system call or allocation.
//!
//! Never grows and never falls back to pageable memory: a pool that is out says so.

mod config;
mod free_list;
mod lease;
mod slab;
mod stats;

use std::sync::Arc;

use gpu_core::{Device, Pod};

pub use self::config::{CLASSES_MAX, PoolConfig, SizeClass};
pub use self::lease::Lease;
use self::slab::{ALIGNMENT, Slab};
pub use self::stats::{ClassStats, PoolStats};
use crate::error::{Error, Result};

/// Most buffers of one size class.
pub const BUFFERS_MAX: usize = free_list::LEN_MAX;

/// Of a buffer, at most one part in this many may be more than was asked for.
const WASTE: usize = 16;

/// Page-locked buffers, all allocated when the pool is made. Cheap to clone; all clones are the same pool.
///
/// The memory lives until the last clone and the last lease are gone.
///
/// ```
/// use gpu_core::Device;
/// use memory_pipeline::{PinnedMemoryPool, PoolConfig};
///
/// # fn main() -> memory_pipeline::Result<()> {
/// let pool = PinnedMemoryPool::new(&Device::auto()?, PoolConfig::uniform::<f32>(1, 4))?;
/// let mut lease = pool.acquire::<f32>(4)?;
/// lease[0] = 1.0;
/// assert!(pool.acquire::<f32>(4).is_err());
/// drop(lease);
/// assert_eq!(pool.acquire::<f32>(4)?[0], 1.0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PinnedMemoryPool {
    /// Smallest buffers first, each size once.
    slabs: Arc<[Slab]>,
}

impl PinnedMemoryPool {
    /// Allocates every buffer, zeroed. The only call of a pool that allocates page-locked memory.
    ///
    /// # Errors
    /// [`Error::Config`] if there are no classes, too many, or some of them are empty or too large; otherwise what the driver says.
    pub fn new(device: &Device, config: PoolConfig) -> Result<Self> {
        let slabs = config.sorted()?.into_iter().map(|class| Slab::new(device, class));
        Ok(Self { slabs: slabs.collect::<Result<_>>()? })
    }

    /// Takes a buffer of `len` elements: of the smallest class that fits, the one that came back last, with whatever it holds.
    ///
    /// # Errors
    /// [`Error::Exhausted`] if every buffer of that class is out; [`Error::NoClass`] if none fits, or only one of which more than
    /// a sixteenth would be wasted; [`Error::Config`] if there is nothing to hold.
    pub fn acquire<T: Pod>(&self, len: usize) -> Result<Lease<T>> {
        const { assert!(align_of::<T>() <= ALIGNMENT, "an element is aligned to at most 256 bytes") };
        let slab = self.slab_for(len.saturating_mul(size_of::<T>()))?;
        let index = self.slabs[slab].acquire()?;
        Ok(Lease::new(Arc::clone(&self.slabs), slab, index, len))
    }

    /// What the pool has done so far.
    pub fn stats(&self) -> PoolStats {
        PoolStats { classes: self.slabs.iter().map(Slab::stats).collect() }
    }

    /// The class for `bytes`.
    fn slab_for(&self, bytes: usize) -> Result<usize> {
        if bytes == 0 {
            return Err(Error::Config {
                what: "a lease's bytes",
                actual: 0,
                min: 1,
                max: usize::MAX,
            });
        }
        let fits = |slab: &Slab| slab.buffer_bytes() >= bytes;
        let place = self.slabs.iter().position(fits).ok_or(Error::NoClass { bytes })?;
        let buffer_bytes = self.slabs[place].buffer_bytes();
        let is_wasteful = buffer_bytes - bytes > buffer_bytes / WASTE;
        if is_wasteful { Err(Error::NoClass { bytes }) } else { Ok(place) }
    }
}

impl std::fmt::Debug for PinnedMemoryPool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PinnedMemoryPool").field("stats", &self.stats()).finish()
    }
}
