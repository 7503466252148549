//! A contract: what a workload promises on a kind of device, as a TOML file.
//!
//! Never measures: [`Contract::judge_run`] compares promises with a [`Measurement`](crate::Measurement).
//!
//! ```toml
//! name = "thermodynamic-h100"
//! workload = "thermodynamic"
//! device = "cuda"          # or "host"
//! n = 900                  # size of the workload
//! iterations = 100_000     # fewest that a verdict needs
//! note = "where the limit comes from"   # optional
//! confidence = 0.95        # of a pass; 0.95 unless given
//! claim = "each"           # each limit alone with that confidence, or "joint": all together
//! throughput_hz_min = 9000 # optional
//!
//! [load]                   # optional; a closed loop unless given
//! model = "poisson"        # or "constant", without a seed, or "closed", without a rate
//! rate_hz = 9500
//! seed = 7
//!
//! [saturation]             # optional; for a GPU
//! demand = "multiprocessors"   # their time only; or "memory", or "arithmetic"
//! services = 4             # copies of the workload side by side; 1 unless given
//! seconds = 60             # that count, after a warm-up; 60 unless given
//! gpu_percent_min = 80     # what levels have to exceed, these unless given: NVML's time with a kernel resident,
//! sm_percent_min = 80      # and the counters' multiprocessors with a warp
//! rate_hz_min = 15000      # optional: fewest iterations a second of all services together
//! # memory_percent_min = 60, dram_percent_min = 60    for "memory": NVML's and the counters' share
//! # pipe_percent_min = 40                             for "arithmetic": the busiest pipe
//!
//! [limits_ms]              # at least one of p50, p90, p99, p999, max
//! p99 = 0.06
//!
//! [efficacy]               # optional; for a kernel that is tuned, on a GPU
//! gain_min = 2.0           # the tuned launch is shown to be more than so many times as fast as a generic one
//! ```
//!
//! `contracts/contract.schema.json` says the same to editors and other programs.

mod judge;
mod parse;
mod saturation;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use gpu_core::BackendKind;
use serde::{Deserialize, Serialize};

pub use judge::{Clause, Counted, Evidence};
pub use saturation::SaturationTerms;

use crate::error::{Error, Result};
use crate::load::Load;
use crate::statistics::Quantile;

/// The kind of device that a contract is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// A CUDA device.
    Cuda,
    /// The host's processor.
    Host,
}

impl Target {
    /// Whether a device of this backend is the one that the contract is about.
    pub fn is_met_by(self, backend: BackendKind) -> bool {
        match self {
            Self::Cuda => backend == BackendKind::Cuda,
            Self::Host => backend == BackendKind::Host,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Cuda => "cuda",
            Self::Host => "host",
        })
    }
}

/// One promise: a quantile of the latency stays below a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// Which quantile.
    pub quantile: Quantile,
    /// What it stays below, as it was written.
    pub limit_ms: f64,
}

