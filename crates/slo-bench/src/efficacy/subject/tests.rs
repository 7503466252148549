//! Every trial on the host, where the machinery runs and times say nothing about a device.

use gpu_core::{FaultPlan, Operation};
use gpu_core::{LaunchSpace, Point, Stream};
use kernel_tuner::{Mismatch, Ready, StopRule, Subject, TunerConfig};

use super::super::trial::{Efficacy, EfficacyPlan, try_out};
use super::*;
use crate::efficacy::Work;
use crate::verdict::Verdict;

const PLAN: EfficacyPlan = EfficacyPlan {
    search: TunerConfig {
        warm_up: 0,
        stop: StopRule { samples_min: 6, samples_max: 6, half_width_max: 1.0 },
        contest_turns: 6,
        contest_samples: 1,
        asks_max: 1000,
    },
    blocks: 8,
    samples: 1,
    seed: 3,
};

fn images() -> KernelImages {
    KernelImages::at("nowhere")
}

fn tried(name: TrialName) -> Efficacy {
    let device = Device::host();
    let mut trial = name.open(&device, &images(), &Sizes::SMALL).unwrap();
    try_out(&device, &mut *trial, &PLAN, None, &mut || {}).unwrap()
}

#[test]
fn every_configuration_of_the_kernels_is_right_and_the_choice_is_compared() {
    for name in [TrialName::Gemm, TrialName::ReduceSum, TrialName::Transpose, TrialName::Convolve] {
        let efficacy = tried(name);
        assert!(efficacy.subject.starts_with(name.name()), "{}", efficacy.subject);
        let counts = efficacy.counts;
        assert_eq!((counts.refused, counts.failed, counts.wrong), (0, 0, 0), "{name:?}");
        assert!(counts.timed > 10, "{name:?}");
        assert_eq!(efficacy.blocks, 8);
        // Eight blocks on a host are no claim about anything.
        assert_ne!(efficacy.judge(0.0), Verdict::Pass);
        assert!(!efficacy.rules_out(2.0));
        assert_eq!((efficacy.roofline, efficacy.clock_hz), (None, None));
    }
}

/// Runs `point` once and says whether its result is the expected one.
fn is_right(trial: &mut dyn Trial, device: &Device, runs: usize) -> bool {
    let stream = device.stream().unwrap();
    let point = trial.baseline();
    trial.prepare(&point).unwrap();
    trial.redraw(&stream, 9).unwrap();
    trial.poison(&stream).unwrap();
    for _ in 0..runs {
        trial.enqueue(&point, &stream).unwrap();
    }
    trial.verify(&stream).unwrap().is_ok()
}

#[test]
fn the_workloads_are_right_at_their_baselines_and_nothing_else_passes() {
    let device = Device::host();
    for name in [TrialName::Infer, TrialName::Evolve] {
        let mut trial = name.open(&device, &images(), &Sizes::SMALL).unwrap();
        assert!(!is_right(&mut *trial, &device, 0), "{name:?} accepts what was never computed");
        assert!(is_right(&mut *trial, &device, 1), "{name:?}");
        assert!(!is_right(&mut *trial, &device, 2), "{name:?} accepts a call too many");
    }
}

#[test]
fn every_trial_rejects_outputs_that_were_not_written() {
    let device = Device::host();
    for name in TrialName::ALL {
        let mut trial = name.open(&device, &images(), &Sizes::SMALL).unwrap();
        assert!(!is_right(&mut *trial, &device, 0), "{name:?}");
    }
}

/// Does its work until the inputs are drawn for the second time, and then `runs_left` times more.
struct Tiring {
    trial: Box<dyn Trial>,
    draws: usize,
    runs_left: usize,
}

impl Subject for Tiring {
    fn name(&self) -> &str {
        self.trial.name()
    }

    fn space(&self) -> LaunchSpace {
        self.trial.space()
    }

    fn baseline(&self) -> Point {
        self.trial.baseline()
    }

    fn prepare(&mut self, point: &Point) -> gpu_core::Result<Ready> {
        self.trial.prepare(point)
    }

    fn enqueue(&mut self, point: &Point, stream: &Stream) -> gpu_core::Result<()> {
        if self.draws < 2 {
            return self.trial.enqueue(point, stream);
        }
        let Some(left) = self.runs_left.checked_sub(1) else { return Ok(()) };
        self.runs_left = left;
        self.trial.enqueue(point, stream)
    }

    fn poison(&mut self, stream: &Stream) -> gpu_core::Result<()> {
        self.trial.poison(stream)
    }

    fn verify(&mut self, stream: &Stream) -> gpu_core::Result<Result<(), Mismatch>> {
        self.trial.verify(stream)
    }
}

impl Trial for Tiring {
    fn redraw(&mut self, stream: &Stream, seed: u64) -> gpu_core::Result<()> {
        self.draws += 1;
        self.trial.redraw(stream, seed)
    }

    fn baseline_words(&self) -> &'static str {
        self.trial.baseline_words()
    }

    fn work(&self) -> Work {
        self.trial.work()
    }
}

#[test]
fn a_result_that_is_wrong_on_fresh_inputs_before_or_after_the_blocks_ends_a_trial() {
    let device = Device::host();
    let tire = |runs_left| {
        let trial = TrialName::Transpose.open(&device, &images(), &Sizes::SMALL).unwrap();
        let mut tiring = Tiring { trial, draws: 0, runs_left };
        try_out(&device, &mut tiring, &PLAN, None, &mut || {})
    };
    // A run of each to verify it, and in each block four visits with one run unseen.
    let timed = 2 + PLAN.blocks * 4 * (1 + PLAN.samples);
    for runs in [0, 1, timed, timed + 1] {
        let error = tire(runs).unwrap_err();
        assert!(matches!(error, Error::Efficacy { .. }), "after {runs} runs: {error}");
        assert!(error.to_string().contains("on fresh inputs: the transpose is wrong"), "{error}");
    }
    assert!(tire(timed + 2).is_ok());
}

#[test]
fn a_failing_device_ends_a_trial_with_its_error() {
    let plan = FaultPlan::none().fail_from(Operation::Launch, 100, gpu_core::ErrorKind::Transient);
    let device = Device::host().with_faults(plan);
    let mut trial = TrialName::Transpose.open(&device, &images(), &Sizes::SMALL).unwrap();
    assert!(try_out(&device, &mut *trial, &PLAN, None, &mut || {}).is_err());
}

#[test]
fn the_work_of_a_trial_is_counted_from_its_definition() {
    let device = Device::host();
    let work = |name: TrialName| {
        let sizes = Sizes { product: 10, sum: 100, transpose: 10, convolve: 10 };
        let trial = name.open(&device, &images(), &sizes).unwrap();
        let work = trial.work();
        (work.bytes, work.flops)
    };
    assert_eq!(work(TrialName::Gemm), (1200, 2000));
    assert_eq!(work(TrialName::ReduceSum), (800, 100));
    assert_eq!(work(TrialName::Transpose), (800, 0));
    assert_eq!(work(TrialName::Convolve), (4 * (324 + 81 + 100), 16_200));
    assert_eq!(work(TrialName::Evolve), (8 * (810_000 + 4500), 44 * 810_000));
    assert_eq!(work(TrialName::Infer), (720_000, 2 * 15 * 900 * 200));
}
