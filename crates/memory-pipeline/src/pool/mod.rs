//! A fixed number of equal page-locked buffers, leased without lock, driver call, system call or allocation.
//!
//! Never grows and never falls back to pageable memory: a pool that is out says so.

mod free_list;
mod lease;

use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gpu_core::{Device, PinnedBuffer, Pod};

use self::free_list::FreeList;
pub use self::lease::Lease;
use crate::error::{Error, Result};

/// Most buffers of one pool.
pub const BUFFERS_MAX: usize = free_list::LEN_MAX;

/// How many buffers, and how large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PoolConfig {
    /// Buffers of the pool.
    pub buffers: usize,
    /// Elements of each.
    pub buffer_len: usize,
}

/// Page-locked buffers, all allocated when the pool is made. Cheap to clone; all clones are the same pool.
///
/// The memory lives until the last clone and the last lease are gone.
///
/// ```
/// use gpu_core::Device;
/// use memory_pipeline::{PinnedMemoryPool, PoolConfig};
///
/// # fn main() -> memory_pipeline::Result<()> {
/// let config = PoolConfig { buffers: 1, buffer_len: 4 };
/// let pool = PinnedMemoryPool::<f32>::new(&Device::auto()?, config)?;
/// let mut lease = pool.acquire()?;
/// lease[0] = 1.0;
/// assert!(pool.acquire().is_err());
/// drop(lease);
/// assert_eq!(pool.acquire()?[0], 1.0);
/// # Ok(())
/// # }
/// ```
pub struct PinnedMemoryPool<T: Pod> {
    shared: Arc<Shared<T>>,
}

/// What a pool has done, at some moment between the call and its return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PoolStats {
    /// Buffers of the pool.
    pub capacity: usize,
    /// Buffers that are out.
    pub leased: usize,
    /// Most buffers that were out at once.
    pub leased_max: usize,
    /// Buffers given up for ever, because the device could not say whether it still uses them.
    pub quarantined: usize,
    /// Times that no buffer was left.
    pub exhausted: usize,
}

/// What a pool shares with its leases.
struct Shared<T: Pod> {
    free: FreeList,
    /// Invariant: buffer `i` is touched only by the one lease that holds index `i`, which it popped from `free`.
    buffers: Box<[UnsafeCell<PinnedBuffer<T>>]>,
    buffer_len: usize,
    /// Invariant: at most the indices out of `free`; added after a pop, subtracted before a push.
    leased: AtomicUsize,
    leased_max: AtomicUsize,
    quarantined: AtomicUsize,
    exhausted: AtomicUsize,
}

// SAFETY: every field but `buffers` is `Sync`; of `buffers`, each cell is touched by the owner of its index alone,
// and the free list hands an index from one thread to the next with release and acquire.
unsafe impl<T: Pod + Send> Sync for Shared<T> {}

impl<T: Pod> PinnedMemoryPool<T> {
    /// Allocates every buffer, zeroed. The only call of a pool that allocates.
    ///
    /// # Errors
    /// [`Error::Config`] if there are no buffers, too many, or empty ones; otherwise what the driver says.
    pub fn new(device: &Device, config: PoolConfig) -> Result<Self> {
        let PoolConfig { buffers: count, buffer_len } = config;
        let refuse = |what, actual, max| Err(Error::Config { what, actual, min: 1, max });
        let len = match u16::try_from(count) {
            Ok(len) if (1..=BUFFERS_MAX).contains(&count) => len,
            _ => return refuse("buffers", count, BUFFERS_MAX),
        };
        if buffer_len == 0 {
            return refuse("buffer_len", buffer_len, usize::MAX);
        }
        let buffers = (0..count)
            .map(|_| device.pinned(buffer_len).map(UnsafeCell::new))
            .collect::<gpu_core::Result<_>>()?;
        let zero = || AtomicUsize::new(0);
        let shared = Shared {
            free: FreeList::new(len),
            buffers,
            buffer_len,
            leased: zero(),
            leased_max: zero(),
            quarantined: zero(),
            exhausted: zero(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Takes the buffer that came back last, with whatever it holds and at its full length.
    ///
    /// # Errors
    /// [`Error::Exhausted`] if every buffer is out.
    pub fn acquire(&self) -> Result<Lease<T>> {
        let shared = &self.shared;
        let Some(index) = shared.free.pop() else {
            shared.exhausted.fetch_add(1, Ordering::Relaxed);
            let PoolStats { capacity, leased, quarantined, .. } = self.stats();
            return Err(Error::Exhausted { capacity, leased, quarantined });
        };
        let leased = shared.leased.fetch_add(1, Ordering::Relaxed) + 1;
        // A load is cheaper than a write to a shared line, and the maximum seldom moves.
        if leased > shared.leased_max.load(Ordering::Relaxed) {
            shared.leased_max.fetch_max(leased, Ordering::Relaxed);
        }
        Ok(Lease::new(Arc::clone(shared), index))
    }

    /// Elements of each buffer.
    pub fn buffer_len(&self) -> usize {
        self.shared.buffer_len
    }

    /// What the pool has done so far.
    pub fn stats(&self) -> PoolStats {
        let read = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        PoolStats {
            capacity: self.shared.buffers.len(),
            leased: read(&self.shared.leased),
            leased_max: read(&self.shared.leased_max),
            quarantined: read(&self.shared.quarantined),
            exhausted: read(&self.shared.exhausted),
        }
    }
}

impl<T: Pod> Clone for PinnedMemoryPool<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T: Pod> std::fmt::Debug for PinnedMemoryPool<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PinnedMemoryPool")
            .field("buffer_len", &self.shared.buffer_len)
            .field("stats", &self.stats())
            .finish()
    }
}
