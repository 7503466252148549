//! The versions of a workload, side by side: naive and optimised on the processor, and the kernels on a GPU.
//!
//! Never times a version that was not compared with the naive one first, and never calls the host a device.

use std::process::ExitCode;

use gpu_core::BackendKind;
use slo_bench::cli::{
    CompareFrames, Session, Subject, Timing, compare, device_plan, time, time_processor,
};
use slo_bench::{Formula, FrameSource, Reference, Section, Variant};

use crate::question::Question;

#[derive(Clone, Copy, Debug, clap::Args)]
struct WorkloadOptions {
    /// Samples of the version on the GPU, 100000 unless given
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    iterations: Option<u64>,
    /// Frames on which the versions are compared before they are timed
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    compared_frames: u64,
}

/// The program of `workload`, whole.
pub fn answer_for(workload: Reference) -> ExitCode {
    question(workload).answer(|options, session| measure(workload, options, session))
}

fn question(workload: Reference) -> Question {
    let asks = match workload {
        Reference::ActiveInference => "How fast is the active inference step, and beside what?",
        Reference::Thermodynamic => "How fast is the thermodynamic evolution, and beside what?",
        Reference::Frame => "How fast is the end-to-end frame, and beside what?",
    };
    Question { name: workload.name(), asks, sources: &kernels::SOURCES }
}

fn measure(
    workload: Reference,
    options: &WorkloadOptions,
    session: &Session<'_>,
) -> anyhow::Result<Vec<Section>> {
    let subject = Subject { workload, n: workload.n() };
    let section = session.section(workload.name(), || {
        let mut section = Section::new(workload.name());
        agreement(session, &mut section, subject, options.compared_frames)?;
        time_if_right(&mut section, |section| {
            speed(session, section, subject, options.iterations)
        })?;
        let place = match &session.place.gpu_refusal {
            Some(reason) => format!(", on the host only: {reason}"),
            None => String::new(),
        };
        let versions = section.runs.len();
        Ok(section.close(format!("{versions} versions at n = {}{place}", subject.n)))
    });
    Ok(vec![section])
}

fn agreement(
    session: &Session<'_>,
    section: &mut Section,
    subject: Subject,
    count: u64,
) -> anyhow::Result<()> {
    let frames = CompareFrames::on(session, count, count);
    let bar = session.terminal.progress("comparing versions", frames.max());
    let compared = compare(session, subject, formula(), frames, || bar.inc(1));
    bar.finish_and_clear();
    compared?.add_to(section);
    Ok(())
}

fn time_if_right(
    section: &mut Section,
    time: impl FnOnce(&mut Section) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if section.checks.iter().any(|check| check.verdict.is_bad()) {
        return Ok(());
    }
    time(section)
}

fn speed(
    session: &Session<'_>,
    section: &mut Section,
    subject: Subject,
    iterations: Option<u64>,
) -> anyhow::Result<()> {
    let device = session.device();
    let mut p50_ns = None;
    // Anywhere else the optimised version would run in the place of the kernels.
    if device.backend() == BackendKind::Cuda {
        let plan = device_plan(device, iterations);
        let timing = Timing { subject, variant: Variant::Device, plan, contract: None };
        p50_ns = time(session, section, &timing, formula())?.p50_ns;
    }
    time_processor(session, section, subject, p50_ns, || Ok(formula()))
}

/// The frames of the formula, without end.
fn formula() -> Box<dyn FrameSource> {
    Box::new(Formula::unlimited())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_version_is_not_timed() {
        for (is_right, runs) in [(true, 1), (false, 0)] {
            let mut section = Section::new("frame");
            section.check("optimised equals naive", is_right, "");
            let mut timed = 0;
            let count = |_: &mut Section| {
                timed += 1;
                Ok(())
            };
            time_if_right(&mut section, count).unwrap();
            assert_eq!(timed, runs);
        }
    }
}
