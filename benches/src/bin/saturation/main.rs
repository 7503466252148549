//! Whether the judgement of saturation can be trusted: four loads that look busy must fail it, two that are busy must pass.
//!
//! Never judges a load whose results are wrong, and never changes clocks, power or modes.

mod calibrate;
mod controls;
mod drive;
mod frame;
mod load;

use std::process::ExitCode;

use benches::Question;
use gpu_core::BackendKind;
use slo_bench::cli::Session;
use slo_bench::{Section, Verdict};

const QUESTION: Question = Question {
    name: "saturation",
    asks: "Does the judgement of saturation tell busy from busy-looking?",
    sources: &kernels::SOURCES,
};

#[derive(Clone, Debug, clap::Args)]
struct Options {
    /// Seconds that each load is judged by; 60 unless given, 10 for the loads that must fail
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(5..=3600))]
    seconds: Option<u32>,
    /// Also draw the curve of NVML and counters against counted bytes: ten levels of duty, 4 s each
    #[arg(long)]
    calibrate: bool,
    /// Only these parts, by name: controls, frame
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Loads that must fail and loads that must pass.
    Controls,
    /// The end-to-end frame, back to back.
    Frame,
}

impl Options {
    fn seconds_busy(&self) -> u32 {
        self.seconds.unwrap_or(60)
    }

    fn seconds_hollow(&self) -> u32 {
        self.seconds.unwrap_or(10)
    }

    fn has(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

/// Seconds that are left out before so many are judged: clocks climb, and NVML tells of up to a second before.
fn warm_up_s(seconds: u32) -> u32 {
    if seconds >= 60 { 10 } else { 3 }
}

fn main() -> ExitCode {
    QUESTION.answer(measure)
}

fn measure(options: &Options, session: &Session<'_>) -> anyhow::Result<Vec<Section>> {
    let mut monitor = session.device().monitor()?;
    let mut ceiling = None;
    let mut sections = vec![session.section("ceiling", || {
        let (section, measured) = controls::ceiling(session)?;
        ceiling = measured;
        Ok(section)
    })];
    let Some(ceiling) = ceiling else { return Ok(sections) };
    if options.has(Part::Controls) {
        sections.push(session.section("controls", || {
            controls::section(options, session, monitor.as_mut(), &ceiling)
        }));
    }
    if options.has(Part::Frame) {
        sections.push(
            session
                .section("frame", || frame::section(options, session, monitor.as_mut(), &ceiling)),
        );
    }
    if options.calibrate {
        sections
            .push(session.section("calibration", || {
                calibrate::section(session, monitor.as_mut(), &ceiling)
            }));
    }
    Ok(sections)
}

/// Why nothing tells how busy the device is.
fn unmonitored(session: &Session<'_>) -> Verdict {
    match &session.place.gpu_refusal {
        Some(reason) => Verdict::skipped(format!("nothing tells how busy a host is: {reason}")),
        None => Verdict::skipped("the management library tells nothing of this device"),
    }
}

fn is_gpu(session: &Session<'_>) -> bool {
    session.device().backend() == BackendKind::Cuda
}
