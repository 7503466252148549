//! The fake in this process: what it should do, and what it saw.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_uint, c_void};
use std::path::Path;

use libloading::Library;

/// The fake driver, loaded.
#[derive(Debug)]
pub struct FakeDriver {
    library: Library,
}

/// How long a failure lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// One call.
    Once,
    /// Every matching call from then on.
    Always,
    /// Every call of any function from then on, as after a fault of the device.
    Sticky,
}

impl Lasting {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Once, Self::Always, Self::Sticky];
}

/// A call that is to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fail {
    /// Which function; any, if absent.
    pub function: Option<&'static str>,
    /// Which of its calls, from 0, counted from when the failure is asked for.
    pub first: u64,
    /// For how long.
    pub lasting: Lasting,
    /// What it fails with.
    pub code: u32,
}

impl Fail {
    /// One call of one function.
    pub const fn call(function: &'static str, first: u64, code: u32) -> Self {
        Self { function: Some(function), first, lasting: Lasting::Once, code }
    }
}

/// One call that the driver saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The calling thread; they count from 0 in the order of their first call.
    pub thread: u32,
    /// What it returned.
    pub result: u32,
    /// The function.
    pub name: String,
}

impl Call {
    /// Whether that this call failed is why an object of `kind` may still be alive: it was to release one, or to find out
    /// that the device has finished with it, or to make the context current for either.
    pub fn keeps_alive(&self, kind: &str) -> bool {
        match self.name.as_str() {
            "cuCtxSetCurrent" => true,
            "cuCtxSynchronize" => kind != "stream" && kind != "event",
            "cuMemFree_v2" => kind == "device memory",
            "cuMemFreeHost" => kind == "page-locked memory",
            "cuMemHostUnregister" => kind == "registered memory",
            "cuStreamDestroy_v2" => kind == "stream",
            "cuEventDestroy_v2" => kind == "event",
            "cuModuleUnload" => kind == "module",
            "cuGraphDestroy" => kind == "graph",
            "cuGraphExecDestroy" => kind == "executable graph",
            _ => false,
        }
    }
}

/// Reports of `fake_report`, by number.
const VIOLATIONS: c_uint = 0;
const ALIVE: c_uint = 1;
const COUNTERS: c_uint = 2;
const CALLS: c_uint = 3;
const COUNTS: c_uint = 4;

type Reset = unsafe extern "C" fn(u64, c_uint);
type Script = unsafe extern "C" fn(*const c_char, u64, c_uint, c_uint);
type Heal = unsafe extern "C" fn();
type Visit = unsafe extern "C" fn(*mut c_void, *const u8, usize);
type Report = unsafe extern "C" fn(c_uint, Visit, *mut c_void);

/// An image of kernels that the fake knows by name.
pub fn image(kernels: &[&str]) -> Vec<u8> {
    format!("fake image: {}", kernels.join(" ")).into_bytes()
}

impl FakeDriver {
    /// The library that gpu-core loads in this process: one file, one state.
    pub(crate) fn attach(path: &Path) -> Self {
        // SAFETY: loading the fake runs no code of its own.
        let library = unsafe { Library::new(path) };
        Self { library: library.expect("cargo built the fake driver") }
    }

    /// Starts over: nothing alive, nothing logged, nothing made to fail, two devices.
    ///
    /// To be called when nothing of the driver is in use; what leaked is gone with it.
    pub fn reset(&self, seed: u64) {
        self.reset_with(seed, 2);
    }

    /// As [`reset`](Self::reset), with so many devices.
    pub fn reset_with(&self, seed: u64, devices: u32) {
        // SAFETY: the fake declares it so.
        let reset = unsafe { self.function::<Reset>("fake_reset") };
        // SAFETY: as its documentation asks, nothing of the driver is in use.
        unsafe { reset(seed, devices) };
    }

    /// Makes a call fail.
    pub fn fail(&self, fail: Fail) {
        let name = fail.function.map(|name| CString::new(name).expect("a name has no zero"));
        let pointer = name.as_ref().map_or(std::ptr::null(), |name| name.as_ptr());
        let lasting = match fail.lasting {
            Lasting::Once => 0,
            Lasting::Always => 1,
            Lasting::Sticky => 2,
        };
        // SAFETY: the fake declares it so.
        let script = unsafe { self.function::<Script>("fake_fail") };
        // SAFETY: the name lives to the end of this call.
        unsafe { script(pointer, fail.first, lasting, fail.code) };
    }

    /// Makes no call fail any more. A device that was lost stays lost.
    pub fn heal(&self) {
        // SAFETY: the fake declares it so.
        let heal = unsafe { self.function::<Heal>("fake_heal") };
        // SAFETY: it asks for nothing.
        unsafe { heal() };
    }

    /// What the program did that the driver's documentation forbids, or promised and did not keep.
    pub fn violations(&self) -> Vec<String> {
        self.report(VIOLATIONS)
    }

    /// How many objects of each kind are alive.
    pub fn alive(&self) -> BTreeMap<String, u64> {
        self.numbers(ALIVE)
    }

    /// Copies from or to pageable memory, and calls that named the default stream.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        self.numbers(COUNTERS)
    }

    /// Every call, in order.
    pub fn calls(&self) -> Vec<Call> {
        let parse = |line: String| {
            let mut words = line.split(' ');
            let mut number = || words.next().and_then(|word| word.parse().ok());
            let (thread, result) = (number()?, number()?);
            Some(Call { thread, result, name: words.next()?.to_owned() })
        };
        self.report(CALLS).into_iter().filter_map(parse).collect()
    }

    /// How often each function was called.
    pub fn call_counts(&self) -> BTreeMap<String, u64> {
        self.numbers(COUNTS)
    }

    /// Fails if a promise was broken or anything is still alive.
    ///
    /// # Panics
    /// With `case` and what was found.
    pub fn assert_clean(&self, case: &str) {
        assert_eq!(self.violations(), Vec::<String>::new(), "{case}");
        assert_eq!(self.alive(), BTreeMap::new(), "{case}");
    }

    /// Lines of a number and a name.
    fn numbers(&self, what: c_uint) -> BTreeMap<String, u64> {
        let lines = self.report(what);
        let split = lines.iter().filter_map(|line| line.split_once(' '));
        split.filter_map(|(count, name)| Some((name.to_owned(), count.parse().ok()?))).collect()
    }

    fn report(&self, what: c_uint) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        // SAFETY: the fake declares it so.
        let report = unsafe { self.function::<Report>("fake_report") };
        // SAFETY: `push` takes the target as what it is, and it lives to the end of this call.
        unsafe { report(what, push, (&raw mut lines).cast()) };
        lines
    }

    /// # Safety
    /// `F` must be the type that the fake declares for `name`.
    unsafe fn function<F: Copy>(&self, name: &str) -> F {
        // SAFETY: the caller vouches for the type.
        let symbol = unsafe { self.library.get::<F>(name) };
        *symbol.expect("the fake has all its control functions")
    }
}

/// Appends a line to a vector of strings.
unsafe extern "C" fn push(target: *mut c_void, line: *const u8, bytes: usize) {
    // SAFETY: `report` passes a vector that nothing else uses meanwhile.
    let lines = unsafe { &mut *target.cast::<Vec<String>>() };
    // SAFETY: the fake passes a line that lives to the end of this call.
    let line = unsafe { std::slice::from_raw_parts(line, bytes) };
    lines.push(String::from_utf8_lossy(line).into_owned());
}
