//! What a workload is to a measurement: something that can be repeated, checked and timed.
//!
//! Never times itself: [`measure`](crate::measure) does.

#[cfg(feature = "workloads")]
mod active_inference;
#[cfg(feature = "workloads")]
mod frame;
#[cfg(feature = "workloads")]
mod reference;
#[cfg(feature = "workloads")]
mod thermodynamic;

use std::time::Duration;

use crate::error::{Error, Result, nearest};

#[cfg(feature = "workloads")]
pub use active_inference::ActiveInference;
#[cfg(feature = "workloads")]
pub use frame::Frame;
#[cfg(feature = "workloads")]
pub use reference::{Reference, Variant, WorkloadConfig};
#[cfg(feature = "workloads")]
pub use thermodynamic::Thermodynamic;

/// The workloads that this program can run, in the order in which it does.
pub const WORKLOADS: &[&str] = &["active-inference", "thermodynamic", "frame"];

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Which part.
    pub name: String,
    /// How long, between two events of the stream.
    pub elapsed: Duration,
}

impl Phase {
    /// The part `name`, which took `elapsed`.
    pub fn new(name: impl Into<String>, elapsed: Duration) -> Self {
        Self { name: name.into(), elapsed }
    }
}

/// One output of an iteration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Output<'a> {
    /// Its name, such as `theta`.
    pub name: &'static str,
    /// What it came to.
    pub values: Values<'a>,
}

/// What an output came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values<'a> {
    /// A list of numbers, always of the same length.
    Many(&'a [f64]),
    /// One number.
    One(f64),
    /// One choice among several, from 0.
    Choice(i64),
}

impl<'a> Output<'a> {
    /// A list of numbers.
    pub fn many(name: &'static str, values: &'a [f64]) -> Self {
        Self { name, values: Values::Many(values) }
    }

    /// One number.
    pub fn one(name: &'static str, value: f64) -> Self {
        Self { name, values: Values::One(value) }
    }

    /// One choice among several.
    pub fn choice(name: &'static str, choice: usize) -> Self {
        Self { name, values: Values::Choice(i64::try_from(choice).unwrap_or(i64::MAX)) }
    }

    /// The first value that is not finite, and its index.
    fn fault(&self) -> Option<(usize, f64)> {
        let values = match &self.values {
            Values::Many(values) => *values,
            Values::One(value) => std::slice::from_ref(value),
            Values::Choice(_) => &[],
        };
        values.iter().copied().enumerate().find(|(_, value)| !value.is_finite())
    }
}

/// Work that repeats.
pub trait Workload {
    /// Its name and version, such as `thermodynamic, naive`.
    fn name(&self) -> String;

    /// Its size.
    fn n(&self) -> usize;

    /// Brings the input of the next iteration into place. Called once before each, never inside a sample.
    ///
    /// # Errors
    /// What the source of the input says, or what is wrong with it; the workload is as it was, and may be given another.
    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    /// One iteration: from input in page-locked memory to every output in page-locked memory and the stream synchronised.
    ///
    /// # Errors
    /// What the device says, or which part of the work failed.
    fn step(&mut self) -> Result<()>;

    /// Shows every output of the last iteration, always the same ones in the same order; nothing before
    /// the first, and nothing if it was refused.
    fn outputs(&self, visit: &mut dyn FnMut(Output<'_>));

    /// Refuses outputs of the last iteration that are not finite. Called between samples, never inside one.
    ///
    /// # Errors
    /// [`Error::OutputValue`].
    fn check(&self) -> Result<()> {
        let mut fault = None;
        self.outputs(&mut |output| {
            if fault.is_none() {
                fault = output.fault().map(|(index, value)| (output.name, index, value));
            }
        });
        match fault {
            None => Ok(()),
            Some((output, index, value)) => {
                Err(Error::OutputValue { workload: self.name(), output, index, value })
            }
        }
    }

    /// One iteration with a timed event around each part, of which a processor version has none. Slower than
    /// [`step`](Self::step): never a latency sample.
    ///
    /// # Errors
    /// As for [`step`](Self::step).
    fn step_marked(&mut self) -> Result<()> {
        self.step()
    }

    /// The parts of the last marked iteration, one after the other without a gap: always the same ones in the same
    /// order, and none of a processor version.
    ///
    /// # Errors
    /// What the device says, or that nothing was marked.
    fn phases(&self) -> Result<Vec<Phase>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts out one list, one number and one choice.
    struct Fixed([f64; 3], f64);

    impl Workload for Fixed {
        fn name(&self) -> String {
            "fixed".to_owned()
        }

        fn n(&self) -> usize {
            3
        }

        fn step(&mut self) -> Result<()> {
            Ok(())
        }

        fn outputs(&self, visit: &mut dyn FnMut(Output<'_>)) {
            visit(Output::many("list", &self.0));
            visit(Output::one("number", self.1));
            visit(Output::choice("choice", 4));
        }
    }

    #[test]
    fn the_first_output_that_is_not_finite_is_named() {
        let check = |list, number| Fixed(list, number).check().map_err(|error| error.to_string());
        assert_eq!(check([0.0, -1.0, f64::MAX], 0.5), Ok(()));
        let message = "workload `fixed`: list is inf at index 1";
        assert_eq!(check([0.0, f64::INFINITY, f64::NAN], f64::NAN), Err(message.to_owned()));
        let message = "workload `fixed`: number is NaN at index 0";
        assert_eq!(check([0.0; 3], f64::NAN), Err(message.to_owned()));
    }
}
