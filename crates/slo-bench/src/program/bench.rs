//! `slo-bench bench`: latency of each workload against its contracts, its processor versions beside it, and the pipeline.
//!
//! Never judges by fewer samples than the contract asks for.

use gpu_core::BackendKind;
use slo_bench::cli::{Subject, Terminal, Timing, Trials, device_plan, efficacy, time_processor};
use slo_bench::efficacy::TrialName;
use slo_bench::{Contract, Exit, Load, Machine, MeasurePlan, Reference, Section, Variant};

use super::args::BenchArgs;
use super::capacity;
use super::compare::{Baseline, SECTION};
use super::fleet;
use super::frame_stream;
use super::latency::{applicable, run as measure};
use super::setup::Setup;
use super::stream::{stream, throughput};
use super::validate::overlap;

/// Frames through the pipeline where no file is given.
const FRAMES_CUDA: u64 = 100_000;
const FRAMES_HOST: u64 = 10_000;

/// Blocks in which a tuned kernel is compared with its baseline.
const EFFICACY_BLOCKS: usize = 200;

pub(super) fn run(args: &BenchArgs, terminal: &Terminal) -> anyhow::Result<Exit> {
    let workloads = match &args.workload {
        Some(name) => vec![Reference::find(name)?],
        None => Reference::ALL.to_vec(),
    };
    let setup = Setup::new(&args.run, |device| frames(device.backend()), terminal)?;
    let baseline = args.baseline.as_ref().map(|file| {
        let machine = Machine::observe(setup.session.device());
        Baseline::open(file, &args.tolerance, &machine)
    });
    let baseline = baseline.transpose()?;
    setup.announce("bench");
    let mut sections = Vec::new();
    for workload in workloads {
        sections.push(setup.session.section(workload.name(), || latency(&setup, args, workload)));
    }
    sections.push(setup.session.section("pipeline", || pipeline(&setup)));
    if let Some(names) = trials(&setup, args)? {
        let contracts = &setup.contracts.contracts;
        let trials = Trials { names: &names, blocks: EFFICACY_BLOCKS, contracts };
        sections.push(setup.session.section("efficacy", || efficacy(&setup.session, &trials)));
    }
    for section in &sections {
        terminal.runs(&section.runs);
        terminal.figures(&section.figures);
    }
    if let Some(baseline) = baseline {
        let compared = setup
            .session
            .section(SECTION, || baseline.section(&sections, setup.session.label(), terminal));
        sections.push(compared);
    }
    setup.session.finish("bench", sections)
}

/// The kernels to try out: all of them, or of one workload the one that its contracts promise a gain of, if any does.
fn trials(setup: &Setup<'_>, args: &BenchArgs) -> slo_bench::Result<Option<Vec<TrialName>>> {
    let Some(workload) = &args.workload else {
        return Ok(Some(TrialName::ALL.to_vec()));
    };
    let backend = setup.session.device().backend();
    let promised = setup.contracts.contracts.iter().find(|contract| {
        let is_met = contract.target.is_met_by(backend);
        contract.workload == *workload && is_met && contract.gain_min.is_some()
    });
    promised.map(|contract| Ok(vec![TrialName::promised_by(contract)?])).transpose()
}

fn frames(backend: BackendKind) -> u64 {
    if backend == BackendKind::Cuda { FRAMES_CUDA } else { FRAMES_HOST }
}

fn latency(setup: &Setup<'_>, args: &BenchArgs, workload: Reference) -> anyhow::Result<Section> {
    let mut section = Section::new(workload.name());
    let contracts = applicable(setup, &mut section, Some(workload.name()));
    let mut subject = Subject { workload, n: workload.n() };
    let mut device = None;
    for contract in &contracts {
        subject.n = contract.n;
        let timing = device_timing(setup, args, subject, Some(contract));
        device = measure(setup, &mut section, &timing)?;
        if let (Some(rates), Some(p50_ns)) = (args.capacity, device) {
            capacity::add(setup, &mut section, &timing, rates, p50_ns)?;
        }
    }
    if contracts.is_empty() {
        let timing = device_timing(setup, args, subject, None);
        device = measure(setup, &mut section, &timing)?;
    }
    time_processor(&setup.session, &mut section, subject, device, || setup.frames.endless())?;
    let runs = section.runs.len();
    Ok(section.close(format!("{runs} runs at n = {}, medians and tails below", subject.n)))
}

fn device_timing<'a>(
    setup: &Setup<'_>,
    args: &BenchArgs,
    subject: Subject,
    contract: Option<&'a Contract>,
) -> Timing<'a> {
    let iterations = args.iterations.or_else(|| contract.map(|contract| contract.iterations));
    let load = contract.map_or(Load::Closed, |contract| contract.load);
    let plan = MeasurePlan { load, ..device_plan(setup.session.device(), iterations) };
    Timing { subject, variant: Variant::Device, plan, contract }
}

fn pipeline(setup: &Setup<'_>) -> anyhow::Result<Section> {
    let mut section = Section::new("pipeline");
    let bar = setup.session.terminal.progress("pipeline", setup.frames.count());
    let mut source = setup.frames.open()?;
    let streamed = stream(setup.session.device(), &setup.session.images, &mut *source, |frames| {
        bar.inc(frames);
    });
    bar.finish_and_clear();
    let streamed = streamed?;
    let (frames, due) = (streamed.frames, setup.frames.count());
    let holds = streamed.fault.is_none() && frames == due;
    let seen =
        format!("{frames} frames of {due}, every element checked, digest {}", streamed.digest);
    section.check("order and integrity", holds, streamed.fault.clone().unwrap_or(seen));
    throughput(&mut section, setup.session.device(), &streamed);
    fleet::add(setup, &mut section, &streamed)?;
    overlap(setup, &mut section)?;
    frame_stream::add(setup, &mut section)?;
    Ok(section.close(format!("{frames} frames, filled and checked by the host as they flow")))
}
