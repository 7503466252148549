//! One run of a program, from its device to its report.
//!
//! Everything that can be refused is refused when it opens, before the first second of work.

use std::path::{Path, PathBuf};
use std::time::Instant;

use gpu_core::{Clock, Device, KernelImages, KernelSource};

use super::place::{Place, PlaceArgs};
use super::terminal::{Output, Terminal};
use crate::error::Result;
use crate::report::{Destination, Machine, Program, REPORT_SCHEMA, Report, Section, UtcTime};
use crate::verdict::{Exit, Verdict};

/// Names the commit that the program was built from, for the report.
const COMMIT_VARIABLE: &str = "TEMPER_COMMIT";
/// Says the same, beside a program that was copied to another machine or above its folder.
const COMMIT_FILE: &str = "COMMIT";
/// The commit where nothing tells it.
const UNKNOWN: &str = "unknown";
/// Where reports go unless told otherwise.
const REPORTS: &str = "target/temper";

/// The part of a command line that says where results go.
#[derive(Debug, clap::Args)]
pub struct OutputArgs {
    /// Folder for the report: new, empty, or holding an earlier report
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the report as JSON and nothing else
    #[arg(long)]
    pub json: bool,
}

impl OutputArgs {
    /// What goes to stdout.
    pub fn output(&self) -> Output {
        if self.json { Output::Json } else { Output::Table }
    }
}

/// Everything a run works with.
#[derive(Debug)]
pub struct Session<'a> {
    /// The device.
    pub place: Place,
    /// Compiled kernels, for a CUDA device.
    pub images: KernelImages,
    /// The time.
    pub clock: Clock,
    /// Where rows go.
    pub terminal: &'a Terminal,
    destination: Destination,
    started: UtcTime,
    start: Instant,
    machine: Machine,
}

impl<'a> Session<'a> {
    /// Opens the device and tries the place of the report. The images of `sources` are checked where they are needed.
    ///
    /// # Errors
    /// If the device cannot be used, an image is missing or stale, or the report cannot be written.
    pub fn open(
        place: &PlaceArgs,
        output: &OutputArgs,
        sources: &[KernelSource],
        terminal: &'a Terminal,
    ) -> anyhow::Result<Self> {
        let clock = Clock::real();
        let (started, start) = (UtcTime::now(), clock.now());
        let args = place;
        let place = Place::open(args)?;
        let images = place.images(args, sources)?;
        let destination = match &output.out {
            Some(folder) => Destination::at(folder)?,
            None => Destination::new_in(Path::new(REPORTS), &started)?,
        };
        let machine = Machine::observe(&place.device);
        Ok(Self { place, images, clock, terminal, destination, started, start, machine })
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.place.device
    }

    /// The device in words, which go with every figure.
    pub fn label(&self) -> &str {
        &self.machine.label
    }

    /// Says what runs where and when, above the rows.
    pub fn announce(&self, program: &str) {
        let commit = commit().unwrap_or_else(|| UNKNOWN.to_owned());
        self.terminal.line(program);
        self.terminal.line(&format!("device      {}", self.label()));
        if let Some(release) = &self.device().properties().driver_release {
            self.terminal.line(&format!("driver      {release}"));
        }
        self.terminal.line(&format!("commit      {commit}"));
        self.terminal.line(&format!("started     {}", self.started));
    }

    /// The folder of the report, where other files may be put beside it before [`finish`](Self::finish).
    ///
    /// # Errors
    /// [`Error::OutputUnwritable`](crate::Error::OutputUnwritable).
    pub fn beside_report(&self) -> Result<PathBuf> {
        self.destination.stage()
    }

    /// Runs one part, times it and shows its row. An error inside is the part's failure, not the program's.
    pub fn section(&self, name: &str, work: impl FnOnce() -> anyhow::Result<Section>) -> Section {
        let start = self.clock.now();
        let mut section = work().unwrap_or_else(|error| {
            let mut section = Section::new(name);
            section.check("runs to its end", false, format!("{error:#}"));
            section.close("")
        });
        section.elapsed_s = self.clock.now().saturating_duration_since(start).as_secs_f64();
        self.terminal.section(&section);
        section
    }

    /// Writes the report, prints the last line, and says how the program ends.
    ///
    /// # Errors
    /// If the report cannot be written.
    pub fn finish(mut self, command: &str, sections: Vec<Section>) -> anyhow::Result<Exit> {
        self.machine.finish(&self.place.device);
        let elapsed = self.clock.now().saturating_duration_since(self.start);
        let verdict = Verdict::overall(sections.iter().map(|section| &section.verdict));
        let report = Report {
            schema: REPORT_SCHEMA,
            command: command.to_owned(),
            verdict,
            started_utc: self.started,
            elapsed_s: elapsed.as_secs_f64(),
            program: program(),
            machine: self.machine,
            others: Vec::new(),
            sections,
        };
        self.destination.store(&report)?;
        let path = self.destination.markdown();
        let summary = format!("{}, report {}", summary(&report), path.display());
        self.terminal.line("");
        self.terminal.verdict(&report.verdict, &summary);
        self.terminal.json(&report.to_json());
        Ok(Exit::from(&report.verdict))
    }
}

fn summary(report: &Report) -> String {
    let checks = || report.sections.iter().flat_map(|section| &section.checks);
    let skipped = |verdict: &Verdict| matches!(verdict, Verdict::Skipped { .. });
    let is_empty = report.sections.iter().all(|section| skipped(&section.verdict));
    let lead = if is_empty { "nothing was checked: " } else { "" };
    let skipped = checks().filter(|check| skipped(&check.verdict)).count();
    let bad: Vec<_> = report.sections.iter().filter(|section| section.verdict.is_bad()).collect();
    let sections = match (report.sections.len(), bad.len()) {
        (1, 0) => "1 section".to_owned(),
        (all, 0) => format!("{all} sections"),
        (all, _) => {
            let names: Vec<_> = bad.iter().map(|section| section.name.as_str()).collect();
            format!("{} ({} of {all} sections)", names.join(", "), bad.len())
        }
    };
    format!("{lead}{sections}, {skipped} skipped, {:.1} s", report.elapsed_s)
}

fn program() -> Program {
    Program {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: commit().unwrap_or_else(|| UNKNOWN.to_owned()),
        arguments: std::env::args().skip(1).collect(),
    }
}

/// The commit that this program was built from, where something tells it.
pub fn commit() -> Option<String> {
    let from_file = || commit_beside(&std::env::current_exe().ok()?);
    let text = std::env::var(COMMIT_VARIABLE).ok().or_else(from_file)?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn commit_beside(program: &Path) -> Option<String> {
    let mut folders = program.ancestors().skip(1).take(2);
    folders.find_map(|folder| std::fs::read_to_string(folder.join(COMMIT_FILE)).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_found_beside_a_program_and_above_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let found = |program: &str| commit_beside(&folder.path().join(program));
        assert_eq!(found("bin/pool"), None);
        std::fs::write(folder.path().join(COMMIT_FILE), "abc").unwrap();
        for program in ["slo-bench", "bin/pool"] {
            assert_eq!(found(program).as_deref(), Some("abc"), "{program}");
        }
        assert_eq!(found("one/two/pool"), None);
    }
}
