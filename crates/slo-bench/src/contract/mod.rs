//! A contract: what a workload promises on a kind of device, as a TOML file.
//!
//! Never measures: [`Contract::judge`] compares a promise with what a [`Recorder`] saw.
//!
//! ```toml
//! name = "thermodynamic-h100"
//! workload = "thermodynamic"
//! device = "cuda"          # or "host"
//! n = 900                  # size of the workload
//! iterations = 100_000     # fewest that a verdict needs
//! note = "where the limit comes from"   # optional
//!
//! [limits_ms]              # at least one of p50, p90, p99, p999, max
//! p99 = 0.06
//! ```

mod parse;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use gpu_core::BackendKind;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::recorder::Recorder;
use crate::statistics::Quantile;
use crate::verdict::Verdict;

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

/// What a workload promises on a kind of device.
#[derive(Clone, Debug, PartialEq)]
pub struct Contract {
    /// Its name, unique among the contracts of a folder.
    pub name: String,
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
    /// The promises; at least one.
    pub limits: Vec<Limit>,
}

/// How one limit of a contract was met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clause {
    /// Such as `p99`.
    pub quantile: String,
    /// What it had to stay below, in milliseconds.
    pub limit_ms: f64,
    /// What it was; absent if there were too few samples to tell.
    pub measured_ms: Option<f64>,
    /// Samples at or over the limit, counted exactly.
    pub over_count: u64,
    /// Most such samples under which the promise still holds.
    pub over_count_max: u64,
    /// Samples.
    pub samples: u64,
    /// How it was met.
    pub verdict: Verdict,
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

    /// Compares every limit with what was measured, by counting samples over the limit and not by a rounded percentile.
    ///
    /// # Panics
    /// If the recorder was made for other limits than those of this contract.
    pub fn judge(&self, recorder: &Recorder) -> Vec<Clause> {
        let counts = recorder.over_counts();
        assert_eq!(counts.len(), self.limits.len(), "the recorder counts for this contract");
        let pairs = self.limits.iter().zip(counts);
        pairs.map(|(limit, &over_count)| clause(limit, over_count, recorder)).collect()
    }

    /// The limits as a recorder takes them.
    pub fn limits_ns(&self) -> Vec<u64> {
        self.limits.iter().map(Limit::limit_ns).collect()
    }
}

fn clause(limit: &Limit, over_count: u64, recorder: &Recorder) -> Clause {
    let samples = recorder.len();
    let quantile = limit.quantile;
    let over_count_max = samples.saturating_sub(quantile.rank(samples));
    let verdict = if !quantile.is_supported_by(samples) {
        let needed = quantile.samples_min();
        Verdict::invalid(format!("{samples} samples, {quantile} needs at least {needed}"))
    } else if over_count <= over_count_max {
        Verdict::Pass
    } else {
        Verdict::Fail
    };
    Clause {
        quantile: quantile.to_string(),
        limit_ms: limit.limit_ms,
        measured_ms: recorder.quantile(quantile).map(milliseconds),
        over_count,
        over_count_max,
        samples,
        verdict,
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
