//! Graphs: captured from streams, made executable, launched.
//!
//! A capture follows the driver's rules: it spreads by waits for its events, must be joined before it ends, and is
//! invalid for good once something was called that it forbids.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::code::{
    CAPTURE_INVALIDATED, CAPTURE_ISOLATION, CAPTURE_MERGE, CAPTURE_UNJOINED, CAPTURE_UNMATCHED,
    CAPTURE_UNSUPPORTED, CAPTURE_WRONG_THREAD, CAPTURED_EVENT, INVALID_HANDLE, INVALID_VALUE,
    Outcome,
};
use crate::driver::Driver;
use crate::journal;
use crate::op::Op;
use crate::queue::Run;

/// An operation of a graph and the nodes that must have run before it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) op: Op,
    pub(crate) after: BTreeSet<usize>,
}

/// Which calls a capture forbids that could disturb it: `CU_STREAM_CAPTURE_MODE_...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Those of every thread.
    Global,
    /// Those of the thread that began it.
    ThreadLocal,
    /// None.
    Relaxed,
}

#[derive(Debug)]
pub(crate) struct Capture {
    origin: u64,
    thread: u32,
    mode: Mode,
    is_invalid: bool,
    nodes: Vec<Node>,
    /// For each stream of the capture, the nodes that the next one comes after.
    fronts: BTreeMap<u64, BTreeSet<usize>>,
}

#[derive(Debug)]
pub(crate) struct Graph {
    nodes: Arc<[Node]>,
}

/// A graph that can be launched.
#[derive(Debug)]
pub(crate) struct Exec {
    nodes: Arc<[Node]>,
    /// Not yet destroyed; launches that are queued outlive the handle.
    pub(crate) is_open: bool,
    launched: u64,
    pub(crate) finished: u64,
}

impl Driver {
    pub(crate) fn begin_capture(&mut self, stream: u64, mode: u32) -> Outcome {
        let stream = self.stream(stream)?;
        let mode = match mode {
            0 => Mode::Global,
            1 => Mode::ThreadLocal,
            2 => Mode::Relaxed,
            _ => return Err(INVALID_VALUE),
        };
        let capture = self.handle();
        let Some(queue) = self.queues.get_mut(&stream) else { return Err(INVALID_HANDLE) };
        if queue.is_default {
            return Err(CAPTURE_UNSUPPORTED);
        }
        if queue.capture.is_some() {
            return Err(INVALID_VALUE);
        }
        queue.capture = Some(capture);
        let state = Capture {
            origin: stream,
            thread: journal::thread(),
            mode,
            is_invalid: false,
            nodes: Vec::new(),
            fronts: BTreeMap::from([(stream, BTreeSet::new())]),
        };
        self.captures.insert(capture, state);
        Ok(())
    }

    pub(crate) fn end_capture(&mut self, stream: u64) -> Outcome<u64> {
        let stream = self.stream(stream)?;
        let found = self.queues[&stream].capture.and_then(|capture| self.captures.get(&capture));
        let Some(Capture { origin, thread, mode, .. }) = found else { return Err(INVALID_VALUE) };
        if *origin != stream {
            self.invalidate(self.queues[&stream].capture);
            return Err(CAPTURE_UNMATCHED);
        }
        if *mode != Mode::Relaxed && *thread != journal::thread() {
            return Err(CAPTURE_WRONG_THREAD);
        }
        let ended = self.queues[&stream].capture;
        for queue in self.queues.values_mut().filter(|queue| queue.capture == ended) {
            queue.capture = None;
        }
        let capture = ended.and_then(|ended| self.captures.remove(&ended)).ok_or(INVALID_VALUE)?;
        if capture.is_invalid {
            return Err(CAPTURE_INVALIDATED);
        }
        if !capture.is_joined() {
            return Err(CAPTURE_UNJOINED);
        }
        let handle = self.handle();
        self.graphs.insert(handle, Graph { nodes: capture.nodes.into() });
        Ok(handle)
    }

