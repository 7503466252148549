//! What a run needs before it begins: device, images, contracts, frames and a place for the report.
//!
//! Everything that can be refused is refused here, before the first second of work.

use std::path::PathBuf;

use anyhow::Context as _;
use gpu_core::Device;
use slo_bench::cli::{Session, Terminal, Usage};
use slo_bench::efficacy::TrialName;
use slo_bench::{ContractSet, Formula, FrameFile, FrameSource, Reference, Repeated, WORKLOADS};

use super::args::{ContractArgs, RunArgs};

/// A session with what its workloads are held against and fed with.
#[derive(Debug)]
pub(super) struct Setup<'a> {
    pub(super) session: Session<'a>,
    pub(super) contracts: ContractSet,
    pub(super) frames: Frames,
}

/// Where the pipeline's frames come from, as often as they are asked for.
#[derive(Clone, Debug)]
pub(super) enum Frames {
    Formula { count: u64 },
    File { path: PathBuf, count: u64 },
}

impl<'a> Setup<'a> {
    /// `frames` says how many frames of the formula a device gets where the command line does not.
    pub(super) fn new(
        args: &RunArgs,
        frames: impl FnOnce(&Device) -> u64,
        terminal: &'a Terminal,
    ) -> anyhow::Result<Self> {
        if args.input.is_some() && args.frames.is_some() {
            let text =
                "--frames counts frames of the formula; leave it out, --input brings its own";
            return Err(Usage(text.to_owned()).into());
        }
        let contracts = contracts(&args.contracts)?;
        let file =
            args.input.as_ref().map(|path| FrameFile::check(path).map(|count| (path, count)));
        let file = file.transpose()?;
        let session = Session::open(&args.place, &args.output, &kernels::SOURCES, terminal)?;
        let frames = match file {
            Some((path, count)) => Frames::File { path: path.clone(), count },
            None => {
                let count = args.frames.unwrap_or_else(|| frames(session.device()));
                Frames::Formula { count }
            }
        };
        Ok(Self { session, contracts, frames })
    }

    /// Says what runs where, above the rows.
    pub(super) fn announce(&self, command: &str) {
        let Self { session, contracts, frames } = self;
        let frames = match frames {
            Frames::Formula { count } => format!("{count} of the formula"),
            Frames::File { path, count } => format!("{count} of {}", path.display()),
        };
        session.announce(&format!("slo-bench {} {command}", env!("CARGO_PKG_VERSION")));
        session.terminal.line(&format!("contracts   {}", contracts.origin));
        session.terminal.line(&format!("frames      {frames}"));
        session.terminal.heading();
    }
}

pub(super) fn contracts(args: &ContractArgs) -> anyhow::Result<ContractSet> {
    let set = match &args.contracts {
        Some(folder) => ContractSet::read(folder, WORKLOADS),
        None => ContractSet::discover(WORKLOADS),
    }?;
    for contract in &set.contracts {
        let size = Reference::find(&contract.workload)?.check_n(contract.n);
        let trial = contract.gain_min.map(|_| TrialName::promised_by(contract)).transpose();
        size.and(trial).with_context(|| format!("contract `{}`", contract.name))?;
    }
    Ok(set)
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
