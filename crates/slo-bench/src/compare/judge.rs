//! What the ratio of two figures comes to.
//!
//! A change is told only where both are shown: that there is one at all, and that it may be as large as matters.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::pair::{Both, Values};
use super::{Row, Taken, Tolerance, wander};
use crate::contract::milliseconds;
use crate::recorder::Latency;
use crate::report::{Better, nanoseconds};
use crate::statistics::{Quantile, rank_interval};

/// What became of a figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum Outcome {
    /// It improved, and by as much as matters may be.
    Better,
    /// It got worse, and by as much as matters may be.
    Worse,
    /// Whatever change there is, it is too small to matter.
    Same,
    /// It cannot be told.
    Undecided {
        /// Why not.
        reason: String,
    },
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Same => "same",
            Self::Undecided { .. } => "undecided",
        })
    }
}

impl Outcome {
    fn undecided(reason: impl Into<String>) -> Self {
        Self::Undecided { reason: reason.into() }
    }
}

/// The logarithm of head over base and how far its interval reaches down and up; infinite where an end is open.
#[derive(Clone, Copy, Debug)]
struct Change {
    log: f64,
    down: f64,
    up: f64,
}

impl Change {
    /// Reaching at least so far either way.
    fn or_wider(self, reach: f64) -> Self {
        Self { down: self.down.max(reach), up: self.up.max(reach), ..self }
    }
}

/// A percentile and the ends of its interval in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Located {
    value: f64,
    lower: f64,
    upper: f64,
}

