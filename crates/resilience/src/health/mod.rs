//! How each part of a service is doing, told by the outcomes of its calls.
//!
//! Never polls and never calls a device: it believes what it is told.

mod config;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use gpu_core::{Clock, ErrorKind};

pub use self::config::HealthConfig;
use self::state::State;
pub use self::state::{FailureCounts, Health};
use crate::error::{Error, Result};

/// What a component means for the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Importance {
    /// Without it the service cannot work.
    Critical,
    /// Without it the service works worse.
    Optional,
}

/// Concurrent health of named components. Clones share them.
///
/// The worst critical component decides readiness: health is never averaged.
#[derive(Clone, Debug)]
pub struct HealthMonitor {
    config: Arc<HealthConfig>,
    clock: Clock,
    components: Arc<DashMap<String, Component>>,
    /// Held while a component is added, so that the limit holds.
    registration: Arc<Mutex<()>>,
}

/// One named part, through which its outcomes are reported. Clones share it.
#[derive(Clone, Debug)]
pub struct Component {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    importance: Importance,
    config: Arc<HealthConfig>,
    clock: Clock,
    state: Mutex<State>,
}

/// Whether the service should be given work.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Readiness {
    /// Every component is healthy.
    Ready,
    /// It works, but this component, the worst, does not do well.
    Degraded {
        /// The component.
        component: String,
        /// How it is doing.
        health: Health,
    },
    /// It must not be given work, because of this component, the worst.
    NotReady {
        /// The component.
        component: String,
        /// How it is doing.
        health: Health,
    },
}

impl Readiness {
    /// Whether the service should be given work, if perhaps less of it.
    pub fn is_ready(&self) -> bool {
        !matches!(self, Self::NotReady { .. })
    }
}

/// All components at one moment.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct HealthSnapshot {
    /// Whether the service should be given work.
    pub readiness: Readiness,
    /// Each component, by name.
    pub components: Vec<ComponentStats>,
}

/// One component at one moment.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ComponentStats {
    /// The component.
    pub name: String,
    /// What it means for the whole.
    pub importance: Importance,
    /// How it is doing.
    pub health: Health,
    /// Calls that succeeded.
    pub successes: u64,
    /// Calls that failed, by kind.
    pub failures: FailureCounts,
    /// Calls that a breaker refused.
    pub refusals: u64,
    /// Failures since the last success.
    pub consecutive_failures: u32,
    /// Time since the last success, if there was one.
    pub since_success_ms: Option<f64>,
    /// Moving average of the latency of successful calls, if there was one.
    pub latency_us_average: Option<f64>,
}

impl HealthMonitor {
    /// A monitor without components.
    ///
    /// # Errors
    /// [`Error::Config`] names a setting that cannot work.
    pub fn new(config: HealthConfig, clock: Clock) -> Result<Self> {
        config.check()?;
        let (components, registration) = Default::default();
        Ok(Self { config: Arc::new(config), clock, components, registration })
    }

    /// The component `name`, healthy until told otherwise. A second registration returns the first one's component.
    ///
    /// # Errors
    /// [`Error::ComponentsFull`].
    pub fn register(&self, name: &str, importance: Importance) -> Result<Component> {
        let _registration = self.registration.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = self.components.get(name) {
            return Ok(known.clone());
        }
        let max = self.config.components_max;
        if self.components.len() >= max {
            return Err(Error::ComponentsFull { name: name.to_owned(), max });
        }
        let (config, clock) = (Arc::clone(&self.config), self.clock.clone());
        let state = Mutex::new(State::new(clock.now()));
        let inner = Inner { name: name.to_owned(), importance, config, clock, state };
        let component = Component { inner: Arc::new(inner) };
        self.components.insert(name.to_owned(), component.clone());
        Ok(component)
    }

    /// All components and what follows from them.
    pub fn snapshot(&self) -> HealthSnapshot {
        let now = self.clock.now();
        let mut components: Vec<_> =
            self.components.iter().map(|part| part.stats_at(now)).collect();
        components.sort_by(|a, b| a.name.cmp(&b.name));
        HealthSnapshot { readiness: readiness(&components), components }
    }
}

/// Not ready with a lost device or an unhealthy critical component; the worst component is named.
fn readiness(components: &[ComponentStats]) -> Readiness {
    let blocks = |part: &&ComponentStats| {
        part.health == Health::Poisoned
            || (part.health == Health::Unhealthy && part.importance == Importance::Critical)
    };
    // `max_by_key` takes the last of equals; reversed, the first by name.
    let worst = |parts: &mut dyn Iterator<Item = &ComponentStats>| {
        let mut parts: Vec<_> = parts.collect();
        parts.reverse();
        let worst = parts.into_iter().max_by_key(|part| part.health)?;
        Some((worst.name.clone(), worst.health))
    };
    if let Some((component, health)) = worst(&mut components.iter().filter(blocks)) {
        return Readiness::NotReady { component, health };
    }
    match worst(&mut components.iter().filter(|part| part.health != Health::Healthy)) {
        Some((component, health)) => Readiness::Degraded { component, health },
        None => Readiness::Ready,
    }
}

impl Component {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// A call succeeded after `latency`.
    pub fn success(&self, latency: Duration) {
        self.on_success(self.inner.clock.now(), latency);
    }

    /// A call failed.
    pub fn failure(&self, kind: ErrorKind) {
        self.on_failure(self.inner.clock.now(), kind);
    }

    /// How it is doing.
    pub fn health(&self) -> Health {
        self.lock().health(self.inner.clock.now(), &self.inner.config)
    }

    /// Everything that is known of it.
    pub fn stats(&self) -> ComponentStats {
        self.stats_at(self.inner.clock.now())
    }

    pub(crate) fn on_success(&self, now: Instant, latency: Duration) {
        self.lock().on_success(now, latency, &self.inner.config);
    }

    pub(crate) fn on_failure(&self, now: Instant, kind: ErrorKind) {
        self.lock().on_failure(now, kind, &self.inner.config);
    }

    pub(crate) fn on_refusal(&self) {
        self.lock().refusals += 1;
    }

    fn stats_at(&self, now: Instant) -> ComponentStats {
        let state = self.lock();
        let since = state.last_success.map(|at| now.saturating_duration_since(at));
        ComponentStats {
            name: self.inner.name.clone(),
            importance: self.inner.importance,
            health: state.health(now, &self.inner.config),
            successes: state.successes,
            failures: state.failures,
            refusals: state.refusals,
            consecutive_failures: state.consecutive_failures,
            since_success_ms: since.map(|time| time.as_secs_f64() * 1e3),
            latency_us_average: state.latency.map(|seconds| seconds * 1e6),
        }
    }

    /// A panic cannot leave the state half changed in a way that matters: each field stands for itself.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
