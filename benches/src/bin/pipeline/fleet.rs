//! Several devices side by side on one input of ordinary memory, and the first of them alone.
//!
//! Never judges: devices may share their links and the host's memory.

use gpu_core::Device;
use memory_pipeline::{Config, Fleet, Member, MemoryOptimizer};
use slo_bench::cli::Session;
use slo_bench::{Section, Verdict};

use super::accumulate::{Accumulate, Ledger, Look, fill, mark_of};
use super::pinned::conclude;
use super::{Amount, CHUNK, Measured, Passes};

const LEN: usize = CHUNK / size_of::<f32>();

pub(super) fn section(session: &Session<'_>, amount: Amount) -> anyhow::Result<Section> {
    let mut section = Section::new("fleet");
    let devices = session.place.all()?;
    if devices.len() == 1 {
        let reason = "one device is here, or was asked for";
        section.check("results are right, devices side by side", Verdict::skipped(reason), "");
        return Ok(section.close(""));
    }
    let mut input = vec![0.0; usize::try_from(amount.batches)? * LEN];
    for (number, batch) in input.chunks_mut(LEN).enumerate() {
        fill(batch, mark_of(number));
    }
    for count in [1, devices.len()] {
        let name = format!("light stage, ordinary memory, devices: {count}");
        let (passes, outcome) = side_by_side(session, amount, &devices[..count], &input)?;
        conclude(&mut section, &name, outcome);
        let batches = amount.batches;
        Measured { name: &name, chunk_bytes: CHUNK, batches, passes }.add_to(&mut section, session);
    }
    let (batches, threads) = (amount.batches, amount.staging_threads);
    Ok(section.close(format!("{batches} batches a pass, {threads} staging threads shared out")))
}

/// Passes in which every device works on its share, every element checked after the time was taken.
fn side_by_side(
    session: &Session<'_>,
    amount: Amount,
    devices: &[Device],
    input: &[f32],
) -> anyhow::Result<(Passes, Result<u64, String>)> {
    let staging_threads = (amount.staging_threads / devices.len()).max(1);
    let config = Config { staging_threads, ..Config::new(LEN) };
    let member = |device| {
        let stage = Accumulate::new(device, &session.images, LEN, 1)?;
        anyhow::Ok(Member { pipeline: MemoryOptimizer::new(device, stage, config)?, share: 1 })
    };
    let mut fleet = Fleet::new(devices.iter().map(member).collect::<Result<_, _>>()?)?;
    let mut ledgers: Vec<_> = devices.iter().map(|_| Ledger::new(config.depth, 1)).collect();
    // Written once, so that its pages are there before the clock runs.
    let mut output = vec![f32::NAN; input.len()];
    let mut passes = Passes::default();
    for pass in 0..=amount.passes {
        let start = session.clock.now();
        let report = fleet.pipeline_execute(input, &mut output)?;
        if pass > 0 {
            passes.end(session, start);
        }
        let mut batches = input.chunks(LEN).zip(output.chunks(LEN));
        for (ledger, member) in ledgers.iter_mut().zip(&report.members) {
            for number in 0..member.batches {
                let (sent, received) = batches.next().expect("the members share the batches");
                ledger.look(number, sent[0], received, Look::All);
            }
        }
    }
    let checked = ledgers.into_iter().map(Ledger::outcome).sum();
    Ok((passes, checked))
}
