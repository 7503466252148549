//! The latency recorder beside HdrHistogram's: what a sample costs, alone and from many threads.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Barrier;
use std::time::Duration;

use benches::Question;
use gpu_core::{Clock, Device};
use hdrhistogram::Histogram;
use slo_bench::cli::Session;
use slo_bench::{Recorder, Section, label};

const QUESTION: Question = Question {
    name: "recorder",
    asks: "What does it cost to record a latency, exact counters and all, beside a bare histogram?",
    sources: &[],
};

/// Limits that are counted exactly, as of a contract of two percentiles.
const LIMITS_NS: [u64; 2] = [60_000, 400_000];
/// What the peers tell apart too: up to an hour, by three digits.
const LATENCY_NS_MAX: u64 = 3_600_000_000_000;

#[derive(Clone, Copy, Debug, clap::Args)]
struct Options {
    /// Samples of each thread in a pass
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    samples: u32,
    /// Most threads; 1, 2, 4, 8 and so on are measured
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: u32,
    /// Passes; the median counts
    #[arg(long, value_name = "COUNT", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    passes: u32,
}

fn main() -> ExitCode {
    QUESTION.answer(|options: &Options, session| {
        Ok(vec![session.section("recorder", || record(options, session))])
    })
}

/// Every recorder at every number of threads, in turn within a pass, so that all see the same noise.
fn record(options: &Options, session: &Session<'_>) -> anyhow::Result<Section> {
    let mut section = Section::new("recorder");
    let latencies = latencies();
    // Whatever device is here, none has a part in this.
    let host = label(&Device::host());
    let mut lost = 0;
    for threads in (0..9).map(|power| 1 << power).take_while(|&count| count <= options.threads) {
        let mut passes = [const { Vec::new() }; 3];
        for _ in 0..options.passes {
            let pass = Pass {
                clock: &session.clock,
                threads,
                samples: options.samples,
                latencies: &latencies,
            };
            let (ours, recorded) = pass.ours();
            lost += u64::from(threads) * u64::from(options.samples) - recorded;
            passes[0].push(ours);
            passes[1].push(pass.plain()?);
            passes[2].push(pass.sync()?);
        }
        let names = [
            "Recorder: every sample, two exact counters",
            "hdrhistogram, plain: a histogram",
            "hdrhistogram, sync: a histogram that several threads share",
        ];
        for (name, passes) in names.into_iter().zip(passes) {
            let threads =
                if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
            section.figure(format!("{name}, {threads}"), median(passes), "ns", &host);
        }
    }
    section.check("no sample is lost when recorders are merged", lost == 0, format!("{lost} lost"));
    Ok(section.close(format!("per sample and thread, median of {} passes", options.passes)))
}

/// Latencies around 50 us with a tail, from a fixed sequence.
fn latencies() -> Vec<u64> {
    let mut state = 1_u64;
    let mut next = || {
        // Knuth's linear congruence: enough to keep branches and caches from learning the sequence.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let latency = |draw: u64| {
        40_000 + draw % 20_000 + if draw.is_multiple_of(100) { draw % 1_000_000 } else { 0 }
    };
    (0..4096).map(|_| latency(next())).collect()
}

/// One measurement of one recorder.
#[derive(Clone, Copy)]
struct Pass<'a> {
    clock: &'a Clock,
    threads: u32,
    samples: u32,
    latencies: &'a [u64],
}

impl Pass<'_> {
    /// Nanoseconds a sample, and samples after merging.
    fn ours(&self) -> (f64, u64) {
        let recorders = (0..self.threads).map(|_| Recorder::new(&LIMITS_NS, self.samples.into()));
        let (ns, recorders) = self.time(recorders.collect(), Recorder::record);
        let merged = recorders.into_iter().reduce(|mut all, recorder| {
            all.merge(recorder);
            all
        });
        (ns, merged.map_or(0, |all| all.len()))
    }

    fn plain(&self) -> anyhow::Result<f64> {
        let histograms: Result<Vec<_>, _> = (0..self.threads).map(|_| histogram()).collect();
        Ok(self.time(histograms?, |histogram, ns| histogram.saturating_record(ns)).0)
    }

    fn sync(&self) -> anyhow::Result<f64> {
        let shared = histogram()?.into_sync();
        let recorders = (0..self.threads).map(|_| shared.recorder());
        Ok(self.time(recorders.collect(), |recorder, ns| recorder.saturating_record(ns)).0)
    }

    /// Lets every thread record with what is its own; the mean of their times for one sample.
    fn time<R: Send>(
        &self,
        recorders: Vec<R>,
        record: impl Fn(&mut R, u64) + Sync,
    ) -> (f64, Vec<R>) {
        let together = Barrier::new(recorders.len());
        let run = |mut recorder: R| {
            together.wait();
            let start = self.clock.now();
            for &latency_ns in self.latencies.iter().cycle().take(self.samples as usize) {
                record(&mut recorder, black_box(latency_ns));
            }
            (self.clock.now() - start, recorder)
        };
        let run = &run;
        let done: Vec<(Duration, R)> = std::thread::scope(|scope| {
            let running: Vec<_> =
                recorders.into_iter().map(|recorder| scope.spawn(move || run(recorder))).collect();
            running
                .into_iter()
                .map(|thread| thread.join().expect("a recorder does not panic"))
                .collect()
        });
        let total: Duration = done.iter().map(|(elapsed, _)| elapsed).sum();
        let each = total.as_secs_f64() * 1e9 / f64::from(self.threads) / f64::from(self.samples);
        (each, done.into_iter().map(|(_, recorder)| recorder).collect())
    }
}

fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3)?)
}

fn median(mut passes: Vec<f64>) -> f64 {
    passes.sort_unstable_by(f64::total_cmp);
    passes[(passes.len() - 1) / 2]
}
