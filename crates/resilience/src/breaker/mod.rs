//! A circuit breaker: the shell that reads the clock and holds the lock around the pure state.
//!
//! Never makes the call itself: it admits, and is told the outcome.

mod config;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use gpu_core::{Clock, ErrorKind};

pub use self::config::BreakerConfig;
pub use self::state::Phase;
use self::state::{Generation, Outcome, Refusal, State, counts_against_device};
use crate::error::{Error, Result};

/// Stops calls to what keeps failing, and lets a few through to see whether it has recovered.
///
/// Failures of kind [`Transient`](ErrorKind::Transient) and [`Exhausted`](ErrorKind::Exhausted) count;
/// [`Poisoned`](ErrorKind::Poisoned) opens the breaker for ever; the others are not the device's doing.
/// Clones share one state.
#[derive(Clone, Debug)]
pub struct CircuitBreaker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: Arc<str>,
    config: BreakerConfig,
    clock: Clock,
    locked: Mutex<Locked>,
}

#[derive(Debug)]
struct Locked {
    state: State,
    counts: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    admitted: u64,
    refused: u64,
    succeeded: u64,
    failed: u64,
    ignored: u64,
    late: u64,
    opened: u64,
}

/// What a breaker has seen. `admitted = succeeded + failed + ignored + in_flight`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct BreakerStats {
    /// The breaker.
    pub name: String,
    /// Where it stands.
    pub phase: Phase,
    /// Calls that were let through.
    pub admitted: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Admitted calls that succeeded.
    pub succeeded: u64,
    /// Admitted calls whose failure counts against the device.
    pub failed: u64,
    /// Admitted calls that say nothing about the device: the caller's mistakes, and permits given back.
    pub ignored: u64,
    /// Admitted calls that have not ended.
    pub in_flight: u64,
    /// Outcomes that came after a change of state, and so decided nothing; each is counted above as well.
    pub late: u64,
    /// Times it opened.
    pub opened: u64,
}

impl CircuitBreaker {
    /// A closed breaker.
    ///
    /// # Errors
    /// [`Error::Config`] names a setting that cannot work.
    pub fn new(name: &str, config: BreakerConfig, clock: Clock) -> Result<Self> {
        config.check()?;
        let locked = Locked { state: State::new(&config), counts: Counts::default() };
        let inner = Inner { name: name.into(), config, clock, locked: Mutex::new(locked) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Asks to make one call.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Probing`] or [`Error::Lost`]: the call must not be made.
    pub fn admit(&self) -> Result<Permit> {
        self.admit_at(self.inner.clock.now())
    }

    pub(crate) fn admit_at(&self, now: Instant) -> Result<Permit> {
        let mut locked = self.inner.lock();
        let admitted = locked.change(|state| state.admit(now, &self.inner.config));
        match admitted {
            Ok(generation) => {
                locked.counts.admitted += 1;
                Ok(Permit { breaker: Arc::clone(&self.inner), generation, is_reported: false })
            }
            Err(refusal) => {
                locked.counts.refused += 1;
                Err(self.inner.error(refusal))
            }
        }
    }

    /// What it has seen so far.
    pub fn stats(&self) -> BreakerStats {
        let locked = self.inner.lock();
        let counts = locked.counts;
        BreakerStats {
            name: self.inner.name.to_string(),
            phase: locked.state.phase(),
            admitted: counts.admitted,
            refused: counts.refused,
            succeeded: counts.succeeded,
            failed: counts.failed,
            ignored: counts.ignored,
            in_flight: counts.admitted - counts.succeeded - counts.failed - counts.ignored,
            late: counts.late,
            opened: counts.opened,
        }
    }

    /// Where it stands. An open breaker whose time is over stays open until the next call.
    pub fn phase(&self) -> Phase {
        self.inner.lock().state.phase()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }
}

impl Inner {
    /// A panic cannot leave the state half changed: every change of it is a plain assignment.
    fn lock(&self) -> MutexGuard<'_, Locked> {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, refusal: Refusal) -> Error {
        let name = Arc::clone(&self.name);
        match refusal {
            Refusal::Open { retry_in } => Error::Open { name, retry_in },
            Refusal::Probing { probes } => Error::Probing { name, probes },
            Refusal::Lost => Error::Lost { name },
        }
    }

    fn report(&self, generation: Generation, outcome: Outcome, now: Instant) {
        let mut locked = self.lock();
        let counts = &mut locked.counts;
        match outcome {
            Outcome::Success => counts.succeeded += 1,
            Outcome::Failure(kind) if counts_against_device(kind) => counts.failed += 1,
            Outcome::Failure(_) | Outcome::Released => counts.ignored += 1,
        }
        let decided = locked.change(|state| state.report(generation, outcome, now, &self.config));
        if !decided {
            locked.counts.late += 1;
        }
    }
}

impl Locked {
    /// Applies a change to the state and counts openings.
    fn change<R>(&mut self, apply: impl FnOnce(&mut State) -> R) -> R {
        let before = self.state.phase();
        let result = apply(&mut self.state);
        let after = self.state.phase();
        if before != after && matches!(after, Phase::Open | Phase::Lost) {
            self.counts.opened += 1;
        }
        result
    }
}

/// Leave to make one call. Dropped without a report, it counts as a call that was not made.
#[derive(Debug)]
#[must_use = "report the outcome, or the breaker learns nothing"]
pub struct Permit {
    breaker: Arc<Inner>,
    generation: Generation,
    is_reported: bool,
}

impl Permit {
    /// The call succeeded.
    pub fn success(self) {
        let now = self.breaker.clock.now();
        self.success_at(now);
    }

    /// The call failed.
    pub fn failure(self, kind: ErrorKind) {
        let now = self.breaker.clock.now();
        self.failure_at(kind, now);
    }

    pub(crate) fn success_at(self, now: Instant) {
        self.report(Outcome::Success, now);
    }

    pub(crate) fn failure_at(self, kind: ErrorKind, now: Instant) {
        self.report(Outcome::Failure(kind), now);
    }

    fn report(mut self, outcome: Outcome, now: Instant) {
        self.is_reported = true;
        self.breaker.report(self.generation, outcome, now);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.is_reported {
            let now = self.breaker.clock.now();
            self.breaker.report(self.generation, Outcome::Released, now);
        }
    }
}
