//! Two sets of runs side by side: which figures became better or worse, beyond chance and by enough to matter.
//!
//! Never compares runs of different machines, sizes or loads, and never calls a change what the samples do not show.
//!
//! A latency is compared by the ratio of a percentile, with a confidence interval built from the intervals of both
//! sides (the method of variance estimates recovery: Zou and Donner, Statistics in Medicine 27, 2008, on logarithms).
//! Those are order statistics of the histograms, and as wide as the dependence between samples asks for. One pair is judged
//! by what varies between the laps of its runs as well, where they have any. Where several pairs of reports were taken in
//! turn, what varies between pairs counts (Student's distribution); where one head is held against several bases, what
//! varies between those and may vary as much in one more (a prediction interval: Hahn and Meeker, Statistical Intervals,
//! 1991).

mod judge;
mod pair;
#[cfg(test)]
mod tests;
mod wander;

use serde::Serialize;

pub use judge::Outcome;

use crate::error::{Error, Result};
use crate::report::{Figure, Machine, Run, Section, number};
use crate::verdict::Verdict;

/// What counts as a change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// The smallest change that matters, as a share of the base: 0.03 unless given.
    pub share: f64,
    /// The smallest change of a latency that matters, in nanoseconds: 500 unless given, what a timer resolves.
    pub floor_ns: u64,
    /// How sure all outcomes of a comparison are together, in 0..1: 0.95 unless given.
    pub confidence: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { share: 0.03, floor_ns: 500, confidence: 0.95 }
    }
}

/// What became of every figure that both sides have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// A row a percentile of a run, and a row a figure that has a direction.
    pub rows: Vec<Row>,
    /// Runs and figures that only one side has.
    pub unmatched: Vec<String>,
    /// What so few reports cannot show, however many samples they have.
    pub caveat: Option<&'static str>,
}

/// What one report a side cannot show.
const ONE_PAIR: &str = "one pair: what changes from run to run is not seen; give several";

/// The check that it leaves out.
const BETWEEN_RUNS: &str = "what became of a figure is more than what changes from run to run";

/// How several pairs came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// Each base with a head of its own, in turn.
    InTurn,
    /// All bases with the same head.
    AgainstOneHead,
}

/// One figure on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// What it is, with its section.
    pub name: String,
    /// Of what it is a value.
    pub unit: String,
    /// The value before, the first one of several.
    pub base: f64,
    /// The value now, the first one of several.
    pub head: f64,
    /// Head over base; their geometric mean where there are several pairs.
    pub ratio: f64,
    /// Where that ratio lies for all iterations; `None` where the samples leave that end open.
    pub lower: Option<f64>,
    /// The other end.
    pub upper: Option<f64>,
    /// What it comes to.
    pub outcome: Outcome,
}

/// One side of a pair: the sections of a report.
pub type Side<'a> = &'a [Section];

impl Machine {
    /// Refuses a machine whose figures cannot be compared with those of this one, naming the difference.
    ///
    /// # Errors
    /// [`Error::Incomparable`].
    pub fn must_equal(&self, other: &Self) -> Result<()> {
        let property = |machine: &Self, key: &str| machine.properties[key].to_string();
        let pairs = [
            ("backend", self.backend.clone(), other.backend.clone()),
            ("device", property(self, "name"), property(other, "name")),
            ("driver", property(self, "driver_release"), property(other, "driver_release")),
            (
                "CUDA version of the driver",
                property(self, "driver_version"),
                property(other, "driver_version"),
            ),
        ];
        pairs.into_iter().try_for_each(|(what, base, head)| match base == head {
            true => Ok(()),
            false => Err(Error::Incomparable { what: what.to_owned(), base, head }),
        })
    }
}

/// Compares `pairs` of (base, head), each taken in turn with the others on one machine.
///
/// # Errors
/// [`Error::Incomparable`] if a run has another size or load on the other side, or if nothing is on both.
pub fn compare(pairs: &[(Side<'_>, Side<'_>)], tolerance: &Tolerance) -> Result<Comparison> {
    compare_taken(Taken::InTurn, pairs, tolerance)
}

