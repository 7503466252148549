//! Copies of a workload side by side on one device, each in a closed loop on a thread of its own.
//!
//! Never judges; a service that fails ends them all.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gpu_core::Clock;

use super::trace::{Trace, Work};
use super::watch::{Progress, Sensor, watch};
use crate::contract::SaturationTerms;
use crate::error::{Error, Result};
use crate::recorder::Recorder;
use crate::workload::Workload;

/// What services came to after the warm-up, all of them together.
#[derive(Clone, Debug)]
pub struct Served {
    /// Iterations a second.
    pub rate_hz: f64,
    /// Latencies of all services, each from the start of an iteration to its end.
    pub latency: Recorder,
}

/// Runs the services of `terms` and reads `sensor` meanwhile. `open` makes one of that number, from 1, on its own thread;
/// `work` is what an iteration counts as.
///
/// # Errors
/// [`Error::Service`], which names the service that could not be opened, failed, or put out what is not finite.
pub fn serve(
    terms: &SaturationTerms,
    work: Work,
    clock: &Clock,
    sensor: &mut dyn Sensor,
    open: impl Fn(u32) -> Result<Box<dyn Workload>> + Sync,
) -> Result<(Served, Trace)> {
    let SaturationTerms { services: count, promise } = terms;
    let sides = usize::try_from(*count).expect("32 bits fit") + 1;
    let (opened, begun) = (Barrier::new(sides), Barrier::new(sides));
    let (progress, is_over) = (Progress::default(), AtomicBool::new(false));
    let run = Run {
        clock,
        warm_up: Duration::from_secs(promise.warm_up_s.into()),
        lasting: promise.watched(),
        work,
        progress: &progress,
        is_over: &is_over,
    };
    let service = |number| {
        let (begins, opens) = (Arrival(&begun), Arrival(&opened));
        let workload = open(number);
        drop(opens);
        drop(begins);
        let served = workload.and_then(|mut workload| run.serve(&mut *workload));
        if served.is_err() {
            is_over.store(true, Ordering::Relaxed);
        }
        served.map_err(|error| Error::Service { number, count: *count, reason: Box::new(error) })
    };
    let (ended, trace) = std::thread::scope(|scope| {
        let service = &service;
        let threads: Vec<_> =
            (1..=*count).map(|number| scope.spawn(move || service(number))).collect();
        opened.wait();
        watch(clock, promise.period(), sensor, &progress, || {
            begun.wait();
            let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Served>>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect::<Vec<_>>()
        })
    });
    let mut all = Served { rate_hz: 0.0, latency: Recorder::new(&[], 0) };
    for served in ended {
        let Served { rate_hz, latency } = served?;
        all.rate_hz += rate_hz;
        all.latency.merge(latency);
    }
    Ok((all, trace))
}

/// Meets the others at a barrier when it is dropped, also by a panic, for which they would wait without end.
struct Arrival<'a>(&'a Barrier);

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        self.0.wait();
    }
}

/// What all services share.
struct Run<'a> {
    clock: &'a Clock,
    warm_up: Duration,
    lasting: Duration,
    work: Work,
    progress: &'a Progress,
    /// Whether one of them has failed.
    is_over: &'a AtomicBool,
}

