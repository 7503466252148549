//! What can go wrong between a contract, its input and its report, as values.
//!
//! Every message is one line that names the thing and what to do about it.

use std::path::PathBuf;

use gpu_core::ErrorKind;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be read, measured or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two contracts with one name.
    #[error("{}: contract `{name}` is already defined in {}; rename one", file.display(), other.display())]
    ContractDuplicate {
        /// The second file.
        file: PathBuf,
        /// The name that both use.
        name: String,
        /// The first file.
        other: PathBuf,
    },
    /// A folder of contracts that cannot be listed.
    #[error("contracts folder {} cannot be read ({reason}); name a folder of .toml files with --contracts", folder.display())]
    ContractFolder {
        /// The folder.
        folder: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A key that contracts do not have.
    #[error("{}: unknown key `{key}`; {}", file.display(), suggestion(nearest.as_deref(), known))]
    ContractKey {
        /// The contract's file.
        file: PathBuf,
        /// The key as written, with its table.
        key: String,
        /// The known key that looks most like it.
        nearest: Option<String>,
        /// Every known key of that table.
        known: &'static [&'static str],
    },
    /// A key that every contract needs.
    #[error("{}: key `{key}` is missing; add `{key} = {example}`", file.display())]
    ContractMissing {
        /// The contract's file.
        file: PathBuf,
        /// The key.
        key: &'static str,
        /// A value it may take, as TOML.
        example: &'static str,
    },
    /// Text that is not TOML.
    #[error("{}:{line}: not valid TOML: {reason}", file.display())]
    ContractSyntax {
        /// The contract's file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The parser's words.
        reason: String,
    },
    /// A value that a key does not accept.
    #[error("{}: `{key} = {value}` is not accepted; it must be {expected}", file.display())]
    ContractValue {
        /// The contract's file.
        file: PathBuf,
        /// The key, with its table.
        key: String,
        /// The value as written.
        value: String,
        /// What it must be.
        expected: String,
    },
    /// A contract that promises nothing.
    #[error("{}: the contract has no limit; add one, such as `p99 = 0.06` under [limits_ms]", file.display())]
    ContractWithoutLimit {
        /// The contract's file.
        file: PathBuf,
    },
    /// A contract about what tuning gains, of a workload and size of which no kernel is on trial.
    #[cfg(feature = "workloads")]
    #[error(
        "no kernel of workload `{workload}` at n = {n} is tried against a generic launch, only of {known}; leave [efficacy] out"
    )]
    ContractWithoutTrial {
        /// The workload.
        workload: &'static str,
        /// Its size in the contract.
        n: usize,
        /// Those of which one is.
        known: String,
    },
    /// The device said no.
    #[error(transparent)]
    Device(#[from] gpu_core::Error),
    /// A configuration of a trial whose result on fresh inputs is wrong.
    #[cfg(feature = "workloads")]
    #[error("`{subject}` at {point}, on fresh inputs: {mismatch}")]
    Efficacy {
        /// What is tried out.
        subject: String,
        /// The configuration.
        point: String,
        /// What is wrong.
        mismatch: Box<kernel_tuner::Mismatch>,
    },
    /// A frame or call that a workload refused. Its state is that of the last good one.
    #[error(
        "workload `{workload}`: frame {frame}, phase `{phase}`: {reason}; the state of the last good frame stands"
    )]
    Frame {
        /// The workload and its version.
        workload: String,
        /// Which frame, from 0, refused ones included.
        frame: u64,
        /// What it did not get through.
        phase: String,
        /// What was wrong.
        reason: String,
    },
    /// A frame file whose header or size is not that of frames.
    #[error("{}: {reason}", file.display())]
    FrameFile {
        /// The file.
        file: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A value in a frame that is NaN or infinite.
    #[error("{}: frame {frame} has {value} at index {index}; frames hold finite numbers only", file.display())]
    FrameValue {
        /// The file.
        file: PathBuf,
        /// The frame, from 0.
        frame: u64,
        /// The value's place in the frame, from 0.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A source of frames that ended where another frame was due.
    #[error(
        "workload `{workload}`: its source ended after {frames} frames; name a longer or an endless one"
    )]
    FramesEnded {
        /// The workload and its version.
        workload: String,
        /// Frames that came.
        frames: u64,
    },
    /// Reports of which no figure means the same.
    #[error("these reports cannot be compared, they are of another {what}: {base} and {head}")]
    Incomparable {
        /// What differs.
        what: String,
        /// What it is in the first report.
        base: String,
        /// What it is in the other.
        head: String,
    },
    /// A file that cannot be opened or read.
    #[error("{}: cannot be read: {reason}", file.display())]
    Input {
        /// The file.
        file: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// An OpenSLO document that is none, or that says something else than a contract can.
    #[error("{}{reason}", document(file.as_ref(), name))]
    OpenSlo {
        /// The file; `None` for a contract that cannot be put into one.
        file: Option<PathBuf>,
        /// The document's name, or the contract's; empty where there is none.
        name: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A workload's output that is NaN or infinite.
    #[error("workload `{workload}`: {output} is {value} at index {index}")]
    OutputValue {
        /// The workload and its version.
        workload: String,
        /// Which of its outputs.
        output: &'static str,
        /// The value's place in it, from 0.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A folder that holds something else than what is to be written there.
    #[error("output folder {} holds something else than {holds}; name a new or empty folder with {option}", folder.display())]
    OutputTaken {
        /// The folder.
        folder: PathBuf,
        /// What may be replaced there.
        holds: &'static str,
        /// The option that names the folder.
        option: &'static str,
    },
    /// A file or folder that cannot be written.
    #[error("output {} cannot be written: {reason}; name another place with {option}", path.display())]
    OutputUnwritable {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        reason: String,
        /// The option that names the place.
        option: &'static str,
    },
    /// A report that is not one, or of another version of this program.
    #[error("{}: not a report of schema {expected}: {reason}", file.display())]
    ReportInvalid {
        /// The file.
        file: PathBuf,
        /// The schema that this program writes.
        expected: u32,
        /// What is wrong with it.
        reason: String,
    },
    /// The system starts no more threads.
    #[error(
        "no thread can be started: {reason}; ask for fewer services or raise the limit of threads"
    )]
    ThreadMissing {
        /// The system's words.
        reason: String,
    },
    /// One of several services of a workload that ran side by side.
    #[error("service {number} of {count}: {reason}")]
    Service {
        /// Which one, from 1.
        number: u32,
        /// How many there were.
        count: u32,
        /// Why it ended.
        reason: Box<Self>,
    },
    /// The tuner came to no choice.
    #[cfg(feature = "workloads")]
    #[error(transparent)]
    Tuning(#[from] kernel_tuner::Error),
    /// A size that a workload does not have.
    #[error("workload `{workload}` has n = {expected}, not {n}")]
    WorkloadSize {
        /// The workload.
        workload: &'static str,
        /// The size asked for.
        n: usize,
        /// The one it has.
        expected: usize,
    },
    /// A size that would take more memory than a machine can be expected to have.
    #[error("workload `{workload}` takes n up to {n_max}, not {n}")]
    WorkloadTooLarge {
        /// The workload.
        workload: &'static str,
        /// The size asked for.
        n: usize,
        /// The largest that it takes.
        n_max: usize,
    },
    /// A name that no workload has.
    #[error("unknown workload `{name}`{}; {}", place(file.as_ref()), suggestion(nearest.as_deref(), known))]
    WorkloadUnknown {
        /// The name as written.
        name: String,
        /// The contract that names it, if one does.
        file: Option<PathBuf>,
        /// The known name that looks most like it.
        nearest: Option<String>,
        /// Every known name.
        known: Vec<String>,
    },
}

impl Error {
    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Device(error) => error.kind(),
            Self::Service { reason, .. } => reason.kind(),
            #[cfg(feature = "workloads")]
            Self::Tuning(error) => error.kind(),
            #[cfg(feature = "workloads")]
            Self::ContractWithoutTrial { .. } | Self::Efficacy { .. } => ErrorKind::Invalid,
            Self::OutputUnwritable { .. } => ErrorKind::Unavailable,
            Self::ThreadMissing { .. } => ErrorKind::Exhausted,
            Self::ContractDuplicate { .. }
            | Self::ContractFolder { .. }
            | Self::ContractKey { .. }
            | Self::ContractMissing { .. }
            | Self::ContractSyntax { .. }
            | Self::ContractValue { .. }
            | Self::ContractWithoutLimit { .. }
            | Self::Frame { .. }
            | Self::FrameFile { .. }
            | Self::FrameValue { .. }
            | Self::FramesEnded { .. }
            | Self::Incomparable { .. }
            | Self::Input { .. }
            | Self::OpenSlo { .. }
            | Self::OutputTaken { .. }
            | Self::OutputValue { .. }
            | Self::ReportInvalid { .. }
            | Self::WorkloadSize { .. }
            | Self::WorkloadTooLarge { .. }
            | Self::WorkloadUnknown { .. } => ErrorKind::Invalid,
        }
    }
}

/// The known name that looks most like `name`, if one looks like it at all.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// Below this Jaro-Winkler similarity a suggestion confuses more than it helps.
    const SIMILARITY_MIN: f64 = 0.7;
    let scored = known.into_iter().map(|word| (strsim::jaro_winkler(name, word), word));
    let best = scored.max_by(|left, right| left.0.total_cmp(&right.0))?;
    (best.0 >= SIMILARITY_MIN).then(|| best.1.to_owned())
}

fn suggestion(nearest: Option<&str>, known: &[impl AsRef<str>]) -> String {
    let known: Vec<_> = known.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    let known = known.join(", ");
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`? (known: {known})"),
        None => format!("known: {known}"),
    }
}

fn document(file: Option<&PathBuf>, name: &str) -> String {
    let file = file.map_or_else(String::new, |file| format!("{}: ", file.display()));
    if name.is_empty() { file } else { format!("{file}SLO `{name}`: ") }
}

fn place(file: Option<&PathBuf>) -> String {
    file.map_or_else(String::new, |file| format!(" in {}", file.display()))
}
