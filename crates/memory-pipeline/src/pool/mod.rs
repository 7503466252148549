//! Page-locked buffers of a few sizes, leased without lock, driver call, system call or allocation.
//!
//! Never grows, and never takes pageable memory unless the caller asked for it: a pool that is out says so.

mod anchor;
mod config;
mod exhaustion;
mod free_list;
mod lease;
mod memory;
mod refused;
mod slab;
mod stats;
mod waiters;

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use gpu_core::{Clock, Device, HostRegion, Pod};

use self::anchor::{Anchor, thread_number};
pub use self::config::{Backing, CLASSES_MAX, PoolConfig, SizeClass};
pub use self::exhaustion::Exhaustion;
pub use self::lease::Lease;
use self::memory::Memory;
pub use self::refused::{PoolInUse, RegionsRefused};
use self::slab::{ALIGNMENT, STRIPES_MAX, Slab};
pub use self::stats::{ClassStats, MemoryStats, PoolStats};
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
    /// As many as threads have stripes; each holds the slabs.
    anchors: Arc<[Anchor]>,
    clock: Clock,
}

impl PinnedMemoryPool {
    /// Allocates every buffer, zeroed. The only call of a pool that allocates page-locked memory.
    ///
    /// # Errors
    /// [`Error::Config`] names a knob out of range; otherwise what the system or the driver says.
    pub fn new(device: &Device, config: PoolConfig) -> Result<Self> {
        let config = config.checked()?;
        let memory = Memory::allocate(device, &config)?;
        Ok(Self::of(config, memory))
    }

    /// A pool in memory that is there already, with its content: that of another pool, from
    /// [`into_regions`](Self::into_regions), or mapped from its [`files`](Self::files), on whichever device and in whichever process.
    ///
    /// `regions` are one for each of [`PoolStats::memory`], in that order. Of the backing only the number of nodes counts.
    /// What a region is larger than its buffers stays unused.
    ///
    /// A pool hands out buffers that were never out in the order in which they lie, so the first lease of a class is of the
    /// buffer that was its first one before. It reads and writes by its leases alone: that is what the promise of
    /// [`HostRegion::from_fd`] is about where two pools have the same memory.
    ///
    /// # Errors
    /// [`RegionsRefused`] gives the regions back: with [`Error::Config`] for a knob out of range or another number of
    /// regions, [`Error::RegionSize`] for the first one that is too small, otherwise with what the driver says.
    pub fn over(
        device: &Device,
        config: PoolConfig,
        regions: Vec<HostRegion>,
    ) -> Result<Self, RegionsRefused> {
        match config.checked() {
            Ok(config) => {
                let memory = Memory::over(device, &config, regions)?;
                Ok(Self::of(config, memory))
            }
            Err(error) => Err(RegionsRefused { error, regions }),
        }
    }