    /// Ends the captures of the calling thread without a graph.
    pub(crate) fn abandon_captures(&mut self) {
        let thread = journal::thread();
        self.captures.retain(|_, capture| capture.thread != thread);
        for queue in self.queues.values_mut() {
            queue.capture = queue.capture.filter(|capture| self.captures.contains_key(capture));
        }
    }

    /// `CU_STREAM_CAPTURE_STATUS_...`: none, active, invalidated.
    pub(crate) fn capture_status(&mut self, stream: u64) -> Outcome<u32> {
        let stream = self.stream(stream)?;
        let capture = self.queues[&stream].capture.and_then(|capture| self.captures.get(&capture));
        Ok(capture.map_or(0, |capture| if capture.is_invalid { 2 } else { 1 }))
    }

    pub(crate) fn invalidate(&mut self, capture: Option<u64>) {
        if let Some(capture) = capture.and_then(|capture| self.captures.get_mut(&capture)) {
            capture.is_invalid = true;
        }
    }

    /// Refuses what could disturb a capture of this thread, and ends that capture's hopes.
    pub(crate) fn refuse_in_capture(&mut self) -> Outcome {
        let thread = journal::thread();
        let mut outcome = Ok(());
        for capture in self.captures.values_mut() {
            let is_disturbed = match capture.mode {
                Mode::Global => true,
                Mode::ThreadLocal => capture.thread == thread,
                Mode::Relaxed => false,
            };
            if is_disturbed {
                capture.is_invalid = true;
                outcome = Err(CAPTURE_UNSUPPORTED);
            }
        }
        outcome
    }

    /// Refuses to wait for a stream whose work is recorded and does not run.
    pub(crate) fn refuse_if_captured(&mut self, stream: u64) -> Outcome {
        match self.queues[&stream].capture {
            None => Ok(()),
            capture => {
                self.invalidate(capture);
                Err(CAPTURE_UNSUPPORTED)
            }
        }
    }

    /// The capture that records `stream`, if it is still of use.
    fn capture_of(&mut self, stream: u64) -> Outcome<&mut Capture> {
        let capture = self.queues[&stream].capture;
        let capture = capture.and_then(|capture| self.captures.get_mut(&capture));
        capture.filter(|capture| !capture.is_invalid).ok_or(CAPTURE_INVALIDATED)
    }

    pub(crate) fn capture_op(&mut self, stream: u64, op: Op) -> Outcome {
        let capture = self.capture_of(stream)?;
        let node = capture.nodes.len();
        let after = capture.fronts.insert(stream, BTreeSet::from([node])).unwrap_or_default();
        capture.nodes.push(Node { op, after });
        Ok(())
    }

    pub(crate) fn capture_record(&mut self, stream: u64, event: u64) -> Outcome {
        let front = self.capture_of(stream)?.fronts.get(&stream).cloned().unwrap_or_default();
        let capture = self.queues[&stream].capture;
        self.event(event)?.captured = capture.map(|capture| (capture, front));
        Ok(())
    }

    /// A wait with a capture on at least one side.
    pub(crate) fn capture_wait(&mut self, stream: u64, event: u64) -> Outcome {
        let waiting = self.queues[&stream].capture;
        let event = self.event(event)?;
        let was_recorded = event.last > 0;
        let Some((capture, front)) = event.captured.clone() else {
            if !was_recorded {
                return Ok(()); // it counts as passed
            }
            self.invalidate(waiting);
            return Err(CAPTURE_ISOLATION);
        };
        if !self.captures.contains_key(&capture) {
            self.invalidate(waiting);
            return Err(CAPTURED_EVENT);
        }
        if waiting.is_some_and(|waiting| waiting != capture) {
            self.invalidate(waiting);
            return Err(CAPTURE_MERGE);
        }
        if let Some(queue) = self.queues.get_mut(&stream) {
            queue.capture = Some(capture);
        }
        self.capture_of(stream)?.fronts.entry(stream).or_default().extend(front);
        Ok(())
    }

