//! The buffers of one size class: page-locked memory, for each node a piece, cut into equal parts.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gpu_core::HostRegion;

use super::config::SizeClass;
use super::free_list::{FreeList, PoolSlot, Shape, SomebodyWaits};
use super::memory::Memory;
use super::stats::{ClassStats, MemoryStats};
use super::waiters::Waiters;
use crate::error::{Error, Result};

/// Where every buffer begins, in bytes: a multiple of this, as every allocation of a device does.
pub(super) const ALIGNMENT: usize = 256;
/// Most stacks of free buffers on one node: more would make looking for the last free buffer slow.
pub(super) const STRIPES_MAX: usize = 16;

/// Why a number fits into 16 bits.
const CHECKED: &str = "the configuration was checked";

/// A size class of a pool, and who owns which of its buffers.
pub(super) struct Slab {
    class: SizeClass,
    /// Bytes from one buffer to the next.
    stride: usize,
    free: FreeList,
    waiters: Waiters,
    /// One for each group of the free list.
    memory: Box<[Memory]>,
    counters: Counters,
}

/// What happened on the way to a buffer that was not simply there.
#[derive(Debug, Default)]
struct Counters {
    exhausted: AtomicUsize,
    waited: AtomicUsize,
    degraded: AtomicUsize,
    from_other_node: AtomicUsize,
}

impl Slab {
    /// The buffers of `class`, in pieces of memory that hold all of them each. Threads have `stripes` stacks among them, a
    /// power of two.
    pub(super) fn new(class: SizeClass, memory: Box<[Memory]>, stripes: usize) -> Self {
        let shape = Shape {
            groups: u16::try_from(memory.len()).expect(CHECKED),
            group_len: u16::try_from(class.buffers).expect(CHECKED),
            stripes: stripes.min(class.buffers.next_power_of_two()),
        };
        Self {
            class,
            stride: class.stride().expect("memory that holds it was had"),
            free: FreeList::new(shape),
            waiters: Waiters::default(),
            memory,
            counters: Counters::default(),
        }
    }

    /// Bytes of each buffer.
    pub(super) fn buffer_bytes(&self) -> usize {
        self.class.buffer_bytes
    }

    /// Takes a buffer for a thread with this `home`: the one that it gave back last, if it can be.
    pub(super) fn acquire(&self, home: usize) -> Option<PoolSlot> {
        let slot = self.free.pop(home);
        self.note(slot)
    }

    /// Takes the next buffer that comes back, after all who wait already.
    pub(super) fn wait(&self, patience: impl FnMut() -> Duration) -> Option<PoolSlot> {
        self.counters.waited.fetch_add(1, Ordering::Relaxed);
        let slot = self.waiters.wait(&self.free, patience);
        self.note(slot)
    }

    /// Counts a buffer of another node, which is slower than any counter.
    fn note(&self, slot: Option<PoolSlot>) -> Option<PoolSlot> {
        if slot.is_some_and(|slot| slot.group > 0) {
            self.counters.from_other_node.fetch_add(1, Ordering::Relaxed);
        }
        slot
    }

    /// Gives back a buffer that the caller owns.
    pub(super) fn release(&self, slot: PoolSlot, home: usize) {
        if let Err(SomebodyWaits) = self.free.push(slot, home) {
            self.waiters.hand_over(&self.free, slot, home);
        }
    }

    /// Counts a caller who found no buffer.
    pub(super) fn count_exhausted(&self) {
        self.counters.exhausted.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a caller who found no buffer and took pageable memory.
    pub(super) fn count_degraded(&self) {
        self.counters.degraded.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps the memory of a buffer for ever, which is never given back.
    pub(super) fn quarantine(&self, slot: PoolSlot) {
        self.memory[usize::from(slot.group)].quarantine();
    }

    /// What [`Memory::into_region`] says of each piece. Nobody owns a buffer any more, and no buffer is acquired again.
    pub(super) fn take_regions(&mut self) -> impl Iterator<Item = Result<HostRegion>> {
        std::mem::take(&mut self.memory).into_iter().map(Memory::into_region)
    }

    /// The first byte of a buffer that the caller owns.
    pub(super) fn address(&self, slot: PoolSlot) -> *mut u8 {
        let group = usize::from(slot.group);
        let place = usize::from(slot.index) - group * self.class.buffers;
        // Within the pages, which hold that many strides.
        self.memory[group].address(place * self.stride)
    }

    /// Every buffer is out.
    pub(super) fn exhaustion(&self) -> Error {
        let ClassStats { buffer_bytes, capacity, leased, quarantined, .. } = self.stats();
        Error::Exhausted { buffer_bytes, capacity, leased, quarantined }
    }

    /// None came back in time.
    pub(super) fn deadline(&self) -> Error {
        let ClassStats { buffer_bytes, capacity, quarantined, .. } = self.stats();
        Error::Deadline { buffer_bytes, capacity, quarantined }
    }

    pub(super) fn files(&self) -> impl Iterator<Item = Option<BorrowedFd<'_>>> {
        self.memory.iter().map(Memory::file)
    }

    pub(super) fn memory_stats(&self) -> impl Iterator<Item = MemoryStats> {
        self.memory.iter().map(Memory::stats)
    }

    pub(super) fn stats(&self) -> ClassStats {
        let read = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let capacity = self.free.len();
        let quarantined = self.memory.iter().map(Memory::quarantined).sum();
        ClassStats {
            buffer_bytes: self.class.buffer_bytes,
            capacity,
            leased: capacity.saturating_sub(self.free.free() + quarantined),
            leased_max: self.free.started(),
            quarantined,
            exhausted: read(&self.counters.exhausted),
            waited: read(&self.counters.waited),
            degraded: read(&self.counters.degraded),
            from_other_node: read(&self.counters.from_other_node),
        }
    }
}
