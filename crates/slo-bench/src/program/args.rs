//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use slo_bench::cli::{Output, OutputArgs, PlaceArgs};
use slo_bench::{Reference, Variant};

use super::compare::{CompareArgs, ToleranceArgs};
use super::course::CourseArgs;
use super::report::{MergeArgs, ReportArgs};
use super::shell::ShellArgs;

const AFTER: &str = "\
Exit codes:
  0  everything holds; what needs a GPU is skipped where there is none
  1  a check failed
  2  bad usage or bad input
  3  the environment: a GPU that is required and missing, no driver, no kernel image,
     a folder that cannot be written
  4  inconclusive: nothing failed, but there were too few samples to tell
  5  invalid: nothing failed, but what was seen says nothing, such as a run that never settled

Reports go to target/temper/<time>, or to --out DIR: report.json, report.md, report.html and other forms.";

/// Validate a GPU service's building blocks on this machine, and measure them against their contracts
#[derive(Debug, Parser)]
#[command(name = "slo-bench", version, after_help = AFTER, propagate_version = true)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check everything that must be right; the last line begins with the verdict
    #[command(after_help = AFTER)]
    Validate(ValidateArgs),
    /// Measure the workloads against their contracts; the last line begins with the verdict
    #[command(after_help = AFTER)]
    Bench(BenchArgs),
    /// Say what is here, what is missing and what to do
    #[command(after_help = AFTER)]
    Doctor(DoctorArgs),
    /// Write frames of the formula to a file that --input reads
    #[command(after_help = AFTER)]
    Frames(FramesArgs),
    /// Say what became better or worse between reports of one machine; the last line begins with the verdict
    #[command(after_help = AFTER)]
    Compare(CompareArgs),
    /// Pool the samples of several nodes in one report; the last line begins with the verdict
    #[command(after_help = AFTER)]
    Merge(MergeArgs),
    /// Write a report again in every form, its page included, from its report.json
    #[command(after_help = AFTER)]
    Report(ReportArgs),
    /// Write completions and manual pages
    #[command(hide = true)]
    Shell(ShellArgs),
    /// Write contracts as OpenSLO documents, or read such documents as contracts
    #[command(subcommand, after_help = AFTER)]
    Contract(ContractCommand),
}

