//! Who captures on a device, and what must outlive the device's graphs.
//!
//! A graph keeps addresses and no borrows, and the driver refuses to wait for a device that is being captured. So during
//! a capture, and while there is a graph that could name it, what is dropped is parked here. Captures are counted: a
//! graph cannot name what was made after its capture had ended, or dropped before it began. Never decides what a graph contains.

use std::collections::BTreeSet;
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
    /// Captures that have ended; the last one's number.
    ended: AtomicU64,
    parking: Mutex<Parking>,
}

#[derive(Debug, Default)]
struct Parking {
    /// Captures that have begun; the last one's number.
    begun: u64,
    is_capturing: bool,
    /// The graphs that were not dropped, by the number of their capture.
    graphs: BTreeSet<u64>,
    parked: Vec<Parked>,
}

/// The number of the last capture that had ended when something was made: it and earlier ones cannot name that thing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Birth(u64);

impl Birth {
    /// Of what no graph can name.
    pub(crate) const UNNAMED: Self = Self(u64::MAX);
}

/// What was dropped, and the captures that could name it: those after its birth and up to the last that had begun.
#[derive(Debug)]
struct Parked {
    birth: Birth,
    last: u64,
    #[expect(dead_code, reason = "it is kept to be dropped")]
    retired: Retired,
}

/// What was dropped and may be freed when the device has settled.
#[derive(Debug)]
#[expect(dead_code, reason = "it is kept to be dropped")]
pub(crate) enum Retired {
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

    /// For what is being made, before anybody can use it.
    pub(crate) fn birth(&self) -> Birth {
        // What a capture uses was made before its end, so no order is needed not to see that end here. Whoever sees an
        // end late is only parked for longer.
        Birth(self.ended.load(Ordering::Relaxed))
    }

    /// Frees what nothing names any more: at once when the device has settled, or after the last graph that could name it.
    ///
    /// If the driver cannot say whether it has settled, it is kept until the driver can, which is asked with every next
    /// drop and last with that of the device; then for ever.
    pub(crate) fn retire(&self, device: &DeviceInner, birth: Birth, retired: Retired) {
        let mut parking = self.parking();
        let last = parking.begun;
        parking.parked.push(Parked { birth, last, retired });
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
        let graphs = &self.graphs;
        let is_due = |parked: &mut Parked| !parked.is_nameable_by(graphs);
        if self.is_capturing || !self.parked.iter_mut().any(is_due) {
            return;
        }
        if device.settle() {
            self.parked.extract_if(.., is_due).for_each(drop);
        }
    }
}

impl Parked {
    /// Whether one of `graphs` could name it: the newest that it was there for could, or none.
    fn is_nameable_by(&self, graphs: &BTreeSet<u64>) -> bool {
        let newest = graphs.range(..=self.last).next_back();
        newest.is_some_and(|&capture| capture > self.birth.0)
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
        parking.begun += 1;
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
        let captures = &self.device.captures;
        let mut parking = captures.parking();
        parking.is_capturing = false;
        captures.ended.store(parking.begun, Ordering::Relaxed);
        parking.sweep(self.device);
    }
}

/// One graph's share in keeping what was dropped.
#[derive(Debug)]
pub(crate) struct Keep {
    device: Arc<DeviceInner>,
    /// The number of the graph's capture.
    capture: u64,
}

impl Keep {
    /// To be made while the capture has its turn, so that nothing is freed in between.
    pub(crate) fn new(device: &Arc<DeviceInner>) -> Self {
        let mut parking = device.captures.parking();
        let capture = parking.begun;
        parking.graphs.insert(capture);
        Self { device: Arc::clone(device), capture }
    }

    pub(crate) fn device(&self) -> &Arc<DeviceInner> {
        &self.device
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        let mut parking = self.device.captures.parking();
        parking.graphs.remove(&self.capture);
        parking.sweep(&self.device);
    }
}

/// A number for the calling thread; never 0, never used twice in a process.
fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed));
    NUMBER.with(|number| *number)
}

#[cfg(test)]
mod tests {
    use crate::{Device, Graph, KernelImages, KernelSource, Stream};

    fn parked(device: &Device) -> usize {
        device.inner.captures.parking().parked.len()
    }

    fn graph(stream: &Stream) -> Graph {
        stream.capture(|| Ok(())).unwrap()
    }

    fn each_host(test: impl Fn(&Device)) {
        [Device::host(), Device::host_simulated(1)].iter().for_each(test);
    }

    #[test]
    fn what_is_made_after_a_graph_is_freed_beside_it() {
        let source = KernelSource { name: "none", text: "", headers: &[] };
        each_host(|device| {
            let stream = device.stream().unwrap();
            let _graphs = [(); 3].map(|()| graph(&stream));
            for _ in 0..1000 {
                let mut buffer = device.buffer::<f64>(8).unwrap();
                stream.zero(buffer.view_mut()).unwrap();
                let pinned = device.pinned::<f64>(8).unwrap();
                drop((buffer, pinned, KernelImages::at("none").module(device, &source).unwrap()));
                assert_eq!(parked(device), 0);
            }
        });
    }

    #[test]
    fn what_a_graph_could_name_is_parked_until_no_such_graph_lives() {
        each_host(|device| {
            let stream = device.stream().unwrap();
            let [gone, named] = [(); 2].map(|()| device.buffer::<u8>(1).unwrap());
            let first = graph(&stream);
            drop(gone);
            assert_eq!(parked(device), 1, "the first graph could name it");
            let second = graph(&stream);
            drop(named);
            assert_eq!(parked(device), 2, "both graphs could name it");
            drop(first);
            assert_eq!(parked(device), 1, "what was gone before the second capture is freed");
            drop(second);
            assert_eq!(parked(device), 0);
        });
    }

    #[test]
    fn what_another_thread_makes_during_a_capture_could_be_named_by_it() {
        each_host(|device| {
            let stream = device.stream().unwrap();
            let mut beside = None;
            let graph = stream
                .capture(|| {
                    let made = || device.buffer::<u8>(1);
                    let made = std::thread::scope(|scope| scope.spawn(made).join());
                    stream.zero(beside.insert(made.unwrap()?).view_mut())
                })
                .unwrap();
            drop(beside);
            assert_eq!(parked(device), 1);
            drop(graph);
            assert_eq!(parked(device), 0);
        });
    }

    #[test]
    fn what_is_dropped_in_a_capture_that_fails_is_freed_at_its_end() {
        each_host(|device| {
            let stream = device.stream().unwrap();
            let _older = graph(&stream);
            let (buffer, dropped) = (device.buffer::<u8>(1).unwrap(), graph(&stream));
            let failed = stream.capture(|| {
                drop((buffer, dropped));
                assert_eq!(parked(device), 2);
                stream.synchronize()
            });
            assert!(failed.is_err());
            assert_eq!(parked(device), 0);
        });
    }
}
