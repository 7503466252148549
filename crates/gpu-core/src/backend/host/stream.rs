//! Streams and events of the host backend.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::memory::pointer;
use super::simulator::Work;
use super::{EventTiming, Queue, Shared};
use crate::error::{Error, Result};
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
        });
        Ok(())
    }

    /// # Safety
    /// Both ends must hold `bytes` and live until this stream has passed the copy.
    unsafe fn copy_bytes(&self, from: u64, to: u64, bytes: usize) -> Result<()> {
        self.run(move || {
            let (from, to) = (pointer(from), pointer(to));
            // SAFETY: the caller of `copy_bytes` promised both ends; `copy` allows them to overlap.
            unsafe { to.copy_from(from, bytes) };
        });
        Ok(())
    }

    pub(crate) fn launch<K: Kernel>(&self, launch: &Launch, args: K::Args<'_>) -> Result<()> {
        // SAFETY: `Kernel` promises that the layout of its arguments does not depend on their lifetime and that
        // they hold views only; the viewed memory outlives the launch because buffers settle before they free.
        let args = unsafe { detach::<K>(args) };
        let launch = *launch;
        let device = self.shared.device;
        self.run(move || K::reference(args, &launch, &HostMemory::new(device)));
        Ok(())
    }

    pub(crate) fn record(&self, event: &Event) -> Result<()> {
        let state = Arc::clone(&event.state);
        let clock = (event.timing == EventTiming::On).then(|| self.shared.clock.clone());
        state.recorded.fetch_add(1, Ordering::AcqRel);
        self.run(move || {
            if let Some(clock) = clock {
                *state.time.lock().unwrap_or_else(PoisonError::into_inner) = Some(clock.now());
            }
            state.passed.fetch_add(1, Ordering::AcqRel);
        });
        Ok(())
    }

    pub(crate) fn wait(&self, event: &Event) -> Result<()> {
        let count = event.state.recorded.load(Ordering::Acquire);
        if let Queue::Simulated(simulator) = &mut *self.shared.queue() {
            let event = Arc::clone(&event.state);
            simulator.submit(self.index, Work::Wait { event, count });
        }
        Ok(())
    }

    pub(crate) fn synchronize(&self) -> Result<()> {
        if let Queue::Simulated(simulator) = &mut *self.shared.queue() {
            simulator.run_until(|simulator| simulator.is_idle(self.index));
        }
        Ok(())
    }

    pub(crate) fn is_idle(&self) -> Result<bool> {
        Ok(match &*self.shared.queue() {
            Queue::Eager => true,
            Queue::Simulated(simulator) => simulator.is_idle(self.index),
        })
    }

    fn run(&self, work: impl FnOnce() + Send + 'static) {
        match &mut *self.shared.queue() {
            Queue::Eager => work(),
            Queue::Simulated(simulator) => {
                simulator.submit(self.index, Work::Run(Box::new(work)));
            }
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

/// A point in a stream.
#[derive(Debug)]
pub(crate) struct Event {
    shared: Arc<Shared>,
    state: Arc<EventState>,
    timing: EventTiming,
}

#[derive(Debug, Default)]
pub(super) struct EventState {
    /// Records submitted so far.
    recorded: AtomicU64,
    /// Records reached so far. Invariant: at most `recorded`.
    pub(super) passed: AtomicU64,
    time: Mutex<Option<Instant>>,
}

impl Event {
    pub(super) fn new(shared: Arc<Shared>, timing: EventTiming) -> Self {
        Self { shared, state: Arc::default(), timing }
    }

    pub(crate) fn synchronize(&self) -> Result<()> {
        if let Queue::Simulated(simulator) = &mut *self.shared.queue() {
            simulator.run_until(|_| self.is_passed());
        }
        Ok(())
    }

    pub(crate) fn is_complete(&self) -> Result<bool> {
        Ok(self.is_passed())
    }

    pub(crate) fn elapsed_since(&self, earlier: &Self) -> Result<Duration> {
        let (end, start) = (self.time()?, earlier.time()?);
        Ok(end.saturating_duration_since(start))
    }

    fn is_passed(&self) -> bool {
        let recorded = self.state.recorded.load(Ordering::Acquire);
        self.state.passed.load(Ordering::Acquire) >= recorded
    }

    fn time(&self) -> Result<Instant> {
        let time = *self.state.time.lock().unwrap_or_else(PoisonError::into_inner);
        time.ok_or(Error::EventUntimed)
    }
}
