//! Streams of the host backend.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use super::event::Event;
use super::graph::{Capture, Graph};
use super::memory::pointer;
use super::simulator::Work;
use super::{Queue, Shared, State, run_caught};
use crate::error::{Error, Result};
use crate::kernel::{HostMemory, Kernel};
use crate::launch::Launch;
use crate::view::StreamId;

/// An ordered queue: eager work runs at once, simulated work when the simulator draws it.
#[derive(Debug)]
pub(crate) struct Stream {
    shared: Arc<Shared>,
    id: StreamId,
    /// Which of the simulator's queues it is.
    index: usize,
}

impl Stream {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let index = match &mut shared.state().queue {
            Queue::Eager => 0,
            Queue::Simulated(simulator) => simulator.add_stream(),
        };
        Self { shared, id: StreamId::next(), index }
    }

    /// # Safety
    /// See `RawStream::upload`.
    pub(crate) unsafe fn upload(&self, from: *const u8, to: u64, bytes: usize) -> Result<()> {
        // SAFETY: the caller keeps both ends alive until the stream has passed this copy.
        unsafe { self.copy_bytes(from.expose_provenance() as u64, to, bytes) }
    }

    /// # Safety
    /// See `RawStream::download`.
    pub(crate) unsafe fn download(&self, from: u64, to: *mut u8, bytes: usize) -> Result<()> {
        // SAFETY: the caller keeps both ends alive until the stream has passed this copy.
        unsafe { self.copy_bytes(from, to.expose_provenance() as u64, bytes) }
    }

    pub(crate) fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<()> {
        // SAFETY: both addresses are of buffers of this device, which settle it before they free.
        unsafe { self.copy_bytes(from, to, bytes) }
    }

    pub(crate) fn zero(&self, to: u64, bytes: usize) -> Result<()> {
        self.run(bytes, move || {
            let to = pointer(to);
            // SAFETY: the address is of a buffer of this device, which settles it before it frees.
            unsafe { to.write_bytes(0, bytes) };
        })
    }

    /// # Safety
    /// Both ends must hold `bytes` and live until this stream has passed the copy.
    unsafe fn copy_bytes(&self, from: u64, to: u64, bytes: usize) -> Result<()> {
        self.run(bytes, move || {
            let (from, to) = (pointer(from), pointer(to));
            // SAFETY: the caller of `copy_bytes` promised both ends; `copy` allows them to overlap.
            unsafe { to.copy_from(from, bytes) };
        })
    }

    pub(crate) fn launch<K: Kernel>(&self, launch: &Launch, args: K::Args<'_>) -> Result<()> {
        // Checked when a kernel is compiled: what owns nothing can be read again by every replay.
        const { assert!(!std::mem::needs_drop::<K::Args<'static>>()) };
        // SAFETY: `Kernel` promises that the layout of its arguments does not depend on their lifetime and that
        // they hold views only; the viewed memory outlives the launch because buffers settle before they free,
        // and outlives its replays because a device frees nothing that a living graph could name.
        let args = unsafe { detach::<K>(args) };
        let launch = *launch;
        let device = self.shared.device;
        self.submit(move || {
            // SAFETY: the arguments own nothing, as asserted above, so they can be read any number of times.
            let args = unsafe { std::ptr::read(args.get()) };
            K::reference(args, &launch, &HostMemory::new(device));
        })
    }

    pub(crate) fn record(&self, event: &Event) -> Result<()> {
        // One lock for counting and queueing: a wait of another thread never names a record that is not queued yet.
        let State { queue, capture, .. } = &mut *self.shared.state();
        if let Some(capture) = self.taking_part(capture) {
            event.set_mark(capture.mark(self.id));
            return Ok(());
        }
        let (ticket, state) = event.next_record();
        let clock = event.clock(&self.shared.clock);
        let pass = move || state.pass(ticket, clock.map(|clock| clock.now()));
        match queue {
            Queue::Eager => run_caught(pass),
            Queue::Simulated(simulator) => simulator.submit(self.index, Work::Run(Box::new(pass))),
        }
    }

    pub(crate) fn wait(&self, event: &Event) -> Result<()> {
        let State { queue, capture, .. } = &mut *self.shared.state();
        match (event.mark(), capture) {
            (Some(mark), Some(capture)) if mark.capture == capture.id => {
                capture.join(self.id, &mark);
                return Ok(());
            }
            (Some(_), _) => return Err(Error::EventCaptured),
            (None, _) => (),
        }
        match queue {
            Queue::Eager => Ok(()),
            Queue::Simulated(simulator) => {
                let (ticket, event) = event.last_record();
                simulator.submit(self.index, Work::Wait { event, ticket })
            }
        }
    }

    pub(crate) fn synchronize(&self) -> Result<()> {
        match &mut self.shared.state().queue {
            Queue::Eager => Ok(()),
            Queue::Simulated(simulator) => {
                simulator.run_until(|simulator| simulator.is_idle(self.index))
            }
        }
    }

    /// Each look lets the simulated device go on a little, so that looking again and again comes to an end.
    pub(crate) fn is_idle(&self) -> Result<bool> {
        match &mut self.shared.state().queue {
            Queue::Eager => Ok(true),
            Queue::Simulated(simulator) => {
                simulator.tick()?;
                Ok(simulator.is_idle(self.index))
            }
        }
    }

    /// The caller lets only one capture be on at a time.
    pub(crate) fn begin_capture(&self) {
        let State { capture, captures, .. } = &mut *self.shared.state();
        *captures += 1;
        *capture = Some(Capture::new(*captures, self.id));
    }

    pub(crate) fn end_capture(&self) -> Result<Graph> {
        let ended = self.shared.state().capture.take();
        ended.expect("the caller ends what it began").finish()
    }

    pub(crate) fn is_captured(&self) -> bool {
        self.shared.state().capture.as_ref().is_some_and(|capture| capture.has(self.id))
    }

    pub(crate) fn replay(&self, graph: &Graph) -> Result<()> {
        match &mut self.shared.state().queue {
            Queue::Eager => graph.run_in_order(),
            Queue::Simulated(simulator) => {
                simulator.submit(self.index, Work::Replay(graph.clone()))
            }
        }
    }

    /// Work on `bytes` bytes, of which nothing is left where there are none.
    fn run(&self, bytes: usize, work: impl Fn() + Send + 'static) -> Result<()> {
        if bytes == 0 { Ok(()) } else { self.submit(work) }
    }

    fn submit(&self, work: impl Fn() + Send + 'static) -> Result<()> {
        let State { queue, capture, .. } = &mut *self.shared.state();
        if let Some(capture) = self.taking_part(capture) {
            capture.push(self.id, Box::new(work));
            return Ok(());
        }
        match queue {
            Queue::Eager => run_caught(work),
            Queue::Simulated(simulator) => simulator.submit(self.index, Work::Run(Box::new(work))),
        }
    }

    /// The capture that is on, if this stream takes part.
    fn taking_part<'a>(&self, capture: &'a mut Option<Capture>) -> Option<&'a mut Capture> {
        capture.as_mut().filter(|capture| capture.has(self.id))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Queue::Simulated(simulator) = &mut self.shared.state().queue {
            simulator.close_stream(self.index);
        }
    }
}

/// Arguments whose borrow was forgotten, to be copied out for every run.
struct Detached<K: Kernel>(ManuallyDrop<K::Args<'static>>);

impl<K: Kernel> Detached<K> {
    fn get(&self) -> *const K::Args<'static> {
        &raw const *self.0
    }
}

/// Forgets the borrow that arguments were built from.
///
/// # Safety
/// The viewed memory must outlive the use of the result, and `K::Args` must have one layout for every lifetime.
unsafe fn detach<K: Kernel>(args: K::Args<'_>) -> Detached<K> {
    let args = ManuallyDrop::new(args);
    let pointer = std::ptr::from_ref(&*args).cast::<K::Args<'static>>();
    // SAFETY: the pointer is valid for the read, the types differ in lifetime only, and the original is never dropped.
    Detached(ManuallyDrop::new(unsafe { pointer.read() }))
}
