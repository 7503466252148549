//! Scripted failures: a plan that says which call of which kind fails, and how.
//!
//! Consulted before every operation on every backend, so that policies above can be tested
//! against each failure without a device that misbehaves. Empty by default.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, ErrorKind, Result};

/// The kinds of call that a [`FaultPlan`] can make fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Allocation of device or pinned memory.
    Allocate,
    /// A copy between two places on the device.
    Copy,
    /// Creation of a stream, an event or a graph; a graph counts twice, at the beginning and the end of its capture.
    Create,
    /// A copy from the device.
    Download,
    /// A kernel launch, or a replay of a graph.
    Launch,
    /// Loading of a kernel image.
    Load,
    /// Recording of an event.
    Record,
    /// Waiting of the host for a stream, an event or the device.
    Synchronize,
    /// A copy to the device.
    Upload,
    /// Waiting of a stream for an event.
    Wait,
}

impl Operation {
    /// Every kind, for tests that walk through all of them.
    pub const ALL: [Self; 10] = [
        Self::Allocate,
        Self::Copy,
        Self::Create,
        Self::Download,
        Self::Launch,
        Self::Load,
        Self::Record,
        Self::Synchronize,
        Self::Upload,
        Self::Wait,
    ];
}

impl std::fmt::Display for Operation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Allocate => "allocate",
            Self::Copy => "copy",
            Self::Create => "create",
            Self::Download => "download",
            Self::Launch => "launch",
            Self::Load => "load",
            Self::Record => "record",
            Self::Synchronize => "synchronize",
            Self::Upload => "upload",
            Self::Wait => "wait",
        })
    }
}

/// Which calls fail. Counting starts when the plan is given to a device.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    rules: Vec<Rule>,
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    operation: Operation,
    first: u64,
    count: u64,
    kind: ErrorKind,
}

impl FaultPlan {
    /// A plan under which nothing fails.
    pub fn none() -> Self {
        Self::default()
    }

    /// Call number `index` (from 0) of `operation` fails once with `kind`.
    ///
    /// [`ErrorKind::Poisoned`] also loses the device: every later call fails.
    pub fn fail_once(self, operation: Operation, index: u64, kind: ErrorKind) -> Self {
        self.fail(Rule { operation, first: index, count: 1, kind })
    }

    /// Every call of `operation` from number `index` (from 0) on fails with `kind`.
    pub fn fail_from(self, operation: Operation, index: u64, kind: ErrorKind) -> Self {
        self.fail(Rule { operation, first: index, count: u64::MAX, kind })
    }

    fn fail(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }
}

/// A plan and how far each kind of call has come.
#[derive(Debug, Default)]
pub(crate) struct FaultState {
    /// Whether there is a rule: without one, calls need not be counted.
    is_armed: AtomicBool,
    inner: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    plan: FaultPlan,
    calls: BTreeMap<Operation, u64>,
}

impl FaultState {
    pub(crate) fn replace(&self, plan: FaultPlan) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_armed.store(!plan.rules.is_empty(), Ordering::Release);
        *inner = Counted { plan, calls: BTreeMap::new() };
    }

    /// Counts a call and fails it if the plan says so.
    pub(crate) fn check(&self, operation: Operation) -> Result<()> {
        if !self.is_armed.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let index = *inner.calls.get(&operation).unwrap_or(&0);
        inner.calls.insert(operation, index + 1);
        let hit = inner.plan.rules.iter().find(|rule| {
            rule.operation == operation && index >= rule.first && index - rule.first < rule.count
        });
        match hit {
            Some(rule) => Err(Error::Injected { operation, index, kind: rule.kind }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_fails_the_calls_it_names_and_no_other() {
        let state = FaultState::default();
        state.replace(
            FaultPlan::none().fail_once(Operation::Upload, 1, ErrorKind::Transient).fail_from(
                Operation::Launch,
                2,
                ErrorKind::Exhausted,
            ),
        );
        let uploads: Vec<_> = (0..3).map(|_| state.check(Operation::Upload).is_err()).collect();
        let launches: Vec<_> = (0..4).map(|_| state.check(Operation::Launch).is_err()).collect();
        assert_eq!(uploads, [false, true, false]);
        assert_eq!(launches, [false, false, true, true]);
        assert!(state.check(Operation::Download).is_ok());
    }

    #[test]
    fn the_error_names_the_call_and_carries_the_kind() {
        let state = FaultState::default();
        state.replace(FaultPlan::none().fail_once(Operation::Wait, 0, ErrorKind::Poisoned));
        let error = state.check(Operation::Wait).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Poisoned);
        assert_eq!(error.to_string(), "injected fault: wait number 0 fails");
    }
}