pub(super) fn latency(
    pairs: &[&Both<'_>],
    taken: Taken,
    tolerance: &Tolerance,
    confidence: f64,
) -> Row {
    let first = pairs[0];
    let located = |latency| locate(latency, first.quantile, confidence);
    let [base, head] = [first.base, first.head].map(|latency| located(latency).map(|l| l.value));
    let ms = |ns: Option<f64>| ns.map_or(f64::NAN, |ns| ns / 1e6);
    let changes = pairs.iter().map(|pair| {
        let change = change(located(pair.base)?, located(pair.head)?);
        let reach = match (taken, pairs) {
            // What varies between pairs tells more of the machine than what varies within their runs.
            (Taken::InTurn, [_, _, ..]) => 0.0,
            _ => wander::reach([pair.base, pair.head], pair.quantile, confidence),
        };
        Some(change.or_wider(reach))
    });
    let changes: Option<Vec<_>> = changes.collect();
    let empty = Row {
        name: first.name.clone(),
        unit: "ms".to_owned(),
        base: ms(base),
        head: ms(head),
        ratio: f64::NAN,
        lower: None,
        upper: None,
        outcome: Outcome::undecided("one side has too few samples for this percentile"),
    };
    let Some(changes) = changes else { return empty };
    let whole = together(&changes, taken, confidence);
    let floor = milliseconds(tolerance.floor_ns) / empty.base;
    let mut row =
        Row { outcome: outcome(whole, tolerance.share.max(floor), Better::Smaller), ..empty };
    row.place(whole);
    if pairs.iter().any(|pair| !pair.is_sound) {
        row.outcome = Outcome::undecided("one side did not settle, or its device was slowed down");
    }
    row
}

pub(super) fn figure(
    pairs: &[&Values<'_>],
    taken: Taken,
    tolerance: &Tolerance,
    confidence: f64,
) -> Row {
    let first = pairs[0];
    let changes = pairs.iter().map(|pair| {
        let log = (pair.head / pair.base).ln();
        // One value has no interval; what it may vary by shows between pairs.
        Change { log, down: 0.0, up: 0.0 }
    });
    let whole = together(&changes.collect::<Vec<_>>(), taken, confidence);
    // Medians by events come in ticks: equal ones show no spread, and the next tick may be per cents away.
    let floor =
        nanoseconds(first.unit).map_or(0.0, |unit| tolerance.floor_ns as f64 / unit / first.base);
    let mut row = Row {
        name: first.name.clone(),
        unit: first.unit.to_owned(),
        base: first.base,
        head: first.head,
        ratio: f64::NAN,
        lower: None,
        upper: None,
        outcome: outcome(whole, tolerance.share.max(floor), first.better),
    };
    row.place(whole);
    if pairs.len() == 1 {
        (row.lower, row.upper) = (None, None);
        row.outcome =
            Outcome::undecided("one value a side does not show its spread; give several reports");
    }
    row
}

impl Row {
    fn place(&mut self, change: Change) {
        let end = |log: f64| Some(log.exp()).filter(|_| log.is_finite());
        self.ratio = change.log.exp();
        self.lower = end(change.log - change.down);
        self.upper = end(change.log + change.up);
    }
}

/// Worse: surely slower, and by `share` or more is not ruled out. Better likewise. Same: surely within `share`.
fn outcome(change: Change, share: f64, better: Better) -> Outcome {
    let edge = share.ln_1p();
    let (lower, upper) = (change.log - change.down, change.log + change.up);
    // What grows is worse for a time and better for a rate.
    let (grown, shrunk) = match better {
        Better::Smaller => (Outcome::Worse, Outcome::Better),
        Better::Larger => (Outcome::Better, Outcome::Worse),
    };
    if lower > -edge && upper < edge {
        Outcome::Same
    } else if lower > 0.0 {
        grown
    } else if upper < 0.0 {
        shrunk
    } else {
        Outcome::undecided("the samples neither show a change nor rule out one that matters")
    }
}

/// Where a percentile of all iterations lies. A bucket of the histogram counts as wide as it is.
fn locate(latency: &Latency, quantile: Quantile, confidence: f64) -> Option<Located> {
    let name = quantile.to_string();
    let interval = latency.intervals.iter().find(|interval| interval.quantile == name)?;
    let (samples, worth) = (latency.samples, interval.effective_samples);
    let ranks = rank_interval(samples, worth, quantile, confidence);
    let rank = quantile.rank(samples);
    let asked = [ranks.lower.unwrap_or(1), rank, ranks.upper.unwrap_or(samples)];
    let [low, at, high] = <[_; 3]>::try_from(latency.histogram.at_ranks(&asked)).ok()?;
    // A latency of less than a nanosecond has no logarithm.
    let positive = |ns: u64| ns.max(1) as f64;
    Some(Located {
        value: positive(u64::midpoint(*at.start(), *at.end())),
        lower: ranks.lower.map_or(0.0, |_| positive(*low.start())),
        upper: ranks.upper.map_or(f64::INFINITY, |_| positive(*high.end())),
    })
}

/// The method of variance estimates recovery for a difference of logarithms.
fn change(base: Located, head: Located) -> Change {
    let reach = |one: f64, other: f64| one.ln().hypot(other.ln());
    Change {
        log: (head.value / base.value).ln(),
        down: reach(head.value / head.lower, base.upper / base.value),
        up: reach(head.upper / head.value, base.value / base.lower),
    }
}

/// The mean of several pairs: as uncertain as its parts, or as the pairs differ, whichever is more.
fn together(changes: &[Change], taken: Taken, confidence: f64) -> Change {
    let count = changes.len() as f64;
    let log = changes.iter().map(|change| change.log).sum::<f64>() / count;
    let between = match StudentsT::new(0.0, 1.0, count - 1.0) {
        Ok(student) => {
            let squares: f64 = changes.iter().map(|change| (change.log - log).powi(2)).sum();
            let deviation = (squares / (count - 1.0)).sqrt();
            let reach = student.inverse_cdf(0.5 + confidence / 2.0) * deviation;
            match taken {
                Taken::InTurn => reach / count.sqrt(),
                // A prediction: the mean of the bases is as uncertain as in turn, and one head varies as each of them.
                Taken::AgainstOneHead => reach * (1.0 + 1.0 / count).sqrt(),
            }
        }
        // One pair has nothing between.
        Err(_) => 0.0,
    };
    let within = |reach: fn(&Change) -> f64| match taken {
        Taken::InTurn => {
            changes.iter().map(|change| reach(change).powi(2)).sum::<f64>().sqrt() / count
        }
        // What is uncertain about the one head does not cancel out.
        Taken::AgainstOneHead => changes.iter().map(reach).sum::<f64>() / count,
    };
    let (down, up) = (within(|change| change.down), within(|change| change.up));
    Change { log, down, up }.or_wider(between)
}
