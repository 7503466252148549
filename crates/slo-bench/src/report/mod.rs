//! What a run found, as one data model for people and machines.
//!
//! Holds what was measured and where; never a figure that was not. All [faces](Destination::store) show the same values.

mod better;
mod faces;
mod html;
mod junit;
mod machine;
mod markdown;
mod merge;
mod openmetrics;
mod sarif;
mod store;
mod tables;
mod tails;
#[cfg(test)]
mod tests;
mod text;
mod trackers;
mod utc;

use gpu_core::ThrottleReason;
use serde::{Deserialize, Serialize};

pub use better::Better;
pub(crate) use better::nanoseconds;
pub use faces::PAGE;
pub use machine::{Machine, Program};
pub use store::{Destination, PROFILE, TIMELINE, TRACE};
pub use utc::UtcTime;

use crate::attribution::Attribution;
use crate::chart::Chart;
use crate::contract::Clause;
use crate::load::Load;
use crate::measure::Measurement;
use crate::recorder::Latency;
use crate::verdict::Verdict;
use crate::workload::Workload;

/// Version of the JSON that this program writes.
pub const REPORT_SCHEMA: u32 = 2;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this layout.
    pub schema: u32,
    /// What was run, such as `validate`.
    pub command: String,
    /// What it came to.
    pub verdict: Verdict,
    /// When it began.
    pub started_utc: UtcTime,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
    /// What ran.
    pub program: Program,
    /// Where it ran.
    pub machine: Machine,
    /// The machines of reports that were merged into this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Machine>,
    /// What it did.
    pub sections: Vec<Section>,
}

/// One part of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// Its name, such as `kernels`.
    pub name: String,
    /// What it came to.
    pub verdict: Verdict,
    /// That in a few words.
    pub detail: String,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
    /// What was checked.
    pub checks: Vec<Check>,
    /// What was measured.
    pub figures: Vec<Figure>,
    /// Latencies of whole runs.
    pub runs: Vec<Run>,
    /// What was measured over time, or over what was tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charts: Vec<Chart>,
    /// Names of the files beside the report that belong to it.
    #[serde(default)]
    pub files: Vec<String>,
}

/// One statement that holds or does not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What should hold.
    pub name: String,
    /// Whether it does.
    pub verdict: Verdict,
    /// What was seen.
    pub detail: String,
}

/// One measured value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: String,
    /// On which device, in words.
    pub measured_on: String,
}

/// The latency of a workload on a device, and the contract it was held against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The workload, and which version of it.
    pub name: String,
    /// Size of the workload.
    pub n: usize,
    /// On which device, in words.
    pub measured_on: String,
    /// When iterations began.
    pub load: Load,
    /// Iterations before the first sample.
    pub warm_up: u64,
    /// Whether the last two windows of these agreed.
    pub is_settled: bool,
    /// What slowed the device down meanwhile, as far as it was looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slowed_by: Vec<ThrottleReason>,
    /// Completed iterations a second: of the time they ran in a closed loop, of the whole time in an open one.
    pub rate_hz: f64,
    /// The first iteration of all, which pays for what later ones find ready.
    pub cold_ns: u64,
    /// Latencies of the samples, from the intended start where there was one.
    pub latency: Latency,
    /// In an open loop, the same from the actual start.
    pub service: Option<Latency>,
    /// In an open loop, how late samples began although nothing ran.
    pub slip: Option<Latency>,
    /// Which stages the slow iterations of a pass with events come from, if there was one long enough.
    #[serde(default)]
    pub attribution: Option<Attribution>,
    /// The contract, if there was one.
    pub contract: Option<String>,
    /// Its file: from the folder that the run was started in, or without its folder if it is elsewhere.
    pub contract_file: Option<String>,
    /// How its limits were met.
    pub clauses: Vec<Clause>,
}

impl Check {
    /// What was seen; or, where nothing was, why.
    pub fn words(&self) -> &str {
        self.verdict.reason().unwrap_or(&self.detail)
    }

    /// The clause whose keeping it tells, with its run: the first of that name, since what a search tries under the same
    /// contract comes after the run that decides.
    fn clause<'a>(&self, runs: &'a [Run]) -> Option<(&'a Run, &'a Clause)> {
        let clauses = runs.iter().flat_map(|run| run.clauses.iter().map(move |of| (run, of)));
        let is_told = |run: &Run, clause: &Clause| {
            run.contract.as_deref().is_some_and(|of| clause.check_name(of) == self.name)
        };
        clauses.into_iter().find(|(run, clause)| is_told(run, clause))
    }
}

