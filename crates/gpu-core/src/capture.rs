//! Who captures on a device, and what must outlive the device's graphs.
//!
//! A graph keeps addresses and no borrows, and the driver refuses to wait for a device that is being captured. So while
//! there is a capture or a graph, what is dropped is parked here. Never decides what a graph contains.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
};

use crate::backend::{RawGraph, RawMemory, RawModule, RawPinned};
use crate::device::{DeviceId, DeviceInner};
use crate::error::{Error, Result};
use crate::fault::Operation;

/// What all handles of one device share about captures and graphs.
#[derive(Debug, Default)]
pub(crate) struct Captures {
    /// Held by a capture from its beginning to its end, and shared by those who wait for the whole device.
    turn: RwLock<()>,
    /// Held while a stream may become or cease to be part of a capture, and shared while work is queued that must not.
    members: RwLock<()>,
    /// The thread that captures; 0 while none does.
    thread: AtomicU64,
    /// The first call of that thread that failed: nothing becomes of its capture.
    failed: Mutex<Option<Error>>,
    parking: Mutex<Parking>,
}

#[derive(Debug, Default)]
struct Parking {
    /// Graphs that were not dropped, and the capture that is on.
    graphs: usize,
    is_capturing: bool,
    parked: Vec<Parked>,
}

/// What was dropped and may be freed when the device has settled.
#[derive(Debug)]
#[expect(dead_code, reason = "it is kept to be dropped")]
pub(crate) enum Parked {
    Graph(RawGraph),
    Memory(RawMemory),
    Module(RawModule),
    Pinned(RawPinned),
}

impl Captures {
    /// Those of a device that may have several handles: all share one context.
    pub(crate) fn of(device: DeviceId) -> Arc<Self> {
        static DEVICES: Mutex<Vec<(DeviceId, Weak<Captures>)>> = Mutex::new(Vec::new());
        let mut devices = DEVICES.lock().unwrap_or_else(PoisonError::into_inner);
        devices.retain(|(_, captures)| captures.strong_count() > 0);
        let known = devices.iter().find(|(known, _)| *known == device);
        if let Some(captures) = known.and_then(|(_, captures)| captures.upgrade()) {
            return captures;
        }
        let captures = Arc::default();
        devices.push((device, Arc::downgrade(&captures)));
        captures
    }

    /// Whether the calling thread captures.
    fn is_mine(&self) -> bool {
        // Only a thread itself stores its own number, so it needs no order to see it.
        let thread = self.thread.load(Ordering::Relaxed);
        thread != 0 && thread == this_thread()
    }

    /// Refuses what cannot become part of a graph, on the thread that captures.
    pub(crate) fn admit(&self, operation: Operation) -> Result<()> {
        let call = match operation {
            Operation::Copy
            | Operation::Download
            | Operation::Launch
            | Operation::Record
            | Operation::Upload
            | Operation::Wait => return Ok(()),
            Operation::Allocate => "allocate",
            Operation::Create => "create",
            Operation::Load => "load",
            Operation::Synchronize => "synchronize",
        };
        self.refuse_inside(call)
    }

    /// Refuses `call` on the thread that captures, whose capture it ends.
    pub(crate) fn refuse_inside(&self, call: &'static str) -> Result<()> {
        let refused = if self.is_mine() { Err(Error::Capturing { call }) } else { Ok(()) };
        self.note(&refused);
        refused
    }

    /// Remembers what failed inside a capture, so that nothing becomes of it even if its caller goes on.
    pub(crate) fn note<R>(&self, result: &Result<R>) {
        if let Err(error) = result
            && self.is_mine()
        {
            self.failed().get_or_insert_with(|| error.clone());
        }
    }

