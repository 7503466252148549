//! One buffer of a pool, owned until it is dropped.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use gpu_core::Pod;

use super::anchor::{Anchor, thread_number};
use super::free_list::PoolSlot;
use super::slab::ALIGNMENT;
use crate::error::{Error, Result};

/// An idle buffer, page-locked unless [`is_pinned`](Lease::is_pinned) says otherwise: readable, writable, and back in its pool when dropped.
///
/// Submitting moves it into the pipeline, so what a copy may still use cannot be read:
///
/// ```compile_fail,E0382
/// # use memory_pipeline::{Error, Lease, MemoryOptimizer, Stage};
/// fn peek<S: Stage<Input = u8>>(
///     pipeline: &mut MemoryOptimizer<S>,
///     lease: Lease<u8>,
/// ) -> Result<u8, Error> {
///     pipeline.submit(lease)?;
///     Ok(lease[0])
/// }
/// ```
///
/// It could if another lease had gone:
///
/// ```
/// # use memory_pipeline::{Error, Lease, MemoryOptimizer, Stage};
/// # fn peek<S: Stage<Input = u8>>(
/// #     pipeline: &mut MemoryOptimizer<S>,
/// #     lease: Lease<u8>,
/// # ) -> Result<u8, Error> {
///     pipeline.submit(pipeline.acquire()?)?;
/// #     Ok(lease[0])
/// # }
/// ```
///
/// Nor through a slice that was taken before:
///
/// ```compile_fail,E0505
/// # use memory_pipeline::{Error, Lease, MemoryOptimizer, Stage};
/// fn peek<S: Stage<Input = u8>>(
///     pipeline: &mut MemoryOptimizer<S>,
///     lease: Lease<u8>,
/// ) -> Result<u8, Error> {
///     let bytes: &[u8] = &lease;
///     pipeline.submit(lease)?;
///     Ok(bytes[0])
/// }
/// ```
///
/// Again, it could if another lease had gone:
///
/// ```
/// # use memory_pipeline::{Error, Lease, MemoryOptimizer, Stage};
/// # fn peek<S: Stage<Input = u8>>(
/// #     pipeline: &mut MemoryOptimizer<S>,
/// #     lease: Lease<u8>,
/// # ) -> Result<u8, Error> {
/// #     let bytes: &[u8] = &lease;
///     pipeline.submit(pipeline.acquire()?)?;
/// #     Ok(bytes[0])
/// # }
/// ```
///
/// Nor can it be submitted twice:
///
/// ```compile_fail,E0382
/// # use memory_pipeline::{Error, Lease, MemoryOptimizer, Stage};
/// fn twice<S: Stage<Input = u8>>(
///     pipeline: &mut MemoryOptimizer<S>,
///     lease: Lease<u8>,
/// ) -> Result<u64, Error> {
///     pipeline.submit(lease)?;
///     Ok(pipeline.submit(lease)?)
/// }
/// ```
///
/// Two leases can:
///
/// ```
/// # use memory_pipeline::{Error, Lease, MemoryOptimizer, Stage};
/// # fn twice<S: Stage<Input = u8>>(
/// #     pipeline: &mut MemoryOptimizer<S>,
/// #     lease: Lease<u8>,
/// # ) -> Result<u64, Error> {
///     pipeline.submit(pipeline.acquire()?)?;
/// #     Ok(pipeline.submit(lease)?)
/// # }
/// ```
///
/// Nor can it go into two pipelines:
///
/// ```compile_fail,E0382
/// # use memory_pipeline::{Error, Lease, MemoryOptimizer, Stage};
/// fn both<S: Stage<Input = u8>>(
///     [first, second]: [&mut MemoryOptimizer<S>; 2],
///     lease: Lease<u8>,
/// ) -> Result<u64, Error> {
///     first.submit(lease)?;
///     Ok(second.submit(lease)?)
/// }
/// ```
///
/// A lease for each can:
///
/// ```
/// # use memory_pipeline::{Error, Lease, MemoryOptimizer, Stage};
/// # fn both<S: Stage<Input = u8>>(
/// #     [first, second]: [&mut MemoryOptimizer<S>; 2],
/// #     lease: Lease<u8>,
/// # ) -> Result<u64, Error> {
///     first.submit(first.acquire()?)?;
/// #     Ok(second.submit(lease)?)
/// # }
/// ```
///
/// Before it is submitted it can be read, and after it came back:
///
/// ```
/// # use memory_pipeline::{Error, Lease, MemoryOptimizer, Stage};
/// fn peek<S: Stage<Input = u8>>(
///     pipeline: &mut MemoryOptimizer<S>,
///     lease: Lease<u8>,
/// ) -> Result<Option<(u8, u8)>, Error> {
///     let before = lease[0];
///     pipeline.submit(lease)?;
///     Ok(pipeline.complete()?.map(|batch| (before, batch.input[0])))
/// }
/// ```
pub struct Lease<T: Pod> {
    /// The first element. Invariant: aligned for `T` and for any transfer, and nobody else's while the lease lives.
    first: *mut T,
    /// Invariant: at most `capacity`.
    len: usize,
    /// Elements that fit, each of them zeroed or written.
    capacity: usize,
    home: Home,
    /// A shared lease hands out `&T`, so it may be shared between threads only if `T` may.
    element: PhantomData<T>,
}

