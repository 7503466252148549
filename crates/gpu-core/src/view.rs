//! Views of device memory: an address, a length and a borrow.
//!
//! A view never owns. It holds an address and not a handle, because handles move and memory does not.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use bytemuck::Pod;

use crate::device::DeviceId;
use crate::error::{Error, Result};

/// Who may use a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) device: DeviceId,
    /// Set for host memory that is lent to the scope of one stream: no other stream waits at its end.
    pub(crate) stream: Option<StreamId>,
}

/// For how long memory that queued work names is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tenure {
    /// Until nothing needs it: buffers see to that, or whoever called an `unsafe` function.
    Kept,
    /// Until the call or the scope ends that lends it, so not for a graph, which would use it again later.
    Lent,
}

impl Tenure {
    /// For how long both this and `other` are there.
    pub(crate) fn and(self, other: Self) -> Self {
        if self == Self::Lent { self } else { other }
    }
}

impl Place {
    pub(crate) fn tenure(self) -> Tenure {
        if self.stream.is_some() { Tenure::Lent } else { Tenure::Kept }
    }
}

/// Which stream; never used twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamId(u64);

impl StreamId {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl From<DeviceId> for Place {
    fn from(device: DeviceId) -> Self {
        Self { device, stream: None }
    }
}

/// Shared elements of device memory, like `&[T]`.
#[derive(Clone, Copy, Debug)]
pub struct DeviceSlice<'a, T> {
    pub(crate) place: Place,
    pub(crate) address: u64,
    len: usize,
    lifetime: PhantomData<&'a [T]>,
}

/// Exclusive elements of device memory, like `&mut [T]`.
#[derive(Debug)]
pub struct DeviceSliceMut<'a, T> {
    pub(crate) place: Place,
    pub(crate) address: u64,
    len: usize,
    lifetime: PhantomData<&'a mut [T]>,
}

impl<'a, T: Pod> DeviceSlice<'a, T> {
    /// A view of `len` elements at `address`, for whoever keeps that memory alive for `'a`.
    pub(crate) fn new(place: Place, address: u64, len: usize) -> Self {
        Self { place, address, len, lifetime: PhantomData }
    }

    /// Elements in the view.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Elements `range` of this view.
    ///
    /// # Errors
    /// [`Error::Length`] if the range reaches past the end or is reversed.
    pub fn range(self, range: Range<usize>) -> Result<Self> {
        check_range(&range, self.len)?;
        let address = self.address + byte_offset::<T>(range.start);
        Ok(Self::new(self.place, address, range.len()))
    }

    /// Elements as bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.len * size_of::<T>()
    }
}

impl<'a, T: Pod> DeviceSliceMut<'a, T> {
    pub(crate) fn new(place: Place, address: u64, len: usize) -> Self {
        Self { place, address, len, lifetime: PhantomData }
    }

    /// Elements in the view.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The same elements, shared, for as long as this view is borrowed.
    pub fn as_shared(&self) -> DeviceSlice<'_, T> {
        DeviceSlice::new(self.place, self.address, self.len)
    }

    /// The same elements, exclusive, for as long as this view is borrowed.
    pub fn reborrow(&mut self) -> DeviceSliceMut<'_, T> {
        DeviceSliceMut::new(self.place, self.address, self.len)
    }

    /// Elements `range` of this view.
    ///
    /// # Errors
    /// [`Error::Length`] if the range reaches past the end or is reversed.
    pub fn range(self, range: Range<usize>) -> Result<Self> {
        check_range(&range, self.len)?;
        let address = self.address + byte_offset::<T>(range.start);
        Ok(Self::new(self.place, address, range.len()))
    }

    /// Two views: the elements before `index`, and the rest.
    ///
    /// # Errors
    /// [`Error::Length`] if `index` is past the end.
    pub fn split_at(self, index: usize) -> Result<(Self, Self)> {
        check_range(&(0..index), self.len)?;
        let address = self.address + byte_offset::<T>(index);
        let head = Self::new(self.place, self.address, index);
        let tail = Self::new(self.place, address, self.len - index);
        Ok((head, tail))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.len * size_of::<T>()
    }
}

fn byte_offset<T>(index: usize) -> u64 {
    (index * size_of::<T>()) as u64
}

fn check_range(range: &Range<usize>, len: usize) -> Result<()> {
    if range.start > range.end || range.end > len {
        let expected = range.end.max(range.start);
        return Err(Error::Length { what: "the view", expected, actual: len });
    }
    Ok(())
}

/// Refuses two lengths that differ.
pub(crate) fn check_len(what: &'static str, expected: usize, actual: usize) -> Result<()> {
    if expected == actual { Ok(()) } else { Err(Error::Length { what, expected, actual }) }
}
