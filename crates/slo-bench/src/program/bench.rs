//! `slo-bench bench`: latency of each workload against its contracts, its processor versions beside it, and the pipeline.
//!
//! Speed-ups are ratios of medians of this run on this machine, never of figures from elsewhere.

use gpu_core::BackendKind;
use slo_bench::{Contract, Exit, MeasurePlan, Reference, Section, Variant};

use super::args::BenchArgs;
use super::frame_stream;
use super::latency::{Demand, Request, applicable, run as measure};
use super::setup::Setup;
use super::stream::{stream, throughput};
use super::validate::overlap;
use slo_bench::cli::Terminal;

/// Samples where neither the command line nor a contract asks for a number.
const SAMPLES_CUDA: u64 = 100_000;
const SAMPLES_HOST: u64 = 200;
/// Frames through the pipeline where no file is given.
const FRAMES_CUDA: u64 = 100_000;
const FRAMES_HOST: u64 = 10_000;

pub(super) fn run(args: &BenchArgs, terminal: &Terminal) -> anyhow::Result<Exit> {
    let workloads = match &args.workload {
        Some(name) => vec![Reference::find(name)?],
        None => Reference::ALL.to_vec(),
    };
    let setup = Setup::new(&args.run, |device| frames(device.backend()), terminal)?;
    setup.announce("bench");
    let mut sections = Vec::new();
    for workload in workloads {
        sections.push(setup.session.section(workload.name(), || latency(&setup, args, workload)));
    }
    sections.push(setup.session.section("pipeline", || pipeline(&setup)));
    for section in &sections {
        terminal.runs(&section.runs);
        terminal.figures(&section.figures);
    }
    setup.session.finish("bench", sections)
}

fn frames(backend: BackendKind) -> u64 {
    if backend == BackendKind::Cuda { FRAMES_CUDA } else { FRAMES_HOST }
}

fn latency(setup: &Setup<'_>, args: &BenchArgs, workload: Reference) -> anyhow::Result<Section> {
    let mut section = Section::new(workload.name());
    let contracts = applicable(setup, &mut section, Some(workload.name()));
    let mut device = None;
    for contract in &contracts {
        let request = device_request(setup, args, workload, Some(contract));
        device = measure(setup, &mut section, &request, Demand::AsAgreed)?;
    }
    if contracts.is_empty() {
        let request = device_request(setup, args, workload, None);
        device = measure(setup, &mut section, &request, Demand::AsAgreed)?;
    }
    let n = contracts.last().map_or_else(|| workload.n(), |contract| contract.n);
    // The naive version takes some tenths of a second a call: enough calls for a median, not for a tail.
    let versions = [(Variant::Naive, 10, 1), (Variant::Optimised, 100, 5)];
    let mut medians = Medians { device, naive: None, optimised: None };
    for (variant, iterations, warm_up) in versions {
        let plan = MeasurePlan { warm_up, iterations, phase_passes: 0 };
        let request = Request { workload, variant, n, plan, contract: None };
        let median = measure(setup, &mut section, &request, Demand::AsAgreed)?;
        match variant {
            Variant::Naive => medians.naive = median,
            _ => medians.optimised = median,
        }
    }
    for (words, ratio) in medians.speed_ups(setup.session.device().backend()) {
        let name = format!("{}: {words}, speed-up of medians", workload.name());
        section.figure(name, ratio, "x", setup.session.label());
    }
    let detail = format!("{} runs at n = {n}, medians and tails below", section.runs.len());
    Ok(section.close(detail))
}

fn device_request<'a>(
    setup: &Setup<'_>,
    args: &BenchArgs,
    workload: Reference,
    contract: Option<&'a Contract>,
) -> Request<'a> {
    let (samples, warm_up, phase_passes) = match setup.session.device().backend() {
        BackendKind::Cuda => (SAMPLES_CUDA, 1000, 200),
        BackendKind::Host | BackendKind::HostSimulated => (SAMPLES_HOST, 5, 20),
    };
    let asked = contract.map(|contract| contract.iterations);
    let iterations = args.iterations.or(asked).unwrap_or(samples);
    let plan = MeasurePlan { warm_up, iterations, phase_passes };
    let n = contract.map_or_else(|| workload.n(), |contract| contract.n);
    Request { workload, variant: Variant::Device, n, plan, contract }
}

/// The medians of a workload's versions, in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Medians {
    device: Option<u64>,
    naive: Option<u64>,
    optimised: Option<u64>,
}

impl Medians {
    /// How much faster one version is than another, in words and as a ratio.
    ///
    /// On the host the optimised version runs in the device's place: a ratio of the two would be 1 by construction.
    fn speed_ups(self, backend: BackendKind) -> Vec<(&'static str, f64)> {
        let Self { device, naive, optimised } = self;
        let pairs = match backend {
            BackendKind::Cuda => vec![
                ("device over naive on one thread", naive, device),
                ("device over optimised on all cores", optimised, device),
            ],
            BackendKind::Host | BackendKind::HostSimulated => {
                vec![(
                    "on the host, optimised on all cores over naive on one thread",
                    naive,
                    optimised,
                )]
            }
        };
        let ratio = |(words, slow, fast): (_, Option<u64>, Option<u64>)| {
            Some((words, slow? as f64 / fast.filter(|&median| median > 0)? as f64))
        };
        pairs.into_iter().filter_map(ratio).collect()
    }
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
    overlap(setup, &mut section)?;
    frame_stream::add(setup, &mut section)?;
    Ok(section.close(format!("{frames} frames, filled and checked by the host as they flow")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_compares_its_two_versions_and_never_one_with_itself() {
        let medians = Medians { device: Some(10), naive: Some(80), optimised: Some(20) };
        let [cuda, host, simulated] =
            [BackendKind::Cuda, BackendKind::Host, BackendKind::HostSimulated]
                .map(|backend| medians.speed_ups(backend));
        assert_eq!(cuda.iter().map(|(_, ratio)| *ratio).collect::<Vec<_>>(), [8.0, 2.0]);
        let words = "on the host, optimised on all cores over naive on one thread";
        assert_eq!((&host, &simulated), (&vec![(words, 4.0)], &vec![(words, 4.0)]));
        let unknown = Medians { naive: None, optimised: Some(0), ..medians };
        assert!(unknown.speed_ups(BackendKind::Host).is_empty());
    }
}