#[derive(Debug, Subcommand)]
pub(super) enum ContractCommand {
    /// Print contracts as OpenSLO v1, one document a percentile limit
    Export {
        #[command(flatten)]
        contracts: ContractArgs,
        /// Only the contracts of these names
        #[arg(long, value_name = "NAME", value_delimiter = ',')]
        name: Vec<String>,
        /// The file, replaced if it is there; otherwise stdout
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Write the contracts that the SLO documents of a file say, one .toml file each
    Import {
        /// OpenSLO v1 documents, YAML or JSON
        file: PathBuf,
        /// Folder for the contracts; files that are there are not replaced
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct ContractArgs {
    /// Folder of contracts; otherwise `contracts` beside the program or here, or those built in
    #[arg(long, value_name = "DIR")]
    pub(super) contracts: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    #[command(flatten)]
    pub(super) contracts: ContractArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    /// Frames for what takes frames, the pipeline first: raw little-endian float64 or .npy of shape (count, 1800)
    #[arg(long, value_name = "FILE")]
    pub(super) input: Option<PathBuf>,
    /// How many frames of the formula go through the pipeline where no file is given; with --dump, how many frames are dumped
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(super) frames: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// Fewer iterations, frames, seeds and tuned kernels; the workloads keep their size
    #[arg(long)]
    pub(super) quick: bool,
    /// Only these sections
    #[arg(long, value_name = "SECTION", value_delimiter = ',')]
    pub(super) only: Vec<SectionName>,
    #[command(flatten)]
    pub(super) course: CourseArgs,
    /// Frames of each workload compared in every version, each from one state; otherwise a few, and on a GPU 1000
    /// against the optimised version
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(super) compared_frames: Option<u64>,
    /// Instead of validating, write what the workloads put out from their initial state on: an .npy file a quantity,
    /// the first axis the frame, into a folder that is new, empty or holds an earlier dump
    #[arg(long, value_name = "DIR", conflicts_with_all = ["quick", "only", "fail_fast", "keep_going", "compared_frames", "out", "json", "contracts"])]
    pub(super) dump: Option<PathBuf>,
    /// With --dump: seed of initial states and noise, 42 unless given
    #[arg(long, value_name = "SEED")]
    pub(super) seed: Option<u64>,
    /// With --dump: which version, `device` unless given; on the host that is the optimised one in place of the kernels
    #[arg(long, value_name = "VERSION")]
    pub(super) variant: Option<VariantName>,
}

#[derive(Debug, clap::Args)]
pub(super) struct BenchArgs {
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// A first look: fewer iterations, frames, seconds and tuned kernels; the workloads keep their size
    #[arg(long, conflicts_with_all = ["iterations", "capacity"])]
    pub(super) quick: bool,
    /// Only these sections
    #[arg(long, value_name = "SECTION", value_delimiter = ',', conflicts_with = "workload")]
    pub(super) only: Vec<BenchSection>,
    /// Only this workload, what its contracts promise of its kernel and of saturation, and the pipeline
    #[arg(long, value_name = "NAME")]
    pub(super) workload: Option<String>,
    #[command(flatten)]
    pub(super) course: CourseArgs,
    /// Samples of each workload; otherwise as many as the contract asks for
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(super) iterations: Option<u64>,
    /// Search, with so many rates, for the highest Poisson rate at which each contract holds
    #[arg(long, value_name = "RATES", value_parser = clap::value_parser!(u32).range(1..=32))]
    pub(super) capacity: Option<u32>,
    /// An earlier report (report.json) of this machine; what became worse than there fails. Given several times, of one
    /// build (three at least, five or more to find a few percent), what varies between them counts as well
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) tolerance: ToleranceArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    #[command(flatten)]
    pub(super) contracts: ContractArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct FramesArgs {
    /// How many frames
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(super) count: u64,
    /// The file, replaced if it is there
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
    /// Values only, without the header of an .npy file
    #[arg(long)]
    pub(super) raw: bool,
}

/// The versions of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum VariantName {
    Naive,
    Optimised,
    Device,
}

impl From<VariantName> for Variant {
    fn from(name: VariantName) -> Self {
        match name {
            VariantName::Naive => Self::Naive,
            VariantName::Optimised => Self::Optimised,
            VariantName::Device => Self::Device,
        }
    }
}

/// The parts of `validate`, in the order they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SectionName {
    Doctor,
    Kernels,
    Pipeline,
    Resilience,
    Tuning,
    Efficacy,
    Saturation,
    Contract,
}

/// The parts of `bench`, in the order they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum BenchSection {
    ActiveInference,
    Thermodynamic,
    Frame,
    Pipeline,
    Efficacy,
    Saturation,
}

impl BenchSection {
    /// The workload that it measures, if it is about one.
    pub(super) fn workload(self) -> Option<Reference> {
        match self {
            Self::ActiveInference => Some(Reference::ActiveInference),
            Self::Thermodynamic => Some(Reference::Thermodynamic),
            Self::Frame => Some(Reference::Frame),
            Self::Pipeline | Self::Efficacy | Self::Saturation => None,
        }
    }
}

/// A section's name on the command line, which is its name in reports.
pub(super) fn name_of(section: &impl ValueEnum) -> String {
    let value = section.to_possible_value().expect("no section is left out of the command line");
    value.get_name().to_owned()
}

impl Command {
    /// What goes to stdout.
    pub(super) fn output(&self) -> Output {
        match self {
            Self::Validate(ValidateArgs { run, .. }) | Self::Bench(BenchArgs { run, .. }) => {
                run.output.output()
            }
            Self::Merge(args) => args.output.output(),
            Self::Compare(args) => args.output(),
            Self::Doctor(_)
            | Self::Frames(_)
            | Self::Contract(_)
            | Self::Report(_)
            | Self::Shell(_) => Output::Table,
        }
    }

    /// Whether the last line says what it came to.
    pub(super) fn ends_with_verdict(&self) -> bool {
        match self {
            Self::Validate(args) => args.dump.is_none(),
            Self::Bench(_) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_fits_together() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }
}
