//! Ordinary memory: staged in, staged both ways, and beside it the same batches in page-locked memory.

use memory_pipeline::{Config, MemoryOptimizer};
use slo_bench::Section;
use slo_bench::cli::Session;

use super::accumulate::{Accumulate, Ledger, Look, fill, mark_of};
use super::pinned::{Round, conclude, round};
use super::{Amount, CHUNK, Measured, Passes};

const LEN: usize = CHUNK / size_of::<f32>();

pub(super) fn section(session: &Session<'_>, amount: Amount) -> anyhow::Result<Section> {
    let mut section = Section::new("ordinary memory");
    let config = Config { staging_threads: amount.staging_threads, ..Config::new(LEN) };
    let batches = usize::try_from(amount.batches)?;
    let mut input = vec![0.0; batches * LEN];
    for (number, batch) in input.chunks_mut(LEN).enumerate() {
        fill(batch, mark_of(number));
    }
    let Round { passes, outcome, .. } = round(session, amount, config, 1)?;
    conclude(&mut section, "page-locked", outcome);
    let pinned = measured("page-locked memory", amount, passes);

    let (passes, outcome) = staged_in(session, amount, config, &input)?;
    conclude(&mut section, "ordinary input", outcome);
    let staged_in = measured("ordinary input, results read in place", amount, passes);

    let (passes, outcome) = staged_both(session, amount, config, &input)?;
    conclude(&mut section, "ordinary input and output", outcome);
    let staged_both = measured("ordinary input and output", amount, passes);

    for way in [&pinned, &staged_in, &staged_both] {
        way.add_to(&mut section, session);
    }
    for way in [&staged_in, &staged_both] {
        let name = format!("{}: of page-locked memory", way.name);
        section.figure(name, way.gb_s() / pinned.gb_s() * 100.0, "%", session.label());
    }
    let threads = amount.staging_threads;
    section.figure("staging threads", threads as f64, "", session.label());
    Ok(section.close(format!("{} batches a pass, {threads} staging threads", amount.batches)))
}

fn measured(name: &str, amount: Amount, passes: Passes) -> Measured<'_> {
    // The host's time of a submit is told where nothing else competes for the processors.
    let passes = Passes { submit_ns: Vec::new(), ..passes };
    Measured { name, chunk_bytes: CHUNK, batches: amount.batches, passes }
}

type Outcome = (Passes, Result<u64, String>);

/// Ordinary input, and results that are looked at where they arrive.
fn staged_in(
    session: &Session<'_>,
    amount: Amount,
    config: Config,
    input: &[f32],
) -> anyhow::Result<Outcome> {
    let stage = Accumulate::new(session.device(), &session.images, LEN, 1)?;
    let mut pipeline = MemoryOptimizer::new(session.device(), stage, config)?;
    let mut ledger = Ledger::new(config.depth, 1);
    let marks: Vec<f32> = input.chunks(LEN).map(|batch| batch[0]).collect();
    let mut passes = Passes::default();
    for pass in 0..=amount.passes {
        let start = session.clock.now();
        let mut of_pass = marks.iter();
        pipeline.run_slice(input, |batch, output| {
            let mark = of_pass.next().copied().unwrap_or_default();
            ledger.look(batch, mark, output, Look::at_pass(pass));
            Ok::<_, memory_pipeline::Error>(())
        })?;
        if pass > 0 {
            passes.end(session, start);
        }
    }
    Ok((passes, ledger.outcome()))
}

/// Ordinary input and output; every element of every pass is checked, after its time was taken.
fn staged_both(
    session: &Session<'_>,
    amount: Amount,
    config: Config,
    input: &[f32],
) -> anyhow::Result<Outcome> {
    let stage = Accumulate::new(session.device(), &session.images, LEN, 1)?;
    let mut pipeline = MemoryOptimizer::new(session.device(), stage, config)?;
    let mut ledger = Ledger::new(config.depth, 1);
    // Written once, so that its pages are there before the clock runs.
    let mut output = vec![f32::NAN; input.len()];
    let mut passes = Passes::default();
    for pass in 0..=amount.passes {
        let start = session.clock.now();
        pipeline.pipeline_execute(input, &mut output)?;
        if pass > 0 {
            passes.end(session, start);
        }
        let batches = input.chunks(LEN).zip(output.chunks(LEN));
        for (number, (sent, received)) in (0..).zip(batches) {
            ledger.look(number, sent[0], received, Look::All);
        }
    }
    Ok((passes, ledger.outcome()))
}
