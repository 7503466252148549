//! `slo-bench bench`: latency of each workload against its contracts, its processor versions beside it, the pipeline, what
//! tuning gains and what keeps the device busy.
//!
//! Never decides by fewer samples than the contract asks for; `--quick` takes a first look and says so.

use clap::ValueEnum as _;
use gpu_core::BackendKind;
use slo_bench::cli::{Subject, Terminal, Timing, Trials, device_plan, efficacy, time_processor};
use slo_bench::efficacy::{BLOCKS_MIN, TrialName};
use slo_bench::{Contract, Exit, Load, Machine, MeasurePlan, Reference, Section, Variant};

use super::args::{BenchArgs, BenchSection, name_of};
use super::capacity;
use super::compare::{Baseline, SECTION};
use super::course::Course;
use super::fleet;
use super::frame_stream;
use super::latency::{FIRST_LOOK_CUDA, applicable, first_look, run as measure};
use super::saturation::{self, Asked};
use super::setup::Setup;
use super::stream::{stream, throughput};
use super::validate::overlap;

/// How much of each thing is run. The size of the workloads is no part of it.
#[derive(Clone, Copy, Debug)]
struct Amount {
    /// Frames through the pipeline where no file is given, on a GPU.
    frames_cuda: u64,
    /// The same on the host.
    frames_host: u64,
    /// Samples of a first look on a GPU and on the host; otherwise as many as are asked for, which decide.
    look: Option<[u64; 2]>,
    /// Kernels whose tuned launches are tried against generic ones.
    trials: &'static [TrialName],
    /// Blocks in which each is compared with its baseline.
    blocks: usize,
    /// Seconds of a first look at saturation; otherwise as many as were promised, which decide.
    look_s: Option<u32>,
}

const FULL: Amount = Amount {
    frames_cuda: 100_000,
    frames_host: 10_000,
    look: None,
    trials: &TrialName::ALL,
    blocks: 200,
    look_s: None,
};
const QUICK: Amount = Amount {
    frames_cuda: 10_000,
    frames_host: 1_000,
    look: Some([FIRST_LOOK_CUDA, 100]),
    trials: &Trials::CHEAP,
    blocks: BLOCKS_MIN,
    look_s: Some(5),
};

pub(super) fn run(args: &BenchArgs, terminal: &Terminal) -> anyhow::Result<Exit> {
    let only = args.workload.as_deref().map(Reference::find).transpose()?;
    let amount = if args.quick { QUICK } else { FULL };
    let setup = Setup::new(&args.run, |device| amount.frames(device.backend()), terminal)?;
    let machine = Machine::observe(setup.session.device());
    let baseline = Baseline::open(&args.baseline, &args.tolerance, &machine)?;
    setup.announce(if args.quick { "bench --quick" } else { "bench" });
    let trials = trials(&setup, &amount, only)?;
    let asked = Asked::new(&setup, only, amount.look_s);
    let mut course = Course::new(&setup.session, args.course);
    let wanted = |name: &&BenchSection| match (only, **name) {
        (None, name) => args.only.is_empty() || args.only.contains(&name),
        (Some(_), BenchSection::Efficacy) => !trials.is_empty(),
        (Some(_), BenchSection::Saturation) => !asked.is_empty(),
        (Some(only), name) => name.workload().is_none_or(|workload| workload == only),
    };
    for name in BenchSection::value_variants().iter().filter(wanted) {
        course.run(&name_of(name), |_| match (name.workload(), name) {
            (Some(workload), _) => latency(&setup, args, &amount, workload),
            (None, BenchSection::Efficacy) => tuned(&setup, &amount, &trials, only),
            (None, BenchSection::Saturation) => saturation::section(&setup, &asked),
            (None, _) => pipeline(&setup),
        });
    }
    for section in course.sections() {
        terminal.runs(&section.runs);
        terminal.figures(&section.figures);
    }
    if let Some(baseline) = baseline {
        let label = setup.session.label();
        course.run(SECTION, |sections| baseline.section(sections, label, terminal));
    }
    let sections = course.into_sections();
    setup.session.finish("bench", sections)
}

