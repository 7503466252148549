//! Latency runs of a workload, with or without a contract.
//!
//! A clause is judged by counting samples, and a figure always says where it was measured.

use slo_bench::cli::{Timing, time};
use slo_bench::{Clause, Contract, Evidence, Section, Target, Verdict};

use super::setup::Setup;

/// Times on the frames of `setup`, and adds what came of it and of its contract to `section`. Returns the median, where
/// there is one.
pub(super) fn run(
    setup: &Setup<'_>,
    section: &mut Section,
    timing: &Timing<'_>,
) -> anyhow::Result<Option<u64>> {
    let timed = time(&setup.session, section, timing, setup.frames.endless()?)?;
    if let Some(contract) = timing.contract {
        for clause in timed.clauses {
            let name = clause.check_name(&contract.name);
            section.check(name, clause.verdict, clause.seen);
        }
    }
    Ok(timed.p50_ns)
}

/// The same for a first look: `timing` takes fewer samples than its contract asks for, and a percentile that is below
/// its limit among them passes, which says so and shows nothing about all iterations.
pub(super) fn first_look(
    setup: &Setup<'_>,
    section: &mut Section,
    timing: &Timing<'_>,
    contract: &Contract,
) -> anyhow::Result<()> {
    let iterations = timing.plan.iterations;
    let looked = Contract { iterations, ..contract.clone() };
    let timing = Timing { contract: Some(&looked), ..*timing };
    let timed = time(&setup.session, section, &timing, setup.frames.endless()?)?;
    for clause in timed.clauses {
        let asked = contract.iterations;
        let (name, seen) = (clause.check_name(&contract.name), &clause.seen);
        let seen = format!("{seen}; a first look, `bench` takes {asked} and decides");
        section.check(name, at_first_sight(&clause), seen);
    }
    Ok(())
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
        let reason = match (contract.target, &setup.session.place.gpu_refusal) {
            (Target::Cuda, Some(reason)) => {
                format!("it is about a GPU, and none is used: {reason}")
            }
            _ => format!("it is about `{}`, this run is on `{backend}`", contract.target),
        };
        section.check(&contract.name, Verdict::skipped(reason), "");
    }
    met
}
