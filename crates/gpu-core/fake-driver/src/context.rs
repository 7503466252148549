//! Devices and their primary contexts.

use std::cell::Cell;

use crate::code::{
    INVALID_CONTEXT, INVALID_DEVICE, INVALID_VALUE, NO_DEVICE, NOT_INITIALIZED, Outcome,
};
use crate::driver::Driver;
use crate::queue::Queue;

/// A device's primary context.
#[derive(Debug, Default)]
pub(crate) struct Primary {
    retains: u32,
    pub(crate) context: Option<Context>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    handle: u64,
    /// The queue behind the null handle.
    default_stream: u64,
}

thread_local! {
    /// The thread's current context, 0 if none.
    static CURRENT: Cell<u64> = const { Cell::new(0) };
}

impl Driver {
    pub(crate) fn initialise(&mut self, flags: u32) -> Outcome {
        if flags != 0 {
            return Err(INVALID_VALUE);
        }
        if self.devices.is_empty() {
            return Err(NO_DEVICE);
        }
        self.is_initialised = true;
        Ok(())
    }

    /// The index of a device.
    pub(crate) fn device(&self, ordinal: i32) -> Outcome<usize> {
        if !self.is_initialised {
            return Err(NOT_INITIALIZED);
        }
        let index = usize::try_from(ordinal).map_err(|_| INVALID_DEVICE)?;
        if index < self.devices.len() { Ok(index) } else { Err(INVALID_DEVICE) }
    }

    pub(crate) fn retain(&mut self, ordinal: i32) -> Outcome<u64> {
        let index = self.device(ordinal)?;
        self.devices[index].retains += 1;
        if let Some(context) = self.devices[index].context {
            return Ok(context.handle);
        }
        let context = Context { handle: self.handle(), default_stream: self.handle() };
        self.queues.insert(context.default_stream, Queue::default_of(context.handle));
        self.devices[index].context = Some(context);
        Ok(context.handle)
    }

    pub(crate) fn release(&mut self, ordinal: i32) -> Outcome {
        let index = self.device(ordinal)?;
        if self.devices[index].retains == 0 {
            self.journal.violation("a primary context was released more often than retained");
            return Err(INVALID_CONTEXT);
        }
        self.devices[index].retains -= 1;
        if self.devices[index].retains > 0 {
            return Ok(());
        }
        if let Some(context) = self.devices[index].context.take() {
            self.end(context);
        }
        Ok(())
    }

    /// What is queued in a context that goes never runs: harmless unless it touches memory.
    fn end(&mut self, context: Context) {
        let of_context = |queue: &Queue| queue.context == context.handle;
        if self.queues.values().any(|queue| of_context(queue) && queue.touches_memory()) {
            self.journal.violation("a context was released while copies or kernels were queued");
        }
        for queue in self.queues.values_mut().filter(|queue| of_context(queue)) {
            queue.clear();
        }
        self.queues.retain(|_, queue| !of_context(queue) || (queue.is_open && !queue.is_default));
    }

    pub(crate) fn set_current(&mut self, handle: u64) -> Outcome {
        if handle != 0 && !self.contexts().any(|context| context.handle == handle) {
            self.journal.violation("a context was made current that is not there");
            return Err(INVALID_CONTEXT);
        }
        CURRENT.set(handle);
        Ok(())
    }

    /// The calling thread's context.
    pub(crate) fn current(&self) -> Outcome<u64> {
        self.current_context().map(|context| context.handle)
    }

    /// The queue behind the null handle in the calling thread's context.
    pub(crate) fn default_stream(&mut self) -> Outcome<u64> {
        self.journal.default_stream_calls += 1;
        self.current_context().map(|context| context.default_stream)
    }

    fn current_context(&self) -> Outcome<Context> {
        let current = CURRENT.get();
        self.contexts().find(|context| context.handle == current).ok_or(INVALID_CONTEXT)
    }

    fn contexts(&self) -> impl Iterator<Item = Context> {
        self.devices.iter().filter_map(|device| device.context)
    }
}
