//! Section `contract`: each workload against what it promises on this kind of device.
//!
//! On a GPU its verdicts are those of `bench`; on the host, and with `--quick`, it takes a first look and says so.

use gpu_core::BackendKind;
use slo_bench::cli::{Subject, Timing, device_plan};
use slo_bench::{MeasurePlan, Reference, Section, Variant, milliseconds};

use super::Amount;
use crate::program::latency::{applicable, first_look, run};
use crate::program::setup::Setup;

pub(super) fn section(setup: &Setup<'_>, amount: &Amount) -> anyhow::Result<Section> {
    let mut section = Section::new("contract");
    let device = setup.session.device();
    let look = look(amount, device.backend());
    for contract in applicable(setup, &mut section, None) {
        let workload = Reference::find(&contract.workload)?;
        let subject = Subject { workload, n: contract.n };
        let iterations = look.unwrap_or(contract.iterations);
        let plan = MeasurePlan { load: contract.load, ..device_plan(device, Some(iterations)) };
        let timing = Timing { subject, variant: Variant::Device, plan, contract: Some(contract) };
        match look {
            Some(_) => first_look(setup, &mut section, &timing, contract)?,
            None => run(setup, &mut section, &timing)?,
        };
    }
    let seen = section.runs.iter().map(|run| {
        let latency = &run.latency;
        let (p50, p99) = (milliseconds(latency.p50_ns), milliseconds(latency.p99_ns));
        format!("{}: p50 {p50}, p99 {p99} ms on {}", run.name, run.measured_on)
    });
    let detail = seen.collect::<Vec<_>>().join("; ");
    Ok(section.close(detail))
}

/// Samples of a first look on this kind of device; `None` where each contract gets what it asks for.
fn look(amount: &Amount, backend: BackendKind) -> Option<u64> {
    match backend {
        BackendKind::Cuda => amount.samples_cuda,
        BackendKind::Host | BackendKind::HostSimulated => Some(amount.samples_host),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FULL, QUICK};
    use super::*;

    #[test]
    fn only_a_full_validation_on_a_gpu_decides() {
        assert_eq!(look(&FULL, BackendKind::Cuda), None);
        assert_eq!(look(&QUICK, BackendKind::Cuda), Some(10_000));
        for backend in [BackendKind::Host, BackendKind::HostSimulated] {
            assert_eq!([&FULL, &QUICK].map(|amount| look(amount, backend)), [Some(200), Some(100)]);
        }
    }
}
