//! Latency runs of a workload, with or without a contract.
//!
//! A clause is judged by counting samples, and a figure always says where it was measured.

use std::time::Duration;

use gpu_core::{BackendKind, Device};
use slo_bench::{
    Clause, Contract, MeasurePlan, Reference, Run, Section, Target, Variant, Verdict,
    WorkloadConfig, label, measure, number,
};

use super::setup::Setup;

/// The seed of every run that is measured or compared.
pub(super) const SEED: u64 = 42;

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) workload: Reference,
    pub(super) variant: Variant,
    pub(super) n: usize,
    pub(super) plan: MeasurePlan,
    pub(super) contract: Option<&'a Contract>,
}

/// How many samples a verdict needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// Those that the contract asks for: fewer decide nothing.
    AsAgreed,
    /// Enough for each percentile: a first look, which says that it is one.
    FirstLook,
}

/// Measures, and adds run, phases and clauses to `section`. Returns the run's median, where there is one.
pub(super) fn run(
    setup: &Setup<'_>,
    section: &mut Section,
    request: &Request<'_>,
    demand: Demand,
) -> anyhow::Result<Option<u64>> {
    let Request { workload, variant, n, plan, contract } = *request;
    let (device, images) = (setup.session.device(), &setup.session.images);
    let config = WorkloadConfig { variant, n, seed: SEED, device, images };
    let mut workload = workload.open(&config, setup.frames.endless()?)?;
    let limits = contract.map(Contract::limits_ns).unwrap_or_default();
    let bar = setup.session.terminal.progress(workload.name(), plan.iterations);
    // A bar that is redrawn every iteration would be part of what is measured.
    let stride = (plan.iterations / 200).max(1);
    let progress = |done: u64| {
        if done.is_multiple_of(stride) {
            bar.set_position(done);
        }
    };
    let measured = measure(&mut *workload, &plan, &limits, &setup.session.clock, progress);
    bar.finish_and_clear();
    let measured = measured?;
    let measured_on = measured_on(device, variant);
    for phase in &measured.phases {
        let name = format!("{}: {}, median by events", workload.name(), phase.name);
        section.figure(name, milliseconds(phase.elapsed), "ms", &measured_on);
    }
    let clauses = contract.map(|contract| contract.judge(&measured.recorder)).unwrap_or_default();
    if let Some(contract) = contract {
        add_checks(section, contract, &clauses, plan.iterations, demand);
    }
    let latency = measured.recorder.summary();
    let median = latency.p50_ns;
    section.runs.push(Run {
        name: workload.name(),
        n,
        measured_on,
        warm_up: plan.warm_up,
        cold_ns: measured.cold_ns,
        latency,
        contract: contract.map(|contract| contract.name.clone()),
        clauses,
    });
    Ok(median)
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

/// Where a version runs, in words: the processor versions run on the host, whatever the device.
pub(super) fn measured_on(device: &Device, variant: Variant) -> String {
    match (variant, device.backend()) {
        (Variant::Device, BackendKind::Cuda) => label(device),
        (Variant::Device, _) => {
            format!("{}, the optimised version in place of the kernels", label(device))
        }
        (Variant::Naive | Variant::Optimised, _) => label(&Device::host()),
    }
}

fn milliseconds(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1e3
}