    pub(crate) fn node_count(&mut self, graph: u64) -> Outcome<usize> {
        let count = self.graphs.get(&graph).map(|graph| graph.nodes.len());
        count.ok_or_else(|| self.missing_graph())
    }

    pub(crate) fn instantiate(&mut self, graph: u64) -> Outcome<u64> {
        let nodes = self.graphs.get(&graph).map(|graph| Arc::clone(&graph.nodes));
        let nodes = nodes.ok_or_else(|| self.missing_graph())?;
        let handle = self.handle();
        let exec = Exec { nodes, is_open: true, launched: 0, finished: 0 };
        self.execs.insert(handle, exec);
        Ok(handle)
    }

    pub(crate) fn destroy_graph(&mut self, graph: u64) -> Outcome {
        let removed = self.graphs.remove(&graph);
        removed.map(|_| ()).ok_or_else(|| self.missing_graph())
    }

    pub(crate) fn destroy_exec(&mut self, handle: u64) -> Outcome {
        let exec = self.execs.get_mut(&handle).filter(|exec| exec.is_open);
        let Some(exec) = exec else { return Err(self.missing_graph()) };
        exec.is_open = false;
        if exec.finished == exec.launched {
            self.execs.remove(&handle);
        }
        Ok(())
    }

    fn missing_graph(&mut self) -> crate::code::Code {
        self.journal.violation("a graph was used that is not there");
        INVALID_HANDLE
    }

    pub(crate) fn launch_graph(&mut self, handle: u64, stream: u64) -> Outcome {
        let stream = self.stream(stream)?;
        self.refuse_if_captured(stream)?;
        let exec = self.execs.get_mut(&handle).filter(|exec| exec.is_open);
        let Some(exec) = exec else { return Err(self.missing_graph()) };
        let ticket = exec.launched;
        exec.launched += 1;
        let nodes = Arc::clone(&exec.nodes);
        let is_there = |node: &Node| node.op.spans().iter().all(|span| self.memory.is_live(span));
        if !nodes.iter().all(is_there) {
            self.journal.violation("a graph was launched whose memory was freed");
        }
        let is_unloaded =
            |node: &Node| node.op.module().is_some_and(|m| !self.modules.contains_key(&m));
        if nodes.iter().any(is_unloaded) {
            self.journal.violation("a graph was launched whose module was unloaded");
        }
        // Sources first: a target that is also a source keeps its content until the copy.
        let mut promises = vec![None; nodes.len()];
        for is_source in [true, false] {
            let of_kind = |(_, node): &(usize, &Node)| node.op.is_upload() == is_source;
            for (index, node) in nodes.iter().enumerate().filter(of_kind) {
                promises[index] = self.take_promise(&node.op);
            }
        }
        let remaining = (0..nodes.len()).collect();
        self.submit_graph(stream, Run { exec: handle, ticket, nodes, remaining, promises });
        Ok(())
    }

    /// A launch is over.
    pub(crate) fn finish(&mut self, handle: u64) {
        let Some(exec) = self.execs.get_mut(&handle) else { return };
        exec.finished += 1;
        if !exec.is_open && exec.finished == exec.launched {
            self.execs.remove(&handle);
        }
    }
}

impl Capture {
    /// Whether every node comes before the end of the stream that the capture began in.
    fn is_joined(&self) -> bool {
        let mut joined = BTreeSet::new();
        let mut open: Vec<usize> =
            self.fronts.get(&self.origin).into_iter().flatten().copied().collect();
        while let Some(node) = open.pop() {
            if joined.insert(node) {
                open.extend(&self.nodes[node].after);
            }
        }
        joined.len() == self.nodes.len()
    }
}
