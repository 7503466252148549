//! Section `tuning`: a small search over a real kernel, and the occupancy arithmetic against the driver's.
//!
//! A configuration whose output is wrong fails the section, however fast it is.

use std::collections::BTreeMap;

use gpu_core::{
    BackendKind, Device, DeviceBuffer, KernelImages, LaunchSpace, Point, Prepared, Stream,
};
use kernel_tuner::{
    CandidateOutcome, Counts, Exhaustive, KernelTuner, Mismatch, Outcome, PerformanceTuner, Ready,
    StopRule, Subject, TunerConfig, Verdict as TuningVerdict,
};
use kernels::Tunable;
use kernels::frame::TrackingError;
use kernels::thermodynamic::{Evolve, EvolveResident};
use kernels::vector::{ReduceSum, Saxpy, SumWorkspace};
use slo_bench::{Section, Verdict};

use super::Amount;
use crate::program::setup::Setup;

pub(super) fn section(setup: &Setup<'_>, amount: &Amount) -> anyhow::Result<Section> {
    let mut section = Section::new("tuning");
    let tuned = tune(setup, amount)?;
    let Counts { timed, refused, failed, wrong } = tuned.counts;
    let seen =
        format!("{timed} right and timed, {refused} refused, {failed} failed, {wrong} wrong");
    let bad = tuned.candidates.iter().find_map(fault);
    let holds = bad.is_none() && timed > 0;
    section.check("every configuration is right or refused", holds, bad.unwrap_or(seen));
    for (name, time) in [("baseline", &tuned.baseline_time), ("best", &tuned.best_time)] {
        let name = format!("{}, {name}: median by events", tuned.subject);
        section.figure(name, time.median_us, "us", setup.label());
    }
    if let Some(speedup) = tuned.speedup {
        let name = format!("{}: baseline / best, measured in turn", tuned.subject);
        section.figure(name, speedup.ratio, "x", setup.label());
    }
    occupancy(setup, &mut section)?;
    let detail = format!(
        "{}: {} of {} configurations verified and timed on {}; {}",
        tuned.subject,
        timed,
        tuned.candidates.len(),
        setup.device().backend(),
        words(&tuned)
    );
    Ok(section.close(detail))
}

fn words(tuned: &kernel_tuner::Tuned) -> String {
    match (tuned.verdict, tuned.speedup) {
        (TuningVerdict::Faster, Some(speedup)) => format!(
            "{} is {:.2} times as fast as {} ({:.2} to {:.2})",
            tuned.best, speedup.ratio, tuned.baseline, speedup.low, speedup.high
        ),
        _ => format!("none is told apart as faster than the baseline ({})", tuned.baseline),
    }
}

fn fault(candidate: &CandidateOutcome) -> Option<String> {
    let what = match &candidate.outcome {
        Outcome::Timed { .. } | Outcome::Refused { .. } => return None,
        Outcome::Failed { reason } => reason.clone(),
        Outcome::Wrong { mismatch } => mismatch.to_string(),
    };
    Some(format!("{}: {what}", candidate.point))
}

fn tune(setup: &Setup<'_>, amount: &Amount) -> anyhow::Result<kernel_tuner::Tuned> {
    let mut sum = Sum::new(setup.device(), &setup.images, amount.tuning_len)?;
    let stop = StopRule { samples_min: 10, samples_max: 20, ..StopRule::default() };
    let config = TunerConfig { stop, ..TunerConfig::default() };
    let mut tuner = PerformanceTuner::new(setup.device(), config)?;
    let mut search = Exhaustive::new(ReduceSum::SPACE.len());
    let bar = setup.terminal.progress("tuning, reduce_sum", ReduceSum::SPACE.len() as u64);
    let tuned = tuner.tune_observed(&mut sum, &mut search, &mut |_| bar.inc(1));
    bar.finish_and_clear();
    Ok(tuned?)
}

/// The sum of whole numbers, which is exact in every order of additions.
struct Sum {
    name: String,
    device: Device,
    images: KernelImages,
    prepared: BTreeMap<String, Prepared<ReduceSum>>,
    input: DeviceBuffer<f64>,
    output: DeviceBuffer<f64>,
    workspace: SumWorkspace,
    expected: f64,
}

