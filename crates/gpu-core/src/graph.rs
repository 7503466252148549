//! Work that was recorded once and is queued again as a whole.
//!
//! Never changes what it does: a graph reads and writes the places that were named when it was captured.

use std::mem::ManuallyDrop;

use crate::backend::RawGraph;
use crate::capture::{Birth, Keep, Retired, Turn};
use crate::error::Result;
use crate::fault::Operation;
use crate::stream::Stream;

/// Recorded work. Made by [`Stream::capture`], queued by [`Stream::replay`].
///
/// A graph names memory by address. So device memory, page-locked memory and modules that were there while it was
/// captured are not freed when they are dropped: they go with the last graph that could name them. What is allocated
/// after the capture is freed as ever.
#[derive(Debug)]
pub struct Graph {
    raw: ManuallyDrop<RawGraph>,
    keep: Keep,
}

impl Graph {
    /// Copies, fills and kernels in the graph. Records and waits are the order between them, and empty copies are none.
    pub fn nodes(&self) -> usize {
        self.raw.nodes()
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: the graph is being dropped, so it is not queued again.
        let raw = unsafe { ManuallyDrop::take(&mut self.raw) };
        let device = self.keep.device();
        device.captures.retire(device, Birth::UNNAMED, Retired::Graph(raw));
    }
}

impl Stream {
    /// Records what `work` queues in this stream, in place of running it.
    ///
    /// Other streams take part from where they wait for an event that was recorded in the capture; each must be joined
    /// again: this stream waits for an event that is recorded behind its last work. Work that is queued in streams that
    /// take no part runs as ever. Events recorded in the capture order its work, carry no time, and cannot be waited
    /// for outside it until they are recorded again.
    ///
    /// `work` can only queue. On the thread that captures, the device refuses to wait (also at the end of a
    /// scope and in blocking copies, which are refused from their beginning), to allocate, to create, to load and to
    /// replay; whatever is refused or fails ends the capture, even if `work` goes on. Memory that is dropped meanwhile is
    /// freed later. Captures of several threads on one device take turns, as does [`Device::synchronize`](crate::Device::synchronize),
    /// so `work` must not wait for a thread that does either.
    ///
    /// ```
    /// # use gpu_core::Device;
    /// # fn main() -> gpu_core::Result<()> {
    /// # let device = Device::host();
    /// let stream = device.stream()?;
    /// let mut numbers = device.buffer::<u32>(4)?;
    /// let graph = stream.capture(|| stream.zero(numbers.view_mut()))?;
    /// for _ in 0..3 {
    ///     stream.write(&[7; 4], numbers.view_mut())?;
    ///     stream.replay(&graph)?;
    ///     assert_eq!(stream.read_vec(numbers.view())?, [0; 4]);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Capturing`](crate::Error::Capturing) for what is refused and for a capture inside a capture,
    /// [`Error::CaptureUnjoined`](crate::Error::CaptureUnjoined), [`Error::EventForeign`](crate::Error::EventForeign), or
    /// what `work` or the driver failed with. The streams are usable as before.
    pub fn capture(&self, work: impl FnOnce() -> Result<()>) -> Result<Graph> {
        let turn = Turn::take(&self.device)?;
        let recording = Recording::begin(self, &turn)?;
        let worked = work();
        recording.end(worked)
    }

    /// Queues everything in `graph` as one piece of work of this stream.
    ///
    /// Several replays of one graph run one after the other.
    ///
    /// # Errors
    /// [`Error::OtherDevice`](crate::Error::OtherDevice), or what the driver says.
    pub fn replay(&self, graph: &Graph) -> Result<()> {
        self.check_device("the graph", graph.keep.device().id)?;
        self.device.run(Operation::Launch, |_| {
            self.refuse_around_captures("a replay")?;
            self.raw.replay(&graph.raw)
        })
    }
}

/// A stream that records, until its capture is ended, also by a panic.
struct Recording<'a> {
    stream: &'a Stream,
    turn: &'a Turn<'a>,
}

impl<'a> Recording<'a> {
    fn begin(stream: &'a Stream, turn: &'a Turn<'a>) -> Result<Self> {
        turn.begin(|| stream.device.run(Operation::Create, |_| stream.raw.begin_capture()))?;
        Ok(Self { stream, turn })
    }

    fn end(self, worked: Result<()>) -> Result<Graph> {
        let Self { stream, turn } = *ManuallyDrop::new(self);
        // The driver is told to end it whatever failed and whatever a plan says.
        let (ended, failed) = turn.end(|| stream.raw.end_capture());
        worked.and(failed)?;
        let raw = stream.device.run(Operation::Create, |_| ended)?;
        Ok(Graph { raw: ManuallyDrop::new(raw), keep: Keep::new(&stream.device) })
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        let (ended, _) = self.turn.end(|| self.stream.raw.end_capture());
        drop(ended);
    }
}
