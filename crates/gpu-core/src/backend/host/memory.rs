//! Host memory in place of device memory and of page-locked memory.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

use crate::error::{Error, Result};

/// Alignment of every allocation, that of the CUDA driver.
const ALIGNMENT: usize = 256;

/// The pointer behind the address of a view of this backend.
pub(crate) fn pointer(address: u64) -> *mut u8 {
    #[expect(clippy::cast_possible_truncation, reason = "it was a pointer of this machine")]
    std::ptr::with_exposed_provenance_mut(address as usize)
}

/// Zeroed bytes, aligned for any element.
#[derive(Debug)]
pub(crate) struct Memory {
    pointer: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the allocation belongs to this value alone; who may touch its bytes is decided by borrows above.
unsafe impl Send for Memory {}
// SAFETY: as above; shared access only reads the address.
unsafe impl Sync for Memory {}

impl Memory {
    pub(crate) fn zeroed(bytes: usize) -> Result<Self> {
        let layout = Layout::from_size_align(bytes.max(1), ALIGNMENT)
            .map_err(|_| Error::OutOfMemory { bytes })?;
        // SAFETY: the layout is not empty.
        let pointer = unsafe { alloc_zeroed(layout) };
        let pointer = NonNull::new(pointer).ok_or(Error::OutOfMemory { bytes })?;
        Ok(Self { pointer, layout })
    }

    pub(crate) fn pointer(&self) -> *mut u8 {
        self.pointer.as_ptr()
    }

    pub(crate) fn address(&self) -> u64 {
        // Exposed, because views carry the address and the reference turns it back into a slice.
        self.pointer.as_ptr().expose_provenance() as u64
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: `zeroed` allocated it with this layout, and the owner has settled the device.
        unsafe { dealloc(self.pointer.as_ptr(), self.layout) };
    }
}