/// The kernels to try out; where only a workload is asked for, the one that its contracts promise a gain of, if any.
fn trials(
    setup: &Setup<'_>,
    amount: &Amount,
    only: Option<Reference>,
) -> slo_bench::Result<Vec<TrialName>> {
    let Some(workload) = only else {
        return Ok(amount.trials.to_vec());
    };
    let backend = setup.session.device().backend();
    let promised = setup.contracts.contracts.iter().find(|contract| {
        let is_met = contract.target.is_met_by(backend);
        contract.workload == workload.name() && is_met && contract.gain_min.is_some()
    });
    promised.map(TrialName::promised_by).into_iter().collect()
}

impl Amount {
    fn frames(&self, backend: BackendKind) -> u64 {
        if backend == BackendKind::Cuda { self.frames_cuda } else { self.frames_host }
    }

    /// Samples of a first look; `None` where what is asked for decides.
    fn look(&self, backend: BackendKind) -> Option<u64> {
        let [cuda, host] = self.look?;
        Some(if backend == BackendKind::Cuda { cuda } else { host })
    }
}

fn latency(
    setup: &Setup<'_>,
    args: &BenchArgs,
    amount: &Amount,
    workload: Reference,
) -> anyhow::Result<Section> {
    let mut section = Section::new(workload.name());
    let contracts = applicable(setup, &mut section, Some(workload.name()));
    let look = amount.look(setup.session.device().backend());
    let mut subject = Subject { workload, n: workload.n() };
    let mut device = None;
    for contract in &contracts {
        subject.n = contract.n;
        let iterations = look.or(args.iterations).unwrap_or(contract.iterations);
        let timing = device_timing(setup, subject, Some(iterations), Some(contract));
        device = match look {
            Some(_) => first_look(setup, &mut section, &timing, contract)?,
            None => measure(setup, &mut section, &timing)?,
        };
        if let (Some(rates), Some(p50_ns)) = (args.capacity, device) {
            capacity::add(setup, &mut section, &timing, rates, p50_ns)?;
        }
    }
    if contracts.is_empty() {
        let timing = device_timing(setup, subject, look.or(args.iterations), None);
        device = measure(setup, &mut section, &timing)?;
    }
    time_processor(&setup.session, &mut section, subject, device, || setup.frames.endless())?;
    let runs = section.runs.len();
    Ok(section.close(format!("{runs} runs at n = {}, medians and tails below", subject.n)))
}

fn device_timing<'a>(
    setup: &Setup<'_>,
    subject: Subject,
    iterations: Option<u64>,
    contract: Option<&'a Contract>,
) -> Timing<'a> {
    let load = contract.map_or(Load::Closed, |contract| contract.load);
    let plan = MeasurePlan { load, ..device_plan(setup.session.device(), iterations) };
    Timing { subject, variant: Variant::Device, plan, contract }
}

/// What tuning gains, and what the contracts of the workloads that are asked for promise of it.
fn tuned(
    setup: &Setup<'_>,
    amount: &Amount,
    names: &[TrialName],
    only: Option<Reference>,
) -> anyhow::Result<Section> {
    let contracts = about(&setup.contracts.contracts, only);
    efficacy(&setup.session, &Trials { names, blocks: amount.blocks, contracts: &contracts })
}

/// The contracts of that workload, or of all.
fn about(contracts: &[Contract], only: Option<Reference>) -> Vec<Contract> {
    let is_asked = |contract: &&Contract| only.is_none_or(|of| contract.workload == of.name());
    contracts.iter().filter(is_asked).cloned().collect()
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

#[cfg(test)]
mod tests {
    use slo_bench::WORKLOADS;

    use super::*;

    #[test]
    fn a_workload_that_is_asked_for_is_judged_by_its_own_contracts_only() {
        let of = |workload: &str| {
            let text = format!(
                "name = \"{workload}\"\nworkload = \"{workload}\"\ndevice = \"host\"\nn = 900\niterations = 500\n\
                 [limits_ms]\np99 = 1\n"
            );
            Contract::parse(&text, std::path::Path::new("a.toml"), WORKLOADS).unwrap()
        };
        let contracts = ["frame", "thermodynamic"].map(of);
        let names = |only: Option<&str>| {
            let only = only.map(|name| Reference::find(name).unwrap());
            about(&contracts, only).into_iter().map(|contract| contract.name).collect::<Vec<_>>()
        };
        assert_eq!(names(Some("thermodynamic")), ["thermodynamic"]);
        assert_eq!(names(None), ["frame", "thermodynamic"]);
    }
}
