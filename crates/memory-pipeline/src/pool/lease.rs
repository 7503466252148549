//! One buffer of a pool, owned until it is dropped.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gpu_core::Pod;

use super::Shared;
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
    shared: Arc<Shared<T>>,
    /// Invariant: popped from the free list by the pool, pushed by our drop and nowhere else.
    index: u16,
    /// Invariant: at most the length of the buffer.
    len: usize,
    /// A shared lease hands out `&T`, so it may be shared between threads only if `T` may.
    element: PhantomData<T>,
}

impl<T: Pod> Lease<T> {
    /// A lease of buffer `index`, which the caller has just popped.
    pub(super) fn new(shared: Arc<Shared<T>>, index: u16) -> Self {
        let len = shared.buffer_len;
        Self { shared, index, len, element: PhantomData }
    }

    /// Elements that fit into the buffer.
    pub fn capacity(&self) -> usize {
        self.shared.buffer_len
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
        self.shared.quarantined.fetch_add(1, Ordering::Relaxed);
        self.shared.leased.fetch_sub(1, Ordering::Relaxed);
        // Keeps our share of the pool too, so its memory is never freed.
        std::mem::forget(self);
    }
}

impl<T: Pod> Deref for Lease<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: this lease holds the index, so nobody else touches the cell, and writing takes `&mut self`.
        let buffer = unsafe { &*self.shared.buffers[usize::from(self.index)].get() };
        &buffer[..self.len]
    }
}

impl<T: Pod> DerefMut for Lease<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: this lease holds the index, so nobody else touches the cell, and it is borrowed exclusively.
        let buffer = unsafe { &mut *self.shared.buffers[usize::from(self.index)].get() };
        &mut buffer[..self.len]
    }
}

impl<T: Pod> Drop for Lease<T> {
    fn drop(&mut self) {
        self.shared.leased.fetch_sub(1, Ordering::Relaxed);
        self.shared.free.push(self.index);
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