impl Run {
    /// What `measured` has seen of `workload` under `load`, held against no contract.
    pub fn of(
        workload: &dyn Workload,
        load: Load,
        measured_on: impl Into<String>,
        measured: Measurement,
    ) -> Self {
        Self {
            name: workload.name(),
            n: workload.n(),
            measured_on: measured_on.into(),
            load,
            warm_up: measured.warm_up.iterations,
            is_settled: measured.warm_up.is_settled(),
            slowed_by: measured.slowed_by,
            rate_hz: measured.rate_hz,
            cold_ns: measured.cold_ns,
            latency: measured.recorder.summary(),
            service: measured.open_loop.as_ref().map(|seen| seen.service.summary()),
            slip: measured.open_loop.as_ref().map(|seen| seen.slip.summary()),
            attribution: measured.attribution,
            contract: None,
            contract_file: None,
            clauses: Vec::new(),
        }
    }

    /// Whether its figures say something of the workload: it settled, and nothing slowed the device down.
    pub fn is_sound(&self) -> bool {
        self.is_settled && self.slowed_by.is_empty()
    }

    /// What tells it from other runs of its section: name, size, and the load unless the loop is closed.
    pub fn title(&self) -> String {
        let Self { name, n, load, .. } = self;
        match load {
            Load::Closed => format!("{name}, n = {n}"),
            load => format!("{name}, n = {n}, {load}"),
        }
    }
}

impl Section {
    /// The titles of its runs, in their order; the second of two that are equal has its number behind it.
    pub fn titles(&self) -> Vec<String> {
        numbered(self.runs.iter().map(Run::title))
    }

    /// An empty section.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            verdict: Verdict::skipped("it has not run"),
            detail: String::new(),
            elapsed_s: 0.0,
            checks: Vec::new(),
            figures: Vec::new(),
            runs: Vec::new(),
            charts: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Adds a statement and whether it holds.
    pub fn check(
        &mut self,
        name: impl Into<String>,
        verdict: impl Into<Verdict>,
        detail: impl Into<String>,
    ) {
        let (name, verdict, detail) = (name.into(), verdict.into(), detail.into());
        self.checks.push(Check { name, verdict, detail });
    }

    /// Adds a measured value.
    pub fn figure(&mut self, name: impl Into<String>, value: f64, unit: &str, measured_on: &str) {
        let (name, unit, measured_on) = (name.into(), unit.to_owned(), measured_on.to_owned());
        self.figures.push(Figure { name, value, unit, measured_on });
    }

    /// Adds a chart, unless it shows nothing.
    pub fn chart(&mut self, chart: Chart) {
        if !chart.lines.is_empty() {
            self.charts.push(chart);
        }
    }

    /// Closes the section: it comes to what its checks come to, and says so in `detail` or in the first bad check's words.
    pub fn close(mut self, detail: impl Into<String>) -> Self {
        self.verdict = Verdict::all(self.checks.iter().map(|check| &check.verdict));
        let bad = self.checks.iter().find(|check| check.verdict.is_bad());
        self.detail = match (bad, &self.verdict) {
            (Some(check), _) => format!("{}: {}", check.name, check.words()),
            (None, Verdict::Skipped { reason }) => reason.clone(),
            (None, _) => detail.into(),
        };
        self
    }
}

impl Report {
    /// The report as pretty JSON.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("a report holds strings, numbers and lists only");
        text.push('\n');
        text
    }

    /// Every run with its section and its [title](Section::titles).
    pub fn runs(&self) -> Vec<(&Section, &Run, String)> {
        let of = |section| {
            let runs = Section::titles(section).into_iter().zip(&section.runs);
            runs.map(move |(title, run)| (section, run, title))
        };
        self.sections.iter().flat_map(of).collect()
    }

    /// Every figure with its section and its name; the second of two that are equal, as of two nodes, has its number
    /// behind it.
    pub fn figures(&self) -> Vec<(&Section, &Figure, String)> {
        let all = self.sections.iter().flat_map(|section| {
            let names = numbered(section.figures.iter().map(|figure| figure.name.clone()));
            section.figures.iter().zip(names).map(move |(figure, name)| (section, figure, name))
        });
        all.collect()
    }

    /// The report as Markdown that fits the summary of a CI job.
    pub fn to_markdown(&self) -> String {
        markdown::render(self)
    }
}

/// Nanoseconds as milliseconds for a table; a dash where there is no value.
pub fn milliseconds(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), |ns| format!("{:.4}", crate::contract::milliseconds(ns)))
}

/// The same names, told apart.
fn numbered(names: impl Iterator<Item = String>) -> Vec<String> {
    let names: Vec<_> = names.collect();
    let told_apart = names.iter().enumerate().map(|(index, name)| {
        match names[..index].iter().filter(|earlier| *earlier == name).count() {
            0 => name.clone(),
            before => format!("{name}, number {}", before + 1),
        }
    });
    told_apart.collect()
}

/// Where, when and with what a run was made, as rows of a table; the device itself stands apart.
fn place(report: &Report) -> Vec<(&'static str, String)> {
    markdown::place(report)
}

/// A value for a table: about five significant digits.
pub fn number(value: f64) -> String {
    markdown::number(value)
}

/// The device in words that go with every figure: a host says that it is no GPU.
pub fn label(device: &gpu_core::Device) -> String {
    machine::label(device)
}
