//! Streams of the host backend.

use std::sync::Arc;

use super::event::Event;
use super::memory::pointer;
use super::simulator::Work;
use super::{Queue, Shared, run_caught};
use crate::error::Result;
use crate::kernel::{HostMemory, Kernel};
use crate::launch::Launch;

/// An ordered queue: eager work runs at once, simulated work when the simulator draws it.
#[derive(Debug)]
pub(crate) struct Stream {
    shared: Arc<Shared>,
    index: usize,
}

impl Stream {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let index = match &mut *shared.queue() {
            Queue::Eager => 0,
            Queue::Simulated(simulator) => simulator.add_stream(),
        };
        Self { shared, index }
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
        self.run(move || {
            let to = pointer(to);
            // SAFETY: the address is of a buffer of this device, which settles it before it frees.
            unsafe { to.write_bytes(0, bytes) };
        })
    }

    /// # Safety
    /// Both ends must hold `bytes` and live until this stream has passed the copy.
    unsafe fn copy_bytes(&self, from: u64, to: u64, bytes: usize) -> Result<()> {
        self.run(move || {
            let (from, to) = (pointer(from), pointer(to));
            // SAFETY: the caller of `copy_bytes` promised both ends; `copy` allows them to overlap.
            unsafe { to.copy_from(from, bytes) };
        })
    }

    pub(crate) fn launch<K: Kernel>(&self, launch: &Launch, args: K::Args<'_>) -> Result<()> {
        // SAFETY: `Kernel` promises that the layout of its arguments does not depend on their lifetime and that
        // they hold views only; the viewed memory outlives the launch because buffers settle before they free.
        let args = unsafe { detach::<K>(args) };
        let launch = *launch;
        let device = self.shared.device;
        self.run(move || K::reference(args, &launch, &HostMemory::new(device)))
    }

    pub(crate) fn record(&self, event: &Event) -> Result<()> {
        // One lock for counting and queueing: a wait of another thread never names a record that is not queued yet.
        let queue = &mut *self.shared.queue();
        let (ticket, state) = event.next_record();
        let clock = event.clock(&self.shared.clock);
        let pass = move || state.pass(ticket, clock.map(|clock| clock.now()));
        match queue {
            Queue::Eager => run_caught(pass),
            Queue::Simulated(simulator) => simulator.submit(self.index, Work::Run(Box::new(pass))),
        }
    }

    pub(crate) fn wait(&self, event: &Event) -> Result<()> {
        match &mut *self.shared.queue() {
            Queue::Eager => Ok(()),
            Queue::Simulated(simulator) => {
                let (ticket, event) = event.last_record();
                simulator.submit(self.index, Work::Wait { event, ticket })
            }
        }
    }

    pub(crate) fn synchronize(&self) -> Result<()> {
        match &mut *self.shared.queue() {
            Queue::Eager => Ok(()),
            Queue::Simulated(simulator) => {
                simulator.run_until(|simulator| simulator.is_idle(self.index))
            }
        }
    }

    /// Each look lets the simulated device go on a little, so that looking again and again comes to an end.
    pub(crate) fn is_idle(&self) -> Result<bool> {
        match &mut *self.shared.queue() {
            Queue::Eager => Ok(true),
            Queue::Simulated(simulator) => {
                simulator.tick()?;
                Ok(simulator.is_idle(self.index))
            }
        }
    }

    fn run(&self, work: impl FnOnce() + Send + 'static) -> Result<()> {
        match &mut *self.shared.queue() {
            Queue::Eager => run_caught(work),
            Queue::Simulated(simulator) => simulator.submit(self.index, Work::Run(Box::new(work))),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Queue::Simulated(simulator) = &mut *self.shared.queue() {
            simulator.close_stream(self.index);
        }
    }
}

/// Forgets the borrow that arguments were built from.
///
/// # Safety
/// The viewed memory must outlive the use of the result, and `K::Args` must have one layout for every lifetime.
unsafe fn detach<K: Kernel>(args: K::Args<'_>) -> K::Args<'static> {
    let args = std::mem::ManuallyDrop::new(args);
    let pointer = std::ptr::from_ref(&*args).cast::<K::Args<'static>>();
    // SAFETY: the pointer is valid for the read, the types differ in lifetime only, and the original is never dropped.
    unsafe { pointer.read() }
}