    /// A pool of classes that were checked, each in its share of `memory`.
    fn of(config: PoolConfig, memory: Vec<Memory>) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let stripes = threads.next_power_of_two().min(STRIPES_MAX);
        let places = config.backing.places().len();
        let mut memory = memory.into_iter();
        let classes = config.classes.into_iter();
        let slabs: Arc<[_]> = classes
            .map(|class| Slab::new(class, memory.by_ref().take(places).collect(), stripes))
            .collect();
        let anchors = (0..stripes).map(|_| Anchor::new(Arc::clone(&slabs))).collect();
        Self { anchors, clock: Clock::real() }
    }

    /// The pool's memory with its content, no longer page-locked: one region for each of [`PoolStats::memory`], in that order.
    ///
    /// Waits for the device. A lost device gives its memory back too. In place of a region stands
    ///
    /// - [`Error::Quarantined`] where a copy may still use a buffer: that memory is kept for ever;
    /// - [`Error::NoRegion`] where the driver allocated the memory or does not let go of it.
    ///
    /// # Errors
    /// [`PoolInUse`] gives the pool back while a lease or another handle of it is left, and says how many.
    pub fn into_regions(self) -> Result<Vec<Result<HostRegion>>, PoolInUse> {
        // Handles first: without another one nothing can be acquired, and what is counted next only falls.
        let handles = Arc::strong_count(&self.anchors) - 1;
        let leased = self.anchors.iter().map(Anchor::leases).sum();
        if (leased, handles) != (0, 0) {
            return Err(PoolInUse { error: Error::InUse { leased, handles }, pool: self });
        }
        let mut slabs = self.anchors[0].share();
        drop(self);
        let slabs = Arc::get_mut(&mut slabs).expect("no anchor is left, so this is the last share");
        Ok(slabs.iter_mut().flat_map(Slab::take_regions).collect())
    }

    /// The files of memory that is [shared](gpu_core::Sharing::Shared), for [`HostRegion::from_fd`] in another process: one for
    /// each of [`PoolStats::memory`], in that order; `None` for what is not shared.
    ///
    /// # Safety
    /// Nobody writes to a part of the memory, by a file or a mapping of it, while it is read or written otherwise, such as
    /// by a lease of this pool.
    pub unsafe fn files(&self) -> impl Iterator<Item = Option<BorrowedFd<'_>>> {
        self.anchors[0].slabs().iter().flat_map(Slab::files)
    }

    /// The same pool, with the clock that deadlines are of.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Takes a buffer of `len` elements: of the smallest class that fits, the one that this thread gave back last or else
    /// any, with whatever it holds.
    ///
    /// # Errors
    /// [`Error::Exhausted`] if every buffer of that class is out; [`Error::NoClass`] if none fits, or only one of which more than
    /// a sixteenth would be wasted; [`Error::Config`] if there is nothing to hold.
    pub fn acquire<T: Pod>(&self, len: usize) -> Result<Lease<T>> {
        self.acquire_with(len, Exhaustion::Fail)
    }

    /// The same, with another answer to a pool that is out.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire), but [`Error::Exhausted`] only with [`Exhaustion::Fail`]; with [`Exhaustion::Wait`],
    /// [`Error::Deadline`] if no buffer came back in time.
    pub fn acquire_with<T: Pod>(&self, len: usize, exhaustion: Exhaustion) -> Result<Lease<T>> {
        const { assert!(align_of::<T>() <= ALIGNMENT, "an element is aligned to at most 256 bytes") };
        let home = thread_number();
        let anchor = &self.anchors[home & (self.anchors.len() - 1)];
        let class = class_for(anchor.slabs(), len.saturating_mul(size_of::<T>()))?;
        let slab = &anchor.slabs()[usize::from(class)];
        if let Some(slot) = slab.acquire(home) {
            return Ok(Lease::new(anchor.clone(), class, slot, len));
        }
        slab.count_exhausted();
        match exhaustion {
            Exhaustion::Fail => Err(slab.exhaustion()),
            Exhaustion::Degrade => {
                slab.count_degraded();
                Ok(Lease::pageable(len))
            }
            Exhaustion::Wait { deadline } => {
                let patience = || deadline.saturating_duration_since(self.clock.now());
                let slot = slab.wait(patience).ok_or_else(|| slab.deadline())?;
                Ok(Lease::new(anchor.clone(), class, slot, len))
            }
        }
    }

    /// What the pool has done so far.
    pub fn stats(&self) -> PoolStats {
        let slabs = self.anchors[0].slabs();
        let memory = slabs.iter().flat_map(Slab::memory_stats).collect();
        PoolStats { classes: slabs.iter().map(Slab::stats).collect(), memory }
    }
}

/// The place of the class for `bytes`.
fn class_for(slabs: &[Slab], bytes: usize) -> Result<u16> {
    if bytes == 0 {
        return Err(Error::Config { what: "a lease's bytes", actual: 0, min: 1, max: usize::MAX });
    }
    let fitting = (0..).zip(slabs).find(|(_, slab)| slab.buffer_bytes() >= bytes);
    let (place, slab) = fitting.ok_or(Error::NoClass { bytes })?;
    let is_wasteful = slab.buffer_bytes() - bytes > slab.buffer_bytes() / WASTE;
    if is_wasteful { Err(Error::NoClass { bytes }) } else { Ok(place) }
}

impl std::fmt::Debug for PinnedMemoryPool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PinnedMemoryPool").field("stats", &self.stats()).finish()
    }
}

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, not(loom)))]
mod tests;
