//! What the tuner chooses, and what it never does.

use std::rc::Rc;

use gpu_core::{Axis, BackendKind, Capability, ErrorKind, KernelAttributes, LaunchSpace};
use kernel_tuner::{
    Counts, Decision, Error, Exhaustive, HardwareLimits, Outcome, PerformanceTuner, Result, Score,
    SearchAlgorithm, StopRule, Tuned, TunerConfig, Verdict,
};

use crate::scripted::{Behaviour, SPACE, Script, Scripted, ScriptedTimer, config, tuner};

const TIMES: [(u32, f64); 5] = [(64, 30.0), (128, 20.0), (256, 8.0), (512, 10.0), (1024, 4.0)];

fn tune(script: Script) -> (Rc<Script>, Result<Tuned>) {
    let script = Rc::new(script);
    let mut search = Exhaustive::new(SPACE.len());
    let tuned = tuner(&script).tune(&mut Scripted::new(&script), &mut search);
    (script, tuned)
}

fn outcome(tuned: &Tuned, threads: u32) -> &Outcome {
    let same = |point: &kernel_tuner::Choice| point.value("threads") == Some(threads);
    &tuned.candidates.iter().find(|candidate| same(&candidate.point)).unwrap().outcome
}

#[test]
fn the_fastest_right_configuration_is_chosen() {
    let (_, tuned) = tune(Script::new(TIMES));
    let tuned = tuned.unwrap();
    assert_eq!(tuned.point.value("threads"), Some(1024));
    assert_eq!(tuned.launch.threads(), 1024);
    assert_eq!(tuned.baseline.value("threads"), Some(128));
    assert_eq!((tuned.best_time.median_us, tuned.baseline_time.median_us), (4.0, 20.0));
    let speedup = tuned.speedup.unwrap();
    assert_eq!((speedup.low, speedup.ratio, speedup.high), (5.0, 5.0, 5.0));
    assert_eq!(tuned.verdict, Verdict::Faster);
    assert_eq!(tuned.counts, Counts { timed: 5, ..Counts::default() });
    assert_eq!((tuned.device.backend, tuned.search.as_str()), (BackendKind::Host, "exhaustive"));
}

#[test]
fn a_fast_wrong_configuration_is_reported_and_never_chosen() {
    let (script, tuned) = tune(Script::new(TIMES).with(1024, Behaviour::Wrong));
    let tuned = tuned.unwrap();
    assert_eq!(tuned.point.value("threads"), Some(256));
    assert_eq!(tuned.counts, Counts { timed: 4, wrong: 1, ..Counts::default() });
    let Outcome::Wrong { mismatch } = outcome(&tuned, 1024) else { panic!("{tuned:?}") };
    assert_eq!(
        mismatch.to_string(),
        "output is wrong: 42 expected at 0, 43 found (1 elements differ)"
    );
    assert!(!script.timed.borrow().contains(&1024), "it is not even timed");
}

#[test]
fn a_configuration_that_writes_nothing_does_not_pass_on_anothers_output() {
    let (_, tuned) = tune(Script::new(TIMES).with(1024, Behaviour::LeavesOutputUntouched));
    let tuned = tuned.unwrap();
    let Outcome::Wrong { mismatch } = outcome(&tuned, 1024) else { panic!("{tuned:?}") };
    assert_eq!(mismatch.actual, "NaN");
    assert_eq!(tuned.point.value("threads"), Some(256));
}

#[test]
fn a_configuration_that_turns_wrong_while_it_is_timed_loses_its_win() {
    let (_, tuned) = tune(Script::new(TIMES).with(1024, Behaviour::WrongInTheEnd));
    let tuned = tuned.unwrap();
    assert!(matches!(outcome(&tuned, 1024), Outcome::Wrong { .. }));
    assert_eq!(tuned.point.value("threads"), Some(256));
    assert_eq!(tuned.counts, Counts { timed: 4, wrong: 1, ..Counts::default() });
}

#[test]
fn refused_and_failing_configurations_are_skipped_with_their_reasons() {
    let script = Script::new(TIMES)
        .with(1024, Behaviour::RefusedByContract)
        .with(256, Behaviour::FailsToLaunch(ErrorKind::Transient));
    let (_, tuned) = tune(script);
    let tuned = tuned.unwrap();
    assert_eq!(tuned.point.value("threads"), Some(512));
    assert_eq!(tuned.counts, Counts { timed: 3, refused: 1, failed: 1, wrong: 0 });
    let Outcome::Refused { reason } = outcome(&tuned, 1024) else { panic!("{tuned:?}") };
    assert!(reason.starts_with("kernel `scripted` rejects 1024 threads per block"), "{reason}");
    let Outcome::Failed { reason } = outcome(&tuned, 256) else { panic!("{tuned:?}") };
    assert!(reason.starts_with("injected fault"), "{reason}");
}

