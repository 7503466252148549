//! How close the pipeline comes to the link: one page-locked batch after another, ordinary memory, a heavy stage, several devices, and a graph.
//!
//! Never times a way that did not give the right result for every element first, and times no result that it did not look at.

mod accumulate;
mod fleet;
mod graph;
mod pageable;
mod pinned;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use benches::Question;
use gpu_core::BackendKind;
use kernels::Tunable as _;
use kernels::vector::Saxpy;
use memory_pipeline::{
    CalibrationConfig, ChunkChoice, ChunkSearch, LinkRates, PipelineReport, calibrate,
};
use slo_bench::Section;
use slo_bench::cli::Session;

const QUESTION: Question = Question {
    name: "pipeline",
    asks: "How close does the pipeline come to the link?",
    sources: &[Saxpy::SOURCE],
};

/// Sizes of a batch that are measured, in bytes each way.
const CHUNKS: [usize; 3] = [1 << 20, 4 << 20, 16 << 20];
/// The size at which everything else is measured.
const CHUNK: usize = 4 << 20;

#[derive(Clone, Copy, Debug, clap::Args)]
struct Options {
    /// Batches of a pass; 512 unless given, 12 on the host
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(8..=100_000))]
    batches: Option<u64>,
    /// Passes of which the median is taken, after one in which every element is checked
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    passes: u64,
    /// Threads that copy ordinary memory; all processors but one unless given
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=256))]
    staging_threads: Option<u64>,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Amount {
    batches: u64,
    passes: u64,
    staging_threads: usize,
}

/// How long the passes of one way took.
#[derive(Clone, Debug, Default)]
struct Passes {
    elapsed: Vec<Duration>,
    /// Host time of handing one batch over.
    submit_ns: Vec<f64>,
}

/// A way of sending batches, measured.
struct Measured<'a> {
    name: &'a str,
    chunk_bytes: usize,
    batches: u64,
    passes: Passes,
}

fn main() -> ExitCode {
    QUESTION.answer(measure)
}

fn measure(options: &Options, session: &Session<'_>) -> anyhow::Result<Vec<Section>> {
    let is_host = session.device().backend() != BackendKind::Cuda;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let asked = options.staging_threads.map(usize::try_from).transpose()?;
    let amount = Amount {
        batches: options.batches.unwrap_or(if is_host { 12 } else { 512 }),
        passes: options.passes,
        staging_threads: asked.unwrap_or_else(|| (processors - 1).clamp(1, 256)),
    };
    let mut link = Vec::new();
    let first = session.section("link", || self::link(session, &mut link));
    let Some(rates) = link.iter().find(|rates| rates.config.chunk_bytes == CHUNK).copied() else {
        return Ok(vec![first]);
    };
    Ok(vec![
        first,
        session.section("pinned", || pinned::section(session, amount, &link)),
        session.section("heavy stage", || pinned::heavy(session, amount, &rates)),
        session.section("ordinary memory", || pageable::section(session, amount)),
        session.section("fleet", || fleet::section(session, amount)),
        session.section("graph", || graph::section(session, amount, &rates)),
    ])
}

