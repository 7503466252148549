//! Contracts, percentiles and reports: what a GPU workload promises, measured and judged.
//!
//! ```
//! use std::path::Path;
//!
//! use slo_bench::{Contract, Recorder, Verdict};
//!
//! # fn main() -> slo_bench::Result<()> {
//! let text = r#"
//!     name = "answer"
//!     workload = "lookup"
//!     device = "host"
//!     n = 1
//!     iterations = 1_000
//!     [limits_ms]
//!     p99 = 1.0
//! "#;
//! let contract = Contract::parse(text, Path::new("answer.toml"), &["lookup"])?;
//! let mut recorder = Recorder::new(&contract.limits_ns(), contract.iterations);
//! for i in 0..1_000 {
//!     recorder.record(900_000 + i); // nanoseconds
//! }
//! let clause = &contract.judge(&recorder)[0];
//! assert_eq!((clause.promise.as_str(), &clause.verdict), ("p99 < 1 ms", &Verdict::Pass));
//! # Ok(())
//! # }
//! ```
//!
//! Without its default features this is the measuring library over `gpu-core` alone. Feature `workloads` adds the
//! reference workloads, feature `cli` what programs of measurements share and the program `slo-bench`.
//!
//! # Exit codes of the program
//!
//! | code | meaning |
//! |---|---|
//! | 0 | everything holds; what needs a GPU is skipped where there is none |
//! | 1 | a check failed |
//! | 2 | bad usage or bad input |
//! | 3 | the environment: a GPU that is required and missing, no driver, no kernel image, a folder that cannot be written |
//! | 4 | inconclusive: too few samples, or samples worth too few, to tell |
//! | 5 | invalid: what was seen says nothing, such as a generator of load that was late |
#![forbid(unsafe_code)]

#[cfg(feature = "cli")]
pub mod cli;

mod attribution;
pub mod chart;
mod compare;
mod contract;
mod dump;
#[cfg(feature = "workloads")]
pub mod efficacy;
mod error;
mod folder;
mod frames;
mod load;
mod measure;
mod npy;
mod recorder;
mod report;
pub mod saturation;
#[cfg(test)]
mod schema;
mod stalls;
pub mod statistics;
mod verdict;
mod workload;

pub use attribution::{Attribution, SlowIteration, Tail};
pub use compare::{Comparison, Outcome, Row, Side, Tolerance, compare, compare_with_bases};
pub use contract::{
    Claim, Clause, Contract, ContractSet, Counted, Evidence, Limit, SaturationTerms, Target,
};
pub use dump::Dump;
pub use error::{Error, Result};
pub use frames::{
    FRAME_LEN, Formula, FrameFile, FrameFormat, FrameSource, Repeated, WINDOWS, write_frames,
};
pub use load::{Capacity, CapacityPlan, Load, Probe, capacity};
pub use measure::{Budget, MeasurePlan, Measurement, OpenLoop, Settling, WarmUp, measure};
pub use recorder::{
    Bucket, Interval, Lap, Latency, LatencyHistogram, LogInterval, Point, Recorder, write_hgrm,
    write_hlog,
};
pub use report::{
    Better, Check, Destination, Figure, Machine, PAGE, PROFILE, Program, REPORT_SCHEMA, Report,
    Run, Section, TIMELINE, TRACE, UtcTime, label, milliseconds, number,
};
pub use stalls::Stalls;
pub use statistics::Quantile;
pub use verdict::{Exit, Verdict};
pub use workload::{Output, Phase, Values, WORKLOADS, Workload, check_workload};

#[cfg(feature = "workloads")]
pub use workload::{ActiveInference, Frame, Reference, Thermodynamic, Variant, WorkloadConfig};