impl Sum {
    fn new(device: &Device, images: &KernelImages, len: u32) -> anyhow::Result<Self> {
        let values: Vec<f64> = (0..len).map(|index| f64::from(index % 1000)).collect();
        let mut input = device.buffer(values.len())?;
        device.stream()?.write(&values, input.view_mut())?;
        Ok(Self {
            name: format!("reduce_sum of {len}"),
            device: device.clone(),
            images: images.clone(),
            prepared: BTreeMap::new(),
            input,
            output: device.buffer(1)?,
            workspace: SumWorkspace::new(device)?,
            expected: values.iter().sum(),
        })
    }
}

impl Subject for Sum {
    fn name(&self) -> &str {
        &self.name
    }

    fn space(&self) -> LaunchSpace {
        ReduceSum::SPACE
    }

    /// 128 threads, a few elements each: what is written where nobody has tuned.
    fn baseline(&self) -> Point {
        ReduceSum::SPACE.point(0).expect("the space has an axis of threads and one of items")
    }

    fn prepare(&mut self, point: &Point) -> gpu_core::Result<Ready> {
        let launch = ReduceSum::launch_at(point, self.input.len());
        let prepared = ReduceSum::prepare(&self.device, &self.images, launch)?;
        let attributes = prepared.attributes()?;
        self.prepared.insert(point.to_string(), prepared);
        Ok(Ready { launch, attributes })
    }

    fn enqueue(&mut self, point: &Point, stream: &Stream) -> gpu_core::Result<()> {
        let prepared = &self.prepared[&point.to_string()];
        let args = self.workspace.args(self.input.view(), self.output.view_mut());
        stream.launch(prepared, args)
    }

    fn poison(&mut self, stream: &Stream) -> gpu_core::Result<()> {
        stream.write(&[f64::NAN], self.output.view_mut())
    }

    fn verify(&mut self, stream: &Stream) -> gpu_core::Result<Result<(), Mismatch>> {
        let sum = stream.read_vec(self.output.view())?;
        Ok(Mismatch::compare("the sum", &[self.expected], &sum, 0.0))
    }
}

/// Blocks on a multiprocessor as calculated, against what the driver says, for every launch of every kernel's space.
fn occupancy(setup: &Setup<'_>, section: &mut Section) -> anyhow::Result<()> {
    const NAME: &str = "occupancy equals the driver's";
    if setup.device().backend() != BackendKind::Cuda {
        let reason = "the host has no multiprocessors and no driver to compare with";
        section.check(NAME, Verdict::skipped(reason), "");
        return Ok(());
    }
    let mut compared = Compared::default();
    compared.kernel::<Evolve>(setup, 900)?;
    compared.kernel::<EvolveResident>(setup, 900)?;
    compared.kernel::<ReduceSum>(setup, 1 << 20)?;
    compared.kernel::<Saxpy>(setup, 1 << 20)?;
    compared.kernel::<TrackingError>(setup, 900)?;
    let seen = format!("{} launches of {} kernels", compared.launches, compared.kernels);
    let holds = compared.fault.is_none() && compared.launches > 0;
    section.check(NAME, holds, compared.fault.unwrap_or(seen));
    Ok(())
}

#[derive(Default)]
struct Compared {
    kernels: u32,
    launches: u32,
    fault: Option<String>,
}

impl Compared {
    fn kernel<K: Tunable>(&mut self, setup: &Setup<'_>, len: usize) -> anyhow::Result<()> {
        let module = setup.images.module(setup.device(), &K::SOURCE)?;
        self.kernels += 1;
        for point in K::SPACE.points() {
            let mut launch = K::launch_at(&point, len);
            // One block always fits: what counts is the shape of a block, and a cooperative grid may be too large.
            launch.grid = [1, 1, 1];
            let prepared = match Prepared::<K>::new(setup.device(), &module, launch) {
                // A block that fits this device nowhere has no occupancy to compare.
                Err(gpu_core::Error::Shared { .. } | gpu_core::Error::Threads { .. }) => continue,
                prepared => prepared?,
            };
            let (Some(attributes), Some(driver)) =
                (prepared.attributes()?, prepared.blocks_per_multiprocessor()?)
            else {
                continue;
            };
            let tuner = KernelTuner::for_device(setup.device().properties(), attributes)?;
            let threads = u32::try_from(launch.threads())?;
            let calculated = tuner.occupancy(threads, launch.shared_bytes).blocks;
            self.launches += 1;
            if calculated != driver {
                let name = K::SOURCE.name;
                self.fault.get_or_insert_with(|| {
                    format!("{name} at {point}: {calculated} blocks calculated, the driver says {driver}")
                });
            }
        }
        Ok(())
    }
}
