//! Streams: queues whose work runs late, in an order drawn from the seed among those that waits leave open.
//!
//! Invariant: the order depends on the seed and on what was called, never on time.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::capture::Node;
use crate::code::{INVALID_HANDLE, INVALID_VALUE, NOT_READY, Outcome, UNKNOWN};
use crate::driver::Driver;
use crate::op::Op;
use crate::span::Span;

/// `CU_STREAM_NON_BLOCKING`: anything else would wait for the default stream.
const NON_BLOCKING: u32 = 1;

/// A stream, the default stream of a context included.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) context: u64,
    pub(crate) is_default: bool,
    /// Not yet destroyed; what a destroyed stream still holds runs to its end.
    pub(crate) is_open: bool,
    /// The capture that records what is queued here, if one does.
    pub(crate) capture: Option<u64>,
    work: VecDeque<Work>,
    /// How far it has come in virtual time.
    now_ns: u64,
}

#[derive(Debug)]
enum Work {
    Op {
        op: Op,
        promise: Option<u64>,
        queued_ns: u64,
    },
    Record {
        event: u64,
        ticket: u64,
        queued_ns: u64,
    },
    /// Passed when this record of the event was reached.
    Wait {
        event: u64,
        ticket: u64,
    },
    Graph(Run),
}

/// One launch of an executable graph.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) exec: u64,
    /// How many launches of the same graph must be over before.
    pub(crate) ticket: u64,
    pub(crate) nodes: Arc<[Node]>,
    pub(crate) remaining: BTreeSet<usize>,
    /// The promise that goes with each node.
    pub(crate) promises: Vec<Option<u64>>,
}

/// When each engine (up, down, the rest) is free again, in virtual time.
#[derive(Debug, Default)]
pub(crate) struct Engines {
    free_ns: [u64; 3],
}

impl Queue {
    fn new(context: u64, is_default: bool) -> Self {
        let work = VecDeque::new();
        Self { context, is_default, is_open: true, capture: None, work, now_ns: 0 }
    }

    pub(crate) fn default_of(context: u64) -> Self {
        Self::new(context, true)
    }

    pub(crate) fn clear(&mut self) {
        self.work.clear();
    }

    fn ops(&self) -> impl Iterator<Item = &Op> {
        self.work.iter().flat_map(|work| match work {
            Work::Op { op, .. } => vec![op],
            Work::Graph(run) => run.remaining.iter().map(|&node| &run.nodes[node].op).collect(),
            Work::Record { .. } | Work::Wait { .. } => Vec::new(),
        })
    }

    pub(crate) fn touches_memory(&self) -> bool {
        self.ops().next().is_some()
    }

    pub(crate) fn uses(&self, span: &Span) -> bool {
        self.ops().any(|op| op.uses(span))
    }

    pub(crate) fn runs(&self, module: u64) -> bool {
        self.ops().any(|op| op.module() == Some(module))
    }
}

impl Driver {
    pub(crate) fn create_stream(&mut self, flags: u32) -> Outcome<u64> {
        let context = self.current()?;
        if flags != NON_BLOCKING {
            return Err(INVALID_VALUE);
        }
        let handle = self.handle();
        self.queues.insert(handle, Queue::new(context, false));
        Ok(handle)
    }

    pub(crate) fn destroy_stream(&mut self, handle: u64) -> Outcome {
        let stream = self.stream(handle)?;
        self.invalidate(self.queues[&stream].capture);
        let Some(queue) = self.queues.get_mut(&stream) else { return Err(INVALID_HANDLE) };
        queue.is_open = false;
        self.forget_if_done(stream);
        Ok(())
    }

    /// The stream behind a handle of the program's, in the calling thread's context.
    pub(crate) fn stream(&mut self, handle: u64) -> Outcome<u64> {
        let context = self.current()?;
        if handle == 0 {
            return self.default_stream();
        }
        match self.queues.get(&handle) {
            Some(queue) if queue.is_open && queue.context == context => Ok(handle),
            Some(queue) if queue.is_open => Err(INVALID_HANDLE),
            _ => {
                self.journal.violation("a stream was used that is not there");
                Err(INVALID_HANDLE)
            }
        }
    }

    /// Queues an operation, or records it where the stream is captured.
    pub(crate) fn submit(&mut self, stream: u64, op: Op) -> Outcome {
        if self.queues[&stream].capture.is_some() {
            return self.capture_op(stream, op);
        }
        let promise = self.take_promise(&op);
        let queued_ns = self.now_ns;
        self.push(stream, Work::Op { op, promise, queued_ns });
        Ok(())
    }

    pub(crate) fn submit_record(&mut self, stream: u64, event: u64, ticket: u64) {
        let queued_ns = self.now_ns;
        self.push(stream, Work::Record { event, ticket, queued_ns });
    }

    pub(crate) fn submit_wait(&mut self, stream: u64, event: u64, ticket: u64) {
        self.push(stream, Work::Wait { event, ticket });
    }

    pub(crate) fn submit_graph(&mut self, stream: u64, run: Run) {
        self.push(stream, Work::Graph(run));
    }

    /// Queues work and lets the device run ahead by a random number of steps, often none.
    fn push(&mut self, stream: u64, work: Work) {
        if let Some(queue) = self.queues.get_mut(&stream) {
            queue.work.push_back(work);
        }
        while self.random.u8(..4) == 0 {
            self.step();
        }
    }

