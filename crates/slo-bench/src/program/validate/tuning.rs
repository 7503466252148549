//! Section `tuning`: a small search over a real kernel, and the occupancy arithmetic against the driver's.
//!
//! A configuration whose output is wrong fails the section, however fast it is.

use gpu_core::{BackendKind, Device, KernelImages, Module, Prepared};
use kernel_tuner::{
    CandidateOutcome, Counts, Exhaustive, KernelTuner, Outcome, PerformanceTuner, StopRule,
    Subject, Suggestion, Tuned, TunerConfig, Verdict as TuningVerdict,
};
use kernels::Tunable;
use kernels::active_inference::Infer;
use kernels::frame::{Act, Observable, Perceive, TrackingError};
use kernels::matrix::{Gemm, GemmDirect, Transpose};
use kernels::stencil::{Convolve, ConvolveDirect};
use kernels::thermodynamic::{Evolve, EvolveResident};
use kernels::vector::{ReduceSum, Saxpy};
use slo_bench::chart::Chart;
use slo_bench::cli::SEED;
use slo_bench::efficacy::{Sum, Trial as _, times_chart, times_us};
use slo_bench::{Figure, Section, Verdict};

use super::{Amount, profile};
use crate::program::setup::Setup;

pub(super) fn section(setup: &Setup<'_>, amount: &Amount) -> anyhow::Result<Section> {
    let mut section = Section::new("tuning");
    let bar = setup.session.terminal.progress("tuning, reduce_sum", ReduceSum::SPACE.len() as u64);
    let sum = drawn_sum(setup.session.device(), &setup.session.images, amount.tuning_len);
    let tuned = sum.and_then(|mut sum| tune(setup.session.device(), &mut sum, &mut |_| bar.inc(1)));
    bar.finish_and_clear();
    let tuned = tuned?;
    verified(&mut section, &tuned);
    figures(&mut section, &tuned, setup.session.label());
    profile::keep(&mut section, &tuned, &setup.session.beside_report()?)?;
    occupancy(setup, &mut section)?;
    let detail = format!(
        "{}: {} of {} configurations right on {}; {}",
        tuned.subject,
        tuned.counts.timed,
        tuned.candidates.len(),
        tuned.device.backend,
        words(&tuned)
    );
    Ok(section.close(detail))
}

fn verified(section: &mut Section, tuned: &Tuned) {
    let Counts { timed, refused, failed, wrong } = tuned.counts;
    let seen = format!("{timed} right, {refused} refused, {failed} failed, {wrong} wrong");
    let bad = tuned.candidates.iter().find_map(fault);
    section.check("every configuration is right or refused", bad.is_none(), bad.unwrap_or(seen));
}

/// Adds the times, where the device measures any.
fn figures(section: &mut Section, tuned: &Tuned, label: &str) {
    let subject = match tuned.device.backend {
        BackendKind::Cuda => tuned.subject.clone(),
        BackendKind::Host => format!("{}, {CPU_REFERENCE}", tuned.subject),
        BackendKind::HostSimulated => return,
    };
    for (name, time) in [("baseline", &tuned.baseline_time), ("best", &tuned.best_time)] {
        let name = format!("{subject}, {name}: median by events");
        section.figure(name, time.median_us, "us", label);
    }
    section.chart(chart(tuned, &subject, label));
    if let Some(speedup) = tuned.speedup {
        let name = format!("{subject}: baseline / best, measured in turn");
        section.figure(name, speedup.ratio, "x", label);
    }
    if tuned.device.backend == BackendKind::Cuda {
        let name = format!("{subject}: block size of the tuned choice");
        section.figure(name, tuned.launch.threads() as f64, "threads", label);
    }
}

