//! The pass whose iterations carry events: what each took by stage, and the arithmetic on it.
//!
//! All that it keeps is allocated before the first iteration that is kept.

use std::time::Duration;

use gpu_core::Clock;

use super::{Attribution, HOST, SlowIteration, Tail, WORST};
use crate::error::Result;
use crate::load::{Load, Pacer};
use crate::statistics::Quantile;
use crate::workload::{Phase, Workload};

/// The tails that are looked at, the furthest last.
const TAILS: [Quantile; 2] = [Quantile::P99, Quantile::P999];

/// What every iteration of a pass took, in nanoseconds.
#[derive(Debug)]
pub(crate) struct Marked {
    /// Of the stages but the host's.
    phases: Vec<String>,
    /// A wall time an iteration.
    walls: Vec<u64>,
    /// The times of its stages, the host's first, one iteration after the other.
    stages: Vec<u64>,
}

/// Runs `passes` iterations with events, and one before them that is not kept: it pays for what the others find ready.
/// `None` if there is nothing to tell stages apart by.
///
/// # Errors
/// What the workload fails with, or [`Error::OutputValue`](crate::Error::OutputValue) if its outputs are not finite.
pub(crate) fn marked_pass(
    workload: &mut dyn Workload,
    passes: u32,
    clock: &Clock,
) -> Result<Option<Marked>> {
    if passes == 0 {
        return Ok(None);
    }
    let (_, phases) = iteration(workload, clock)?;
    if phases.is_empty() {
        return Ok(None);
    }
    let mut marked = Marked::new(phases, usize::try_from(passes).unwrap_or(usize::MAX));
    for _ in 0..passes {
        let (wall_ns, phases) = iteration(workload, clock)?;
        marked.push(wall_ns, &phases);
    }
    Ok(Some(marked))
}

/// One iteration with events: its wall time, which ends before the events are read, and its parts.
fn iteration(workload: &mut dyn Workload, clock: &Clock) -> Result<(u64, Vec<Phase>)> {
    workload.prepare()?;
    let mut pacer = Pacer::new(Load::Closed, clock);
    let begun = pacer.begin();
    workload.step_marked()?;
    let wall_ns = pacer.end(begun).service_ns;
    let phases = workload.phases()?;
    workload.check()?;
    Ok((wall_ns, phases))
}

impl Marked {
    /// Room for `iterations` iterations of these phases.
    fn new(phases: Vec<Phase>, iterations: usize) -> Self {
        let phases: Vec<_> = phases.into_iter().map(|phase| phase.name).collect();
        let stages = Vec::with_capacity(iterations * (1 + phases.len()));
        Self { phases, walls: Vec::with_capacity(iterations), stages }
    }

    pub(super) fn push(&mut self, wall_ns: u64, phases: &[Phase]) {
        let nanoseconds = |phase: &Phase| u64::try_from(phase.elapsed.as_nanos());
        let covered = phases.iter().map(|phase| nanoseconds(phase).unwrap_or(u64::MAX));
        // Events have a tick of their own: together they can come to a little more than the wall time.
        let host_ns = wall_ns.saturating_sub(covered.clone().fold(0, u64::saturating_add));
        self.walls.push(wall_ns);
        self.stages.push(host_ns);
        let missing = std::iter::repeat(0);
        self.stages.extend(covered.chain(missing).take(self.phases.len()));
    }

    /// The times of the stages of one iteration.
    fn row(&self, iteration: usize) -> &[u64] {
        let width = 1 + self.phases.len();
        &self.stages[iteration * width..][..width]
    }

    /// The median of each phase over the pass, nearest rank.
    pub(crate) fn medians(&self) -> Vec<Phase> {
        let median = |(place, name): (usize, &String)| {
            let mut all: Vec<_> = self.rows().map(|row| row[1 + place]).collect();
            all.sort_unstable();
            Phase::new(name.clone(), Duration::from_nanos(all[(all.len() - 1) / 2]))
        };
        self.phases.iter().enumerate().map(median).collect()
    }

    fn rows(&self) -> impl Iterator<Item = &[u64]> {
        self.stages.chunks_exact(1 + self.phases.len())
    }

    /// Where slow iterations spent more than usual ones; `None` if they are too few for p99, or none is slower.
    pub(crate) fn attribution(&self) -> Option<Attribution> {
        let len = self.walls.len();
        let mut order: Vec<_> = (0..len).collect();
        order.sort_by_key(|&iteration| self.walls[iteration]);
        // One tenth around the median: a single iteration's stages would be the noise of that one.
        let usual_ns = self.means(&order[len * 45 / 100..(len * 55).div_ceil(100)]);
        let samples = u64::try_from(len).expect("a length fits 64 bits");
        let tails = TAILS.iter().filter(|quantile| quantile.is_supported_by(samples));
        let tails = tails.filter_map(|&quantile| {
            let rank = usize::try_from(quantile.rank(samples)).expect("a rank is a length");
            self.tail(quantile, &order[rank - 1..], &usual_ns)
        });
        let tails: Vec<_> = tails.collect();
        if tails.is_empty() {
            return None;
        }
        let stages = std::iter::once(HOST.to_owned()).chain(self.phases.iter().cloned());
        let worst = order.iter().rev().take(WORST).map(|&iteration| SlowIteration {
            iteration: u64::try_from(iteration + 1).expect("a length fits 64 bits"),
            wall_ns: self.walls[iteration],
            stages_ns: self.row(iteration).to_vec(),
        });
        let (stages, worst) = (stages.collect(), worst.collect());
        Some(Attribution { iterations: samples, stages, usual_ns, tails, worst })
    }

    /// These iterations, the fastest first, against usual ones; `None` if they are not slower.
    fn tail(&self, quantile: Quantile, slowest: &[usize], usual_ns: &[u64]) -> Option<Tail> {
        let beyond = |row: &[u64]| -> Vec<i64> {
            let pairs = row.iter().zip(usual_ns);
            pairs.map(|(&ns, &usual)| ns.cast_signed().saturating_sub_unsigned(usual)).collect()
        };
        let mut largest_in = vec![0; usual_ns.len()];
        for &iteration in slowest {
            let excess = beyond(self.row(iteration));
            // The first of equals.
            let largest = (0..excess.len()).rev().max_by_key(|&place| excess[place])?;
            largest_in[largest] += 1;
        }
        let tail = Tail {
            quantile: quantile.to_string(),
            from_ns: self.walls[*slowest.first()?],
            iterations: u64::try_from(slowest.len()).expect("a length fits 64 bits"),
            excess_ns: beyond(&self.means(slowest)),
            largest_in,
        };
        (tail.excess_total_ns() > 0).then_some(tail)
    }

    /// The mean of each stage over some iterations, at least one.
    fn means(&self, iterations: &[usize]) -> Vec<u64> {
        let mean = |place: usize| {
            let all = iterations.iter().map(|&iteration| u128::from(self.row(iteration)[place]));
            let count = u128::try_from(iterations.len()).expect("a length fits 128 bits");
            u64::try_from(all.sum::<u128>() / count).expect("a mean is at most the largest")
        };
        (0..=self.phases.len()).map(mean).collect()
    }
}
