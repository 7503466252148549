//! How fast the versions of a workload are, and how much faster one is than another.
//!
//! Speed-ups are ratios of medians of one run on one machine, never of figures from elsewhere.

use std::path::Path;
use std::time::Duration;

use gpu_core::{BackendKind, Device};

use super::Session;
use super::versions::{SEED, Subject, measured_on};
use crate::contract::{Clause, Contract};
use crate::frames::FrameSource;
use crate::load::Load;
use crate::measure::{MeasurePlan, Measurement, WarmUp, measure};
use crate::report::{Run, Section};
use crate::workload::{Variant, WorkloadConfig};

/// Samples on a GPU where nothing asks for a number.
const SAMPLES_CUDA: u64 = 100_000;
/// The same on the host.
const SAMPLES_HOST: u64 = 200;
/// Iterations with events on a GPU: ten above p99.9.
const MARKED_CUDA: u32 = 10_000;
/// The same on the host, where an iteration takes longer: two above p99.
const MARKED_HOST: u32 = 200;

/// What to time.
#[derive(Clone, Copy, Debug)]
pub struct Timing<'a> {
    /// The workload and its size.
    pub subject: Subject,
    /// Which version of it.
    pub variant: Variant,
    /// How often.
    pub plan: MeasurePlan,
    /// What it is held against.
    pub contract: Option<&'a Contract>,
}

/// What came of it, beside what is in the section.
#[derive(Clone, Debug)]
pub struct Timed {
    /// The median of the samples, where there is one.
    pub p50_ns: Option<u64>,
    /// How the limits of the contract were met.
    pub clauses: Vec<Clause>,
}

/// Times a version on the frames of `source`, and adds the run and its phases to `section`.
///
/// # Errors
/// What the version fails with, or the source.
pub fn time(
    session: &Session<'_>,
    section: &mut Section,
    timing: &Timing<'_>,
    source: Box<dyn FrameSource>,
) -> anyhow::Result<Timed> {
    let Timing { subject, variant, plan, contract } = *timing;
    let (device, images, n) = (session.device(), &session.images, subject.n);
    let config = WorkloadConfig { variant, n, seed: SEED, device, images };
    let mut workload = subject.workload.open(&config, source)?;
    let budgets = contract.map(|contract| contract.budgets(plan.iterations)).unwrap_or_default();
    let bar = session.terminal.progress(workload.name(), plan.iterations);
    // A bar that is redrawn every iteration would be part of what is measured.
    let stride = (plan.iterations / 200).max(1);
    let progress = |done: u64| {
        if done.is_multiple_of(stride) {
            bar.set_position(done);
        }
    };
    let before = device.telemetry().ok().flatten();
    let measured = measure(&mut *workload, &plan, &budgets, &session.clock, progress);
    bar.finish_and_clear();
    let after = device.telemetry().ok().flatten();
    let slowed_by = before.zip(after).map(|(before, after)| after.slowed_since(&before));
    let measured = Measurement { slowed_by: slowed_by.unwrap_or_default(), ..measured? };
    let measured_on = measured_on(device, variant);
    for phase in &measured.phases {
        let name = format!("{}: {}, median by events", workload.name(), phase.name);
        section.figure(name, milliseconds(phase.elapsed), "ms", &measured_on);
    }
    for tail in measured.attribution.iter().flat_map(|attribution| &attribution.tails) {
        let (name, percent) = (workload.name(), tail.host_share() * 100.0);
        let name = format!(
            "{name}: share of the host in what is slow, from {} up, with events",
            tail.quantile
        );
        section.figure(name, percent, "%", &measured_on);
    }
    let clauses = contract.map(|contract| contract.judge_run(&measured)).unwrap_or_default();
    let run = Run::of(&*workload, plan.load, measured_on, measured);
    let timed = Timed { p50_ns: run.latency.p50_ns, clauses: clauses.clone() };
    section.runs.push(Run {
        contract: contract.map(|contract| contract.name.clone()),
        contract_file: contract.map(|contract| from_here(&contract.file)),
        clauses,
        ..run
    });
    Ok(timed)
}

/// Times the two processor versions on frames of `open`, and adds how much faster the better version is.
///
/// # Errors
/// As for [`time`].
pub fn time_processor(
    session: &Session<'_>,
    section: &mut Section,
    subject: Subject,
    device_p50_ns: Option<u64>,
    open: impl Fn() -> crate::Result<Box<dyn FrameSource>>,
) -> anyhow::Result<()> {
    // The naive version takes some tenths of a second a call: enough calls for a median, not for a tail.
    let mut median = |variant, windows_max, iterations| {
        let warm_up = WarmUp { window: 2, windows_max };
        let plan = MeasurePlan { warm_up, load: Load::Closed, iterations, phase_passes: 0 };
        let timing = Timing { subject, variant, plan, contract: None };
        anyhow::Ok(time(session, section, &timing, open()?)?.p50_ns)
    };
    let naive = median(Variant::Naive, 0, 10)?;
    let optimised = median(Variant::Optimised, 2, 100)?;
    let medians = Medians { device: device_p50_ns, naive, optimised };
    for (words, ratio) in medians.speed_ups(session.device().backend()) {
        let name = format!("{}: {words}, speed-up of medians", subject.workload.name());
        section.figure(name, ratio, "x", session.label());
    }
    Ok(())
}

/// How often a device runs a workload: `iterations`, or else as many as a tail needs on a GPU and a median on the host.
pub fn device_plan(device: &Device, iterations: Option<u64>) -> MeasurePlan {
    let (samples, warm_up, phase_passes) = match device.backend() {
        BackendKind::Cuda => (SAMPLES_CUDA, WarmUp { window: 500, windows_max: 20 }, MARKED_CUDA),
        BackendKind::Host | BackendKind::HostSimulated => {
            (SAMPLES_HOST, WarmUp { window: 5, windows_max: 40 }, MARKED_HOST)
        }
    };
    let iterations = iterations.unwrap_or(samples);
    MeasurePlan { warm_up, load: Load::Closed, iterations, phase_passes }
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

/// A file as a report names it, without the folders of this machine.
fn from_here(file: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = match file.is_absolute() {
        true => file.strip_prefix(here).ok().or_else(|| file.file_name().map(Path::new)),
        false => None,
    };
    path.unwrap_or(file).display().to_string()
}

fn milliseconds(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_without_folders_of_this_machine() {
        let here = std::env::current_dir().unwrap();
        for (file, named) in [
            (here.join("contracts/a.toml"), "contracts/a.toml"),
            (Path::new("contracts/a.toml").to_owned(), "contracts/a.toml"),
            (Path::new("/elsewhere/contracts/a.toml").to_owned(), "a.toml"),
        ] {
            assert_eq!(from_here(&file), named);
        }
    }

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
