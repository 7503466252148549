//! Section `contract`: a first look at each workload against what it promises on this kind of device.

use gpu_core::BackendKind;
use slo_bench::cli::{Subject, Timing};
use slo_bench::{MeasurePlan, Reference, Section, Variant, WarmUp, milliseconds};

use super::Amount;
use crate::program::latency::{applicable, first_look};
use crate::program::setup::Setup;

pub(super) fn section(setup: &Setup<'_>, amount: &Amount) -> anyhow::Result<Section> {
    let mut section = Section::new("contract");
    let (samples, warm_up) = match setup.session.device().backend() {
        BackendKind::Cuda => (amount.samples_cuda, WarmUp { window: 250, windows_max: 20 }),
        BackendKind::Host | BackendKind::HostSimulated => {
            (amount.samples_host, WarmUp { window: 3, windows_max: 40 })
        }
    };
    for contract in applicable(setup, &mut section, None) {
        let iterations = samples.min(contract.iterations);
        let plan = MeasurePlan { warm_up, load: contract.load, iterations, phase_passes: 20 };
        let workload = Reference::find(&contract.workload)?;
        let subject = Subject { workload, n: contract.n };
        let timing = Timing { subject, variant: Variant::Device, plan, contract: None };
        first_look(setup, &mut section, &timing, contract)?;
    }
    let seen = section.runs.iter().map(|run| {
        let latency = &run.latency;
        let (p50, p99) = (milliseconds(latency.p50_ns), milliseconds(latency.p99_ns));
        format!("{}: p50 {p50}, p99 {p99} ms on {}", run.name, run.measured_on)
    });
    let detail = seen.collect::<Vec<_>>().join("; ");
    Ok(section.close(detail))
}
