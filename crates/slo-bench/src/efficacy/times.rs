//! How long each configuration of a search took, as a chart for a report.
//!
//! Shows what was tried and claims nothing: among many equal configurations the fastest time seen is that of the luckiest.

use kernel_tuner::{Outcome, Tuned};

use crate::chart::{Chart, Quantity};

/// Median times of the configurations that are right, in microseconds, ascending.
pub fn times_us(tuned: &Tuned) -> Vec<f64> {
    let timed = tuned.candidates.iter().filter_map(|candidate| match &candidate.outcome {
        Outcome::Timed { time } => Some(time.median_us),
        Outcome::Refused { .. } | Outcome::Failed { .. } | Outcome::Wrong { .. } => None,
    });
    let mut times: Vec<_> = timed.collect();
    times.sort_by(f64::total_cmp);
    times
}

/// `times_us` of a search, ascending, one beside the other.
pub fn times_chart(subject: &str, times_us: &[f64], measured_on: &str) -> Chart {
    let count = Quantity::new("configurations as fast or faster", "");
    let time = Quantity::new("median by events", "us").logarithmic();
    let title = format!("{subject}: times of all right configurations in the search");
    let mut chart = Chart::new(title, measured_on, count, time);
    let ranks = (1u32..).map(f64::from);
    chart.line("configurations", ranks.zip(times_us.iter().map(|&time| Some(time))));
    chart
}
