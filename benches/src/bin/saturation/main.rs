//! Whether the judgement of saturation can be trusted: loads that only look busy must fail it, those that are must pass. And how
//! busy services of the workloads keep the device.
//!
//! Never judges a load whose results are wrong, and never changes clocks, power or modes.

mod calibrate;
mod controls;
mod services;

use std::process::ExitCode;

use benches::Question;
use slo_bench::Section;
use slo_bench::cli::{Gauge, Session};

const QUESTION: Question = Question {
    name: "saturation",
    asks: "Does the judgement of saturation tell busy from busy-looking?",
    sources: &kernels::SOURCES,
};

#[derive(Clone, Debug, clap::Args)]
struct Options {
    /// Seconds that each load is judged by; 60 unless given, 10 for the loads that must fail and for services
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(5..=3600))]
    seconds: Option<u32>,
    /// Also draw the curve of NVML and counters against counted bytes: ten levels of duty, 4 s each
    #[arg(long)]
    calibrate: bool,
    /// Only these parts, by name: controls, services
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Loads that must fail and loads that must pass.
    Controls,
    /// The workloads, by 1, 2, 4 and 8 services side by side.
    Services,
}

impl Options {
    fn seconds_busy(&self) -> u32 {
        self.seconds.unwrap_or(60)
    }

    fn seconds_short(&self) -> u32 {
        self.seconds.unwrap_or(10)
    }

    fn has(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

fn main() -> ExitCode {
    QUESTION.answer(measure)
}

fn measure(options: &Options, session: &Session<'_>) -> anyhow::Result<Vec<Section>> {
    let mut gauge = None;
    let mut sections = vec![session.section("ceiling", || {
        let mut section = Section::new("ceiling");
        gauge = Gauge::open(session, &mut section)?;
        Ok(section.close("measured in this run"))
    })];
    let Some(mut gauge) = gauge else { return Ok(sections) };
    if options.has(Part::Controls) {
        sections.push(session.section("controls", || controls::section(options, &mut gauge)));
    }
    if options.has(Part::Services) {
        sections
            .push(session.section("services", || services::section(options, session, &mut gauge)));
    }
    if options.calibrate {
        sections.push(session.section("calibration", || calibrate::section(session, &mut gauge)));
    }
    Ok(sections)
}