/// Compares one `head` with several `bases` of one build, taken earlier on the same machine.
///
/// Two bases say next to nothing about how runs vary, three say a little; with five a change by a few percent is found.
///
/// # Errors
/// As [`compare`].
pub fn compare_with_bases(
    bases: &[Side<'_>],
    head: Side<'_>,
    tolerance: &Tolerance,
) -> Result<Comparison> {
    let pairs: Vec<_> = bases.iter().map(|&base| (base, head)).collect();
    compare_taken(Taken::AgainstOneHead, &pairs, tolerance)
}

fn compare_taken(
    taken: Taken,
    pairs: &[(Side<'_>, Side<'_>)],
    tolerance: &Tolerance,
) -> Result<Comparison> {
    let paired: Vec<_> =
        pairs.iter().map(|(base, head)| pair::pair(base, head)).collect::<Result<_>>()?;
    let caveat = Some(ONE_PAIR).filter(|_| paired.len() == 1);
    let Some(first) = paired.first() else {
        return Ok(Comparison { rows: Vec::new(), unmatched: Vec::new(), caveat });
    };
    // Each outcome is surer than the whole, so that all of them together are as sure as was asked (Bonferroni). By one pair
    // no figure is judged.
    let figures = if paired.len() == 1 { 0 } else { first.figures.len() };
    let judged = (first.latencies.len() + figures).max(1) as f64;
    let confidence = 1.0 - (1.0 - tolerance.confidence) / judged;
    let mut rows = Vec::new();
    let mut unmatched = first.unmatched.clone();
    for latency in &first.latencies {
        let all = paired.iter().map(|pair| pair.latencies.iter().find(|l| l.name == latency.name));
        match all.collect::<Option<Vec<_>>>() {
            Some(all) => rows.push(judge::latency(&all, taken, tolerance, confidence)),
            None => unmatched.push(latency.name.clone()),
        }
    }
    for figure in &first.figures {
        let all = paired.iter().map(|pair| pair.figures.iter().find(|f| f.name == figure.name));
        match all.collect::<Option<Vec<_>>>() {
            Some(all) => rows.push(judge::figure(&all, taken, tolerance, confidence)),
            None => unmatched.push(figure.name.clone()),
        }
    }
    if rows.is_empty() {
        let what = "set of runs: no run and no figure is on both sides".to_owned();
        let names = |sections: Side<'_>| {
            let names: Vec<_> = sections.iter().map(|section| section.name.as_str()).collect();
            names.join(", ")
        };
        let (base, head) = (names(pairs[0].0), names(pairs[0].1));
        return Err(Error::Incomparable { what, base, head });
    }
    Ok(Comparison { rows, unmatched, caveat })
}

impl Comparison {
    /// Whether something became worse, nothing did, or nothing could be told.
    pub fn verdict(&self) -> Verdict {
        let has = |is: fn(&Outcome) -> bool| self.rows.iter().any(|row| is(&row.outcome));
        if has(|outcome| *outcome == Outcome::Worse) {
            Verdict::Fail
        } else if has(|outcome| !matches!(outcome, Outcome::Undecided { .. })) {
            Verdict::Pass
        } else {
            Verdict::inconclusive("no figure has samples enough to tell a change from chance")
        }
    }

    /// How many rows came to each outcome, in words.
    pub fn summary(&self) -> String {
        let count = |word: &str| self.rows.iter().filter(|r| r.outcome.to_string() == word).count();
        let words = ["worse", "better", "same", "undecided"];
        let counts = words.map(|word| format!("{} {word}", count(word)));
        counts.join(", ")
    }

    /// As a section of a report: a check a row that is decided, and every ratio as a figure, measured on `label`.
    pub fn section(&self, name: &str, label: &str) -> Section {
        let mut section = Section::new(name);
        for row in &self.rows {
            let decided = match &row.outcome {
                Outcome::Worse => Some(Verdict::Fail),
                Outcome::Better | Outcome::Same => Some(Verdict::Pass),
                Outcome::Undecided { .. } => None,
            };
            if let Some(verdict) = decided {
                section.check(&row.name, verdict, format!("{}: {}", row.outcome, row.words()));
            }
            if row.ratio.is_finite() {
                section.figure(
                    format!("{}, head over base", row.name),
                    row.ratio,
                    "of base",
                    label,
                );
            }
        }
        if let Verdict::Inconclusive { reason } = self.verdict() {
            section.check("a change can be told", Verdict::inconclusive(reason), "");
        }
        if let Some(caveat) = self.caveat {
            section.check(BETWEEN_RUNS, Verdict::skipped(caveat), "");
        }
        section.close(self.summary())
    }
}

impl Row {
    /// Both values, their ratio and where it lies.
    pub fn words(&self) -> String {
        let Self { unit, base, head, ratio, .. } = self;
        let end =
            |end: Option<f64>| end.map_or_else(|| "open".to_owned(), |end| format!("{end:.3}"));
        let (lower, upper) = (end(self.lower), end(self.upper));
        let (base, head) = (number(*base), number(*head));
        format!("{base} to {head} {unit}, ratio {ratio:.3} ({lower} to {upper})")
    }
}
