//! The host's processor as a device: eager, or simulated.
//!
//! Runs one operation at a time, whatever the number of streams, so that operations may
//! hold slices of shared memory. Never checks arguments.

mod event;
mod graph;
mod memory;
mod properties;
mod simulator;
mod stream;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use event::Event;
pub(crate) use graph::Graph;
pub(crate) use memory::{Memory, pointer};
pub(crate) use properties::properties;
pub(crate) use stream::Stream;

use self::graph::Capture;
use self::simulator::Simulator;
use super::EventTiming;
use crate::clock::Clock;
use crate::device::DeviceId;
use crate::error::{Error, Result};

/// When operations run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// When they are submitted.
    Eager,
    /// Late, in an order drawn from the seed.
    Simulated { seed: u64 },
}

/// The host as a device.
#[derive(Debug)]
pub(crate) struct Host {
    shared: Arc<Shared>,
}

/// What a host device shares with its streams and events.
#[derive(Debug)]
struct Shared {
    device: DeviceId,
    clock: Clock,
    /// Invariant: whoever runs an operation holds this lock, so operations never overlap.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    queue: Queue,
    /// The capture that is on, to which the operations of its streams go in place of the queue.
    capture: Option<Capture>,
    /// Captures begun so far, of which each has its number.
    captures: u64,
}

#[derive(Debug)]
enum Queue {
    Eager,
    Simulated(Simulator),
}

impl Shared {
    /// A panic while it is held leaves a whole state: work runs caught.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host {
    pub(crate) fn new(mode: Mode, device: DeviceId) -> Self {
        let queue = match mode {
            Mode::Eager => Queue::Eager,
            Mode::Simulated { seed } => Queue::Simulated(Simulator::new(seed)),
        };
        let state = Mutex::new(State { queue, capture: None, captures: 0 });
        Self { shared: Arc::new(Shared { device, clock: Clock::real(), state }) }
    }

    pub(crate) fn stream(&self) -> Stream {
        Stream::new(Arc::clone(&self.shared))
    }

    pub(crate) fn event(&self, timing: EventTiming) -> Event {
        Event::new(Arc::clone(&self.shared), timing)
    }

    pub(crate) fn synchronize(&self) -> Result<()> {
        match &mut self.shared.state().queue {
            Queue::Eager => Ok(()),
            Queue::Simulated(simulator) => simulator.drain(),
        }
    }

    pub(crate) fn memory_free_and_total(&self) -> Result<(u64, u64)> {
        Ok(properties::memory_free_and_total())
    }
}

/// Runs one operation. A panic in it loses the device, as a trap loses a GPU; it must not unwind into callers
/// whose copies are still queued.
fn run_caught(work: impl FnOnce()) -> Result<()> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Error::Panicked { message: message.unwrap_or_default() }
    })
}
