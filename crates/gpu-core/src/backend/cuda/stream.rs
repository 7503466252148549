//! Streams: queues of copies, fills, launches, records and waits.
//!
//! Made so that they do not wait for the default stream.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use cust_raw::{CUstream_flags_enum, CUstream_st};

use super::raw::{self, Handle};
use super::{Context, Event, Function};
use crate::error::Result;
use crate::kernel::Params;
use crate::launch::{Cooperation, Launch};

/// A stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(super) handle: Handle<CUstream_st>,
    pub(super) context: Arc<Context>,
}

impl Stream {
    pub(super) fn new(context: Arc<Context>) -> Result<Self> {
        let flags = CUstream_flags_enum::CU_STREAM_NON_BLOCKING;
        context.bind()?;
        let mut stream = ptr::null_mut();
        // SAFETY: the driver writes one handle.
        unsafe { raw::call!(cuStreamCreate(&raw mut stream, flags as u32)) }?;
        Ok(Self { handle: Handle(stream), context })
    }

    /// # Safety
    /// See `RawStream::upload`.
    pub(crate) unsafe fn upload(&self, from: *const u8, to: u64, bytes: usize) -> Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        self.context.bind()?;
        let from = from.cast::<c_void>();
        // SAFETY: the caller keeps both ends alive until the stream has passed this copy.
        unsafe { raw::call!(cuMemcpyHtoDAsync_v2(to, from, bytes, self.handle.0)) }
    }

    /// # Safety
    /// See `RawStream::download`.
    pub(crate) unsafe fn download(&self, from: u64, to: *mut u8, bytes: usize) -> Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        self.context.bind()?;
        let to = to.cast::<c_void>();
        // SAFETY: the caller keeps both ends alive until the stream has passed this copy.
        unsafe { raw::call!(cuMemcpyDtoHAsync_v2(to, from, bytes, self.handle.0)) }
    }

    pub(crate) fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        self.context.bind()?;
        // SAFETY: both addresses are of buffers of this device, which settle it before they free; the target's view
        // is exclusive, so the two do not overlap.
        unsafe { raw::call!(cuMemcpyDtoDAsync_v2(to, from, bytes, self.handle.0)) }
    }

    pub(crate) fn zero(&self, to: u64, bytes: usize) -> Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        self.context.bind()?;
        // SAFETY: the address is of a buffer of this device, which settles it before it frees.
        unsafe { raw::call!(cuMemsetD8Async(to, 0, bytes, self.handle.0)) }
    }

    pub(crate) fn launch(
        &self,
        function: &Function,
        launch: &Launch,
        mut params: Params,
    ) -> Result<()> {
        self.context.bind()?;
        // One pointer a slot; the driver reads as many as the kernel has parameters, before the call returns.
        let mut pointers =
            params.values.each_mut().map(|slot| ptr::from_mut(slot).cast::<c_void>());
        let pointers = pointers.as_mut_ptr();
        let Launch { grid: [gx, gy, gz], block: [bx, by, bz], shared_bytes } = *launch;
        let (kernel, stream) = (function.handle.0, self.handle.0);
        match function.cooperation {
            // SAFETY: the contract was checked when `function` was prepared; `Kernel` promises that the parameters
            // are those of the entry point and stay in bounds; viewed memory outlives the launch, because
            // buffers settle the device before they free.
            Cooperation::Independent => unsafe {
                raw::call!(cuLaunchKernel(
                    kernel,
                    gx,
                    gy,
                    gz,
                    bx,
                    by,
                    bz,
                    shared_bytes,
                    stream,
                    pointers,
                    ptr::null_mut(),
                ))
            },
            // SAFETY: as above.
            Cooperation::Grid => unsafe {
                raw::call!(cuLaunchCooperativeKernel(
                    kernel,
                    gx,
                    gy,
                    gz,
                    bx,
                    by,
                    bz,
                    shared_bytes,
                    stream,
                    pointers,
                ))
            },
        }
    }

    pub(crate) fn record(&self, event: &Event) -> Result<()> {
        self.context.bind()?;
        // SAFETY: stream and event live; both are of this context.
        unsafe { raw::call!(cuEventRecord(event.handle.0, self.handle.0)) }
    }

    pub(crate) fn wait(&self, event: &Event) -> Result<()> {
        self.context.bind()?;
        // SAFETY: stream and event live; no flag is defined.
        unsafe { raw::call!(cuStreamWaitEvent(self.handle.0, event.handle.0, 0)) }
    }

    pub(crate) fn synchronize(&self) -> Result<()> {
        self.context.bind()?;
        // SAFETY: the stream lives as long as `self`.
        unsafe { raw::call!(cuStreamSynchronize(self.handle.0)) }
    }

    pub(crate) fn is_idle(&self) -> Result<bool> {
        self.context.bind()?;
        // SAFETY: the stream lives as long as `self`.
        raw::is_done(unsafe { raw::call!(cuStreamQuery(self.handle.0)) })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // The driver lets what is queued finish; who lent it memory has settled it or settles the device.
        // SAFETY: `new` made it, and only this destroys it.
        self.context.release(|| unsafe { raw::call!(cuStreamDestroy_v2(self.handle.0)) });
    }
}
