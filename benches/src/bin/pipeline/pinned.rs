//! Batches that lie in page-locked memory, filled once and sent round: what the lanes can do when no host is in their way.

use gpu_core::BackendKind;
use memory_pipeline::{
    Config, Lease, LinkRates, MemoryOptimizer, PipelineReport, Stage as _, Timing,
};
use slo_bench::Section;
use slo_bench::cli::Session;

use super::accumulate::{Accumulate, Ledger, Look, fill, mark_of};
use super::{Amount, CHUNK, Measured, Passes, size};

/// How much longer a heavy stage takes than the link.
const HEAVY: f64 = 2.0;

/// What came of sending batches round.
pub(super) struct Round {
    pub(super) passes: Passes,
    /// Of the pass that took the median of the time, or near it.
    pub(super) report: PipelineReport,
    pub(super) outcome: Result<u64, String>,
}

/// A light stage at each size, through three slots with two batches queued behind them, and through five.
pub(super) fn section(
    session: &Session<'_>,
    amount: Amount,
    link: &[LinkRates],
) -> anyhow::Result<Section> {
    let mut section = Section::new("pinned");
    for rates in link {
        let chunk_bytes = rates.config.chunk_bytes;
        let three = Config::new(chunk_bytes / size_of::<f32>());
        // As many batches in flight, but what last used a slot was always seen to be done: nothing waits for it.
        let five = Config { depth: three.in_flight_max(), ahead: 0, ..three };
        for (name, config) in [("light stage", three), ("light stage, five slots", five)] {
            let Round { passes, report, outcome } = round(session, amount, config, 1)?;
            conclude(&mut section, &format!("{name}, {}", size(chunk_bytes)), outcome);
            let measured = Measured { name, chunk_bytes, batches: amount.batches, passes };
            measured.add_to(&mut section, session);
            measured.add_share(&mut section, session, rates);
            measured.add_bounds(&mut section, session, &report, rates);
        }
    }
    Ok(section.close(format!("{} batches a pass, one kernel each", amount.batches)))
}

/// A stage that takes about twice as long as the link.
pub(super) fn heavy(
    session: &Session<'_>,
    amount: Amount,
    rates: &LinkRates,
) -> anyhow::Result<Section> {
    let mut section = Section::new("heavy stage");
    let config = Config::new(CHUNK / size_of::<f32>());
    let launches = launches_for(session, amount, config, rates)?;
    let Round { passes, report, outcome } = round(session, amount, config, launches)?;
    let name = "heavy stage";
    conclude(&mut section, name, outcome);
    section.figure("heavy stage: kernels a batch", f64::from(launches), "", session.label());
    let measured = Measured { name, chunk_bytes: CHUNK, batches: amount.batches, passes };
    measured.add_to(&mut section, session);
    measured.add_bounds(&mut section, session, &report, rates);
    if session.device().backend() == BackendKind::Cuda {
        let alone_ns = alone_ns(session, amount, config.batch_len, launches)?;
        let label = session.label();
        section.figure("heavy stage: a batch in the stage alone", alone_ns / 1e3, "us", label);
        let copies_ns = CHUNK as f64 / rates.up_alone_gb_s + CHUNK as f64 / rates.down_alone_gb_s;
        let bound_ns = copies_ns + alone_ns * amount.batches as f64;
        let name = "heavy stage: of the bound with the stage alone, by the host's clock";
        section.figure(name, bound_ns / measured.passes.median_ns() * 100.0, "%", label);
    }
    Ok(section.close(format!("{} batches a pass", amount.batches)))
}

/// What a batch takes in the stage when nothing is copied: batches back to back between two events, median of the passes.
fn alone_ns(
    session: &Session<'_>,
    amount: Amount,
    len: usize,
    launches: u32,
) -> anyhow::Result<f64> {
    let device = session.device();
    let mut stage = Accumulate::new(device, &session.images, len, launches)?;
    let stream = device.stream()?;
    let (input, mut output) = (device.buffer(len)?, device.buffer(len)?);
    let (start, end) = (device.timed_event()?, device.timed_event()?);
    let mut passes = Vec::new();
    for _ in 0..=amount.passes {
        stream.record(&start)?;
        for _ in 0..amount.batches {
            stage.enqueue(&stream, input.view(), output.view_mut())?;
        }
        stream.record(&end)?;
        stream.synchronize()?;
        passes.push(end.elapsed_since(&start)?.as_secs_f64() * 1e9 / amount.batches as f64);
    }
    // The first pass only warms up.
    let timed = &mut passes[1..];
    timed.sort_by(f64::total_cmp);
    Ok(timed[timed.len() / 2])
}

