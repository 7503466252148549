//! A lock-free stack of free buffer indices: last in, first out, so that a warm buffer goes out first.
//!
//! Treiber's stack (R. K. Treiber, "Systems Programming: Coping with Parallelism", IBM RJ 5118, 1986) over indices in place
//! of pointers, with the modification counter of the IBM System/370 free list against the ABA problem.
//! Nodes are never freed, so nothing has to be reclaimed. Never allocates after `new`, never spins without progress of another thread.

use crate::sync::{AtomicU16, AtomicU64, Ordering};

/// Low bits of the head: an index. The other 48 bits are the tag.
const INDEX_BITS: u32 = u16::BITS;
/// The index that stands for "no buffer".
const EMPTY: u16 = u16::MAX;
/// Most indices a list can hold.
pub(super) const LEN_MAX: usize = EMPTY as usize;

/// Indices `0..len`, each either in the list or owned by whoever popped it.
#[derive(Debug)]
pub(crate) struct FreeList {
    /// Index of the first free buffer in the low 16 bits, and above it a tag that changes on every pop.
    ///
    /// Invariant: the tag makes a stale compare-exchange fail. At 10^8 pops a second it takes 32 days to
    /// come round, and then only a thread that slept for exactly that long could be fooled.
    head: AtomicU64,
    /// For each free buffer, the one below it. Those of popped buffers mean nothing.
    next: Box<[AtomicU16]>,
}

impl FreeList {
    /// All of `0..len` free, 0 on top. `len` is at most [`LEN_MAX`].
    pub(crate) fn new(len: u16) -> Self {
        let below = |index: u16| if index + 1 < len { index + 1 } else { EMPTY };
        let next = (0..len).map(|index| AtomicU16::new(below(index))).collect();
        let top = if len == 0 { EMPTY } else { 0 };
        Self { head: AtomicU64::new(Head { index: top, tag: 0 }.pack()), next }
    }

    /// Takes the index that was pushed last; `None` if none is free.
    pub(crate) fn pop(&self) -> Option<u16> {
        // Acquire: what the last owner wrote to the buffer, and the `next` that its push stored, are visible here.
        let mut seen = self.head.load(Ordering::Acquire);
        loop {
            let head = Head::unpack(seen);
            if head.index == EMPTY {
                return None;
            }
            // May be stale if another thread popped this index meanwhile; then the tag has changed and we try again.
            let below = self.next[usize::from(head.index)].load(Ordering::Relaxed);
            let popped = Head { index: below, tag: head.tag.wrapping_add(1) }.pack();
            match self.head.compare_exchange_weak(
                seen,
                popped,
                Ordering::Acquire,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(head.index),
                Err(now) => seen = now,
            }
        }
    }

    /// Gives back an index that the caller popped and has not pushed since.
    pub(crate) fn push(&self, index: u16) {
        let mut seen = self.head.load(Ordering::Relaxed);
        loop {
            let head = Head::unpack(seen);
            self.next[usize::from(index)].store(head.index, Ordering::Relaxed);
            // Release: the next owner sees what this one wrote. Pops in between keep the release sequence.
            match self.head.compare_exchange_weak(
                seen,
                Head { index, tag: head.tag }.pack(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }
}

/// The two parts of the head.
#[derive(Clone, Copy)]
struct Head {
    index: u16,
    /// Only the low 48 bits are kept.
    tag: u64,
}

impl Head {
    fn pack(self) -> u64 {
        (self.tag << INDEX_BITS) | u64::from(self.index)
    }

    fn unpack(word: u64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the low 16 bits are the index")]
        let index = word as u16;
        Self { index, tag: word >> INDEX_BITS }
    }
}

#[cfg(test)]
mod tests;
