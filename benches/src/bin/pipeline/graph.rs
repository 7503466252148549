//! Batches that were recorded once: two schedules that take turns, each sent off with one call.

use memory_pipeline::{LinkRates, Replay, ReplayConfig, ReplayInFlight};
use slo_bench::Section;
use slo_bench::cli::Session;

use super::accumulate::{Accumulate, Ledger, Look, fill, mark_of};
use super::pinned::conclude;
use super::{Amount, CHUNK, Measured, Passes, size};

/// Batches of a schedule: the two together hold as much page-locked memory.
const BATCHES: u64 = 64;
/// Batches that one copy carries.
const PER_COPY: [usize; 3] = [1, 4, 8];

pub(super) fn section(
    session: &Session<'_>,
    amount: Amount,
    rates: &LinkRates,
) -> anyhow::Result<Section> {
    let mut section = Section::new("graph");
    let of_schedule = BATCHES.min(amount.batches);
    let mut sent = 0;
    for batches_per_copy in PER_COPY {
        let name = format!("two graphs in turn, a copy for {batches_per_copy}");
        let config = ReplayConfig {
            batches_per_copy,
            ..ReplayConfig::new(CHUNK / size_of::<f32>(), usize::try_from(of_schedule)?)
        };
        let launches = amount.batches.div_ceil(2 * of_schedule);
        let (passes, outcome) = turns(session, amount, config, launches)?;
        conclude(&mut section, &name, outcome);
        let per_batch = passes.submit_ns.iter().map(|ns| ns / of_schedule as f64).collect();
        let passes = Passes { submit_ns: per_batch, ..passes };
        sent = 2 * launches * of_schedule;
        let measured = Measured { name: &name, chunk_bytes: CHUNK, batches: sent, passes };
        measured.add_to(&mut section, session);
        measured.add_share(&mut section, session, rates);
    }
    Ok(section.close(format!("{sent} batches of {} a pass", size(CHUNK))))
}

/// A schedule, what went through its slots, and how often it was sent off.
struct Turn {
    ledger: Ledger,
    marks: Vec<f32>,
}

impl Turn {
    fn new(
        session: &Session<'_>,
        config: ReplayConfig,
    ) -> anyhow::Result<(Self, Replay<Accumulate>)> {
        let stage = Accumulate::new(session.device(), &session.images, config.batch_len, 1)?;
        let mut replay = Replay::new(session.device(), stage, config)?;
        let mut marks = Vec::new();
        for (number, input) in replay.inputs_mut().enumerate() {
            fill(input, mark_of(number));
            marks.push(input[0]);
        }
        let ledger = Ledger::new((config.depth * config.batches_per_copy).min(config.batches), 1);
        Ok((Self { ledger, marks }, replay))
    }

    /// Looks at the results of a schedule that is back.
    fn look(&mut self, replay: &Replay<Accumulate>, look: Look) {
        for ((batch, output), mark) in (0..).zip(replay.outputs()).zip(&self.marks) {
            self.ledger.look(batch, *mark, output, look);
        }
    }
}

/// The passes, in each of which both schedules are sent off `launches` times, and whether all was right.
fn turns(
    session: &Session<'_>,
    amount: Amount,
    config: ReplayConfig,
    launches: u64,
) -> anyhow::Result<(Passes, Result<u64, String>)> {
    let (mut first, mut one) = Turn::new(session, config)?;
    let (mut second, mut other) = Turn::new(session, config)?;
    let mut passes = Passes::default();
    let mut warm_up = Passes::default();
    for pass in 0..=amount.passes {
        let look = Look::at_pass(pass);
        let passes = if pass == 0 { &mut warm_up } else { &mut passes };
        let start = session.clock.now();
        let mut in_flight = launch(session, one, passes)?;
        for _ in 1..launches {
            let beside = launch(session, other, passes)?;
            one = back(in_flight)?;
            first.look(&one, look);
            in_flight = launch(session, one, passes)?;
            other = back(beside)?;
            second.look(&other, look);
        }
        let beside = launch(session, other, passes)?;
        one = back(in_flight)?;
        first.look(&one, look);
        other = back(beside)?;
        second.look(&other, look);
        passes.end(session, start);
    }
    let outcome = first.ledger.outcome().and_then(|count| Ok(count + second.ledger.outcome()?));
    Ok((passes, outcome))
}

fn launch(
    session: &Session<'_>,
    replay: Replay<Accumulate>,
    passes: &mut Passes,
) -> anyhow::Result<ReplayInFlight<Accumulate>> {
    let before = session.clock.now();
    let in_flight = replay.launch().map_err(memory_pipeline::Error::from)?;
    passes.submit_ns.push((session.clock.now() - before).as_secs_f64() * 1e9);
    Ok(in_flight)
}

fn back(in_flight: ReplayInFlight<Accumulate>) -> anyhow::Result<Replay<Accumulate>> {
    Ok(in_flight.wait().map_err(memory_pipeline::Error::from)?)
}
