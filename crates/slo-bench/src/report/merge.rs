//! Reports of several nodes as one: samples pooled, checks side by side.
//!
//! The order of merges does not matter, up to the rounding of sums of fractions. Never merges what different programs or
//! kinds of machines measured.

use super::{Check, Report, Run, Section};
use crate::contract::Clause;
use crate::error::{Error, Result};
use crate::recorder::Latency;
use crate::verdict::Verdict;

impl Report {
    /// Adds what another node found: its samples count as if this one had taken them, independent of its own.
    ///
    /// A limit of a percentile is judged anew by all samples together; any other check holds if it does on every node.
    ///
    /// # Errors
    /// [`Error::Incomparable`] if the other report is of another command, program, device, driver, size or load.
    pub fn merge(self, other: Self) -> Result<Self> {
        self.machine.must_equal(&other.machine)?;
        let same = |what: &str, base: &str, head: &str| match base == head {
            true => Ok(()),
            false => Err(Error::Incomparable {
                what: what.to_owned(),
                base: base.to_owned(),
                head: head.to_owned(),
            }),
        };
        same("command", &self.command, &other.command)?;
        same("version of the program", &self.program.version, &other.program.version)?;
        same("commit", &self.program.commit, &other.program.commit)?;
        let sections =
            join(self.sections, other.sections, |one, two| one.name == two.name, Section::merge)?;
        Ok(Self {
            verdict: Verdict::overall(sections.iter().map(|section| &section.verdict)),
            started_utc: self.started_utc.min(other.started_utc),
            elapsed_s: self.elapsed_s.max(other.elapsed_s),
            others: [self.others, vec![other.machine], other.others].concat(),
            sections,
            ..self
        })
    }
}

impl Section {
    fn merge(self, other: Self) -> Result<Self> {
        let runs = join(self.runs, other.runs, |one, two| one.name == two.name, Run::merge)?;
        let mut checks = join(
            self.checks,
            other.checks,
            |one, two| one.name == two.name,
            |one, two| Ok(one.merge(two)),
        )?;
        for check in &mut checks {
            if let Some((_, clause)) = check.clause(&runs) {
                check.verdict = clause.verdict.clone();
                check.detail.clone_from(&clause.seen);
            }
        }
        Ok(Self {
            verdict: Verdict::all(checks.iter().map(|check| &check.verdict)),
            detail: format!("{} | {}", self.detail, other.detail),
            elapsed_s: self.elapsed_s.max(other.elapsed_s),
            checks,
            figures: [self.figures, other.figures].concat(),
            runs,
            // These stay with the reports of the nodes.
            charts: Vec::new(),
            files: Vec::new(),
            name: self.name,
        })
    }
}

impl Check {
    fn merge(self, other: Self) -> Self {
        Self {
            verdict: Verdict::all([&self.verdict, &other.verdict]),
            detail: format!("{} | {}", self.detail, other.detail),
            name: self.name,
        }
    }
}

impl Run {
    fn merge(self, other: Self) -> Result<Self> {
        let sides = [("size or load", self.title(), other.title())];
        for (what, base, head) in sides {
            if base != head {
                return Err(Error::Incomparable { what: what.to_owned(), base, head });
            }
        }
        let both = |one: Option<_>, two: Option<_>| match (one, two) {
            (Some(one), Some(two)) => Some(Latency::merge(&one, &two)),
            (one, two) => one.or(two),
        };
        let latency = self.latency.merge(&other.latency);
        let mut slowed_by = [self.slowed_by, other.slowed_by].concat();
        slowed_by.sort_unstable();
        slowed_by.dedup();
        let clauses = join(
            self.clauses,
            other.clauses,
            |one, two| one.promise == two.promise,
            |one, two| {
                let measured = latency.points().into_iter().find(|point| one.is_about(point.name));
                Ok(Clause::merge(one, two, measured.and_then(|point| point.ns)))
            },
        )?;
        Ok(Self {
            warm_up: self.warm_up.max(other.warm_up),
            is_settled: self.is_settled && other.is_settled,
            slowed_by,
            rate_hz: self.rate_hz + other.rate_hz,
            cold_ns: self.cold_ns.max(other.cold_ns),
            latency,
            service: both(self.service, other.service),
            slip: both(self.slip, other.slip),
            // They stay with the reports of the nodes: two passes have no usual iterations in common.
            attribution: None,
            clauses,
            ..self
        })
    }
}

/// The first list with what the second adds: pairs that are `alike` are merged, the others follow.
fn join<T>(
    first: Vec<T>,
    mut second: Vec<T>,
    alike: fn(&T, &T) -> bool,
    merge: impl Fn(T, T) -> Result<T>,
) -> Result<Vec<T>> {
    let mut joined = Vec::new();
    for one in first {
        joined.push(match second.iter().position(|two| alike(&one, two)) {
            Some(index) => merge(one, second.remove(index))?,
            None => one,
        });
    }
    joined.extend(second);
    Ok(joined)
}
