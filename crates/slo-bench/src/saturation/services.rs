//! Copies of a workload side by side on one device, each in a closed loop on a thread of its own.
//!
//! Never judges how busy they keep it; a service that fails ends them all.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::{Builder, ScopedJoinHandle};
use std::time::Instant;

use gpu_core::Clock;

use super::judge::Saturation;
use super::trace::{Trace, Work};
use super::watch::{Progress, Sensor, watch};
use crate::contract::SaturationTerms;
use crate::error::{Error, Result};
use crate::recorder::Recorder;
use crate::verdict::Verdict;
use crate::workload::Workload;

/// What services came to after the warm-up, all of them together.
#[derive(Clone, Debug)]
pub struct Served {
    /// Iterations a second.
    pub rate_hz: f64,
    /// Latencies of all services, each from the start of an iteration to its end.
    pub latency: Recorder,
}

impl Served {
    /// `judged`, which fails besides where the services finished fewer iterations than `terms` ask for. What could not be
    /// judged stays so.
    #[must_use]
    pub fn judged_with_rate(&self, terms: &SaturationTerms, mut judged: Saturation) -> Saturation {
        let missed = terms.rate_hz_min.filter(|least| self.rate_hz < *least);
        if let (Some(least), Verdict::Pass | Verdict::Fail) = (missed, &judged.verdict) {
            let words = format!(
                "{:.1} Hz of all services together, at least {least} were promised",
                self.rate_hz
            );
            let before = std::mem::take(&mut judged.words);
            judged.words = if before.is_empty() { words } else { format!("{before}; {words}") };
            judged.verdict = Verdict::Fail;
        }
        judged
    }
}

/// Runs the services of `terms` and reads `sensor` meanwhile. `open` makes one of that number, from 1, on its own thread;
/// `work` is what an iteration counts as.
///
/// # Errors
/// [`Error::Service`], which names the service that got no thread, could not be opened, failed, or put out what is not finite.
pub fn serve(
    terms: &SaturationTerms,
    work: Work,
    clock: &Clock,
    sensor: &mut dyn Sensor,
    open: impl Fn(u32) -> Result<Box<dyn Workload>> + Sync,
) -> Result<(Served, Trace)> {
    let (progress, is_over) = (Progress::default(), AtomicBool::new(false));
    let run = Run {
        terms,
        clock,
        work,
        progress: &progress,
        is_over: &is_over,
        thread: |_| Builder::new(),
    };
    run.all(sensor, open)
}

/// Latencies that are kept as they are, of one service: 16 MiB, more than a minute of the shortest workload by itself.
const KEPT: u64 = 1 << 21;
/// Of all services together: 64 MiB. A latency that is not kept still counts in the histogram.
const KEPT_ALL: u64 = 4 * KEPT;

/// Latencies that each of so many services keeps.
fn kept(services: u32) -> u64 {
    KEPT.min(KEPT_ALL / u64::from(services.max(1)))
}

/// What all services share.
struct Run<'a> {
    terms: &'a SaturationTerms,
    clock: &'a Clock,
    work: Work,
    progress: &'a Progress,
    /// Whether one of them has failed.
    is_over: &'a AtomicBool,
    /// What the thread of a service is made of.
    thread: fn(u32) -> Builder,
}

