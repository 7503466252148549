//! Graphs of the host backend: operations with what each must follow.
//!
//! Streams and events leave edges only, as they do in the driver's graphs. Never runs an operation while it records.

use std::sync::{Arc, Mutex, PoisonError};

use super::run_caught;
use crate::error::{Error, Result};
use crate::view::StreamId;

/// An operation, made so that it can run once a replay.
type Run = Box<dyn Fn() + Send>;

/// What is being recorded, and the streams that take part.
pub(super) struct Capture {
    pub(super) id: u64,
    nodes: Vec<Node>,
    /// Each stream and the nodes that its next one follows. The first stream is the one that began.
    streams: Vec<(StreamId, Vec<usize>)>,
}

struct Node {
    run: Run,
    /// Nodes that this one follows. Invariant: each is recorded before it, and named once.
    after: Vec<usize>,
}

/// Where an event stands that was last recorded inside a capture.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) capture: u64,
    after: Vec<usize>,
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Capture").field("streams", &self.streams).finish_non_exhaustive()
    }
}

impl Capture {
    pub(super) fn new(id: u64, origin: StreamId) -> Self {
        Self { id, nodes: Vec::new(), streams: vec![(origin, Vec::new())] }
    }

    pub(super) fn has(&self, stream: StreamId) -> bool {
        self.streams.iter().any(|&(member, _)| member == stream)
    }

    /// Records an operation of a stream that takes part.
    pub(super) fn push(&mut self, stream: StreamId, run: Run) {
        let index = self.nodes.len();
        let after = std::mem::replace(self.last(stream), vec![index]);
        self.nodes.push(Node { run, after });
    }

    /// The place that a stream has reached.
    pub(super) fn mark(&mut self, stream: StreamId) -> Mark {
        let after = self.last(stream).clone();
        Mark { capture: self.id, after }
    }

    /// Lets a stream follow a mark; a stream that took no part does so from here on.
    pub(super) fn join(&mut self, stream: StreamId, mark: &Mark) {
        let last = self.last(stream);
        last.extend(&mark.after);
        last.sort_unstable();
        last.dedup();
    }

    fn last(&mut self, stream: StreamId) -> &mut Vec<usize> {
        let place = self.streams.iter().position(|&(member, _)| member == stream);
        let place = place.unwrap_or_else(|| {
            self.streams.push((stream, Vec::new()));
            self.streams.len() - 1
        });
        &mut self.streams[place].1
    }

    /// The graph, if everything in it comes before the end of the stream that began.
    pub(super) fn finish(self) -> Result<Graph> {
        let mut is_joined = vec![false; self.nodes.len()];
        for &index in &self.streams[0].1 {
            is_joined[index] = true;
        }
        // A node follows earlier ones only, so that one pass from the last to the first reaches all.
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if is_joined[index] {
                node.after.iter().for_each(|&earlier| is_joined[earlier] = true);
            }
        }
        if is_joined.contains(&false) {
            return Err(Error::CaptureUnjoined);
        }
        Ok(Graph::new(self.nodes))
    }
}

/// Operations to be run again and again.
#[derive(Clone)]
pub(crate) struct Graph {
    /// Shared with the replays that are queued. Locked under the queue's lock only, so never waited for.
    steps: Arc<Mutex<Steps>>,
    nodes: usize,
}

struct Steps {
    steps: Vec<Step>,
    /// Scratch of a replay: how many nodes each one still waits for, and which wait for none.
    pending: Vec<usize>,
    ready: Vec<usize>,
}

struct Step {
    run: Run,
    /// How many nodes it follows.
    after: usize,
    /// Which nodes follow it.
    before: Vec<usize>,
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Graph").field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

impl Graph {
    fn new(nodes: Vec<Node>) -> Self {
        let mut steps: Vec<Step> = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.into_iter().enumerate() {
            for &earlier in &node.after {
                steps[earlier].before.push(index);
            }
            steps.push(Step { run: node.run, after: node.after.len(), before: Vec::new() });
        }
        let nodes = steps.len();
        let (pending, ready) = (Vec::with_capacity(nodes), Vec::with_capacity(nodes));
        Self { steps: Arc::new(Mutex::new(Steps { steps, pending, ready })), nodes }
    }

    pub(crate) fn nodes(&self) -> usize {
        self.nodes
    }

    /// Runs all operations as they were recorded.
    pub(super) fn run_in_order(&self) -> Result<()> {
        self.run(|_| 0)
    }

    /// Runs all operations in an order drawn from those that the edges leave open.
    pub(super) fn run_shuffled(&self, random: &mut fastrand::Rng) -> Result<()> {
        self.run(|ready| random.usize(..ready))
    }

    /// Runs all operations; `choose` picks one of as many as are ready, the earliest recorded first.
    fn run(&self, mut choose: impl FnMut(usize) -> usize) -> Result<()> {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let Steps { steps, pending, ready } = &mut *steps;
        pending.clear();
        pending.extend(steps.iter().map(|step| step.after));
        ready.clear();
        ready.extend((0..steps.len()).filter(|&index| pending[index] == 0));
        while !ready.is_empty() {
            let step = &steps[ready.remove(choose(ready.len()))];
            run_caught(&step.run)?;
            for &later in &step.before {
                pending[later] -= 1;
                if pending[later] == 0 {
                    let place = ready.partition_point(|&other| other < later);
                    ready.insert(place, later);
                }
            }
        }
        Ok(())
    }
}