/// Kernels that make the stage as heavy as wanted, as the kernels' own events say.
fn launches_for(
    session: &Session<'_>,
    amount: Amount,
    config: Config,
    rates: &LinkRates,
) -> anyhow::Result<u32> {
    const TRIED: u32 = 8;
    let tried = Amount { batches: 16.min(amount.batches), passes: 1, ..amount };
    let config = Config { timing: Timing::EVERY, ..config };
    let report = round(session, tried, config, TRIED)?.report;
    let launch_ns = report.busy.compute_ns as f64 / report.timed_batches as f64 / f64::from(TRIED);
    let link_ns = CHUNK as f64 / (rates.duplex_sum_gb_s() / 2.0);
    let launches = (HEAVY * link_ns / launch_ns.max(1.0)).ceil().clamp(1.0, 200.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number between 1 and 200"
    )]
    let launches = launches as u32;
    Ok(launches)
}

/// Sends batches of `config` round, through `launches` kernels each: once with every element checked, then timed.
pub(super) fn round(
    session: &Session<'_>,
    amount: Amount,
    config: Config,
    launches: u32,
) -> anyhow::Result<Round> {
    let mut ring = Ring::new(session, config, launches)?;
    let mut passes = Passes::default();
    let mut warm_up = Passes::default();
    let mut reports = Vec::new();
    for number in 0..=amount.passes {
        let passes = if number == 0 { &mut warm_up } else { &mut passes };
        ring.pass(session, amount.batches, Look::at_pass(number), passes)?;
        if number > 0 {
            reports.push(ring.pipeline.report());
        }
    }
    reports.sort_by_key(|report| report.wall_ns);
    let report = reports.swap_remove(reports.len() / 2);
    Ok(Round { passes, report, outcome: ring.ledger.outcome() })
}

/// A pipeline, the batches that go round in it, and what they must come back as.
struct Ring {
    pipeline: MemoryOptimizer<Accumulate>,
    /// Filled and not in flight.
    idle: Vec<Lease<f32>>,
    ledger: Ledger,
}

impl Ring {
    fn new(session: &Session<'_>, config: Config, launches: u32) -> anyhow::Result<Self> {
        let device = session.device();
        let stage = Accumulate::new(device, &session.images, config.batch_len, launches)?;
        let pipeline = MemoryOptimizer::new(device, stage, config)?;
        let mut idle: Vec<Lease<f32>> = Vec::new();
        while let Ok(mut lease) = pipeline.acquire() {
            fill(&mut lease, mark_of(idle.len()));
            idle.push(lease);
        }
        Ok(Self { pipeline, idle, ledger: Ledger::new(config.depth, launches) })
    }

    /// One pass: as many batches in flight as the pipeline takes, each looked at when it is back.
    fn pass(
        &mut self,
        session: &Session<'_>,
        batches: u64,
        look: Look,
        passes: &mut Passes,
    ) -> anyhow::Result<()> {
        let Self { pipeline, idle, ledger } = self;
        pipeline.restart()?;
        let clock = &session.clock;
        let start = clock.now();
        let mut submitted = 0;
        loop {
            while submitted < batches && !pipeline.is_full() {
                let lease = idle.pop().expect("there are more leases than batches in flight");
                let before = clock.now();
                pipeline.submit(lease).map_err(memory_pipeline::Error::from)?;
                passes.submit_ns.push((clock.now() - before).as_secs_f64() * 1e9);
                submitted += 1;
            }
            let Some(batch) = pipeline.complete()? else { break };
            ledger.look(batch.index, batch.input[0], &batch.output, look);
            idle.push(batch.input);
        }
        passes.end(session, start);
        Ok(())
    }
}

/// Adds the check that all results were right.
pub(super) fn conclude(section: &mut Section, name: &str, outcome: Result<u64, String>) {
    let is_right = outcome.is_ok();
    let words = match outcome {
        Ok(count) => format!("{count} results, every element of a pass and the ends of the others"),
        Err(fault) => fault,
    };
    section.check(format!("results are right, {name}"), is_right, words);
}
