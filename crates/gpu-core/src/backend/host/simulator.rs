//! A seeded scheduler of streams: runs work late and in any order that events leave open.
//!
//! Invariant: the order depends on the seed and on what was submitted, never on time.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::EventState;
use super::graph::Graph;
use super::run_caught;
use crate::error::{Error, Result};

/// One queued piece of work.
pub(super) enum Work {
    Run(Box<dyn FnOnce() + Send>),
    /// All of a graph, in an order that its edges leave open.
    Replay(Graph),
    /// Passed when this record of the event was reached.
    Wait {
        event: Arc<EventState>,
        ticket: u64,
    },
}

impl std::fmt::Debug for Work {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Run(_) => "Run",
            Self::Replay(_) => "Replay",
            Self::Wait { .. } => "Wait",
        })
    }
}

#[derive(Debug)]
pub(super) struct Simulator {
    random: fastrand::Rng,
    queues: Vec<VecDeque<Work>>,
    /// Queues whose stream is gone; what they still hold runs to its end, then they are used again.
    closed: Vec<usize>,
    /// The panic that lost the device. Invariant: nothing is queued from then on.
    lost: Option<Error>,
}

impl Simulator {
    pub(super) fn new(seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { random, queues: Vec::new(), closed: Vec::new(), lost: None }
    }

    /// The index of a new, empty stream.
    pub(super) fn add_stream(&mut self) -> usize {
        if let Some(place) = self.closed.iter().position(|&index| self.queues[index].is_empty()) {
            return self.closed.swap_remove(place);
        }
        self.queues.push(VecDeque::new());
        self.queues.len() - 1
    }

    pub(super) fn close_stream(&mut self, stream: usize) {
        self.closed.push(stream);
    }

    /// Queues work and lets the device run ahead by a random number of steps, often none.
    pub(super) fn submit(&mut self, stream: usize, work: Work) -> Result<()> {
        self.check()?;
        self.queues[stream].push_back(work);
        while self.random.u8(..4) == 0 {
            self.step();
        }
        self.check()
    }

    pub(super) fn is_idle(&self, stream: usize) -> bool {
        self.queues[stream].is_empty()
    }

    /// Runs until `is_done`, or until nothing is left to run.
    pub(super) fn run_until(&mut self, mut is_done: impl FnMut(&Self) -> bool) -> Result<()> {
        while !is_done(self) && self.step() {}
        self.check()
    }

    pub(super) fn drain(&mut self) -> Result<()> {
        self.run_until(|_| false)
    }

    /// Lets the device go on by one step, as time does between two looks at it.
    pub(super) fn tick(&mut self) -> Result<()> {
        self.step();
        self.check()
    }

    fn check(&self) -> Result<()> {
        self.lost.clone().map_or(Ok(()), Err)
    }

    /// Runs the head of one ready stream, drawn at random; false if none is ready.
    ///
    /// A wait names a record that was queued before it, so while work is queued some stream is ready.
    fn step(&mut self) -> bool {
        let is_ready = |queue: &VecDeque<Work>| match queue.front() {
            None => false,
            Some(Work::Run(_) | Work::Replay(_)) => true,
            Some(Work::Wait { event, ticket }) => event.is_passed(*ticket),
        };
        let ready: Vec<usize> =
            (0..self.queues.len()).filter(|&i| is_ready(&self.queues[i])).collect();
        let Some(&stream) = self.random.choice(&ready) else { return false };
        let ran = match self.queues[stream].pop_front() {
            Some(Work::Run(run)) => run_caught(run),
            Some(Work::Replay(graph)) => graph.run_shuffled(&mut self.random),
            Some(Work::Wait { .. }) | None => Ok(()),
        };
        if let Err(panic) = ran {
            // As after a trap on a GPU: what was queued never runs, so nothing touches memory any more.
            self.queues.iter_mut().for_each(VecDeque::clear);
            self.lost = Some(panic);
        }
        true
    }
}
