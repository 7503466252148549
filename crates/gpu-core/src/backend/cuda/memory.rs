//! Device memory and page-locked host memory, zeroed when it is made.
//!
//! Freeing never waits for work in flight: the owner has settled the device.

use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use cust_raw::{CU_MEMHOSTALLOC_PORTABLE, CUdeviceptr};

use super::{Context, raw};
use crate::error::{ErrorKind, Result};

/// Device memory.
#[derive(Debug)]
pub(crate) struct Memory {
    address: CUdeviceptr,
    context: Arc<Context>,
}

impl Memory {
    pub(super) fn zeroed(context: Arc<Context>, bytes: usize) -> Result<Self> {
        // The driver refuses to allocate nothing.
        let bytes = bytes.max(1);
        context.bind()?;
        let mut address = 0;
        // SAFETY: the driver writes one address.
        unsafe { raw::call!(cuMemAlloc_v2(&raw mut address, bytes)) }?;
        // Owned from here on, so that a failure below gives it back.
        let memory = Self { address, context };
        match memory.clear(bytes) {
            Ok(()) => Ok(memory),
            Err(error) => {
                // The zeroes may still be on their way: whoever gets these addresses next must not meet them.
                let waited = memory.context.synchronize();
                if waited.is_err_and(|error| error.kind() != ErrorKind::Poisoned) {
                    std::mem::forget(memory);
                }
                Err(error)
            }
        }
    }

    /// Fills with zeroes and waits. The context is bound.
    fn clear(&self, bytes: usize) -> Result<()> {
        let default_stream = ptr::null_mut();
        // SAFETY: the `bytes` bytes at the address are ours and nothing else knows of them.
        unsafe { raw::call!(cuMemsetD8Async(self.address, 0, bytes, default_stream)) }?;
        // Our streams do not wait for the default stream, so the host does.
        // SAFETY: a null handle is the default stream of the context that was bound.
        unsafe { raw::call!(cuStreamSynchronize(default_stream)) }
    }

    pub(crate) fn address(&self) -> u64 {
        self.address
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: `zeroed` allocated it, only this frees it, and the owner has settled the device.
        self.context.release(|| unsafe { raw::call!(cuMemFree_v2(self.address)) });
    }
}

/// Page-locked host memory, usable for copies of every device.
#[derive(Debug)]
pub(crate) struct Pinned {
    pointer: NonNull<u8>,
    context: Arc<Context>,
}

// SAFETY: the allocation belongs to this value alone; who may touch its bytes is decided by borrows above.
unsafe impl Send for Pinned {}
// SAFETY: as above; shared access only reads the address.
unsafe impl Sync for Pinned {}

impl Pinned {
    pub(super) fn zeroed(context: Arc<Context>, bytes: usize) -> Result<Self> {
        let bytes = bytes.max(1);
        context.bind()?;
        let mut pointer: *mut c_void = ptr::null_mut();
        // SAFETY: the driver writes one pointer.
        unsafe { raw::call!(cuMemHostAlloc(&raw mut pointer, bytes, CU_MEMHOSTALLOC_PORTABLE)) }?;
        let pointer = NonNull::new(pointer.cast::<u8>())
            .expect("the driver reports success only with an allocation");
        // SAFETY: the driver allocated `bytes` bytes there, which are ours alone.
        unsafe { pointer.as_ptr().write_bytes(0, bytes) };
        Ok(Self { pointer, context })
    }

    pub(crate) fn pointer(&self) -> *mut u8 {
        self.pointer.as_ptr()
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let pointer = self.pointer.as_ptr().cast::<c_void>();
        // SAFETY: `zeroed` allocated it, only this frees it, and the owner has settled the device.
        self.context.release(|| unsafe { raw::call!(cuMemFreeHost(pointer)) });
    }
}

/// Free and total memory of the device, in bytes.
pub(super) fn free_and_total(context: &Context) -> Result<(u64, u64)> {
    context.bind()?;
    let (mut free, mut total) = (0_usize, 0_usize);
    // SAFETY: the driver writes two sizes.
    unsafe { raw::call!(cuMemGetInfo_v2(&raw mut free, &raw mut total)) }?;
    Ok((free as u64, total as u64))
}
