//! One fallible call under a breaker and a health component.
//!
//! Never retries and never calls when the breaker refuses.

use std::time::Instant;

use gpu_core::ErrorKind;

use crate::breaker::{CircuitBreaker, Permit};
use crate::error::{Error, Result};
use crate::health::Component;

/// Makes calls only while the breaker lets them, and reports each outcome to breaker and health.
///
/// Durations are measured with the breaker's clock. Clones share both.
#[derive(Clone, Debug)]
pub struct Guard {
    breaker: CircuitBreaker,
    component: Component,
}

impl Guard {
    /// Calls under `breaker`, counted for `component`.
    pub fn new(breaker: CircuitBreaker, component: Component) -> Self {
        Self { breaker, component }
    }

    /// The breaker.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// The health component.
    pub fn component(&self) -> &Component {
        &self.component
    }

    /// Makes one device call.
    ///
    /// # Errors
    /// A refusal ([`Error::is_refusal`]): `call` did not run. Otherwise the call's own error.
    pub fn run<R>(&self, call: impl FnOnce() -> gpu_core::Result<R>) -> Result<R> {
        self.run_as(gpu_core::Error::kind, call)?.map_err(Error::Device)
    }

    /// Makes one call with an error of another type, whose kind `kind` tells.
    ///
    /// The outer result says whether `call` ran, the inner one is what it returned. A panic in `call` counts as a
    /// transient failure and goes on to the caller.
    ///
    /// # Errors
    /// A refusal: `call` did not run.
    pub fn run_as<R, E>(
        &self,
        kind: impl FnOnce(&E) -> ErrorKind,
        call: impl FnOnce() -> std::result::Result<R, E>,
    ) -> Result<std::result::Result<R, E>> {
        let start = self.breaker.clock().now();
        let permit = self.breaker.admit_at(start).inspect_err(|_| self.component.on_refusal())?;
        // Reports on drop, also when `call` panics.
        let failure = Some(ErrorKind::Transient);
        let mut attempt = Attempt { guard: self, permit: Some(permit), start, failure };
        let result = call();
        attempt.failure = result.as_ref().err().map(kind);
        drop(attempt);
        Ok(result)
    }
}

/// A call in flight, and how it will be reported if it ended now.
struct Attempt<'a> {
    guard: &'a Guard,
    permit: Option<Permit>,
    start: Instant,
    failure: Option<ErrorKind>,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let now = self.guard.breaker.clock().now();
        let Some(permit) = self.permit.take() else { return };
        match self.failure {
            None => {
                permit.success_at(now);
                let latency = now.saturating_duration_since(self.start);
                self.guard.component.on_success(now, latency);
            }
            Some(kind) => {
                permit.failure_at(kind, now);
                self.guard.component.on_failure(now, kind);
            }
        }
    }
}
