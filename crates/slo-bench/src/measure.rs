//! The measurement of a workload: cold, warm-up, samples, and apart from them the phases.
//!
//! Closed loop: an iteration starts when the one before has ended. Never judges: a [`Contract`](crate::Contract) does.

use std::time::Duration;

use gpu_core::Clock;

use crate::error::Result;
use crate::recorder::Recorder;
use crate::workload::{Phase, Workload};

/// How much to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeasurePlan {
    /// Iterations before the first sample, the cold one included; at least one.
    pub warm_up: u64,
    /// Samples.
    pub iterations: u64,
    /// Iterations with timed events around their phases, after the samples.
    pub phase_passes: u32,
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// The first iteration of all.
    pub cold_ns: u64,
    /// Every sample.
    pub recorder: Recorder,
    /// The median of each phase over the passes; empty if there were none.
    pub phases: Vec<Phase>,
}

/// Runs `workload` as `plan` says, counting samples over `limits_ns`; `progress` hears of each finished sample.
///
/// # Errors
/// What the workload fails with, or [`Error::OutputValue`](crate::Error::OutputValue) if its outputs are not finite.
pub fn measure(
    workload: &mut dyn Workload,
    plan: &MeasurePlan,
    limits_ns: &[u64],
    clock: &Clock,
    mut progress: impl FnMut(u64),
) -> Result<Measurement> {
    let timed = |workload: &mut dyn Workload| -> Result<u64> {
        workload.prepare()?;
        let start = clock.now();
        workload.step()?;
        let elapsed = clock.now().saturating_duration_since(start);
        Ok(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    };
    let cold_ns = timed(workload)?;
    workload.check()?;
    for _ in 1..plan.warm_up {
        workload.prepare()?;
        workload.step()?;
    }
    let mut recorder = Recorder::new(limits_ns, plan.iterations);
    for done in 1..=plan.iterations {
        recorder.record(timed(workload)?);
        workload.check()?;
        progress(done);
    }
    let mut passes = Vec::new();
    for _ in 0..plan.phase_passes {
        workload.prepare()?;
        passes.push(workload.phases()?);
        workload.check()?;
    }
    Ok(Measurement { cold_ns, recorder, phases: medians(&passes) })
}

/// The median of each phase, nearest rank.
fn medians(passes: &[Vec<Phase>]) -> Vec<Phase> {
    let names = passes.first().map_or(0, Vec::len);
    let median = |index: usize| {
        let mut all: Vec<Duration> = passes.iter().map(|pass| pass[index].elapsed).collect();
        all.sort_unstable();
        Phase::new(passes[0][index].name.clone(), all[(all.len() - 1) / 2])
    };
    (0..names).map(median).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::workload::Output;

    /// Takes 100, 1, 2, 3, ... ms on a manual clock and breaks at a given step.
    struct Stepper {
        clock: Clock,
        prepared: u64,
        steps: u64,
        breaks_at: u64,
    }

    impl Workload for Stepper {
        fn name(&self) -> String {
            "stepper".to_owned()
        }

        fn n(&self) -> usize {
            1
        }

        fn prepare(&mut self) -> Result<()> {
            // Not part of the latency either.
            self.clock.advance(Duration::from_secs(5));
            self.prepared += 1;
            Ok(())
        }

        fn step(&mut self) -> Result<()> {
            assert_eq!(self.prepared, self.steps + 1, "every iteration has an input of its own");
            self.clock
                .advance(Duration::from_millis(self.steps.checked_sub(1).map_or(100, |s| s + 1)));
            self.steps += 1;
            Ok(())
        }

        fn outputs(&self, _visit: &mut dyn FnMut(Output<'_>)) {}

        fn check(&self) -> Result<()> {
            // Not part of the latency.
            self.clock.advance(Duration::from_secs(9));
            if self.steps <= self.breaks_at {
                return Ok(());
            }
            Err(Error::OutputValue {
                workload: self.name(),
                output: "x",
                index: 0,
                value: f64::NAN,
            })
        }

        fn phases(&mut self) -> Result<Vec<Phase>> {
            self.steps += 1;
            assert_eq!(self.prepared, self.steps);
            Ok(vec![Phase::new("kernel", Duration::from_millis(self.steps))])
        }
    }

    const PLAN: MeasurePlan = MeasurePlan { warm_up: 3, iterations: 10, phase_passes: 3 };

    fn run(breaks_at: u64, plan: &MeasurePlan) -> Result<Measurement> {
        let clock = Clock::manual();
        let mut stepper = Stepper { clock: clock.clone(), prepared: 0, steps: 0, breaks_at };
        measure(&mut stepper, plan, &[5_000_000], &clock, |_| {})
    }

    #[test]
    fn the_cold_and_warm_up_iterations_are_not_samples() {
        let seen = run(u64::MAX, &PLAN).unwrap();
        assert_eq!(seen.cold_ns, 100_000_000);
        let summary = seen.recorder.summary();
        // Samples are 3..=12 ms: neither the cold 100 ms, nor 1 and 2 ms of warm-up, nor the checks between.
        assert_eq!(summary.samples, 10);
        assert_eq!(summary.p50_ns, Some(7_000_000));
        assert_eq!(summary.max_ns, Some(12_000_000));
        assert_eq!(seen.recorder.over_counts(), [8]);
        assert_eq!(seen.phases, [Phase::new("kernel", Duration::from_millis(15))]);
    }

    #[test]
    fn an_output_that_is_not_finite_ends_the_measurement() {
        let samples_only = MeasurePlan { phase_passes: 0, ..PLAN };
        // The cold iteration, a sample, and a pass with events.
        for (breaks_at, plan) in [(0, &samples_only), (12, &samples_only), (15, &PLAN)] {
            let error = run(breaks_at, plan).unwrap_err();
            assert_eq!(error.to_string(), "workload `stepper`: x is NaN at index 0");
        }
    }
}
