//! Searches: which configuration to try next, decided from what earlier ones took.
//!
//! Pure: a search never measures and never touches a device.

mod exhaustive;

pub use self::exhaustive::Exhaustive;

/// What became of a configuration, as far as a search needs to know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Score {
    /// It is right and takes this long.
    Time {
        /// Median, in microseconds.
        us: f64,
    },
    /// It was refused, failed, or gave a wrong result.
    Unusable,
}

/// A way to walk a space, by the indices of its points. The tuner asks, tries and tells, in turn.
pub trait SearchAlgorithm {
    /// What the search is called in reports.
    fn name(&self) -> &'static str;

    /// The next point to try, below the space's length; `None` when the search has ended.
    fn ask(&mut self) -> Option<usize>;

    /// What became of the point that was asked for last.
    fn tell(&mut self, index: usize, score: Score);
}
