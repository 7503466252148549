//! Graphs: captured from streams, instantiated once, launched as a whole.
//!
//! Destroying one never waits for work in flight: the owner has settled the device.

use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use cust_raw::{CUgraph_st, CUgraphExec_st, CUstreamCaptureMode_enum, CUstreamCaptureStatus_enum};

use super::raw::{self, Handle};
use super::{Context, Stream};
use crate::error::{Error, Result};

/// A graph that can be launched.
#[derive(Debug)]
pub(crate) struct Graph {
    /// Locked because the driver does not guard it against launches from several threads at once.
    executable: Mutex<Handle<CUgraphExec_st>>,
    nodes: usize,
    context: Arc<Context>,
}

/// A graph as it was captured, kept until it has been instantiated.
struct Template<'a> {
    handle: Handle<CUgraph_st>,
    context: &'a Context,
}

impl Graph {
    /// The context is bound.
    fn instantiate(context: &Arc<Context>, template: &Template<'_>) -> Result<Self> {
        let template = template.handle.0;
        let mut nodes = 0;
        // SAFETY: the template lives, and without room for nodes the driver writes their number.
        unsafe { raw::call!(cuGraphGetNodes(template, ptr::null_mut(), &raw mut nodes)) }?;
        let mut executable = ptr::null_mut();
        // SAFETY: the template lives, and the driver writes one handle.
        unsafe { raw::call!(cuGraphInstantiateWithFlags(&raw mut executable, template, 0)) }?;
        let executable = Mutex::new(Handle(executable));
        Ok(Self { executable, nodes, context: Arc::clone(context) })
    }

    pub(crate) fn nodes(&self) -> usize {
        self.nodes
    }

    pub(crate) fn launch(&self, stream: &Stream) -> Result<()> {
        let executable = self.executable.lock().unwrap_or_else(PoisonError::into_inner);
        self.context.bind()?;
        // SAFETY: graph and stream live and are of one context; what the graph touches is kept, because
        // a device frees no memory and unloads no module that a living graph could name, and whoever recorded
        // copies of host memory keeps that.
        unsafe { raw::call!(cuGraphLaunch(executable.0, stream.handle.0)) }
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        let executable = *self.executable.get_mut().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: `instantiate` made it, only this destroys it, and the owner has settled the device.
        self.context.release(|| unsafe { raw::call!(cuGraphExecDestroy(executable.0)) });
    }
}

impl Drop for Template<'_> {
    fn drop(&mut self) {
        // SAFETY: the capture made it, and only this destroys it; an instantiated graph does not need it.
        self.context.release(|| unsafe { raw::call!(cuGraphDestroy(self.handle.0)) });
    }
}

impl Stream {
    pub(crate) fn begin_capture(&self) -> Result<()> {
        let mode = CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        self.context.bind()?;
        // SAFETY: the stream lives as long as `self`.
        unsafe { raw::call!(cuStreamBeginCapture_v2(self.handle.0, mode)) }
    }

    pub(crate) fn end_capture(&self) -> Result<Graph> {
        // A capture that stays on would keep its streams and all that is dropped from now on, so it is ended whether the
        // context can be bound or not: what was captured had bound it.
        let bound = self.context.bind();
        let mut template = ptr::null_mut();
        // SAFETY: the stream lives as long as `self`, and the driver writes one handle.
        let ended = unsafe { raw::call!(cuStreamEndCapture(self.handle.0, &raw mut template)) };
        match ended {
            Err(Error::Driver { code: raw::CAPTURE_UNJOINED, .. }) => Err(Error::CaptureUnjoined),
            // The driver gives a graph exactly when it reports success.
            Err(error) => Err(error),
            Ok(()) => {
                let template = Template { handle: Handle(template), context: &self.context };
                bound?;
                Graph::instantiate(&self.context, &template)
            }
        }
    }

    pub(crate) fn is_captured(&self) -> Result<bool> {
        let none = CUstreamCaptureStatus_enum::CU_STREAM_CAPTURE_STATUS_NONE;
        let mut status = none;
        self.context.bind()?;
        // SAFETY: the stream lives as long as `self`; the driver writes one of the three states that it documents.
        unsafe { raw::call!(cuStreamIsCapturing(self.handle.0, &raw mut status)) }?;
        Ok(status != none)
    }
}
