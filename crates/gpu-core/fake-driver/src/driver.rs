//! The state of the fake: one value behind one lock, which every function of the driver holds while it runs.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::capture::{Capture, Exec, Graph};
use crate::code::Outcome;
use crate::context::Primary;
use crate::event::Event;
use crate::journal::Journal;
use crate::memory::Memory;
use crate::module::{Function, Module};
use crate::promise::Promises;
use crate::queue::{Engines, Queue};

/// Handles are multiples of this, so that none is an address and none is of two kinds.
const HANDLE_STEP: u64 = 16;
const HANDLES_FROM: u64 = 0x5000_0000_0000;

/// Everything that the driver knows.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) random: fastrand::Rng,
    pub(crate) journal: Journal,
    pub(crate) is_initialised: bool,
    pub(crate) devices: Vec<Primary>,
    pub(crate) memory: Memory,
    pub(crate) promises: Promises,
    pub(crate) queues: BTreeMap<u64, Queue>,
    pub(crate) engines: Engines,
    /// The host's place in virtual time, in nanoseconds.
    pub(crate) now_ns: u64,
    pub(crate) events: BTreeMap<u64, Event>,
    pub(crate) modules: BTreeMap<u64, Module>,
    pub(crate) functions: BTreeMap<u64, Function>,
    pub(crate) captures: BTreeMap<u64, Capture>,
    pub(crate) graphs: BTreeMap<u64, Graph>,
    pub(crate) execs: BTreeMap<u64, Exec>,
    next_handle: u64,
}

static DRIVER: LazyLock<Mutex<Driver>> = LazyLock::new(|| Mutex::new(Driver::new(0, 2)));

/// The driver, locked.
pub(crate) fn lock() -> MutexGuard<'static, Driver> {
    DRIVER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs one function of the driver: counted, failed if it is to fail, logged.
pub(crate) fn enter(
    name: &'static str,
    function: impl FnOnce(&mut Driver) -> Outcome,
) -> std::ffi::c_uint {
    let driver = &mut *lock();
    driver.now_ns += CALL_NS;
    let admitted = driver.journal.admit(name);
    if admitted.is_err() && name == "cuStreamEndCapture" {
        // Whatever ending a capture fails with, it ends the capture.
        driver.abandon_captures();
    }
    let outcome = admitted.and_then(|()| function(driver));
    if driver.journal.sticky.is_some() {
        driver.stop();
    }
    let result = outcome.map_or_else(|code| code.0, |()| 0);
    driver.journal.note(name, result);
    result
}

/// What a call costs the host in virtual time.
const CALL_NS: u64 = 250;

impl Driver {
    pub(crate) fn new(seed: u64, devices: usize) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            journal: Journal::default(),
            is_initialised: false,
            devices: (0..devices).map(|_| Primary::default()).collect(),
            memory: Memory::default(),
            promises: Promises::default(),
            queues: BTreeMap::new(),
            engines: Engines::default(),
            now_ns: 0,
            events: BTreeMap::new(),
            modules: BTreeMap::new(),
            functions: BTreeMap::new(),
            captures: BTreeMap::new(),
            graphs: BTreeMap::new(),
            execs: BTreeMap::new(),
            next_handle: HANDLES_FROM,
        }
    }

    /// A handle that was never given out.
    pub(crate) fn handle(&mut self) -> u64 {
        self.next_handle += HANDLE_STEP;
        self.next_handle
    }

    /// After a sticky fault nothing that was queued runs any more.
    fn stop(&mut self) {
        self.queues.values_mut().for_each(Queue::clear);
        self.promises.clear();
    }

    /// How many objects of each kind are alive.
    pub(crate) fn alive(&self) -> [(&'static str, usize); 9] {
        let contexts = self.devices.iter().filter(|device| device.context.is_some()).count();
        let streams = self.queues.values().filter(|queue| queue.is_open && !queue.is_default);
        [
            ("context", contexts),
            ("stream", streams.count()),
            ("event", self.events.values().filter(|event| event.is_open).count()),
            ("device memory", self.memory.device.len()),
            ("page-locked memory", self.memory.allocated_count()),
            ("registered memory", self.memory.registered_count()),
            ("module", self.modules.len()),
            ("graph", self.graphs.len()),
            ("executable graph", self.execs.values().filter(|exec| exec.is_open).count()),
        ]
    }

    /// Looks at what no call would find: guards that were written over.
    pub(crate) fn audit(&mut self) {
        for text in self.memory.broken_guards() {
            self.journal.violation(text);
        }
    }
}