impl Run<'_> {
    /// One service: at least one iteration.
    fn serve(&self, workload: &mut dyn Workload) -> Result<Served> {
        /// Latencies that are kept as they are: 16 MiB a service, more than a minute of the shortest workload.
        const KEPT: u64 = 1 << 21;
        let mut latency = Recorder::new(&[], KEPT);
        let begin = self.clock.now();
        let mut counted: Option<Instant> = None;
        loop {
            workload.prepare()?;
            let start = self.clock.now();
            workload.step()?;
            let end = self.clock.now();
            workload.check()?;
            self.progress.add(self.work);
            let since = |from: Instant| end.saturating_duration_since(from);
            if start.saturating_duration_since(begin) >= self.warm_up {
                latency.record(u64::try_from(since(start).as_nanos()).unwrap_or(u64::MAX));
                counted.get_or_insert(start);
            }
            if since(begin) >= self.lasting || self.is_over.load(Ordering::Relaxed) {
                let seconds = counted.map(since).unwrap_or_default().as_secs_f64();
                let rate_hz = if seconds > 0.0 { latency.len() as f64 / seconds } else { 0.0 };
                return Ok(Served { rate_hz, latency });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;

    use gpu_core::Reading;

    use super::*;
    use crate::saturation::{Demand, SaturationPromise};
    use crate::workload::Output;

    /// Moves the clock by a millisecond a step, unless it stands still, and fails in a step.
    struct Fake {
        clock: Clock,
        /// Of all services.
        steps: Arc<AtomicU32>,
        advance: Duration,
        fails_at: Option<u32>,
        done: u32,
    }

    impl Workload for Fake {
        fn name(&self) -> String {
            "fake".to_owned()
        }

        fn n(&self) -> usize {
            1
        }

        fn prepare(&mut self) -> Result<()> {
            /// Far more than any test needs: who gets there was not ended.
            const STEPS_MAX: u32 = 10_000_000;
            if self.steps.load(Ordering::Relaxed) < STEPS_MAX {
                return Ok(());
            }
            Err(Error::FramesEnded { workload: self.name(), frames: STEPS_MAX.into() })
        }

        fn step(&mut self) -> Result<()> {
            self.done += 1;
            self.steps.fetch_add(1, Ordering::Relaxed);
            self.clock.advance(self.advance);
            Ok(())
        }

        fn outputs(&self, visit: &mut dyn FnMut(Output<'_>)) {
            let is_broken = self.fails_at.is_some_and(|at| at <= self.done);
            visit(Output::one("answer", if is_broken { f64::NAN } else { 42.0 }));
        }
    }

    struct Blind;

    impl Sensor for Blind {
        fn read(&mut self) -> gpu_core::Result<Reading> {
            let (reason, kind) = ("blind".to_owned(), gpu_core::ErrorKind::Unavailable);
            Err(gpu_core::Error::Telemetry { reason, kind })
        }
    }

    fn terms(services: u32) -> SaturationTerms {
        let promise = SaturationPromise::new(Demand::Multiprocessors).lasting(0, 1);
        SaturationTerms { services, promise }
    }

    impl Fake {
        fn new(clock: &Clock, steps: &Arc<AtomicU32>) -> Self {
            let (clock, steps) = (clock.clone(), Arc::clone(steps));
            Self { clock, steps, advance: Duration::from_millis(1), fails_at: None, done: 0 }
        }
    }

    #[test]
    fn every_latency_of_every_service_counts() {
        let (clock, steps) = (Clock::manual(), Arc::default());
        let open = |_| Ok(Box::new(Fake::new(&clock, &steps)) as Box<dyn Workload>);
        let (served, _) = serve(&terms(3), Work::default(), &clock, &mut Blind, open).unwrap();
        assert_eq!(served.latency.len(), u64::from(steps.load(Ordering::Relaxed)));
    }

    #[test]
    fn what_comes_before_the_end_of_the_warm_up_is_no_part_of_rate_or_latency() {
        let (clock, steps) = (Clock::manual(), Arc::default());
        let open = |_| Ok(Box::new(Fake::new(&clock, &steps)) as Box<dyn Workload>);
        let promise = SaturationPromise::new(Demand::Memory).lasting(2, 1);
        let terms = SaturationTerms { services: 1, promise };
        let (served, _) = serve(&terms, Work::default(), &clock, &mut Blind, open).unwrap();
        // Two seconds, then one that counts, and three periods of 200 ms.
        assert_eq!((steps.load(Ordering::Relaxed), served.latency.len()), (3600, 1600));
        assert!((served.rate_hz - 1000.0).abs() < 1e-9, "{}", served.rate_hz);
    }

    #[test]
    fn a_service_that_fails_is_named_and_ends_the_others() {
        // A clock that stands still: the others would go on for ever.
        let (clock, steps) = (Clock::manual(), Arc::default());
        let open = |number| {
            let fails_at = (number == 2).then_some(5);
            let fake = Fake { advance: Duration::ZERO, fails_at, ..Fake::new(&clock, &steps) };
            Ok(Box::new(fake) as Box<dyn Workload>)
        };
        let error = serve(&terms(3), Work::default(), &clock, &mut Blind, open).unwrap_err();
        let message = "service 2 of 3: workload `fake`: answer is NaN at index 0";
        assert_eq!(error.to_string(), message);
        assert_eq!(error.kind(), gpu_core::ErrorKind::Invalid);
    }

    #[test]
    fn a_service_that_cannot_be_opened_is_named() {
        let (clock, steps) = (Clock::manual(), Arc::default());
        let open = |number| match number {
            1 => Err(Error::WorkloadSize { workload: "fake", n: 2, expected: 1 }),
            _ => Ok(Box::new(Fake::new(&clock, &steps)) as Box<dyn Workload>),
        };
        let error = serve(&terms(2), Work::default(), &clock, &mut Blind, open).unwrap_err();
        assert_eq!(error.to_string(), "service 1 of 2: workload `fake` has n = 1, not 2");
    }
}