    pub(crate) fn synchronize_stream(&mut self, handle: u64) -> Outcome {
        let stream = self.stream(handle)?;
        self.refuse_if_captured(stream)?;
        self.run_until(|driver| driver.is_idle(stream))?;
        self.now_ns = self.now_ns.max(self.queues[&stream].now_ns);
        Ok(())
    }

    /// Each look lets the device go on a little, so that looking again and again comes to an end.
    pub(crate) fn query_stream(&mut self, handle: u64) -> Outcome {
        let stream = self.stream(handle)?;
        self.refuse_if_captured(stream)?;
        self.step();
        if self.is_idle(stream) { Ok(()) } else { Err(NOT_READY) }
    }

    pub(crate) fn synchronize_context(&mut self) -> Outcome {
        let context = self.current()?;
        self.refuse_in_capture()?;
        let is_busy = |queue: &Queue| queue.context == context && !queue.work.is_empty();
        self.run_until(|driver| !driver.queues.values().any(is_busy))?;
        let latest = self.queues.values().map(|queue| queue.now_ns).max();
        self.now_ns = self.now_ns.max(latest.unwrap_or(0));
        Ok(())
    }

    /// Runs until `is_done`. A wait names a record that was queued before it, so this comes to an end.
    pub(crate) fn run_until(&mut self, is_done: impl Fn(&Self) -> bool) -> Outcome {
        while !is_done(self) {
            if !self.step() {
                self.journal.violation("a wait without end");
                return Err(UNKNOWN);
            }
        }
        Ok(())
    }

    fn is_idle(&self, stream: u64) -> bool {
        self.queues.get(&stream).is_none_or(|queue| queue.work.is_empty())
    }

    fn is_ready(&self, work: &Work) -> bool {
        match work {
            Work::Op { .. } | Work::Record { .. } => true,
            Work::Wait { event, ticket } => self.is_passed(*event, *ticket),
            Work::Graph(run) => {
                self.execs.get(&run.exec).is_none_or(|exec| exec.finished == run.ticket)
            }
        }
    }

    /// Runs the head of one ready stream, drawn at random; false if none is ready.
    pub(crate) fn step(&mut self) -> bool {
        let heads = self.queues.iter().filter_map(|(&stream, queue)| {
            queue.work.front().filter(|work| self.is_ready(work)).map(|_| stream)
        });
        let ready: Vec<u64> = heads.collect();
        let Some(&stream) = self.random.choice(&ready) else { return false };
        let head = self.queues.get_mut(&stream).and_then(|queue| queue.work.pop_front());
        match head {
            Some(Work::Op { op, promise, queued_ns }) => {
                self.perform(stream, &op, promise, queued_ns);
            }
            Some(Work::Record { event, ticket, queued_ns }) => {
                let passed_ns = self.queues[&stream].now_ns.max(queued_ns);
                self.pass(event, ticket, passed_ns);
            }
            Some(Work::Wait { event, .. }) => {
                let passed_ns = self.passed_ns(event);
                self.advance(stream, passed_ns);
            }
            Some(Work::Graph(run)) => self.perform_node(stream, run),
            None => {}
        }
        self.forget_if_done(stream);
        true
    }

    fn perform(&mut self, stream: u64, op: &Op, promise: Option<u64>, queued_ns: u64) {
        self.end_promise(promise);
        if !op.spans().iter().all(|span| self.memory.is_live(span)) {
            self.journal.violation("work ran on memory that was freed");
            return;
        }
        op.run();
        for written in op.writes() {
            self.promises.refresh(&written);
        }
        let (engine, cost_ns) = op.cost();
        let free_ns = &mut self.engines.free_ns[engine];
        let start_ns = self.queues[&stream].now_ns.max(queued_ns).max(*free_ns);
        *free_ns = start_ns + cost_ns;
        self.advance(stream, start_ns + cost_ns);
    }

    /// Runs one node of a graph, drawn at random among those whose predecessors have run.
    fn perform_node(&mut self, stream: u64, mut run: Run) {
        let is_ready = |node: &usize| run.nodes[*node].after.is_disjoint(&run.remaining);
        let ready: Vec<usize> =
            run.remaining.iter().copied().filter(|node| is_ready(node)).collect();
        if let Some(&node) = self.random.choice(&ready) {
            run.remaining.remove(&node);
            let promise = run.promises[node].take();
            let nodes = Arc::clone(&run.nodes);
            self.perform(stream, &nodes[node].op, promise, 0);
        }
        if run.remaining.is_empty() {
            self.finish(run.exec);
        } else if let Some(queue) = self.queues.get_mut(&stream) {
            queue.work.push_front(Work::Graph(run));
        }
    }

    fn advance(&mut self, stream: u64, to_ns: u64) {
        if let Some(queue) = self.queues.get_mut(&stream) {
            queue.now_ns = queue.now_ns.max(to_ns);
        }
    }

    fn forget_if_done(&mut self, stream: u64) {
        let is_over = |queue: &Queue| !queue.is_open && queue.work.is_empty();
        if self.queues.get(&stream).is_some_and(is_over) {
            self.queues.remove(&stream);
        }
    }
}