/// Where a buffer goes when its lease ends.
enum Home {
    /// Back to the slab.
    Slab { anchor: Anchor, class: u16, slot: PoolSlot },
    /// Nowhere: it is freed.
    Pageable { memory: Vec<Chunk> },
}

/// Pageable memory in the alignment of a slab's.
#[derive(Clone)]
#[repr(C, align(256))]
struct Chunk([u8; ALIGNMENT]);

// SAFETY: what `first` points at is owned by the lease alone, as by a `Vec<T>`.
unsafe impl<T: Pod + Send> Send for Lease<T> {}
// SAFETY: a shared lease gives shared access to its elements and to nothing else that changes.
unsafe impl<T: Pod + Sync> Sync for Lease<T> {}

impl<T: Pod> Lease<T> {
    /// A lease of a buffer of slab `class`, which the caller has just acquired and which holds `len` elements.
    pub(super) fn new(anchor: Anchor, class: u16, slot: PoolSlot, len: usize) -> Self {
        let slab = &anchor.slabs()[usize::from(class)];
        let (first, capacity) = (slab.address(slot).cast(), slab.buffer_bytes() / size_of::<T>());
        Self {
            first,
            len,
            capacity,
            home: Home::Slab { anchor, class, slot },
            element: PhantomData,
        }
    }

    /// A lease of `len` zeroed elements of ordinary memory.
    pub(super) fn pageable(len: usize) -> Self {
        let chunks = (len * size_of::<T>()).div_ceil(size_of::<Chunk>());
        let mut memory = vec![Chunk([0; ALIGNMENT]); chunks];
        let first = memory.as_mut_ptr().cast();
        Self { first, len, capacity: len, home: Home::Pageable { memory }, element: PhantomData }
    }

    /// Elements that fit into the buffer.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether the buffer is the pool's. Copies from and to pageable memory are slow and do not overlap.
    pub fn is_pinned(&self) -> bool {
        matches!(self.home, Home::Slab { .. })
    }

    /// Makes the first `len` elements of the buffer the lease's content. Elements that appear hold what they last held.
    ///
    /// # Errors
    /// [`Error::LeaseLength`] if they do not fit; the length stays as it was.
    pub fn resize(&mut self, len: usize) -> Result<()> {
        if len > self.capacity {
            return Err(Error::LeaseLength { len, max: self.capacity });
        }
        self.len = len;
        Ok(())
    }

    /// Gives the buffer up for ever: a copy may still use it. Neither freed nor leased again.
    pub(crate) fn quarantine(mut self) {
        // What is left of the lease owns nothing.
        match std::mem::replace(&mut self.home, Home::Pageable { memory: Vec::new() }) {
            Home::Slab { anchor, class, slot } => {
                anchor.slabs()[usize::from(class)].quarantine(slot);
            }
            Home::Pageable { memory } => std::mem::forget(memory),
        }
    }
}

impl<T: Pod> Deref for Lease<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `first` is aligned and followed by at least `len` elements of a Pod type, zeroed or written, that are
        // nobody else's; writing takes `&mut self`.
        unsafe { std::slice::from_raw_parts(self.first, self.len) }
    }
}

impl<T: Pod> DerefMut for Lease<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`, and the lease is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.first, self.len) }
    }
}

impl<T: Pod> Drop for Lease<T> {
    fn drop(&mut self) {
        if let Home::Slab { anchor, class, slot } = &self.home {
            anchor.slabs()[usize::from(*class)].release(*slot, thread_number());
        }
    }
}

impl<T: Pod> std::fmt::Debug for Lease<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Lease")
            .field("len", &self.len)
            .field("is_pinned", &self.is_pinned())
            .finish_non_exhaustive()
    }
}
