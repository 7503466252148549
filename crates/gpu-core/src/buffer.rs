//! Memory that is owned: on the device, and page-locked on the host.
//!
//! Dropping waits for the device first: the driver documents only that freeing *may* wait.
//! So a steady state frees nothing, and a program that drops too early is slow, never wrong. If the driver
//! cannot say whether the device is done, the memory is kept until it can, in the end for ever. What a graph could name, because it was there
//! while the graph was captured, is freed with the last such graph.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use bytemuck::Pod;

use crate::backend::{RawMemory, RawPinned};
use crate::capture::{Birth, Retired};
use crate::device::{DeviceId, DeviceInner};
use crate::region::HostRegion;
use crate::view::{DeviceSlice, DeviceSliceMut, Place, StreamId};

/// Elements in device memory. Made by [`Device::buffer`](crate::Device::buffer), zeroed.
#[derive(Debug)]
pub struct DeviceBuffer<T: Pod> {
    memory: ManuallyDrop<RawMemory>,
    len: usize,
    device: Arc<DeviceInner>,
    birth: Birth,
    element: PhantomData<T>,
}

impl<T: Pod> DeviceBuffer<T> {
    pub(crate) fn new(device: Arc<DeviceInner>, memory: RawMemory, len: usize) -> Self {
        let birth = device.captures.birth();
        Self { memory: ManuallyDrop::new(memory), len, device, birth, element: PhantomData }
    }

    /// Elements in the buffer.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All elements, shared.
    pub fn view(&self) -> DeviceSlice<'_, T> {
        DeviceSlice::new(self.device.id.into(), self.memory.address(), self.len)
    }

    /// All elements, exclusive.
    pub fn view_mut(&mut self) -> DeviceSliceMut<'_, T> {
        DeviceSliceMut::new(self.device.id.into(), self.memory.address(), self.len)
    }
}

impl<T: Pod> Drop for DeviceBuffer<T> {
    fn drop(&mut self) {
        // SAFETY: the buffer is being dropped, so its memory is not used again.
        let memory = unsafe { ManuallyDrop::take(&mut self.memory) };
        self.device.captures.retire(&self.device, self.birth, Retired::Memory(memory));
    }
}

/// Elements in page-locked host memory. Made by [`Device::pinned`](crate::Device::pinned), zeroed, or of a region's bytes
/// by [`Device::register`](crate::Device::register).
///
/// On the host backend the pages are ordinary ones.
#[derive(Debug)]
pub struct PinnedBuffer<T: Pod> {
    memory: ManuallyDrop<RawPinned>,
    len: usize,
    device: Arc<DeviceInner>,
    birth: Birth,
    element: PhantomData<T>,
}

impl<T: Pod> PinnedBuffer<T> {
    pub(crate) fn new(device: Arc<DeviceInner>, memory: RawPinned, len: usize) -> Self {
        let birth = device.captures.birth();
        Self { memory: ManuallyDrop::new(memory), len, device, birth, element: PhantomData }
    }
}

impl<T: Pod> PinnedBuffer<T> {
    /// Where the elements are, for whoever hands out parts of the buffer and keeps them apart.
    pub fn as_mut_ptr(&mut self) -> *mut T {
        self.memory.pointer().cast()
    }

    /// The elements as kernels of `stream` see them: page-locked memory has one address for host and device.
    #[expect(clippy::needless_pass_by_ref_mut, reason = "the exclusive borrow becomes the view's")]
    pub(crate) fn view_for(&mut self, stream: StreamId) -> DeviceSliceMut<'_, T> {
        let place = Place { device: self.device.id, stream: Some(stream) };
        let address = self.memory.pointer().expose_provenance() as u64;
        DeviceSliceMut::new(place, address, self.len)
    }

    pub(crate) fn device(&self) -> DeviceId {
        self.device.id
    }
}

impl PinnedBuffer<u8> {
    /// The region that [`Device::register`](crate::Device::register) page-locked, with its content and no longer page-locked.
    ///
    /// Waits for the device, and for a capture of another thread. A lost device gives its region back too. `None` for
    /// memory that the device allocated, inside a capture of this thread, and where the driver does not let go;
    /// such memory is dropped as usual. A graph with copies of this memory must not be replayed any more, as
    /// [`Stream::upload`](crate::Stream::upload) asks.
    pub fn into_region(self) -> Option<HostRegion> {
        if !self.memory.is_region() || !self.device.captures.settle_between(&self.device) {
            return None;
        }
        let mut buffer = ManuallyDrop::new(self);
        // SAFETY: the buffer is not dropped, so this is the only one that takes its memory.
        let memory = unsafe { ManuallyDrop::take(&mut buffer.memory) };
        // SAFETY: the buffer is not dropped and its device is not used again, so this is the only owner of the copy.
        drop(unsafe { std::ptr::read(&raw const buffer.device) });
        memory.into_region()
    }
}

impl<T: Pod> Deref for PinnedBuffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the allocation holds `len` zeroed or written elements of a Pod type, aligned for any,
        // and copies in flight borrow or own the buffer, so nothing writes while this borrow lives.
        unsafe { std::slice::from_raw_parts(self.memory.pointer().cast::<T>(), self.len) }
    }
}

impl<T: Pod> DerefMut for PinnedBuffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`, and `&mut self` makes the borrow the only one.
        unsafe { std::slice::from_raw_parts_mut(self.memory.pointer().cast::<T>(), self.len) }
    }
}

impl<T: Pod> Drop for PinnedBuffer<T> {
    fn drop(&mut self) {
        // SAFETY: the buffer is being dropped, so its memory is not used again.
        let memory = unsafe { ManuallyDrop::take(&mut self.memory) };
        self.device.captures.retire(&self.device, self.birth, Retired::Pinned(memory));
    }
}
