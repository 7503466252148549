//! How far a machine that wanders while it measures may shift a ratio, by the spread between the laps of both sides.
//!
//! Never sees what changes from run to run.
//!
//! The variance of a side is that of the mean of its laps' logarithms; those of both sides add up, with the degrees of
//! freedom of Welch (Biometrika 34, 1947). A machine that wanders more slowly than a lap lasts makes neighbours alike,
//! and ten laps are worth fewer: by the factor `(1 + r) / (1 - r)`, if `r` is the correlation of neighbours in a process
//! of first order (Bayley and Hammersley, Supplement to the Journal of the Royal Statistical Society 8, 1946). It is
//! estimated from both sides together, freed of the bias that it has in short series (Marriott and Pope, Biometrika 41,
//! 1954).

#[cfg(test)]
mod tests;

use statrs::distribution::{ContinuousCDF as _, StudentsT};

use crate::recorder::{LAPS, Lap, Latency};
use crate::statistics::Quantile;

/// Laps of a node, in sums.
const COUNT: f64 = LAPS as f64;

/// With more, ten laps would be worth fewer than two, and so few tell nothing of a spread.
const CORRELATION_MAX: f64 = 2.0 / 3.0;

/// How far the logarithm of the ratio of two sides reaches either way; 0 where a side has no laps to tell by.
///
/// At least as far as that of the medians: what slows the machine moves all percentiles, and shows in those of the tail
/// less clearly, since they vary by themselves.
pub(super) fn reach(sides: [&Latency; 2], quantile: Quantile, confidence: f64) -> f64 {
    let at = |quantile| reach_at(sides, quantile, confidence);
    at(Quantile::P50).max(at(quantile))
}

fn reach_at(sides: [&Latency; 2], quantile: Quantile, confidence: f64) -> f64 {
    let nodes = sides.map(|latency| {
        let nodes = latency.laps.iter().map(|laps| Node::of(laps, quantile));
        nodes.collect::<Option<Vec<_>>>().unwrap_or_default()
    });
    if nodes.iter().any(Vec::is_empty) {
        return 0.0;
    }
    // A side is the mean of its nodes, each of which wanders for itself.
    let variances = nodes.iter().flat_map(|side| {
        let count = side.len() as f64;
        side.iter().map(move |node| node.squares / (COUNT - 1.0) / COUNT / count.powi(2))
    });
    let (sum, squares) = variances.fold((0.0, 0.0), |(sum, squares), variance| {
        (sum + variance, squares + variance * variance)
    });
    if sum <= 0.0 {
        return 0.0;
    }
    let inflation = inflation(&nodes.concat());
    let freedom = (sum * sum / squares * (COUNT - 1.0) / inflation).max(1.0);
    let student = StudentsT::new(0.0, 1.0, freedom).expect("the degrees of freedom are positive");
    student.inverse_cdf(0.5 + confidence / 2.0) * (sum * inflation).sqrt()
}

/// By how much the variance of a mean of these laps exceeds that of as many independent ones.
fn inflation(nodes: &[Node]) -> f64 {
    let sum = |term: fn(&Node) -> f64| nodes.iter().map(term).sum::<f64>();
    let seen = sum(|node| node.products) / sum(|node| node.squares);
    // What is seen of a correlation r over n laps is r - (1 + 4 r) / n on average.
    let correlation = (seen + 1.0 / COUNT) / (1.0 - 4.0 / COUNT);
    let correlation = correlation.clamp(0.0, CORRELATION_MAX);
    (1.0 + correlation) / (1.0 - correlation)
}

/// Sums over the laps of one node, of the deviations of their logarithms from the mean.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Of each with itself.
    squares: f64,
    /// Of each with the next one.
    products: f64,
}

impl Node {
    /// `None` if the laps are too short for that percentile.
    fn of(laps: &[Lap], quantile: Quantile) -> Option<Self> {
        // A latency of less than a nanosecond has no logarithm.
        let logs = laps.iter().map(|lap| Some((lap.at(quantile)?.max(1) as f64).ln()));
        let logs: Vec<f64> = logs.collect::<Option<_>>()?;
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let deviations: Vec<_> = logs.iter().map(|log| log - mean).collect();
        let squares = deviations.iter().map(|deviation| deviation * deviation).sum();
        let products = deviations.windows(2).map(|pair| pair[0] * pair[1]).sum();
        (logs.len() == LAPS).then_some(Self { squares, products })
    }
}
