//! `slo-bench validate`: everything that must be right on this machine, section by section.
//!
//! A section that fails does not stop the next one, unless that is asked for.

mod contract;
mod kernel;
mod pipeline;
mod profile;
mod resilience;
mod saturation;
mod tuning;
mod versions;

use clap::ValueEnum as _;
pub(super) use pipeline::overlap;
use slo_bench::efficacy::{BLOCKS_MIN, TrialName};
use slo_bench::{Exit, Section};

use super::args::{SectionName, ValidateArgs, name_of};
use super::course::Course;
use super::latency::FIRST_LOOK_CUDA;
use super::setup::Setup;
use super::{doctor, dump};
use slo_bench::cli::{Terminal, Trials, efficacy};

/// How much of each thing is run. The size of the workloads is no part of it.
#[derive(Clone, Copy, Debug)]
struct Amount {
    /// Frames through the pipeline where no file is given.
    frames: u64,
    /// Seeds of the simulated device.
    seeds: u64,
    /// Frames of each workload compared in every version.
    naive_frames: u64,
    /// Frames of each workload on which a GPU is compared with the optimised version.
    device_frames: u64,
    /// Elements that the tuned kernel sums.
    tuning_len: usize,
    /// Kernels whose tuned launches are tried against generic ones.
    trials: &'static [TrialName],
    /// Seconds that a load is judged by, where something tells how busy the device is.
    saturation_s: u32,
    /// Samples of a contract on a GPU; otherwise as many as it asks for, which decide.
    samples_cuda: Option<u64>,
    /// Samples of a contract on the host: a first look.
    samples_host: u64,
}

const FULL: Amount = Amount {
    frames: 10_000,
    seeds: 8,
    naive_frames: 10,
    device_frames: 1_000,
    tuning_len: 1 << 22,
    trials: &TrialName::ALL,
    saturation_s: 10,
    samples_cuda: None,
    samples_host: 200,
};
const QUICK: Amount = Amount {
    frames: 1_000,
    seeds: 2,
    naive_frames: 2,
    device_frames: 50,
    tuning_len: 1 << 18,
    trials: &Trials::CHEAP,
    saturation_s: 5,
    samples_cuda: Some(FIRST_LOOK_CUDA),
    samples_host: 100,
};

pub(super) fn run(args: &ValidateArgs, terminal: &Terminal) -> anyhow::Result<Exit> {
    if let Some(folder) = &args.dump {
        return dump::run(args, folder, terminal);
    }
    dump::refuse_without(args)?;
    let mut amount = if args.quick { QUICK } else { FULL };
    if let Some(frames) = args.compared_frames {
        (amount.naive_frames, amount.device_frames) = (frames, frames);
    }
    let setup = Setup::new(&args.run, |_| amount.frames, terminal)?;
    setup.announce(if args.quick { "validate --quick" } else { "validate" });
    let wanted = |name: &SectionName| args.only.is_empty() || args.only.contains(name);
    let mut course = Course::new(&setup.session, args.course);
    for name in SectionName::value_variants().iter().filter(|name| wanted(name)) {
        course.run(&name_of(name), |_| section(*name, &setup, &amount));
    }
    let sections = course.into_sections();
    setup.session.finish("validate", sections)
}

fn section(name: SectionName, setup: &Setup<'_>, amount: &Amount) -> anyhow::Result<Section> {
    match name {
        SectionName::Doctor => doctor::section(setup),
        SectionName::Kernels => kernel::section(setup, amount),
        SectionName::Pipeline => pipeline::section(setup, amount),
        SectionName::Resilience => resilience::section(setup),
        SectionName::Tuning => tuning::section(setup, amount),
        SectionName::Efficacy => {
            let contracts = &setup.contracts.contracts;
            let trials = Trials { names: amount.trials, blocks: BLOCKS_MIN, contracts };
            efficacy(&setup.session, &trials)
        }
        SectionName::Saturation => saturation::section(setup, amount),
        SectionName::Contract => contract::section(setup, amount),
    }
}
