//! `slo-bench doctor`, also the first section of `validate`: what is here, what is missing, what to do.
//!
//! Looks and never changes anything.

use gpu_core::{BackendKind, Device, DeviceProperties, KernelImages};
use slo_bench::cli::{Place, Terminal};
use slo_bench::{ContractSet, Exit, Section, Verdict};

use super::args::DoctorArgs;
use super::setup::{Setup, contracts};

pub(super) fn run(args: &DoctorArgs, terminal: &Terminal) -> anyhow::Result<Exit> {
    let place = Place::open(&args.place);
    let contracts = contracts(&args.contracts);
    let images = args.place.images();
    let mut section = Section::new("doctor");
    let mut exit = Exit::Pass;
    match &place {
        Ok(place) => examine_device(&mut section, place, &images),
        Err(error) => {
            section.check("device", false, format!("{error:#}"));
            exit = Exit::from(error);
        }
    }
    match &contracts {
        Ok(contracts) => examine_contracts(&mut section, contracts),
        Err(error) => {
            section.check("contracts", false, format!("{error:#}"));
            exit = Exit::from(error);
        }
    }
    let section = section.close("nothing is in the way");
    for check in &section.checks {
        terminal.line(&format!("{:9}{:26}{}", check.verdict, check.name, check.words()));
    }
    Ok(match (&section.verdict, exit) {
        (Verdict::Fail, Exit::Pass) => Exit::Environment,
        (_, exit) => exit,
    })
}

/// The section of `validate`.
pub(super) fn section(setup: &Setup<'_>) -> anyhow::Result<Section> {
    let mut section = Section::new("doctor");
    examine_device(&mut section, &setup.session.place, &setup.session.images);
    examine_contracts(&mut section, &setup.contracts);
    let contracts = setup.contracts.contracts.len();
    Ok(section.close(format!("{}; {contracts} contracts", setup.session.label())))
}

fn examine_device(section: &mut Section, place: &Place, images: &KernelImages) {
    for properties in Device::list() {
        section.check(format!("device {}", name(&properties)), true, describe(&properties));
    }
    match &place.gpu_refusal {
        None => section.check("GPU", true, driver(place.device.properties())),
        Some(reason) => section.check("GPU", Verdict::skipped(reason), ""),
    }
    examine_images(section, images, place.device.backend());
    match place.device.telemetry() {
        Ok(Some(sample)) => {
            let clocks = (sample.sm_clock_mhz, sample.memory_clock_mhz);
            let reasons = sample.throttle_reasons.iter().map(ToString::to_string);
            let held_back = reasons.collect::<Vec<_>>().join(", ");
            let held_back = if held_back.is_empty() { "nothing".to_owned() } else { held_back };
            let seen = format!(
                "SM {} MHz, memory {} MHz, {:.0} W, held back by {held_back}",
                clocks.0, clocks.1, sample.power_watts
            );
            section.check("clocks", true, seen);
        }
        Ok(None) => section.check("clocks", Verdict::skipped("the host does not tell them"), ""),
        Err(error) => section.check("clocks", Verdict::skipped(error.to_string()), ""),
    }
}

/// A line an image; where the host needs none, one line for all that are not there.
fn examine_images(section: &mut Section, images: &KernelImages, backend: BackendKind) {
    let mut missing = Vec::new();
    for source in &kernels::SOURCES {
        let name = format!("image {}", source.name);
        match images.load(source) {
            Ok(_) => section.check(name, true, format!("fresh, in {}", images.folder().display())),
            Err(error) if backend == BackendKind::Cuda => {
                section.check(name, false, error.to_string());
            }
            Err(error) => missing.push(error),
        }
    }
    if let Some(first) = missing.first() {
        let count = missing.len();
        let reason =
            format!("the host needs none; {count} cannot be used, the first because {first}");
        section.check("images", Verdict::skipped(reason), "");
    }
}

fn examine_contracts(section: &mut Section, contracts: &ContractSet) {
    let names: Vec<_> = contracts.contracts.iter().map(|contract| contract.name.as_str()).collect();
    section.check("contracts", true, format!("{} ({})", names.join(", "), contracts.origin));
}

fn name(properties: &DeviceProperties) -> String {
    match properties.backend {
        BackendKind::Cuda => format!("cuda:{}", properties.ordinal),
        other => other.to_string(),
    }
}

fn describe(properties: &DeviceProperties) -> String {
    let gibibytes = properties.memory_bytes >> 30;
    let DeviceProperties { name, multiprocessors, .. } = properties;
    match properties.capability {
        Some(capability) => format!(
            "{name}, capability {capability}, {multiprocessors} multiprocessors, {gibibytes} GiB"
        ),
        None => format!("{name}, {multiprocessors} threads, {gibibytes} GiB"),
    }
}

fn driver(properties: &DeviceProperties) -> String {
    let release = properties.driver_release.as_deref().unwrap_or("of unknown release");
    let version = properties.driver_version.unwrap_or(0);
    format!("driver {release}, CUDA {}.{}", version / 1000, version % 1000 / 10)
}
