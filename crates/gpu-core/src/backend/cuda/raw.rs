//! The floor under every driver call: results become errors that keep the driver's own integer.
//!
//! Never decides what an error means.

use cust::error::CudaResult;
use cust_raw::CUresult;

use super::symbols;
use crate::error::{Error, Result};

/// The driver's integer for an argument that it does not know or accept.
pub(super) const INVALID_VALUE: u32 = 1;
/// The driver's integer for "there is no device".
pub(super) const NO_DEVICE: i32 = 100;
/// The driver's integer for an image that it cannot read.
pub(super) const INVALID_IMAGE: i32 = 200;
/// The driver's integer for a handle that is not one, or not one of the wanted sort.
pub(super) const INVALID_HANDLE: i32 = 400;
/// The driver's integer for a name that is not in a module.
pub(super) const NOT_FOUND: i32 = 500;
/// The driver's integer for work that is still queued.
pub(super) const NOT_READY: i32 = 600;

/// The driver's integer for a capture whose streams were not all joined at its end.
pub(super) const CAPTURE_UNJOINED: i32 = 904;

/// The driver's integers for what this system does not permit, and for what it does not support.
pub(super) const NOT_PERMITTED: i32 = 800;
pub(super) const NOT_SUPPORTED: i32 = 801;

/// Calls a driver function and turns its result into ours, under the function's name.
macro_rules! call {
    ($function:ident($($argument:expr),* $(,)?)) => {
        $crate::backend::cuda::raw::check(
            stringify!($function),
            cust_raw::$function($($argument),*),
        )
    };
}
pub(super) use call;

/// The result of a call of `cust_raw`. To be taken at once, on the thread that made the call.
pub(super) fn check(call: &'static str, result: CUresult) -> Result<()> {
    match result {
        CUresult::CUDA_SUCCESS => Ok(()),
        _ => Err(symbols::failure(call)),
    }
}

/// The result of a call that `cust` made in our place, under the name of the driver's function.
pub(super) fn check_cust<T>(call: &'static str, result: CudaResult<T>) -> Result<T> {
    result.map_err(|_| symbols::failure(call))
}

/// Whether work is done, from a query that fails with "not ready" while it is not.
pub(super) fn is_done(query: Result<()>) -> Result<bool> {
    match query {
        Ok(()) => Ok(true),
        Err(Error::Driver { code: NOT_READY, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A driver object: a name that the driver gave out, which is never looked behind.
#[derive(Debug)]
pub(super) struct Handle<T>(pub(super) *mut T);

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

// SAFETY: the driver accepts an object on every thread that has its context current, and calls bind the context.
unsafe impl<T> Send for Handle<T> {}
// SAFETY: as above; the driver guards its objects against calls from several threads at once.
unsafe impl<T> Sync for Handle<T> {}