impl Run<'_> {
    /// Opens all services, and then lets them begin together.
    fn all(
        &self,
        sensor: &mut dyn Sensor,
        open: impl Fn(u32) -> Result<Box<dyn Workload>> + Sync,
    ) -> Result<(Served, Trace)> {
        // Nothing is sent: it ends when nobody is left who could, which a service that panics or has no thread does not delay.
        let (opens, opened) = mpsc::channel::<Infallible>();
        let begins = Mutex::new(());
        let service = |number, opens: mpsc::Sender<Infallible>| {
            let workload = open(number);
            drop(opens);
            drop(begins.lock().unwrap_or_else(PoisonError::into_inner));
            let served = workload.and_then(|mut workload| self.serve(&mut *workload));
            served.map_err(|error| self.end(number, error))
        };
        let (ended, trace) = std::thread::scope(|scope| {
            let service = &service;
            let waits = begins.lock().unwrap_or_else(PoisonError::into_inner);
            let spawn = |number| {
                let opens = opens.clone();
                let thread = (self.thread)(number);
                let spawned = thread.spawn_scoped(scope, move || service(number, opens));
                let missing =
                    |why: std::io::Error| Error::ThreadMissing { reason: why.to_string() };
                spawned.map_err(|why| self.end(number, missing(why)))
            };
            let threads: Vec<_> = (1..=self.terms.services).map(spawn).collect();
            drop(opens);
            let _ = opened.recv();
            watch(self.clock, self.terms.promise.period(), sensor, self.progress, || {
                drop(waits);
                let join = |thread: Result<ScopedJoinHandle<'_, Result<Served>>>| {
                    thread?.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
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

    /// Ends all services because of what one of them met with.
    fn end(&self, number: u32, reason: Error) -> Error {
        self.is_over.store(true, Ordering::Relaxed);
        Error::Service { number, count: self.terms.services, reason: Box::new(reason) }
    }

    /// One service: at least one iteration.
    fn serve(&self, workload: &mut dyn Workload) -> Result<Served> {
        let promise = &self.terms.promise;
        let mut latency = Recorder::new(&[], kept(self.terms.services));
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
            if start.saturating_duration_since(begin) >= promise.warm_up() {
                latency.record(u64::try_from(since(start).as_nanos()).unwrap_or(u64::MAX));
                counted.get_or_insert(start);
            }
            if since(begin) >= promise.watched() || self.is_over.load(Ordering::Relaxed) {
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
    use std::time::Duration;

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

    #[derive(Debug)]
    struct Blind;

    impl Sensor for Blind {
        fn read(&mut self) -> gpu_core::Result<Reading> {
            let (reason, kind) = ("blind".to_owned(), gpu_core::ErrorKind::Unavailable);
            Err(gpu_core::Error::Telemetry { reason, kind })
        }
    }

    fn terms(services: u32) -> SaturationTerms {
        let promise = SaturationPromise::new(Demand::Multiprocessors).lasting(0, 1);
        SaturationTerms { services, promise, rate_hz_min: None }
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
        let terms = SaturationTerms { services: 1, promise, rate_hz_min: None };
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

    #[test]
    fn a_service_without_a_thread_is_named_and_nobody_waits_for_it() {
        // More than there are addresses, and a clock that stands still: who is not ended goes on for ever.
        let thread =
            |number| Builder::new().stack_size(if number == 2 { 1 << 50 } else { 1 << 20 });
        let (clock, steps) = (Clock::manual(), Arc::default());
        let (progress, is_over) = (&Progress::default(), &AtomicBool::new(false));
        let (terms, work) = (&terms(3), Work::default());
        let run = Run { terms, clock: &clock, work, progress, is_over, thread };
        let open = |_| {
            let fake = Fake { advance: Duration::ZERO, ..Fake::new(&clock, &steps) };
            Ok(Box::new(fake) as Box<dyn Workload>)
        };
        let error = run.all(&mut Blind, open).unwrap_err();
        let words = error.to_string();
        assert!(words.starts_with("service 2 of 3: no thread can be started: "), "{words}");
        assert_eq!(error.kind(), gpu_core::ErrorKind::Exhausted);
    }

    #[test]
    fn many_services_keep_no_more_latencies_than_all_may() {
        assert_eq!(kept(1), KEPT);
        for services in 1..=64 {
            assert!(u64::from(services) * kept(services) <= KEPT_ALL, "{services}");
        }
    }

    #[test]
    fn fewer_iterations_than_asked_for_fail_what_is_busy_and_change_nothing_that_says_nothing() {
        let served = Served { rate_hz: 1400.04, latency: Recorder::new(&[], 0) };
        let judged = |verdict, words: &str| {
            let (words, levels) = (words.to_owned(), Vec::new());
            Saturation { verdict, words, is_hollow: false, levels, power_capped_percent: 0.0 }
        };
        let with = |rate_hz_min, judged| {
            let terms = SaturationTerms { rate_hz_min, ..terms(4) };
            let judged = served.judged_with_rate(&terms, judged);
            (judged.verdict, judged.words)
        };
        let pass = || judged(Verdict::Pass, "");
        assert_eq!(with(None, pass()), (Verdict::Pass, String::new()));
        assert_eq!(with(Some(1400.0), pass()), (Verdict::Pass, String::new()));
        let missed = "1400.0 Hz of all services together, at least 1500 were promised";
        assert_eq!(with(Some(1500.0), pass()), (Verdict::Fail, missed.to_owned()));
        let idle = judged(Verdict::Fail, "idle");
        assert_eq!(with(Some(1500.0), idle), (Verdict::Fail, format!("idle; {missed}")));
        let hot = Verdict::invalid("hot");
        assert_eq!(with(Some(1500.0), judged(hot.clone(), "")), (hot, String::new()));
    }
}
