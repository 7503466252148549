//! What a run needs before it begins: device, images, contracts, frames and a place for the report.
//!
//! Everything that can be refused is refused here, before the first second of work.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use gpu_core::{BackendKind, Clock, Device, ErrorKind, KernelImages};
use slo_bench::{
    ContractSet, Destination, Exit, Formula, FrameFile, FrameSource, Machine, Program,
    REPORT_SCHEMA, Reference, Repeated, Report, Section, UtcTime, Verdict, WORKLOADS,
};

use super::args::{DeviceChoice, PlaceArgs, RunArgs};
use super::terminal::Terminal;
use super::{Lacking, Usage};

/// Names the commit that the program was built from, for the report.
const COMMIT_VARIABLE: &str = "TEMPER_COMMIT";
/// Says the same, beside a program that was copied to another machine.
const COMMIT_FILE: &str = "COMMIT";
/// Where reports go unless told otherwise.
const REPORTS: &str = "target/temper";

/// A device and, if it is not a GPU, why not.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) device: Device,
    /// Why no GPU is used; `None` on a GPU.
    pub(super) gpu_refusal: Option<String>,
}

/// Everything a run works with.
#[derive(Debug)]
pub(super) struct Setup<'a> {
    pub(super) place: Place,
    pub(super) images: KernelImages,
    pub(super) contracts: ContractSet,
    pub(super) frames: Frames,
    pub(super) clock: Clock,
    pub(super) terminal: &'a Terminal,
    destination: Destination,
    started: UtcTime,
    start: Instant,
    machine: Machine,
}

/// Where the pipeline's frames come from, as often as they are asked for.
#[derive(Clone, Debug)]
pub(super) enum Frames {
    Formula { count: u64 },
    File { path: PathBuf, count: u64 },
}

impl Place {
    pub(super) fn open(args: &PlaceArgs) -> anyhow::Result<Self> {
        let on_request = "--device asks for the host";
        let (device, gpu_refusal) = match args.device {
            DeviceChoice::Auto => match Device::cuda(0) {
                Ok(device) => (device, None),
                // A GPU that is here and does not work is not the same as none.
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    (Device::host(), Some(error.to_string()))
                }
                Err(error) => return Err(error).context("the GPU cannot be used"),
            },
            DeviceChoice::Host => (Device::host(), Some(on_request.to_owned())),
            DeviceChoice::Cuda(ordinal) => (Device::cuda(ordinal)?, None),
            DeviceChoice::Simulated(seed) => {
                (Device::host_simulated(seed), Some(on_request.to_owned()))
            }
        };
        match gpu_refusal {
            Some(reason) if args.require_gpu => {
                let text = format!("--require-gpu: no GPU can be used: {reason}");
                match args.device {
                    DeviceChoice::Auto => Err(Lacking(text).into()),
                    _ => Err(Usage(text).into()),
                }
            }
            gpu_refusal => Ok(Self { device, gpu_refusal }),
        }
    }
}

impl<'a> Setup<'a> {
    pub(super) fn new(
        args: &RunArgs,
        frames: impl FnOnce(&Device) -> u64,
        terminal: &'a Terminal,
    ) -> anyhow::Result<Self> {
        let clock = Clock::real();
        let (started, start) = (UtcTime::now(), clock.now());
        if args.input.is_some() && args.frames.is_some() {
            let text =
                "--frames counts frames of the formula; leave it out, --input brings its own";
            return Err(Usage(text.to_owned()).into());
        }
        let contracts = contracts(&args.place)?;
        let file =
            args.input.as_ref().map(|path| FrameFile::check(path).map(|count| (path, count)));
        let file = file.transpose()?;
        let place = Place::open(&args.place)?;
        let frames = match file {
            Some((path, count)) => Frames::File { path: path.clone(), count },
            None => Frames::Formula { count: args.frames.unwrap_or_else(|| frames(&place.device)) },
        };
        let images = images(&args.place, &place.device)?;
        let destination = match &args.out {
            Some(folder) => Destination::at(folder)?,
            None => Destination::new_in(Path::new(REPORTS), &started)?,
        };
        let machine = Machine::observe(&place.device);
        Ok(Self {
            place,
            images,
            contracts,
            frames,
            clock,
            terminal,
            destination,
            started,
            start,
            machine,
        })
    }

    /// The folder of the report, where other files may be put beside it before [`finish`](Self::finish).
    pub(super) fn beside_report(&self) -> slo_bench::Result<PathBuf> {
        self.destination.stage()
    }

