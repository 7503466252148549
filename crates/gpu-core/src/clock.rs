//! The time, as an input: real for programs, manual for tests and simulations.
//!
//! The only place in the workspace that reads the machine's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A source of `now`. Clones share their time.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Real,
    Manual(Arc<Manual>),
}

#[derive(Debug)]
struct Manual {
    start: Instant,
    elapsed_ns: AtomicU64,
}

impl Clock {
    /// The machine's monotonic clock.
    pub fn real() -> Self {
        Self { source: Source::Real }
    }

    /// A clock that stands still until [`advance`](Self::advance) moves it.
    #[expect(
        clippy::disallowed_methods,
        reason = "a manual clock needs an origin; it never reads it again"
    )]
    pub fn manual() -> Self {
        let manual = Manual { start: Instant::now(), elapsed_ns: AtomicU64::new(0) };
        Self { source: Source::Manual(Arc::new(manual)) }
    }

    /// The present moment.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else asks")]
    pub fn now(&self) -> Instant {
        match &self.source {
            Source::Real => Instant::now(),
            Source::Manual(manual) => {
                manual.start + Duration::from_nanos(manual.elapsed_ns.load(Ordering::Acquire))
            }
        }
    }

    /// Moves a manual clock forward; a real clock moves by itself and ignores this.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(manual) = &self.source {
            let ns = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
            manual.elapsed_ns.fetch_add(ns, Ordering::AcqRel);
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::real()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told_and_clones_share_it() {
        let clock = Clock::manual();
        let twin = clock.clone();
        let start = clock.now();
        assert_eq!(twin.now(), start);
        clock.advance(Duration::from_millis(5));
        twin.advance(Duration::from_millis(2));
        assert_eq!(clock.now() - start, Duration::from_millis(7));
    }

    #[test]
    fn a_real_clock_never_runs_backwards() {
        let clock = Clock::real();
        let first = clock.now();
        clock.advance(Duration::from_secs(3600));
        assert!(clock.now() - first < Duration::from_secs(3600));
    }
}