/// Every time of the search, with those that were measured in turn.
fn chart(tuned: &Tuned, subject: &str, label: &str) -> Chart {
    let mut chart = times_chart(subject, &times_us(tuned), label);
    chart.mark(format!("baseline ({}), in turn", tuned.baseline), tuned.baseline_time.median_us);
    if tuned.verdict == TuningVerdict::Faster {
        chart.mark(format!("choice ({}), in turn", tuned.best), tuned.best_time.median_us);
    }
    chart
}

/// What a time on the host is a time of.
const CPU_REFERENCE: &str = "host figure of the CPU reference";

fn words(tuned: &Tuned) -> String {
    match tuned.device.backend {
        BackendKind::Cuda => comparison(tuned),
        BackendKind::Host => {
            format!("{CPU_REFERENCE}, no statement about a GPU: {}", comparison(tuned))
        }
        BackendKind::HostSimulated => "a simulated device measures no time".to_owned(),
    }
}

fn comparison(tuned: &Tuned) -> String {
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

fn drawn_sum(device: &Device, images: &KernelImages, len: usize) -> anyhow::Result<Sum> {
    let mut sum = Sum::new(device, images, len)?;
    sum.redraw(&device.stream()?, SEED)?;
    Ok(sum)
}

fn tune(
    device: &Device,
    subject: &mut dyn Subject,
    observer: &mut dyn FnMut(&CandidateOutcome),
) -> anyhow::Result<Tuned> {
    let stop = StopRule { samples_min: 10, samples_max: 20, ..StopRule::default() };
    let config = TunerConfig { stop, ..TunerConfig::default() };
    let mut tuner = PerformanceTuner::new(device, config)?;
    let mut search = Exhaustive::new(subject.space().len());
    Ok(tuner.tune_observed(subject, &mut search, observer)?)
}

/// Blocks on a multiprocessor as calculated, against what the driver says, for every launch of every kernel's space.
fn occupancy(setup: &Setup<'_>, section: &mut Section) -> anyhow::Result<()> {
    const NAME: &str = "occupancy equals the driver's";
    if setup.session.device().backend() != BackendKind::Cuda {
        let reason = "the host has no multiprocessors and no driver to compare with";
        section.check(NAME, Verdict::skipped(reason), "");
        return Ok(());
    }
    let mut compared = Compared::default();
    compared.kernel::<Act>(setup, 900)?;
    compared.kernel::<Convolve>(setup, 1 << 20)?;
    compared.kernel::<ConvolveDirect>(setup, 1 << 20)?;
    compared.kernel::<Evolve>(setup, 900)?;
    compared.kernel::<EvolveResident>(setup, 900)?;
    compared.kernel::<Gemm>(setup, 1 << 20)?;
    compared.kernel::<GemmDirect>(setup, 1 << 20)?;
    compared.kernel::<Infer>(setup, 900)?;
    compared.kernel::<Observable>(setup, 900)?;
    compared.kernel::<Perceive>(setup, 900)?;
    compared.kernel::<ReduceSum>(setup, 1 << 20)?;
    compared.kernel::<Saxpy>(setup, 1 << 20)?;
    compared.kernel::<TrackingError>(setup, 900)?;
    compared.kernel::<Transpose>(setup, 1 << 20)?;
    let seen = format!("{} launches of {} kernels", compared.launches, compared.kernels);
    let holds = compared.fault.is_none() && compared.launches > 0;
    section.check(NAME, holds, compared.fault.unwrap_or(seen));
    section.figures.extend(compared.recommendations);
    Ok(())
}

/// What occupancy alone recommends for a kernel whose blocks have `shared_bytes` of dynamic shared memory.
/// `None` if no block can run.
fn recommendation(
    kernel: &str,
    tuner: &KernelTuner,
    shared_bytes: u32,
    label: &str,
) -> Option<Figure> {
    let sizes = tuner.recommend(|_| shared_bytes).len();
    let Suggestion { threads, blocks_per_multiprocessor, .. } = tuner.suggest(|_| shared_bytes)?;
    Some(Figure {
        name: format!(
            "{kernel}: block size with the most resident threads, {blocks_per_multiprocessor} blocks \
             a multiprocessor; {sizes} sizes fill more than half"
        ),
        value: f64::from(threads),
        unit: "threads".to_owned(),
        measured_on: format!("calculated for {label}"),
    })
}

#[derive(Default)]
struct Compared {
    kernels: u32,
    launches: u32,
    fault: Option<String>,
    /// What occupancy alone recommends, for each kernel.
    recommendations: Vec<Figure>,
}

impl Compared {
    fn kernel<K: Tunable>(&mut self, setup: &Setup<'_>, len: usize) -> anyhow::Result<()> {
        let module = setup.session.images.module(setup.session.device(), &K::SOURCE)?;
        self.kernels += 1;
        self.recommend::<K>(setup, len, &module)?;
        for point in K::SPACE.points() {
            let mut launch = K::launch_at(&point, len);
            // One block always fits: what counts is the shape of a block, and a cooperative grid may be too large.
            launch.grid = [1, 1, 1];
            let prepared = match Prepared::<K>::new(setup.session.device(), &module, launch) {
                // A block that fits this device nowhere has no occupancy to compare.
                Err(gpu_core::Error::Shared { .. } | gpu_core::Error::Threads { .. }) => continue,
                prepared => prepared?,
            };
            let (Some(attributes), Some(driver)) =
                (prepared.attributes()?, prepared.blocks_per_multiprocessor()?)
            else {
                continue;
            };
            let tuner = KernelTuner::for_device(setup.session.device().properties(), attributes)?;
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

    /// Keeps what occupancy recommends, with the shared memory of the launch that is taken without tuning.
    fn recommend<K: Tunable>(
        &mut self,
        setup: &Setup<'_>,
        len: usize,
        module: &Module,
    ) -> anyhow::Result<()> {
        let mut launch = K::launch_for(len);
        launch.grid = [1, 1, 1];
        let prepared = Prepared::<K>::new(setup.session.device(), module, launch)?;
        if let Some(attributes) = prepared.attributes()? {
            let tuner = KernelTuner::for_device(setup.session.device().properties(), attributes)?;
            let name = K::SOURCE.name;
            let found = recommendation(name, &tuner, launch.shared_bytes, setup.session.label());
            self.recommendations.extend(found);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gpu_core::{Capability, KernelAttributes, LaunchSpace, Point, Stream};
    use kernel_tuner::{Mismatch, Ready, Speedup};

    use super::*;

    /// Leaves the sum undone for one configuration.
    struct Lying {
        sum: Sum,
        lies_at: Point,
    }

    impl Subject for Lying {
        fn name(&self) -> &str {
            self.sum.name()
        }

        fn space(&self) -> LaunchSpace {
            self.sum.space()
        }

        fn baseline(&self) -> Point {
            self.sum.baseline()
        }

        fn prepare(&mut self, point: &Point) -> gpu_core::Result<Ready> {
            self.sum.prepare(point)
        }

        fn enqueue(&mut self, point: &Point, stream: &Stream) -> gpu_core::Result<()> {
            match *point == self.lies_at {
                true => self.sum.poison(stream),
                false => self.sum.enqueue(point, stream),
            }
        }

        fn poison(&mut self, stream: &Stream) -> gpu_core::Result<()> {
            self.sum.poison(stream)
        }

        fn verify(&mut self, stream: &Stream) -> gpu_core::Result<Result<(), Mismatch>> {
            self.sum.verify(stream)
        }
    }

    fn sum(device: &Device) -> Sum {
        drawn_sum(device, &KernelImages::at("nowhere"), 5000).unwrap()
    }

    fn tuned(device: &Device) -> Tuned {
        tune(device, &mut sum(device), &mut |_| {}).unwrap()
    }

    #[test]
    fn one_configuration_that_lies_fails_the_section_and_is_named() {
        let device = Device::host();
        let lies_at = ReduceSum::SPACE.point(7).unwrap();
        let mut lying = Lying { sum: sum(&device), lies_at };
        let spoilt = tune(&device, &mut lying, &mut |_| {}).unwrap();
        let mut section = Section::new("tuning");
        verified(&mut section, &spoilt);
        let check = &section.checks[0];
        assert!(check.verdict.is_bad());
        let words = format!("{}: the sum is wrong", kernel_tuner::Choice::from(&lying.lies_at));
        assert!(check.detail.starts_with(&words), "{}", check.detail);
        verified(&mut section, &tuned(&device));
        assert_eq!(section.checks[1].verdict, Verdict::Pass);
        assert_eq!(section.checks[1].detail, "20 right, 0 refused, 0 failed, 0 wrong");
    }

    #[test]
    fn a_time_is_told_where_one_was_measured_and_says_what_of() {
        let told = |tuned: &Tuned| {
            let mut section = Section::new("tuning");
            figures(&mut section, tuned, "here");
            let names: Vec<_> = section.figures.into_iter().map(|figure| figure.name).collect();
            (names, words(tuned), section.charts)
        };
        let (names, words, charts) = told(&tuned(&Device::host_simulated(3)));
        assert_eq!((names.len(), words.as_str()), (0, "a simulated device measures no time"));
        assert!(charts.is_empty());

        let mut tuned = tuned(&Device::host());
        tuned.speedup = Some(Speedup { ratio: 2.0, low: 1.5, high: 2.5 });
        tuned.verdict = TuningVerdict::Faster;
        let (names, words, charts) = told(&tuned);
        assert_eq!((names.len(), charts.len()), (3, 1));
        assert!(charts[0].title.contains(CPU_REFERENCE), "{}", charts[0].title);
        let times: Vec<_> = charts[0].lines[0].values.iter().filter_map(|(_, y)| *y).collect();
        assert!(times.len() == 20 && times.is_sorted(), "{times:?}");
        let marks = [tuned.baseline_time, tuned.best_time].map(|time| time.median_us);
        assert!(
            marks
                .iter()
                .zip(&charts[0].marks)
                .all(|(us, mark)| (us / mark.value - 1.0).abs() < 1e-4)
        );
        assert!(names.iter().all(|name| name.contains(CPU_REFERENCE)), "{names:?}");
        assert!(
            words.contains("no statement about a GPU: ") && words.contains("2.00 times"),
            "{words}"
        );

        tuned.device.backend = BackendKind::Cuda;
        tuned.verdict = TuningVerdict::Slower;
        assert_eq!(told(&tuned).2[0].marks.len(), 1, "the baseline is kept");
        tuned.verdict = TuningVerdict::Faster;
        let (names, words, _) = told(&tuned);
        assert_eq!(names.len(), 4);
        assert!(!names.iter().any(|name| name.contains(CPU_REFERENCE)), "{names:?}");
        assert!(words.contains("2.00 times") && !words.contains("GPU"), "{words}");
    }

    #[test]
    fn occupancy_recommends_a_block_size_and_says_that_it_is_calculated() {
        let attributes = KernelAttributes {
            registers: 72,
            shared_bytes: 0,
            local_bytes: 0,
            threads_max: 1024,
            dynamic_shared_bytes_max: 48 << 10,
        };
        let tuner = KernelTuner::for_capability(Capability::new(9, 0), attributes).unwrap();
        let figure = recommendation("evolve", &tuner, 0, "a GPU").unwrap();
        // 72 registers a thread leave room for 28 warps of 32 threads each.
        let suggested = tuner.suggest(|_| 0).unwrap();
        assert_eq!(figure.value.to_bits(), f64::from(suggested.threads).to_bits());
        assert_eq!(suggested.threads * suggested.blocks_per_multiprocessor, 28 * 32);
        assert_eq!(figure.measured_on, "calculated for a GPU");
        assert!(recommendation("evolve", &tuner, 1 << 20, "a GPU").is_none(), "no block fits");
    }
}
