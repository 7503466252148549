//! What is tuned: a piece of work with choices, that can tell whether its result is right.

use gpu_core::{KernelAttributes, Launch, LaunchSpace, Point, Stream};

/// Work with choices. A kernel's wrapper implements it, or any program for its own kernels.
///
/// Every configuration must do the same work, the baseline included: the tuner verifies the output of
/// each one, so a configuration that does less is found out.
pub trait Subject {
    /// What the work is called in reports.
    fn name(&self) -> &str;

    /// The choices.
    fn space(&self) -> LaunchSpace;

    /// The configuration to compare with: what a program would do without tuning.
    fn baseline(&self) -> Point;

    /// Makes a configuration ready, so that queueing it is cheap.
    ///
    /// # Errors
    /// Why this configuration cannot be launched; it is then counted as refused.
    fn prepare(&mut self, point: &Point) -> gpu_core::Result<Ready>;

    /// Queues the work in a configuration that was prepared.
    ///
    /// # Errors
    /// What queueing failed with; the configuration is then counted as failed.
    fn enqueue(&mut self, point: &Point, stream: &Stream) -> gpu_core::Result<()>;

    /// Brings inputs back to their start and overwrites every output with something that no right result contains.
    ///
    /// # Errors
    /// What the device says.
    fn poison(&mut self, stream: &Stream) -> gpu_core::Result<()>;

    /// Compares every output of one run after [`poison`](Self::poison) with what it must be.
    /// The inner result is the verdict.
    ///
    /// # Errors
    /// What the device says when the outputs are fetched.
    fn verify(&mut self, stream: &Stream) -> gpu_core::Result<Result<(), Mismatch>>;
}

/// A configuration that can be launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Its shape.
    pub launch: Launch,
    /// What the compiler made of the kernel, where that is known; occupancy is calculated from it.
    pub attributes: Option<KernelAttributes>,
}

/// How an output differs from what it must be.
///
/// Values are kept as text: a report must be able to say `NaN`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error(
    "{output} is wrong: {expected} expected at {index}, {actual} found ({wrong} elements differ)"
)]
pub struct Mismatch {
    /// Which output.
    pub output: String,
    /// The first wrong element.
    pub index: usize,
    /// What it must be.
    pub expected: String,
    /// What it is.
    pub actual: String,
    /// How many elements are wrong.
    pub wrong: usize,
}

impl Mismatch {
    /// Compares two outputs element by element. What is not a number never equals anything.
    ///
    /// # Errors
    /// The first element that differs by more than `tolerance`, absolutely; or the lengths, if they differ.
    pub fn compare(
        output: &str,
        expected: &[f64],
        actual: &[f64],
        tolerance: f64,
    ) -> Result<(), Self> {
        let mismatch = |index, expected: String, actual: String, wrong| Self {
            output: output.to_owned(),
            index,
            expected,
            actual,
            wrong,
        };
        if expected.len() != actual.len() {
            let (index, wrong) =
                (actual.len().min(expected.len()), expected.len().abs_diff(actual.len()));
            let text = |len: usize| format!("{len} elements");
            return Err(mismatch(index, text(expected.len()), text(actual.len()), wrong));
        }
        let pairs = || expected.iter().zip(actual);
        let is_wrong = |(expected, actual): (&f64, &f64)| {
            let difference = (expected - actual).abs();
            difference.is_nan() || difference > tolerance
        };
        let Some(index) = pairs().position(is_wrong) else { return Ok(()) };
        let wrong = pairs().filter(|&pair| is_wrong(pair)).count();
        Err(mismatch(index, expected[index].to_string(), actual[index].to_string(), wrong))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_found_named_and_counted_and_nan_is_one() {
        let expected = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(Mismatch::compare("y", &expected, &[1.0, 2.0, 3.0, 4.05], 0.1), Ok(()));
        let error = Mismatch::compare("y", &expected, &[1.0, f64::NAN, 3.0, 5.0], 0.1).unwrap_err();
        assert_eq!(error.to_string(), "y is wrong: 2 expected at 1, NaN found (2 elements differ)");
        let error = Mismatch::compare("y", &expected, &[1.0], 0.1).unwrap_err();
        assert_eq!((error.index, error.wrong), (1, 3));
        assert!(Mismatch::compare("y", &[f64::NAN], &[f64::NAN], 0.1).is_err());
    }
}
