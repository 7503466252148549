//! Launch configurations: what fits, what is fastest, and whether it is still right.
//!
//! [`KernelTuner`] calculates occupancy and recommends block sizes, with or without a device. [`PerformanceTuner`]
//! walks a kernel's space through a [`SearchAlgorithm`], verifies every configuration before it is
//! timed, and compares the fastest with the baseline side by side. [`ProfileCache`] keeps the results.
//! Nothing here compiles kernels or changes a device's settings.
//!
//! ```
//! use gpu_core::{Capability, KernelAttributes};
//! use kernel_tuner::{KernelTuner, Limiter};
//!
//! # fn main() -> Result<(), kernel_tuner::Error> {
//! let kernel = KernelAttributes {
//!     registers: 72,
//!     shared_bytes: 0,
//!     local_bytes: 0,
//!     threads_max: 1024,
//!     dynamic_shared_bytes_max: 48 << 10,
//! };
//! let tuner = KernelTuner::for_capability(Capability::new(9, 0), kernel)?;
//! let at_256 = tuner.recommendation(256, 0);
//! assert_eq!(at_256.occupancy.blocks, 3);
//! assert!(at_256.occupancy.limiters.contains(Limiter::Registers));
//! assert_eq!(at_256.lift.unwrap().registers, Some(64), "eight registers fewer make room for a fourth block");
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod cache;
mod config;
mod contest;
mod error;
mod kernel_tuner;
mod limits;
mod measure;
mod occupancy;
mod outcome;
mod profile;
mod search;
mod subject;
mod tuner;

pub use cache::ProfileCache;
pub use config::TunerConfig;
pub use error::{Error, Result};
pub use kernel_tuner::{KernelTuner, Lift, OCCUPANCY_GOAL, Recommendation, Suggestion};
pub use limits::HardwareLimits;
pub use measure::{Decision, EventTimer, Measured, StopRule, Timer, median_interval};
pub use occupancy::{BlockLimits, BlockUse, Limiter, Limiters, Occupancy};
pub use outcome::{
    CandidateOutcome, Choice, Counts, DeviceLabel, Outcome, Speedup, Tuned, Verdict,
};
pub use profile::ProfileKey;
pub use search::{Exhaustive, Score, SearchAlgorithm};
pub use subject::{Mismatch, Ready, Subject};
pub use tuner::PerformanceTuner;