/// What the link gives at each size, and the size that is large enough.
fn link(session: &Session<'_>, all: &mut Vec<LinkRates>) -> anyhow::Result<Section> {
    let mut section = Section::new("link");
    let is_host = session.device().backend() != BackendKind::Cuda;
    for chunk_bytes in CHUNKS {
        let config = CalibrationConfig::new(chunk_bytes);
        let config =
            if is_host { CalibrationConfig { chunks: 8, passes: 3, ..config } } else { config };
        let rates = calibrate(session.device(), config)?;
        let figures = [
            ("up alone", rates.up_alone_gb_s),
            ("down alone", rates.down_alone_gb_s),
            ("up while copies come down", rates.up_duplex_gb_s),
            ("down while copies go up", rates.down_duplex_gb_s),
            ("both ways at once, sum", rates.duplex_sum_gb_s()),
        ];
        for (name, value) in figures {
            section.figure(
                format!("{name}, {}", size(chunk_bytes)),
                value,
                "GB/s",
                session.label(),
            );
        }
        all.push(rates);
    }
    let search = ChunkSearch::default();
    let search =
        if is_host { ChunkSearch { pass_bytes: 1 << 20, passes: 1, ..search } } else { search };
    let choice = ChunkChoice::measure(session.device(), search)?;
    let is_rate = |rates: &LinkRates| rates.duplex_sum_gb_s().is_normal();
    let measured = choice.measured.iter().filter(|rates| is_rate(rates)).count();
    let is_whole = measured == choice.measured.len() && all.iter().all(is_rate);
    section.check("every size has a rate", is_whole, format!("{measured} sizes tried"));
    let name = "smallest copy with 97 % of the best rate both ways";
    section.figure(name, choice.chunk_bytes as f64 / 1024.0, "KiB", session.label());
    Ok(section.close(format!("chosen size {}", size(choice.chunk_bytes))))
}

impl Passes {
    /// Notes a pass that lasted from `start` until now.
    fn end(&mut self, session: &Session<'_>, start: Instant) {
        self.elapsed.push(session.clock.now().saturating_duration_since(start));
    }

    fn median_ns(&self) -> f64 {
        let mut all = self.elapsed.clone();
        all.sort_unstable();
        all.get(all.len() / 2).map_or(f64::NAN, |elapsed| elapsed.as_secs_f64() * 1e9)
    }
}

impl Measured<'_> {
    /// Median rate each way, in bytes a nanosecond.
    fn gb_s(&self) -> f64 {
        self.chunk_bytes as f64 * self.batches as f64 / self.passes.median_ns()
    }

    /// Adds what was measured.
    fn add_to(&self, section: &mut Section, session: &Session<'_>) {
        let Self { name, chunk_bytes, passes, .. } = self;
        let label = session.label();
        let what = format!("{name}, {}", size(*chunk_bytes));
        section.figure(format!("{what}: each way"), self.gb_s(), "GB/s", label);
        let mut submits = passes.submit_ns.clone();
        submits.sort_by(f64::total_cmp);
        if let (Some(median), count) = (submits.get(submits.len() / 2), submits.len()) {
            let mean = submits.iter().sum::<f64>() / count as f64;
            section.figure(format!("{what}: to submit a batch, mean"), mean / 1e3, "us", label);
            section.figure(format!("{what}: to submit a batch, p50"), median / 1e3, "us", label);
        }
    }

    /// Adds the share of the link's rate both ways, on a GPU only.
    fn add_share(&self, section: &mut Section, session: &Session<'_>, rates: &LinkRates) {
        if session.device().backend() == BackendKind::Cuda {
            let share = 2.0 * self.gb_s() / rates.duplex_sum_gb_s();
            let name = format!("{}, {}: of the link both ways", self.name, size(self.chunk_bytes));
            section.figure(name, share * 100.0, "%", session.label());
        }
    }

    /// Adds what the events of the pass in `report` say of it beside its bounds, on a GPU only.
    fn add_bounds(
        &self,
        section: &mut Section,
        session: &Session<'_>,
        report: &PipelineReport,
        rates: &LinkRates,
    ) {
        if session.device().backend() != BackendKind::Cuda {
            return;
        }
        let what = format!("{}, {}", self.name, size(self.chunk_bytes));
        let ceiling = report.ceiling(rates);
        let figures = [
            ("of the bound with the link's rates, by events", ceiling.efficiency),
            ("of the span, the link at work, by events", ceiling.link_share),
        ];
        for (words, of_one) in figures {
            if let Some(of_one) = of_one {
                section.figure(format!("{what}: {words}"), of_one * 100.0, "%", session.label());
            }
        }
    }
}

/// Bytes in words.
fn size(bytes: usize) -> String {
    if bytes >= 1 << 20 { format!("{} MiB", bytes >> 20) } else { format!("{} KiB", bytes >> 10) }
}