    /// Lets no capture be on until the result is dropped, so that the whole device can be waited for.
    /// On the thread that captures there is nothing to wait for: its call is refused.
    pub(crate) fn between_captures(&self) -> Option<RwLockReadGuard<'_, ()>> {
        let others = !self.is_mine();
        others.then(|| self.turn.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a capture is on. Certain on the thread that captures, and while members stay or change.
    pub(crate) fn is_on(&self) -> bool {
        self.thread.load(Ordering::Relaxed) != 0
    }

    /// Runs `call` while no stream joins or leaves a capture.
    pub(crate) fn while_members_stay<R>(&self, call: impl FnOnce() -> Result<R>) -> Result<R> {
        let _members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        call()
    }

    /// Runs `call`, by which a stream may join a capture.
    pub(crate) fn while_members_change<R>(&self, call: impl FnOnce() -> Result<R>) -> Result<R> {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        if !self.is_on() {
            return call();
        }
        drop(members);
        let _members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        call()
    }

    /// Waits for the device as soon as no other thread captures, and says whether it has certainly settled: never on
    /// the thread that captures.
    pub(crate) fn settle_between(&self, device: &DeviceInner) -> bool {
        let between = self.between_captures();
        between.is_some() && device.settle()
    }

    /// Frees what nothing names any more: at once when the device has settled, or after its last graph.
    ///
    /// If the driver cannot say whether it has settled, it is kept until the driver can, which is asked with every next
    /// drop and last with that of the device; then for ever.
    pub(crate) fn retire(&self, device: &DeviceInner, retired: Parked) {
        let mut parking = self.parking();
        parking.parked.push(retired);
        parking.sweep(device);
    }

    /// Frees what earlier attempts had to keep. For a device that goes.
    pub(crate) fn sweep(&self, device: &DeviceInner) {
        self.parking().sweep(device);
    }

    fn failed(&self) -> MutexGuard<'_, Option<Error>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parking(&self) -> MutexGuard<'_, Parking> {
        self.parking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parking {
    /// Frees what may be freed now. The lock is held meanwhile, so that no capture begins before the device has settled.
    fn sweep(&mut self, device: &DeviceInner) {
        let has_graphs = self.graphs > 0;
        let is_due = |parked: &mut Parked| !has_graphs || matches!(parked, Parked::Graph(_));
        if self.is_capturing || !self.parked.iter_mut().any(is_due) {
            return;
        }
        if device.settle() {
            self.parked.extract_if(.., is_due).for_each(drop);
        }
    }
}

impl Drop for Parking {
    /// What is left may still be in use, as far as the driver could say.
    fn drop(&mut self) {
        self.parked.drain(..).for_each(std::mem::forget);
    }
}

/// A capture that is on: it has its device's turn, and ends on the thread that began it.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    device: &'a DeviceInner,
    _turn: RwLockWriteGuard<'a, ()>,
}

impl<'a> Turn<'a> {
    /// Waits for captures of other threads, and from then on parks what is dropped.
    pub(crate) fn take(device: &'a DeviceInner) -> Result<Self> {
        let captures = &device.captures;
        captures.refuse_inside("a capture")?;
        let turn = captures.turn.write().unwrap_or_else(PoisonError::into_inner);
        let mut parking = captures.parking();
        parking.graphs += 1;
        parking.is_capturing = true;
        Ok(Self { device, _turn: turn })
    }

    /// Begins the capture of the calling thread by `begin`.
    pub(crate) fn begin(&self, begin: impl FnOnce() -> Result<()>) -> Result<()> {
        let captures = &self.device.captures;
        let _members = captures.members.write().unwrap_or_else(PoisonError::into_inner);
        begin()?;
        captures.failed().take();
        captures.thread.store(this_thread(), Ordering::Relaxed);
        Ok(())
    }

    /// Ends the capture of the calling thread by `end`, and says what failed first in it.
    pub(crate) fn end<R>(&self, end: impl FnOnce() -> R) -> (R, Result<()>) {
        let captures = &self.device.captures;
        let _members = captures.members.write().unwrap_or_else(PoisonError::into_inner);
        let ended = end();
        captures.thread.store(0, Ordering::Relaxed);
        (ended, captures.failed().take().map_or(Ok(()), Err))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut parking = self.device.captures.parking();
        parking.is_capturing = false;
        parking.graphs -= 1;
        parking.sweep(self.device);
    }
}

/// One graph's share in keeping what was dropped.
#[derive(Debug)]
pub(crate) struct Keep {
    device: Arc<DeviceInner>,
}

impl Keep {
    /// To be made while the capture has its turn, so that nothing is freed in between.
    pub(crate) fn new(device: &Arc<DeviceInner>) -> Self {
        device.captures.parking().graphs += 1;
        Self { device: Arc::clone(device) }
    }

    pub(crate) fn device(&self) -> &Arc<DeviceInner> {
        &self.device
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        let mut parking = self.device.captures.parking();
        parking.graphs -= 1;
        parking.sweep(&self.device);
    }
}

/// A number for the calling thread; never 0, never used twice in a process.
fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed));
    NUMBER.with(|number| *number)
}
