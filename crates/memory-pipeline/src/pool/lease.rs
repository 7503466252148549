//! One buffer of a pool, owned until it is dropped.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use gpu_core::Pod;

use super::slab::Slab;
use crate::error::{Error, Result};

/// An idle page-locked buffer: readable, writable, and back in its pool when dropped.
///
/// Submitting moves it into the pipeline, so what a copy may still use cannot be read:
///
/// ```compile_fail,E0382
/// # use memory_pipeline::{Lease, MemoryOptimizer, Rejected, Stage};
/// fn peek<S: Stage<Input = u8>>(
///     pipeline: &mut MemoryOptimizer<S>,
///     lease: Lease<u8>,
/// ) -> Result<u8, Rejected<u8>> {
///     pipeline.submit(lease)?;
///     Ok(lease[0])
/// }
/// ```
///
/// Nor through a slice that was taken before:
///
/// ```compile_fail,E0505
/// # use memory_pipeline::{Lease, MemoryOptimizer, Rejected, Stage};
/// fn peek<S: Stage<Input = u8>>(
///     pipeline: &mut MemoryOptimizer<S>,
///     lease: Lease<u8>,
/// ) -> Result<u8, Rejected<u8>> {
///     let bytes: &[u8] = &lease;
///     pipeline.submit(lease)?;
///     Ok(bytes[0])
/// }
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
    slabs: Arc<[Slab]>,
    /// Which slab.
    slab: usize,
    /// Invariant: acquired from the slab by the pool, released by our drop and nowhere else.
    index: u16,
    /// Invariant: at most what the buffer holds.
    len: usize,
    /// A shared lease hands out `&T`, so it may be shared between threads only if `T` may.
    element: PhantomData<T>,
}

impl<T: Pod> Lease<T> {
    /// A lease of `len` elements of buffer `index`, which the caller has just acquired and which holds them.
    pub(super) fn new(slabs: Arc<[Slab]>, slab: usize, index: u16, len: usize) -> Self {
        Self { slabs, slab, index, len, element: PhantomData }
    }

    /// Elements that fit into the buffer.
    pub fn capacity(&self) -> usize {
        self.slab().buffer_bytes() / size_of::<T>()
    }

    /// Makes the first `len` elements of the buffer the lease's content. Elements that appear hold what they last held.
    ///
    /// # Errors
    /// [`Error::LeaseLength`] if they do not fit; the length stays as it was.
    pub fn resize(&mut self, len: usize) -> Result<()> {
        if len > self.capacity() {
            return Err(Error::LeaseLength { len, max: self.capacity() });
        }
        self.len = len;
        Ok(())
    }

    /// Gives the buffer up for ever: a copy may still use it. Neither freed nor leased again.
    pub(crate) fn quarantine(self) {
        self.slab().quarantine();
        // Keeps our share of the pool too, so its memory is never freed.
        std::mem::forget(self);
    }

    fn slab(&self) -> &Slab {
        &self.slabs[self.slab]
    }

    fn pointer(&self) -> *mut T {
        self.slab().address(self.index).cast()
    }
}

impl<T: Pod> Deref for Lease<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the buffer holds `len` elements of a Pod type, zeroed or written, and begins at a multiple of 256; this
        // lease holds its index, so nobody else touches it, and writing takes `&mut self`.
        unsafe { std::slice::from_raw_parts(self.pointer(), self.len) }
    }
}

impl<T: Pod> DerefMut for Lease<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`, and the lease is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.pointer(), self.len) }
    }
}

impl<T: Pod> Drop for Lease<T> {
    fn drop(&mut self) {
        self.slab().release(self.index);
    }
}

impl<T: Pod> std::fmt::Debug for Lease<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Lease")
            .field("index", &self.index)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