    pub(super) fn device(&self) -> &Device {
        &self.place.device
    }

    /// The device in words.
    pub(super) fn label(&self) -> &str {
        &self.machine.label
    }

    /// Says what runs where, above the rows.
    pub(super) fn announce(&self, command: &str) {
        let Self { machine, contracts, frames, terminal, .. } = self;
        let frames = match frames {
            Frames::Formula { count } => format!("{count} of the formula"),
            Frames::File { path, count } => format!("{count} of {}", path.display()),
        };
        terminal.line(&format!("slo-bench {} {command}", env!("CARGO_PKG_VERSION")));
        terminal.line(&format!("device      {}", machine.label));
        terminal.line(&format!("contracts   {}", contracts.origin));
        terminal.line(&format!("frames      {frames}"));
        terminal.line("");
    }

    /// Runs one part, times it and shows its row. An error inside is the part's failure, not the program's.
    pub(super) fn section(
        &self,
        name: &str,
        work: impl FnOnce(&Self) -> anyhow::Result<Section>,
    ) -> Section {
        let start = self.clock.now();
        let mut section = work(self).unwrap_or_else(|error| {
            let mut section = Section::new(name);
            section.check("runs to its end", false, format!("{error:#}"));
            section.close("")
        });
        section.elapsed_s = self.clock.now().saturating_duration_since(start).as_secs_f64();
        self.terminal.section(&section);
        section
    }

    /// Writes the report, prints the last line, and says how the program ends.
    pub(super) fn finish(mut self, command: &str, sections: Vec<Section>) -> anyhow::Result<Exit> {
        self.machine.finish(&self.place.device);
        let elapsed = self.clock.now().saturating_duration_since(self.start);
        let verdict = overall(&sections);
        let report = Report {
            schema: REPORT_SCHEMA,
            command: command.to_owned(),
            verdict,
            started_utc: self.started,
            elapsed_s: elapsed.as_secs_f64(),
            program: program(),
            machine: self.machine,
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

/// A run in which nothing is bad passes, even if all of it was skipped: there was nothing it could try.
fn overall(sections: &[Section]) -> Verdict {
    match Verdict::all(sections.iter().map(|section| &section.verdict)) {
        Verdict::Skipped { .. } => Verdict::Pass,
        verdict => verdict,
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
        commit: commit().unwrap_or_else(|| "unknown".to_owned()),
        arguments: std::env::args().skip(1).collect(),
    }
}

pub(super) fn commit() -> Option<String> {
    let from_file = || {
        let file = std::env::current_exe().ok()?.with_file_name(COMMIT_FILE);
        std::fs::read_to_string(file).ok()
    };
    let text = std::env::var(COMMIT_VARIABLE).ok().or_else(from_file)?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

pub(super) fn contracts(args: &PlaceArgs) -> anyhow::Result<ContractSet> {
    let set = match &args.contracts {
        Some(folder) => ContractSet::read(folder, WORKLOADS),
        None => ContractSet::discover(WORKLOADS),
    }?;
    for contract in &set.contracts {
        let size = Reference::find(&contract.workload)?.check_n(contract.n);
        size.with_context(|| format!("contract `{}`", contract.name))?;
    }
    Ok(set)
}

pub(super) fn images_of(args: &PlaceArgs) -> KernelImages {
    args.images.as_ref().map_or_else(KernelImages::discover, KernelImages::at)
}

/// The same, every image checked where the device needs one or a folder was named.
pub(super) fn images(args: &PlaceArgs, device: &Device) -> gpu_core::Result<KernelImages> {
    let images = images_of(args);
    if args.images.is_some() || device.backend() == BackendKind::Cuda {
        kernels::SOURCES.iter().try_for_each(|source| images.load(source).map(|_| ()))?;
    }
    Ok(images)
}

impl Frames {
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Formula { count } | Self::File { count, .. } => *count,
        }
    }

    /// All frames from the first.
    pub(super) fn open(&self) -> slo_bench::Result<Box<dyn FrameSource>> {
        Ok(match self {
            Self::Formula { count } => Box::new(Formula::first(*count)),
            Self::File { path, .. } => Box::new(FrameFile::open(path)?),
        })
    }

    /// Frames without end from the first: those of the formula, or a file's again and again.
    pub(super) fn endless(&self) -> slo_bench::Result<Box<dyn FrameSource>> {
        Ok(match self {
            Self::Formula { .. } => Box::new(Formula::unlimited()),
            Self::File { path, .. } => Box::new(Repeated::new(FrameFile::open(path)?)?),
        })
    }
}
