//! The measurement of a workload: cold, warm-up until it settles, samples under a load, and apart from them the phases.
//!
//! Never judges: a [`Contract`](crate::Contract) does. It only stops where no judgement could be favourable any more.

#[cfg(test)]
mod tests;

use gpu_core::{Clock, ThrottleReason};

use crate::attribution::{Attribution, Marked, marked_pass};
use crate::error::Result;
use crate::load::{Load, Pacer};
use crate::recorder::Recorder;
use crate::workload::{Phase, Workload};

/// How much to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasurePlan {
    /// What comes between the cold iteration and the first sample.
    pub warm_up: WarmUp,
    /// When iterations begin.
    pub load: Load,
    /// Samples.
    pub iterations: u64,
    /// Iterations with timed events around their phases, after the samples; and one more, which is not kept.
    pub phase_passes: u32,
}

/// Windows of iterations until two medians in a row agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmUp {
    /// Iterations in a window.
    pub window: u64,
    /// Most windows; 0 leaves the cold iteration alone.
    pub windows_max: u32,
}

/// How the warm-up went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settling {
    /// Iterations before the first sample, the cold one included.
    pub iterations: u64,
    /// The medians of the last two windows in nanoseconds, the older first, as far as there were any.
    pub medians_ns: [Option<u64>; 2],
}

/// Samples that a limit can bear before it is certainly broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The first latency that counts.
    pub limit_ns: u64,
    /// Most samples at or over it; one more ends the measurement.
    pub over_count_max: u64,
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// The first iteration of all.
    pub cold_ns: u64,
    /// The iterations before the first sample.
    pub warm_up: Settling,
    /// What slowed the device down, as far as the caller looked; [`measure`] knows no device and leaves it empty.
    pub slowed_by: Vec<ThrottleReason>,
    /// Every sample: from its intended start where it had one.
    pub recorder: Recorder,
    /// What an open loop saw besides.
    pub open_loop: Option<OpenLoop>,
    /// Completed iterations a second: of the time they ran in a closed loop, of the whole time in an open one.
    pub rate_hz: f64,
    /// The median of each phase over the passes; empty if there were none.
    pub phases: Vec<Phase>,
    /// Which stage the slowest of these passes come from, if there were enough of them.
    pub attribution: Option<Attribution>,
}

/// What an open loop sees that a closed one does not.
#[derive(Clone, Debug)]
pub struct OpenLoop {
    /// From the actual start of each sample: the latency without waiting.
    pub service: Recorder,
    /// How late each sample began although the one before had ended.
    pub slip: Recorder,
}

impl Settling {
    /// Whether the last two windows agree within 5 %.
    pub fn is_settled(&self) -> bool {
        let [Some(before), Some(last)] = self.medians_ns else {
            return false;
        };
        u128::from(before.abs_diff(last)) * 20 <= u128::from(before.max(last))
    }
}

/// Runs `workload` as `plan` says, counting samples over the limits of `budgets`; `progress` hears of each finished sample.
///
/// # Errors
/// What the workload fails with, or [`Error::OutputValue`](crate::Error::OutputValue) if its outputs are not finite.
pub fn measure(
    workload: &mut dyn Workload,
    plan: &MeasurePlan,
    budgets: &[Budget],
    clock: &Clock,
    progress: impl FnMut(u64),
) -> Result<Measurement> {
    let cold_ns = timed(workload, clock)?;
    workload.check()?;
    let warm_up = settle(workload, plan.warm_up, clock)?;
    let Sampled { recorder, open_loop, rate_hz } =
        sample(workload, plan, budgets, clock, progress)?;
    let marked = marked_pass(workload, plan.phase_passes, clock)?;
    let phases = marked.as_ref().map(Marked::medians).unwrap_or_default();
    let attribution = marked.as_ref().and_then(Marked::attribution);
    Ok(Measurement {
        cold_ns,
        warm_up,
        slowed_by: Vec::new(),
        recorder,
        open_loop,
        rate_hz,
        phases,
        attribution,
    })
}

/// One iteration by itself, in nanoseconds.
fn timed(workload: &mut dyn Workload, clock: &Clock) -> Result<u64> {
    workload.prepare()?;
    let mut pacer = Pacer::new(Load::Closed, clock);
    let begun = pacer.begin();
    workload.step()?;
    Ok(pacer.end(begun).service_ns)
}

fn settle(workload: &mut dyn Workload, plan: WarmUp, clock: &Clock) -> Result<Settling> {
    let mut seen = Settling { iterations: 1, medians_ns: [None, None] };
    for _ in 0..plan.windows_max {
        let mut window = Vec::new();
        for _ in 0..plan.window.max(1) {
            window.push(timed(workload, clock)?);
        }
        seen.iterations += plan.window.max(1);
        window.sort_unstable();
        seen.medians_ns = [seen.medians_ns[1], Some(window[(window.len() - 1) / 2])];
        if seen.is_settled() {
            break;
        }
    }
    Ok(seen)
}

/// The part of a measurement that its samples are.
struct Sampled {
    recorder: Recorder,
    open_loop: Option<OpenLoop>,
    rate_hz: f64,
}

fn sample(
    workload: &mut dyn Workload,
    plan: &MeasurePlan,
    budgets: &[Budget],
    clock: &Clock,
    mut progress: impl FnMut(u64),
) -> Result<Sampled> {
    let limits_ns: Vec<_> = budgets.iter().map(|budget| budget.limit_ns).collect();
    let mut recorder = Recorder::new(&limits_ns, plan.iterations);
    let mut open_loop = (plan.load != Load::Closed).then(|| OpenLoop {
        service: Recorder::new(&[], plan.iterations),
        slip: Recorder::new(&[], plan.iterations),
    });
    let is_broken = |recorder: &Recorder| {
        let counts = recorder.over_counts().iter();
        counts.zip(budgets).any(|(&count, budget)| count > budget.over_count_max)
    };
    let mut pacer = Pacer::new(plan.load, clock);
    for done in 1..=plan.iterations {
        workload.prepare()?;
        let begun = pacer.begin();
        workload.step()?;
        let took = pacer.end(begun);
        recorder.record(took.latency_ns);
        if let Some(OpenLoop { service, slip }) = &mut open_loop {
            service.record(took.service_ns);
            slip.record(took.slip_ns);
        }
        workload.check()?;
        progress(done);
        if is_broken(&recorder) {
            break;
        }
    }
    let busy_ns = match open_loop {
        Some(_) => pacer.elapsed().as_nanos(),
        None => recorder.total_ns(),
    };
    let rate_hz = recorder.len() as f64 / (busy_ns as f64 / 1e9);
    Ok(Sampled { recorder, open_loop, rate_hz })
}
