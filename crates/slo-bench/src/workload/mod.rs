//! What a workload is to a measurement: something that can be repeated, checked and timed.
//!
//! Never times itself: [`measure`](crate::measure) does.

#[cfg(feature = "workloads")]
mod thermodynamic;

use std::time::Duration;

use crate::error::{Error, Result, nearest};

#[cfg(feature = "workloads")]
pub use thermodynamic::{Thermodynamic, Variant};

/// The workloads that this program can run.
pub const WORKLOADS: &[&str] = &["thermodynamic"];

/// Refuses a name that is not among `known`, with the nearest one.
///
/// # Errors
/// [`Error::WorkloadUnknown`].
pub fn check_workload(name: &str, known: &[&str]) -> Result<()> {
    if known.contains(&name) {
        return Ok(());
    }
    Err(Error::WorkloadUnknown {
        name: name.to_owned(),
        file: None,
        nearest: nearest(name, known.iter().copied()),
        known: known.iter().map(|&word| word.to_owned()).collect(),
    })
}

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
