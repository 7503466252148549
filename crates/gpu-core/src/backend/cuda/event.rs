//! Events: points in a stream, with or without a time.

use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use cust_raw::{CUevent_flags_enum, CUevent_st};

use super::raw::{self, Handle};
use super::{Context, EventTiming};
use crate::error::{Error, Result};

/// An event. One that was never recorded counts as passed, as the driver has it.
#[derive(Debug)]
pub(crate) struct Event {
    pub(super) handle: Handle<CUevent_st>,
    context: Arc<Context>,
}

impl Event {
    pub(super) fn new(context: Arc<Context>, timing: EventTiming) -> Result<Self> {
        // A time costs ten times as much to record as none.
        let flags = match timing {
            EventTiming::Off => CUevent_flags_enum::CU_EVENT_DISABLE_TIMING,
            EventTiming::On => CUevent_flags_enum::CU_EVENT_DEFAULT,
        };
        context.bind()?;
        let mut event = ptr::null_mut();
        // SAFETY: the driver writes one handle.
        unsafe { raw::call!(cuEventCreate(&raw mut event, flags as u32)) }?;
        Ok(Self { handle: Handle(event), context })
    }

    pub(crate) fn synchronize(&self) -> Result<()> {
        self.context.bind()?;
        // SAFETY: the event lives as long as `self`.
        unsafe { raw::call!(cuEventSynchronize(self.handle.0)) }
    }

    pub(crate) fn is_complete(&self) -> Result<bool> {
        self.context.bind()?;
        // SAFETY: the event lives as long as `self`.
        raw::is_done(unsafe { raw::call!(cuEventQuery(self.handle.0)) })
    }

    pub(crate) fn elapsed_since(&self, earlier: &Self) -> Result<Duration> {
        self.context.bind()?;
        let mut elapsed_ms = 0.0_f32;
        let (from, to) = (earlier.handle.0, self.handle.0);
        // SAFETY: both events live, and the driver writes one number.
        match unsafe { raw::call!(cuEventElapsedTime(&raw mut elapsed_ms, from, to)) } {
            // Never recorded, made without a time, or not passed yet.
            Err(Error::Driver { code: raw::INVALID_HANDLE | raw::NOT_READY, .. }) => {
                Err(Error::EventUntimed)
            }
            Err(error) => Err(error),
            // An event that was passed before `earlier` is no time after it.
            Ok(()) => {
                Ok(Duration::try_from_secs_f64(f64::from(elapsed_ms) / 1e3).unwrap_or_default())
            }
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // The driver lets a record or a wait that is still queued finish.
        // SAFETY: `new` made it, and only this destroys it.
        self.context.release(|| unsafe { raw::call!(cuEventDestroy_v2(self.handle.0)) });
    }
}
