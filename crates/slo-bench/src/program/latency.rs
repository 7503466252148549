//! Latency runs of a workload, with or without a contract.
//!
//! A clause is judged by counting samples, and a figure always says where it was measured.

use std::time::Duration;

use gpu_core::BackendKind;
use slo_bench::cli::{Timed, Timing, time};
use slo_bench::{Clause, Contract, Evidence, MeasurePlan, Section, Stalls, Target, Verdict};

use super::setup::Setup;

/// Samples of a first look on a GPU.
pub(super) const FIRST_LOOK_CUDA: u64 = 10_000;
/// Iterations with events in a first look: enough for medians of the phases.
const FIRST_LOOK_PASSES: u32 = 20;

/// Times on the frames of `setup`, and adds what came of it and of its contract to `section`. Returns the median, where
/// there is one.
pub(super) fn run(
    setup: &Setup<'_>,
    section: &mut Section,
    timing: &Timing<'_>,
) -> anyhow::Result<Option<u64>> {
    let timed = watched(setup, section, timing)?;
    if let Some(contract) = timing.contract {
        for clause in timed.clauses {
            let name = clause.check_name(&contract.name);
            section.check(name, clause.verdict, clause.seen);
        }
    }
    Ok(timed.p50_ns)
}

/// The same for a first look, which takes fewer samples than `contract` asks for: a percentile that is below its limit
/// among them passes, which says so and shows nothing about all iterations. A contract that asks for no more is judged as
/// ever.
pub(super) fn first_look(
    setup: &Setup<'_>,
    section: &mut Section,
    timing: &Timing<'_>,
    contract: &Contract,
) -> anyhow::Result<Option<u64>> {
    let (asked, iterations) = (contract.iterations, timing.plan.iterations);
    if iterations >= asked {
        let plan = MeasurePlan { iterations: asked, ..timing.plan };
        return run(setup, section, &Timing { plan, ..*timing });
    }
    let looked = Contract { iterations, ..contract.clone() };
    let plan = MeasurePlan { phase_passes: FIRST_LOOK_PASSES, ..timing.plan };
    let timing = Timing { plan, contract: Some(&looked), ..*timing };
    let timed = watched(setup, section, &timing)?;
    for clause in timed.clauses {
        let (name, seen) = (clause.check_name(&contract.name), &clause.seen);
        let seen =
            format!("{seen}; a first look, `bench` without --quick takes {asked} and decides");
        section.check(name, at_first_sight(&clause), seen);
    }
    Ok(timed.p50_ns)
}

/// Times, and looks on both sides of a run under a contract at what the machine takes from this thread: it moves from one
/// second to the next.
fn watched(setup: &Setup<'_>, section: &mut Section, timing: &Timing<'_>) -> anyhow::Result<Timed> {
    let Setup { session, frames, .. } = setup;
    let ms = if session.device().backend() == BackendKind::Cuda { 500 } else { 20 };
    let look = || Stalls::watch(&session.clock, Duration::from_millis(ms));
    let before = timing.contract.map(|contract| (contract, look()));
    let timed = time(session, section, timing, frames.endless()?)?;
    if let Some((contract, before)) = before {
        let stalls = before.and(&look());
        let run = section.runs.last().cloned();
        run.iter().for_each(|run| stalls.add_figures(section, contract, run));
    }
    Ok(timed)
}

/// What a clause comes to if only the samples themselves are asked.
fn at_first_sight(clause: &Clause) -> Verdict {
    let is_seen = match &clause.evidence {
        Evidence::Percentile(counted) => counted.measured_ms.is_some(),
        Evidence::Throughput { .. } => false,
    };
    match &clause.verdict {
        Verdict::Inconclusive { .. } if is_seen => Verdict::Pass,
        verdict => verdict.clone(),
    }
}

/// Adds every contract of `workload` that is about another device as skipped, and returns the others.
pub(super) fn applicable<'a>(
    setup: &'a Setup<'_>,
    section: &mut Section,
    workload: Option<&str>,
) -> Vec<&'a Contract> {
    let all = setup.contracts.contracts.iter();
    let all = all.filter(|contract| workload.is_none_or(|name| contract.workload == name));
    let backend = setup.session.device().backend();
    let (met, other): (Vec<_>, Vec<_>) =
        all.partition(|contract| contract.target.is_met_by(backend));
    for contract in other {
        section.check(&contract.name, elsewhere(setup, contract), "");
    }
    met
}

/// What becomes of a contract that is about another device.
pub(super) fn elsewhere(setup: &Setup<'_>, contract: &Contract) -> Verdict {
    let backend = setup.session.device().backend();
    Verdict::skipped(match (contract.target, &setup.session.place.gpu_refusal) {
        (Target::Cuda, Some(reason)) => format!("it is about a GPU, and none is used: {reason}"),
        _ => format!("it is about `{}`, this run is on `{backend}`", contract.target),
    })
}
