//! What keeps a pool's memory alive while a lease is out.
//!
//! Every lease holds a share. One count for all of them would be written by every thread at every acquire and release,
//! so each of a few anchors has a count of its own, and holds one share of the pool for all leases of its threads.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::slab::Slab;
use crate::sync::Padded;

/// A share of a pool, to be shared by the leases of some threads.
#[derive(Clone)]
pub(super) struct Anchor(Arc<Padded<Arc<[Slab]>>>);

impl Anchor {
    pub(super) fn new(slabs: Arc<[Slab]>) -> Self {
        Self(Arc::new(Padded(slabs)))
    }

    /// Another share of the slabs, apart from this anchor.
    pub(super) fn share(&self) -> Arc<[Slab]> {
        Arc::clone(&self.0.0)
    }

    /// Leases that hold this anchor, of which the pool holds one itself.
    pub(super) fn leases(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }

    /// Smallest buffers first, each size once.
    pub(super) fn slabs(&self) -> &[Slab] {
        &self.0.0
    }
}

/// The number of the calling thread: 0 for the first one that asks, then 1, and so on. Threads that run at one time and
/// were started in a row have numbers in a row, so they fall on different stripes.
pub(super) fn thread_number() -> usize {
    const UNKNOWN: usize = usize::MAX;
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(UNKNOWN) };
    }
    NUMBER.with(|number| {
        if number.get() == UNKNOWN {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}