#[test]
fn a_lost_device_ends_the_run() {
    let script = Script::new(TIMES).with(256, Behaviour::FailsToLaunch(ErrorKind::Poisoned));
    let (script, tuned) = tune(script);
    assert_eq!(tuned.unwrap_err().kind(), ErrorKind::Poisoned);
    assert!(!script.timed.borrow().contains(&512), "nothing is tried after it");
}

#[test]
fn without_a_right_configuration_there_is_no_choice() {
    // The baseline is right, but is not in the space.
    const OTHERS: LaunchSpace = LaunchSpace::new(&[Axis { name: "threads", values: &[64, 1024] }]);
    let script = Script::new(TIMES).with(64, Behaviour::Wrong);
    let script = Rc::new(script.with(1024, Behaviour::RefusedByContract));
    let mut subject = Scripted { space: OTHERS, ..Scripted::new(&script) };
    let error = tuner(&script).tune(&mut subject, &mut Exhaustive::new(2)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no configuration of `scripted` can be chosen: 1 refused, 0 failed, 1 wrong"
    );
}

#[test]
fn a_space_without_points_is_an_error() {
    const EMPTY: LaunchSpace = LaunchSpace::new(&[Axis { name: "threads", values: &[] }]);
    let script = Rc::new(Script::new(TIMES));
    let mut subject = Scripted { space: EMPTY, ..Scripted::new(&script) };
    let error = tuner(&script).tune(&mut subject, &mut Exhaustive::new(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tuning space of `scripted` has no points; give every axis a value"
    );
}

#[test]
fn a_baseline_that_does_not_do_the_work_is_an_error() {
    for (behaviour, words) in [
        (Behaviour::Wrong, "output is wrong"),
        (Behaviour::LeavesOutputUntouched, "NaN found"),
        (Behaviour::RefusedByContract, "rejects 128 threads"),
        (Behaviour::FailsToLaunch(ErrorKind::Transient), "injected fault"),
    ] {
        let (_, tuned) = tune(Script::new(TIMES).with(128, behaviour));
        let error = tuned.unwrap_err();
        assert!(matches!(error, Error::Baseline { .. }));
        let text = error.to_string();
        assert!(text.starts_with("the baseline `threads 128` of `scripted`"), "{text}");
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn a_verification_that_accepts_poisoned_outputs_is_an_error() {
    let script = Rc::new(Script::new(TIMES));
    let mut subject = Scripted { poisons: false, ..Scripted::new(&script) };
    let error = tuner(&script).tune(&mut subject, &mut Exhaustive::new(5)).unwrap_err();
    assert!(error.to_string().ends_with("its verification accepts poisoned outputs"), "{error}");
}

#[test]
fn the_baseline_is_kept_when_nothing_is_faster() {
    let slower = [(64, 30.0), (128, 3.0), (256, 8.0), (512, 10.0), (1024, 4.0)];
    let (_, tuned) = tune(Script::new(slower));
    let tuned = tuned.unwrap();
    assert_eq!((tuned.point.value("threads"), tuned.verdict), (Some(128), Verdict::BaselineIsBest));
    assert_eq!(tuned.speedup, None, "a ratio of a thing to itself is no measurement");

    // Not in the space, and as fast as the best.
    const OTHERS: LaunchSpace = LaunchSpace::new(&[Axis { name: "threads", values: &[64, 256] }]);
    let script = Rc::new(Script::new([(64, 9.0), (128, 8.0), (256, 8.0), (512, 1.0), (1024, 1.0)]));
    let mut subject = Scripted { space: OTHERS, ..Scripted::new(&script) };
    let tuned = tuner(&script).tune(&mut subject, &mut Exhaustive::new(2)).unwrap();
    assert_eq!(tuned.verdict, Verdict::Indistinguishable);
    assert_eq!(tuned.point.value("threads"), Some(128));
    assert_eq!(tuned.best.value("threads"), Some(256));
}

#[test]
fn the_last_comparison_alternates_baseline_and_best() {
    let (script, tuned) = tune(Script::new(TIMES));
    tuned.unwrap();
    // 4 turns of 2 sides, each one unseen run and 3 samples.
    let timed = script.timed.borrow();
    let last = &timed[timed.len() - 4 * 2 * 4..];
    let sides: Vec<_> = last.chunks(4).map(|turn| turn[0]).collect();
    assert_eq!(sides, [128, 1024, 1024, 128, 128, 1024, 1024, 128]);
    assert!(last.chunks(4).all(|turn| turn.iter().all(|&threads| threads == turn[0])));
}

#[test]
fn an_exhaustive_search_times_every_point_once_after_its_warm_up() {
    let (script, tuned) = tune(Script::new(TIMES));
    let tuned = tuned.unwrap();
    let mut points = script.timed.borrow().clone();
    points.truncate(5 * (2 + 6));
    points.dedup();
    assert_eq!(points, [64, 128, 256, 512, 1024]);
    for candidate in &tuned.candidates {
        let Outcome::Timed { time } = &candidate.outcome else { panic!("{candidate:?}") };
        assert_eq!((time.samples, time.stop), (6, Decision::Precise));
    }
}

#[test]
fn the_observer_sees_each_candidate_in_order() {
    let script = Rc::new(Script::new(TIMES));
    let mut seen = Vec::new();
    let tuned = tuner(&script)
        .tune_observed(&mut Scripted::new(&script), &mut Exhaustive::new(5), &mut |candidate| {
            seen.push(candidate.clone());
        })
        .unwrap();
    assert_eq!(seen, tuned.candidates);
}

/// Asks for the same points over and over.
struct Stubborn {
    asks: Vec<usize>,
    told: Vec<(usize, Score)>,
}

impl SearchAlgorithm for Stubborn {
    fn name(&self) -> &'static str {
        "stubborn"
    }

    fn ask(&mut self) -> Option<usize> {
        self.asks.get(self.told.len() % self.asks.len()).copied()
    }

    fn tell(&mut self, index: usize, score: Score) {
        self.told.push((index, score));
    }
}

#[test]
fn a_point_that_is_asked_for_again_is_answered_and_not_measured_again() {
    let script = Rc::new(Script::new(TIMES).with(64, Behaviour::Wrong));
    let mut search = Stubborn { asks: vec![0, 2], told: Vec::new() };
    let limits = TunerConfig { asks_max: 5, ..config() };
    let timer = ScriptedTimer(Rc::clone(&script));
    let device = gpu_core::Device::host();
    let mut tuner = PerformanceTuner::with_timer(&device, limits, timer).unwrap();
    let tuned = tuner.tune(&mut Scripted::new(&script), &mut search).unwrap();
    assert_eq!(tuned.candidates.len(), 2);
    let scores = [(0, Score::Unusable), (2, Score::Time { us: 8.0 })];
    assert_eq!(search.told, [scores[0], scores[1], scores[0], scores[1], scores[0]]);
}

#[test]
fn a_search_that_leaves_the_space_is_an_error() {
    let script = Rc::new(Script::new(TIMES));
    let mut search = Stubborn { asks: vec![5], told: Vec::new() };
    let error = tuner(&script).tune(&mut Scripted::new(&script), &mut search).unwrap_err();
    assert_eq!(error.to_string(), "search `stubborn` asks for point 5 of a space of 5");
}

#[test]
fn a_block_that_fits_no_multiprocessor_is_refused_before_it_is_launched() {
    let limits = HardwareLimits::of(Capability::new(9, 0)).unwrap();
    let full = KernelAttributes {
        registers: 255,
        shared_bytes: 0,
        local_bytes: 0,
        threads_max: 1024,
        dynamic_shared_bytes_max: 0,
    };
    let script = Rc::new(Script::new(TIMES));
    let mut subject = Scripted { attributes: Some(full), ..Scripted::new(&script) };
    let mut tuner = tuner(&script).within(limits);
    let tuned = tuner.tune(&mut subject, &mut Exhaustive::new(5)).unwrap();
    let Outcome::Refused { reason } = outcome(&tuned, 1024) else { panic!("{tuned:?}") };
    assert_eq!(reason, "no block fits a multiprocessor: registers");
    assert_eq!(tuned.candidates[2].occupancy, Some(0.125));
    assert_eq!(tuned.point.value("threads"), Some(256));
}

#[test]
fn settings_that_cannot_work_are_named() {
    let good = config();
    for (bad, field) in [
        (TunerConfig { contest_turns: 1, ..good }, "TunerConfig::contest_turns"),
        (TunerConfig { contest_samples: 1000, ..good }, "TunerConfig::contest_turns"),
        (TunerConfig { asks_max: 0, ..good }, "TunerConfig::asks_max"),
        (
            TunerConfig { stop: StopRule { samples_min: 1, ..good.stop }, ..good },
            "StopRule::samples_min",
        ),
    ] {
        let device = gpu_core::Device::host();
        let error = PerformanceTuner::new(&device, bad).unwrap_err();
        assert!(error.to_string().starts_with(&format!("`{field}` ")), "{error}");
    }
}
