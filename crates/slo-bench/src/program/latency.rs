//! Latency runs of a workload, with or without a contract.
//!
//! A clause is judged by counting samples, and a figure always says where it was measured.

use slo_bench::cli::{Timing, time};
use slo_bench::{Clause, Contract, Section, Target, Verdict, number};

use super::setup::Setup;

/// How many samples a verdict needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// Those that the contract asks for: fewer decide nothing.
    AsAgreed,
    /// Enough for each percentile: a first look, which says that it is one.
    FirstLook,
}

/// Times on the frames of `setup`, and adds what came of it and of its contract to `section`. Returns the median, where
/// there is one.
pub(super) fn run(
    setup: &Setup<'_>,
    section: &mut Section,
    timing: &Timing<'_>,
    demand: Demand,
) -> anyhow::Result<Option<u64>> {
    let timed = time(&setup.session, section, timing, setup.frames.endless()?)?;
    if let Some(contract) = timing.contract {
        add_checks(section, contract, &timed.clauses, timing.plan.iterations, demand);
    }
    Ok(timed.p50_ns)
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

fn add_checks(
    section: &mut Section,
    contract: &Contract,
    clauses: &[Clause],
    samples: u64,
    demand: Demand,
) {
    let asked = contract.iterations;
    for clause in clauses {
        let Clause { quantile, limit_ms, over_count, over_count_max, .. } = clause;
        let name = format!("{}: {quantile} < {} ms", contract.name, number(*limit_ms));
        let measured = clause.measured_ms.map_or_else(|| "-".to_owned(), number);
        let mut seen = format!(
            "{quantile} {measured} ms over {samples} samples, {over_count} not below the limit (at most {over_count_max} may be)"
        );
        let verdict = match demand {
            Demand::AsAgreed if samples < asked => Verdict::invalid(format!(
                "{samples} samples decide nothing, the contract asks for {asked}; {seen}"
            )),
            Demand::AsAgreed => clause.verdict.clone(),
            Demand::FirstLook => {
                if samples < asked {
                    seen.push_str(&format!("; a first look, `bench` takes {asked}"));
                }
                clause.verdict.clone()
            }
        };
        section.check(name, verdict, seen);
    }
}
