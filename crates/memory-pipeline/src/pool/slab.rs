//! The buffers of one size class: one piece of page-locked memory, cut into equal parts.

use std::sync::atomic::{AtomicUsize, Ordering};

use gpu_core::{Device, PinnedBuffer};

use super::config::SizeClass;
use super::free_list::FreeList;
use super::stats::ClassStats;
use crate::error::{Error, Result};

/// Where every buffer begins, in bytes: a multiple of this, as every allocation of a device does.
pub(super) const ALIGNMENT: usize = 256;

/// A size class of a pool, and who owns which of its buffers.
pub(super) struct Slab {
    class: SizeClass,
    free: FreeList,
    /// The first byte of `memory`.
    base: *mut u8,
    /// Bytes from one buffer to the next.
    stride: usize,
    /// Kept for its pages; reached through `base` only.
    _memory: PinnedBuffer<u8>,
    /// Invariant: at most the indices out of `free`; added after a pop, subtracted before a push.
    leased: AtomicUsize,
    leased_max: AtomicUsize,
    quarantined: AtomicUsize,
    exhausted: AtomicUsize,
}

// SAFETY: every field but `base` is `Send`, and `base` is the address of `memory`, which moves along.
unsafe impl Send for Slab {}
// SAFETY: every field but `base` is `Sync`; memory behind `base` is reached only by the owner of an index, in its own
// part, and the free list hands an index from one thread to the next with release and acquire.
unsafe impl Sync for Slab {}

impl Slab {
    /// Allocates the buffers of `class`, zeroed.
    pub(super) fn new(device: &Device, class: SizeClass) -> Result<Self> {
        let refused = Error::Config {
            what: "buffers",
            actual: class.buffers,
            min: 1,
            max: super::BUFFERS_MAX,
        };
        let len = u16::try_from(class.buffers).map_err(|_| refused)?;
        let stride = class.buffer_bytes.checked_next_multiple_of(ALIGNMENT);
        let bytes = stride.and_then(|stride| stride.checked_mul(class.buffers));
        // What cannot be counted cannot be allocated either, and the device says so.
        let mut memory = device.pinned(bytes.unwrap_or(usize::MAX))?;
        let zero = || AtomicUsize::new(0);
        Ok(Self {
            class,
            free: FreeList::new(len),
            base: memory.as_mut_ptr(),
            stride: stride.unwrap_or(usize::MAX),
            _memory: memory,
            leased: zero(),
            leased_max: zero(),
            quarantined: zero(),
            exhausted: zero(),
        })
    }

    /// Bytes of each buffer.
    pub(super) fn buffer_bytes(&self) -> usize {
        self.class.buffer_bytes
    }

    /// Takes the buffer that came back last.
    pub(super) fn acquire(&self) -> Result<u16> {
        let Some(index) = self.free.pop() else {
            self.exhausted.fetch_add(1, Ordering::Relaxed);
            return Err(self.exhaustion());
        };
        let leased = self.leased.fetch_add(1, Ordering::Relaxed) + 1;
        // A load is cheaper than a write to a shared line, and the maximum seldom moves.
        if leased > self.leased_max.load(Ordering::Relaxed) {
            self.leased_max.fetch_max(leased, Ordering::Relaxed);
        }
        Ok(index)
    }

    /// Gives back a buffer that the caller acquired.
    pub(super) fn release(&self, index: u16) {
        self.leased.fetch_sub(1, Ordering::Relaxed);
        self.free.push(index);
    }

    /// Counts a buffer that is never given back.
    pub(super) fn quarantine(&self) {
        self.quarantined.fetch_add(1, Ordering::Relaxed);
        self.leased.fetch_sub(1, Ordering::Relaxed);
    }

    /// The first byte of buffer `index`.
    pub(super) fn address(&self, index: u16) -> *mut u8 {
        self.base.wrapping_add(usize::from(index) * self.stride)
    }

    pub(super) fn stats(&self) -> ClassStats {
        let read = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        ClassStats {
            buffer_bytes: self.class.buffer_bytes,
            capacity: self.class.buffers,
            leased: read(&self.leased),
            leased_max: read(&self.leased_max),
            quarantined: read(&self.quarantined),
            exhausted: read(&self.exhausted),
        }
    }

    fn exhaustion(&self) -> Error {
        let ClassStats { buffer_bytes, capacity, leased, quarantined, .. } = self.stats();
        Error::Exhausted { buffer_bytes, capacity, leased, quarantined }
    }
}
