//! The end-to-end frame back to back: all evidence side by side. Shown, not judged, since nothing was promised of it.

use gpu_core::Monitor;
use slo_bench::cli::Session;
use slo_bench::saturation::{
    Ceiling, Demand, Progress, SaturationPromise, Trace, Work, judge, watch,
};
use slo_bench::{Formula, Reference, Section, Variant, Verdict, WINDOWS, Workload, WorkloadConfig};

use crate::drive::{Duty, conditions, keep};
use crate::{Options, unmonitored, warm_up_s};

/// Bytes that a frame has to move at least: its coupling matrix read and written once, its values and targets, and its controls.
/// The matrix fits into the cache, so that memory need not see it.
const FRAME: Work = Work { bytes: (8 * WINDOWS * (2 * WINDOWS + 3)) as u64, operations: 0 };

pub(super) fn section(
    options: &Options,
    session: &Session<'_>,
    monitor: Option<&mut Monitor>,
    ceiling: &Ceiling,
) -> anyhow::Result<Section> {
    let mut section = Section::new("frame");
    let Some(monitor) = monitor else {
        section.check("evidence is whole", unmonitored(session), "");
        return Ok(section.close(""));
    };
    let seconds = options.seconds_busy();
    let promise = SaturationPromise::new(Demand::Memory).lasting(warm_up_s(seconds), seconds);
    let (frames, trace) = frames(session, monitor, &promise)?;
    let judged = judge(&trace, &promise, Some(ceiling));
    keep(session, &mut section, "frame", &trace.to_csv(promise.demand, Some(ceiling)))?;
    judged.add_figures(&mut section, "frame", session.label());
    conditions(&mut section, "frame", &trace, session.label());
    let verdict = match judged.verdict {
        Verdict::Pass | Verdict::Fail => Verdict::Pass,
        other => other,
    };
    section.check("evidence is whole", verdict, format!("{seconds} s, {frames} frames"));
    let last = trace.observations.last().map_or(f64::NAN, |seen| seen.at.as_secs_f64());
    section.figure("frame: rate", frames as f64 / last, "Hz", session.label());
    Ok(section
        .close(format!("{frames} frames back to back, every output finite; shown and not judged")))
}

/// Frames until `promise` has enough of them; an error names the frame that failed.
fn frames(
    session: &Session<'_>,
    monitor: &mut Monitor,
    promise: &SaturationPromise,
) -> anyhow::Result<(u64, Trace)> {
    let reference = Reference::Frame;
    let config = WorkloadConfig {
        variant: Variant::Device,
        n: reference.n(),
        seed: 42,
        device: session.device(),
        images: &session.images,
    };
    let mut workload = reference.open(&config, Box::new(Formula::unlimited()))?;
    let progress = Progress::default();
    let lasting = Duty::full(promise).lasting;
    let begin = session.clock.now();
    let work = || -> slo_bench::Result<u64> {
        let mut count = 0;
        while session.clock.now().saturating_duration_since(begin) < lasting {
            step(workload.as_mut())?;
            progress.add(FRAME);
            count += 1;
        }
        Ok(count)
    };
    let (count, trace) = watch(&session.clock, promise.period(), monitor, &progress, work);
    Ok((count?, trace))
}

fn step(workload: &mut dyn Workload) -> slo_bench::Result<()> {
    workload.prepare()?;
    workload.step()?;
    workload.check()
}
