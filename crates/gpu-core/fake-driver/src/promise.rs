//! What the program promises of host memory that queued copies use: it stays there and nobody writes to it.

use std::collections::BTreeMap;

use crate::driver::Driver;
use crate::op::Op;
use crate::span::{Home, Span};

/// Host memory of copies that have not run.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    next: u64,
    pending: BTreeMap<u64, Promise>,
}

#[derive(Debug)]
struct Promise {
    span: Span,
    digest: u64,
    broken: &'static str,
}

impl Promises {
    pub(crate) fn clear(&mut self) {
        self.pending.clear();
    }

    fn overlap(&self, span: &Span) -> bool {
        self.pending.values().any(|promise| promise.span.overlaps(span))
    }

    fn add(&mut self, span: Span, broken: &'static str) -> u64 {
        self.next += 1;
        self.pending.insert(self.next, Promise { span, digest: span.digest(), broken });
        self.next
    }

    /// The device itself has written to host memory: what is promised of it from now on is its new content.
    pub(crate) fn refresh(&mut self, written: &Span) {
        for promise in self.pending.values_mut() {
            if promise.span.overlaps(written) {
                promise.digest = promise.span.digest();
            }
        }
    }
}

impl Driver {
    /// Takes the promise that goes with queueing `op`, if it copies host memory.
    pub(crate) fn take_promise(&mut self, op: &Op) -> Option<u64> {
        let Op::Copy { from, to } = op else { return None };
        let is_pageable = [from, to].iter().any(|span| span.home == Home::Pageable);
        self.journal.pageable_copies += u64::from(is_pageable);
        if from.home != Home::Device {
            let broken = "the source of an upload was written before the copy ran";
            return Some(self.promises.add(*from, broken));
        }
        if to.home != Home::Device {
            // An earlier copy may still read what this one overwrites.
            if !self.promises.overlap(to) {
                to.fill_with_canary();
            }
            let broken = "the target of a download was written before the copy ran";
            return Some(self.promises.add(*to, broken));
        }
        None
    }

    /// The copy runs: was the promise kept?
    pub(crate) fn end_promise(&mut self, promise: Option<u64>) {
        let ended = promise.and_then(|promise| self.promises.pending.remove(&promise));
        if let Some(Promise { span, digest, broken }) = ended
            && span.digest() != digest
        {
            self.journal.violation(broken);
        }
    }
}
