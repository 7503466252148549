//! What was called, what was made to fail, and what was done wrong.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::code::{Code, Outcome};

/// The one function that a lost context leaves usable, as was seen on a real driver.
const ALWAYS_USABLE: &str = "cuDevicePrimaryCtxRelease_v2";

/// One call of a function of the driver.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    /// The calling thread; they count from 0 in the order of their first call.
    pub(crate) thread: u32,
    pub(crate) result: u32,
}

/// How long a scripted failure lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// One call.
    Once,
    /// Every matching call from then on.
    Always,
    /// Every call of any function from then on: the context is lost.
    Sticky,
}

/// A call that is to fail.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Which function; any if absent.
    pub(crate) function: Option<String>,
    /// Which of its calls, from 0, counted from the moment the failure was asked for.
    pub(crate) first: u64,
    pub(crate) lasting: Lasting,
    pub(crate) code: Code,
    /// Matching calls so far.
    pub(crate) seen: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) calls: Vec<Call>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
    pub(crate) failures: Vec<Failure>,
    pub(crate) violations: Vec<String>,
    /// The code that lost every context of the process.
    pub(crate) sticky: Option<Code>,
    /// Copies that were queued from or to memory that is not page-locked.
    pub(crate) pageable_copies: u64,
    /// Calls that named the default stream.
    pub(crate) default_stream_calls: u64,
}

impl Journal {
    /// Counts a call and fails it if it is to fail.
    pub(crate) fn admit(&mut self, name: &'static str) -> Outcome {
        *self.counts.entry(name).or_default() += 1;
        if name == ALWAYS_USABLE {
            return Ok(());
        }
        if let Some(code) = self.sticky {
            return Err(code);
        }
        let mut result = Ok(());
        for failure in &mut self.failures {
            if failure.function.as_deref().is_some_and(|function| function != name) {
                continue;
            }
            let index = failure.seen;
            failure.seen += 1;
            let hits = match failure.lasting {
                Lasting::Once | Lasting::Sticky => index == failure.first,
                Lasting::Always => index >= failure.first,
            };
            if hits && failure.lasting == Lasting::Sticky {
                self.sticky = Some(failure.code);
            }
            if hits {
                result = Err(failure.code);
            }
        }
        result
    }

    pub(crate) fn note(&mut self, name: &'static str, result: u32) {
        self.calls.push(Call { name, thread: thread(), result });
    }

    /// Remembers that the program did what the driver's documentation forbids.
    pub(crate) fn violation(&mut self, text: impl Into<String>) {
        let call = self.calls.len();
        self.violations.push(format!("call {call}: {}", text.into()));
    }
}

/// The calling thread's number.
pub(crate) fn thread() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    thread_local! {
        static NUMBER: Cell<Option<u32>> = const { Cell::new(None) };
    }
    NUMBER.get().unwrap_or_else(|| {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        NUMBER.set(Some(number));
        number
    })
}
