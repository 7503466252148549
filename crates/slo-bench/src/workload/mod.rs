//! What a workload is to a measurement: something that can be repeated, checked and timed.
//!
//! Never times itself: [`measure`](crate::measure) does.

#[cfg(feature = "workloads")]
mod thermodynamic;

use std::time::Duration;

use crate::error::Result;

#[cfg(feature = "workloads")]
pub use thermodynamic::{Thermodynamic, Variant};

/// The workloads that this program can run.
pub const WORKLOADS: &[&str] = &["thermodynamic"];

/// Time on the device of one part of an iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Which part.
    pub name: &'static str,
    /// How long, between two events of the stream.
    pub elapsed: Duration,
}

/// Work that repeats.
pub trait Workload {
    /// Its name and version, such as `thermodynamic, naive`.
    fn name(&self) -> String;

    /// Its size.
    fn n(&self) -> usize;

    /// One iteration: from input in page-locked memory to every output in page-locked memory and the stream synchronised.
    ///
    /// # Errors
    /// What the device says.
    fn step(&mut self) -> Result<()>;

    /// Refuses outputs of the last iteration that are not finite. Called between samples, never inside one.
    ///
    /// # Errors
    /// [`Error::OutputValue`](crate::Error::OutputValue).
    fn check(&self) -> Result<()>;

    /// One iteration with a timed event around each part. Slower than [`step`](Self::step): never a latency sample.
    ///
    /// # Errors
    /// What the device says.
    fn phases(&mut self) -> Result<Vec<Phase>>;
}
