//! Host memory that the driver did not allocate, page-locked for as long as it is registered.
//!
//! Letting go never waits for work in flight: the owner has settled the device.

use std::ffi::c_void;
use std::sync::Arc;

use cust_raw::CU_MEMHOSTREGISTER_PORTABLE;

use super::raw::{self, Handle};
use super::{Context, properties};
use crate::error::{Error, Result};
use crate::region::{HostRegion, Unregistered};

/// Most bytes that are registered at once: drivers refuse half a terabyte in one piece.
const PART_BYTES_MAX: usize = 64 << 30;

/// A region, all of it registered.
#[derive(Debug)]
pub(crate) struct Registered {
    /// Taken when the driver is to let go of it, and there until then.
    region: Option<HostRegion>,
    pointer: Handle<u8>,
    context: Arc<Context>,
}

impl Registered {
    pub(super) fn new(context: Arc<Context>, region: HostRegion) -> Result<Self, Unregistered> {
        match register(&context, &region) {
            Ok(()) => {
                let pointer = Handle(region.pointer());
                Ok(Self { region: Some(region), pointer, context })
            }
            Err(error) => Err(Unregistered { region, error }),
        }
    }

    pub(crate) fn pointer(&self) -> *mut u8 {
        self.pointer.0
    }

    /// The region, unless the driver holds on to it: then it is kept for ever, as a new mapping at its
    /// address would be taken for the old one.
    pub(crate) fn into_region(mut self) -> Option<HostRegion> {
        self.let_go()
    }

    fn let_go(&mut self) -> Option<HostRegion> {
        let region = self.region.take()?;
        let is_free = unregister(&self.context, &region, region.len());
        if is_free {
            return Some(region);
        }
        std::mem::forget(region);
        None
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        drop(self.let_go());
    }
}

/// Registers all of a region or nothing.
fn register(context: &Context, region: &HostRegion) -> Result<()> {
    if !properties::can_register(context.device)? {
        return Err(Error::RegisterForbidden);
    }
    context.bind()?;
    for (offset, bytes) in parts(region.len(), PART_BYTES_MAX) {
        let pointer = pointer(region, offset);
        // SAFETY: the pages are the region's, which outlives its registration.
        let registered = unsafe {
            raw::call!(cuMemHostRegister_v2(pointer, bytes, CU_MEMHOSTREGISTER_PORTABLE))
        };
        if let Err(error) = registered {
            unregister(context, region, offset);
            return Err(match error {
                Error::Driver { code: raw::NOT_PERMITTED | raw::NOT_SUPPORTED, .. } => {
                    Error::RegisterForbidden
                }
                error => error,
            });
        }
    }
    Ok(())
}

/// Lets go of the parts within the first `bytes`, and says whether the driver has.
fn unregister(context: &Context, region: &HostRegion, bytes: usize) -> bool {
    let mut is_free = true;
    for (offset, _) in parts(bytes, PART_BYTES_MAX) {
        let pointer = pointer(region, offset);
        // SAFETY: the part was registered at this address, and no work in flight uses it.
        is_free &= context.release(|| unsafe { raw::call!(cuMemHostUnregister(pointer)) });
    }
    is_free
}

fn pointer(region: &HostRegion, offset: usize) -> *mut c_void {
    region.pointer().wrapping_add(offset).cast()
}

/// Offsets and lengths of the parts of `bytes` bytes, each of at most `max`.
fn parts(bytes: usize, max: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..bytes).step_by(max).map(move |offset| (offset, max.min(bytes - offset)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_as_large_as_may_be_and_cover_everything_once() {
        assert_eq!(parts(10, 4).collect::<Vec<_>>(), [(0, 4), (4, 4), (8, 2)]);
        assert_eq!(parts(8, 4).collect::<Vec<_>>(), [(0, 4), (4, 4)]);
        assert_eq!(parts(3, 4).collect::<Vec<_>>(), [(0, 3)]);
        assert_eq!(parts(0, 4).count(), 0);
    }
}
