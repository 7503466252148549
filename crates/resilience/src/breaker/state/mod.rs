//! The breaker's pure state machine: no clock, no lock, no device.
//!
//! The states are those of Nygard's circuit breaker ("Release It!", 2007). A generation counts the
//! changes of state, so that a result that was asked for before a change cannot decide after it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use gpu_core::ErrorKind;

use super::config::BreakerConfig;

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Calls pass.
    Closed,
    /// Calls are refused until a time.
    Open,
    /// A limited number of calls pass, to see whether they succeed.
    HalfOpen,
    /// The device is lost: calls are refused for ever.
    Lost,
}

/// Which run of a phase a call was admitted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(u64);

/// How an admitted call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Success,
    Failure(ErrorKind),
    /// It was never made, or says nothing about the device.
    Released,
}

/// Whether a failure of this kind is the device's; the others are the caller's, and say nothing of it.
pub(super) fn counts_against_device(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Exhausted | ErrorKind::Poisoned | ErrorKind::Transient => true,
        ErrorKind::Invalid | ErrorKind::Unavailable => false,
    }
}

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Open { retry_in: Duration },
    Probing { probes: u32 },
    Lost,
}

#[derive(Debug)]
pub(super) struct State {
    stage: Stage,
    generation: u64,
    /// Recoveries that failed since the breaker was last closed.
    failed_recoveries: u32,
    /// Times of the latest failures while closed, oldest first. Invariant: fewer than `config.failures`.
    failures: VecDeque<Instant>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Closed,
    Open {
        until: Instant,
    },
    /// Invariant: `succeeded <= admitted <= config.probes`; `admitted - succeeded` are in flight.
    HalfOpen {
        admitted: u32,
        succeeded: u32,
        deadline: Instant,
    },
    Lost,
}

impl State {
    pub(super) fn new(config: &BreakerConfig) -> Self {
        let failures = VecDeque::with_capacity(config.failures as usize);
        Self { stage: Stage::Closed, generation: 0, failed_recoveries: 0, failures }
    }

    pub(super) fn phase(&self) -> Phase {
        match self.stage {
            Stage::Closed => Phase::Closed,
            Stage::Open { .. } => Phase::Open,
            Stage::HalfOpen { .. } => Phase::HalfOpen,
            Stage::Lost => Phase::Lost,
        }
    }

    /// Lets a call through, or says why not.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        config: &BreakerConfig,
    ) -> Result<Generation, Refusal> {
        match self.stage {
            Stage::Closed => {}
            Stage::Open { until } if now < until => {
                return Err(Refusal::Open { retry_in: until - now });
            }
            Stage::Open { .. } => {
                let deadline = now + config.probe_timeout;
                self.enter(Stage::HalfOpen { admitted: 1, succeeded: 0, deadline });
            }
            Stage::HalfOpen { deadline, .. } if now >= deadline => {
                self.reopen(now, config);
                return Err(Refusal::Open {
                    retry_in: config.open_duration(self.failed_recoveries),
                });
            }
            Stage::HalfOpen { admitted, succeeded, .. } if admitted >= config.probes => {
                return Err(Refusal::Probing { probes: admitted - succeeded });
            }
            Stage::HalfOpen { admitted, succeeded, deadline } => {
                self.stage = Stage::HalfOpen { admitted: admitted + 1, succeeded, deadline };
            }
            Stage::Lost => return Err(Refusal::Lost),
        }
        Ok(Generation(self.generation))
    }

    /// Takes the outcome of a call in; true if it decided anything, false if it came too late to.
    pub(super) fn report(
        &mut self,
        generation: Generation,
        outcome: Outcome,
        now: Instant,
        config: &BreakerConfig,
    ) -> bool {
        let is_current = generation == Generation(self.generation);
        match outcome {
            // A lost device is a fact, whenever the call was admitted.
            Outcome::Failure(ErrorKind::Poisoned) => self.lose(),
            _ if !is_current => {}
            Outcome::Success => self.on_success(config),
            Outcome::Failure(kind) if counts_against_device(kind) => self.on_failure(now, config),
            // The caller's mistake, or a call that says nothing: its place is free again.
            Outcome::Failure(_) | Outcome::Released => self.on_release(),
        }
        is_current
    }

    fn on_success(&mut self, config: &BreakerConfig) {
        let Stage::HalfOpen { admitted, succeeded, deadline } = self.stage else { return };
        let succeeded = succeeded + 1;
        if succeeded < config.probes {
            self.stage = Stage::HalfOpen { admitted, succeeded, deadline };
            return;
        }
        self.failed_recoveries = 0;
        self.failures.clear();
        self.enter(Stage::Closed);
    }

    fn on_failure(&mut self, now: Instant, config: &BreakerConfig) {
        match self.stage {
            Stage::Closed => self.count_failure(now, config),
            Stage::HalfOpen { .. } => self.reopen(now, config),
            Stage::Open { .. } | Stage::Lost => {}
        }
    }

    fn on_release(&mut self) {
        if let Stage::HalfOpen { admitted, succeeded, deadline } = self.stage {
            self.stage = Stage::HalfOpen { admitted: admitted - 1, succeeded, deadline };
        }
    }

    fn count_failure(&mut self, now: Instant, config: &BreakerConfig) {
        while self
            .failures
            .front()
            .is_some_and(|&at| now.saturating_duration_since(at) > config.window)
        {
            self.failures.pop_front();
        }
        if self.failures.len() + 1 < config.failures as usize {
            self.failures.push_back(now);
            return;
        }
        self.enter(Stage::Open { until: now + config.open_duration(0) });
    }

    fn reopen(&mut self, now: Instant, config: &BreakerConfig) {
        self.failed_recoveries = self.failed_recoveries.saturating_add(1);
        self.enter(Stage::Open { until: now + config.open_duration(self.failed_recoveries) });
    }

    fn lose(&mut self) {
        if self.phase() != Phase::Lost {
            self.enter(Stage::Lost);
        }
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.generation += 1;
    }
}

#[cfg(test)]
mod tests;