impl Limit {
    /// The first whole nanosecond that breaks the promise.
    pub fn limit_ns(&self) -> u64 {
        let limit = Duration::try_from_secs_f64(self.limit_ms * 1e-3).unwrap_or(Duration::MAX);
        u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// What a contract's confidence is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Claim {
    /// Each limit by itself.
    #[default]
    Each,
    /// All limits together: each one by itself needs more (Bonferroni).
    Joint,
}

/// What a workload promises on a kind of device.
#[derive(Clone, Debug, PartialEq)]
pub struct Contract {
    /// Its name, unique among the contracts of a folder.
    pub name: String,
    /// The file that says so, as it was opened.
    pub file: PathBuf,
    /// The workload that it is about.
    pub workload: String,
    /// The kind of device that it is about.
    pub target: Target,
    /// Size of the workload.
    pub n: usize,
    /// Fewest iterations that a verdict needs.
    pub iterations: u64,
    /// Where the limits come from, in words.
    pub note: Option<String>,
    /// How sure a pass is, in 0..1.
    pub confidence: f64,
    /// Of what it is so sure.
    pub claim: Claim,
    /// When iterations begin.
    pub load: Load,
    /// Fewest completed iterations a second: of the time they ran in a closed loop, of the whole time in an open one.
    /// A fact about the run, for which no confidence is claimed.
    pub throughput_hz_min: Option<f64>,
    /// How many times as fast as a generic launch the tuned one of the workload's kernel has to be. A pass is shown by a
    /// bound of 95 % confidence, whatever [`confidence`](Self::confidence) is.
    pub gain_min: Option<f64>,
    /// How busy the workload keeps the device, if it promises that.
    pub saturation: Option<SaturationTerms>,
    /// The promises; at least one.
    pub limits: Vec<Limit>,
}

impl Contract {
    /// Reads a contract from `text`; `file` is named in errors, `known` are the workloads there are.
    ///
    /// # Errors
    /// [`Error::ContractSyntax`], [`Error::ContractKey`], [`Error::ContractMissing`], [`Error::ContractValue`],
    /// [`Error::ContractWithoutLimit`] or [`Error::WorkloadUnknown`].
    pub fn parse(text: &str, file: &Path, known: &[&str]) -> Result<Self> {
        parse::contract(text, file, known)
    }
}

/// A whole number of nanoseconds in milliseconds.
pub(crate) fn milliseconds(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64() * 1e3
}

/// Contracts and where they come from.
#[derive(Clone, Debug, PartialEq)]
pub struct ContractSet {
    /// The folder, or `built into the program`.
    pub origin: String,
    /// The contracts, sorted by file name.
    pub contracts: Vec<Contract>,
}

/// The contracts that the program is shipped with.
const SHIPPED: [(&str, &str); 6] = [
    (
        "active-inference-h100.toml",
        include_str!("../../../../contracts/active-inference-h100.toml"),
    ),
    (
        "active-inference-host.toml",
        include_str!("../../../../contracts/active-inference-host.toml"),
    ),
    ("frame-h100.toml", include_str!("../../../../contracts/frame-h100.toml")),
    ("frame-host.toml", include_str!("../../../../contracts/frame-host.toml")),
    ("thermodynamic-h100.toml", include_str!("../../../../contracts/thermodynamic-h100.toml")),
    ("thermodynamic-host.toml", include_str!("../../../../contracts/thermodynamic-host.toml")),
];

impl ContractSet {
    /// Every `.toml` file of `folder`.
    ///
    /// # Errors
    /// [`Error::ContractFolder`] if it cannot be listed or holds none, [`Error::ContractDuplicate`], and what [`Contract::parse`] refuses.
    pub fn read(folder: &Path, known: &[&str]) -> Result<Self> {
        let unreadable =
            |reason: String| Error::ContractFolder { folder: folder.to_owned(), reason };
        let files = toml_files(folder).map_err(|error| unreadable(error.to_string()))?;
        if files.is_empty() {
            return Err(unreadable("it holds no .toml file".to_owned()));
        }
        let texts = files.into_iter().map(|file| {
            let text = std::fs::read_to_string(&file);
            let text = text
                .map_err(|error| Error::Input { file: file.clone(), reason: error.to_string() })?;
            Ok((file, text))
        });
        Self::collect(folder.display().to_string(), texts, known)
    }

    /// The contracts that were built into this program.
    ///
    /// # Errors
    /// As for [`read`](Self::read), if `known` lacks a workload that the program ships a contract for.
    pub fn shipped(known: &[&str]) -> Result<Self> {
        let texts = SHIPPED.map(|(file, text)| Ok((PathBuf::from(file), text.to_owned())));
        Self::collect("built into the program".to_owned(), texts.into_iter(), known)
    }

    /// The folder `contracts` beside the program or up to two folders above it, or else in the current folder,
    /// if it holds a contract; otherwise the [`shipped`](Self::shipped) ones.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn discover(known: &[&str]) -> Result<Self> {
        let program = std::env::current_exe().unwrap_or_default();
        let beside = program.ancestors().skip(1).take(3).map(|folder| folder.join("contracts"));
        let mut candidates = beside.chain([PathBuf::from("contracts")]);
        let holds_some = |folder: &PathBuf| toml_files(folder).is_ok_and(|files| !files.is_empty());
        match candidates.find(holds_some) {
            Some(folder) => Self::read(&folder, known),
            None => Self::shipped(known),
        }
    }

    fn collect(
        origin: String,
        texts: impl Iterator<Item = Result<(PathBuf, String)>>,
        known: &[&str],
    ) -> Result<Self> {
        let mut read: Vec<(PathBuf, Contract)> = Vec::new();
        for item in texts {
            let (file, text) = item?;
            let contract = Contract::parse(&text, &file, known)?;
            if let Some((other, _)) = read.iter().find(|(_, other)| other.name == contract.name) {
                let other = other.clone();
                return Err(Error::ContractDuplicate { file, name: contract.name, other });
            }
            read.push((file, contract));
        }
        let contracts = read.into_iter().map(|(_, contract)| contract).collect();
        Ok(Self { origin, contracts })
    }
}

fn toml_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
