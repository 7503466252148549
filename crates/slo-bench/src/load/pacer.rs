//! The generator: lets each iteration begin at its time, and says how well it kept to it.

use std::time::{Duration, Instant};

use gpu_core::Clock;

use super::Load;
use super::arrivals::Arrivals;

/// Lets iterations begin.
#[derive(Debug)]
pub(crate) struct Pacer {
    clock: Clock,
    arrivals: Option<Arrivals>,
    origin: Instant,
    /// When the last iteration ended: none can begin before.
    free: Instant,
}

/// An iteration that has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    intended: Instant,
    start: Instant,
    slip: Duration,
}

/// What one iteration took, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Took {
    /// From the intended start to the end.
    pub(crate) latency_ns: u64,
    /// From the actual start to the end.
    pub(crate) service_ns: u64,
    /// How long the iteration could have run and did not, since the generator was elsewhere.
    pub(crate) slip_ns: u64,
}

impl Pacer {
    /// Begins now.
    pub(crate) fn new(load: Load, clock: &Clock) -> Self {
        let origin = clock.now();
        Self { clock: clock.clone(), arrivals: Arrivals::of(load), origin, free: origin }
    }

    /// Returns when the next iteration is to begin; at once if that time has passed.
    pub(crate) fn begin(&mut self) -> Begun {
        let Some(arrivals) = &mut self.arrivals else {
            let start = self.clock.now();
            return Begun { intended: start, start, slip: Duration::ZERO };
        };
        let intended = self.origin + arrivals.next();
        let mut start = self.clock.now();
        while start < intended {
            // Moves a manual clock to the intended start; a real one moves by itself and ignores it.
            self.clock.advance(intended - start);
            std::hint::spin_loop();
            start = self.clock.now();
        }
        let slip = start.saturating_duration_since(intended.max(self.free));
        Begun { intended, start, slip }
    }

    /// Takes the end of the iteration that began last.
    pub(crate) fn end(&mut self, begun: Begun) -> Took {
        self.free = self.clock.now();
        Took {
            latency_ns: nanoseconds(self.free.saturating_duration_since(begun.intended)),
            service_ns: nanoseconds(self.free.saturating_duration_since(begun.start)),
            slip_ns: nanoseconds(begun.slip),
        }
    }

    /// From the first moment to the end of the last iteration.
    pub(crate) fn elapsed(&self) -> Duration {
        self.free.saturating_duration_since(self.origin)
    }
}

fn nanoseconds(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}
