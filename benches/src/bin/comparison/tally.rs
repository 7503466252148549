//! What many comparisons of a workload with itself came to.

use slo_bench::{Comparison, Outcome, Row, Section};

/// Comparisons of which one may be a false alarm.
pub(super) const COMPARISONS_AN_ALARM: u64 = 20;

/// Counts of comparisons, and of what each percentile came to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) comparisons: u64,
    /// Comparisons that call any percentile worse or better.
    pub(super) alarms: u64,
    percentiles: Vec<Percentile>,
}

/// What the rows of one percentile came to.
#[derive(Debug)]
struct Percentile {
    name: String,
    changes: u32,
    undecided: u32,
    /// The lowest end of the ratio's intervals; infinite where one was open.
    lower: f64,
    /// The highest end.
    upper: f64,
}

impl Tally {
    /// Takes note of a comparison.
    pub(super) fn take(&mut self, compared: &Comparison) {
        self.comparisons += 1;
        self.alarms += u64::from(compared.rows.iter().any(is_change));
        for row in &compared.rows {
            let known = self.percentiles.iter().position(|seen| seen.name == row.name);
            let index = known.unwrap_or_else(|| {
                self.percentiles.push(Percentile::new(row));
                self.percentiles.len() - 1
            });
            self.percentiles[index].take(row);
        }
    }

    /// Whether there are no more false alarms than may be.
    pub(super) fn is_borne(&self) -> bool {
        self.alarms <= self.comparisons / COMPARISONS_AN_ALARM
    }

    /// Adds what each percentile came to.
    pub(super) fn add_to(&self, section: &mut Section, label: &str) {
        for Percentile { name, changes, undecided, lower, upper } in &self.percentiles {
            let figures = [
                ("called a change", f64::from(*changes), "comparisons"),
                ("undecided", f64::from(*undecided), "comparisons"),
                ("lowest end of an interval of the ratio", *lower, "of base"),
                ("highest end of an interval of the ratio", *upper, "of base"),
            ];
            for (words, value, unit) in figures.into_iter().filter(|figure| figure.1.is_finite()) {
                section.figure(format!("{name}: {words}"), value, unit, label);
            }
        }
    }
}

impl Percentile {
    fn new(row: &Row) -> Self {
        let (lower, upper) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { name: row.name.clone(), changes: 0, undecided: 0, lower, upper }
    }

    fn take(&mut self, row: &Row) {
        self.changes += u32::from(is_change(row));
        self.undecided += u32::from(matches!(row.outcome, Outcome::Undecided { .. }));
        self.lower = self.lower.min(row.lower.unwrap_or(f64::NEG_INFINITY));
        self.upper = self.upper.max(row.upper.unwrap_or(f64::INFINITY));
    }
}

/// Whether a row of things that are the same is a false alarm: a change for the better is one too.
fn is_change(row: &Row) -> bool {
    matches!(row.outcome, Outcome::Worse | Outcome::Better)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, ends: [Option<f64>; 2], outcome: Outcome) -> Row {
        let [lower, upper] = ends;
        let (name, unit) = (name.to_owned(), "ms".to_owned());
        Row { name, unit, base: 1.0, head: 1.0, ratio: 1.0, lower, upper, outcome }
    }

    #[test]
    fn a_comparison_is_an_alarm_once_however_many_of_its_rows_are() {
        let undecided = Outcome::Undecided { reason: "few".to_owned() };
        let comparisons = [
            vec![
                row("p50", [Some(0.99), Some(1.01)], Outcome::Same),
                row("p99", [Some(0.9), None], undecided),
            ],
            vec![
                row("p50", [Some(1.01), Some(1.05)], Outcome::Worse),
                row("p99", [Some(0.8), Some(0.9)], Outcome::Better),
            ],
        ];
        let mut tally = Tally::default();
        for rows in comparisons {
            tally.take(&Comparison { rows, unmatched: Vec::new(), caveat: None });
        }
        assert_eq!((tally.comparisons, tally.alarms), (2, 1));
        let mut section = Section::new("itself");
        tally.add_to(&mut section, "nowhere");
        let figures: Vec<_> =
            section.figures.iter().map(|figure| (figure.name.as_str(), figure.value)).collect();
        assert_eq!(
            figures,
            [
                ("p50: called a change", 1.0),
                ("p50: undecided", 0.0),
                ("p50: lowest end of an interval of the ratio", 0.99),
                ("p50: highest end of an interval of the ratio", 1.05),
                ("p99: called a change", 1.0),
                ("p99: undecided", 1.0),
                ("p99: lowest end of an interval of the ratio", 0.8),
            ],
            "an end that was open has no value"
        );
    }

    #[test]
    fn one_alarm_in_twenty_is_borne_and_two_are_not() {
        for (comparisons, alarms, expected) in [(20, 1, true), (20, 2, false), (19, 1, false)] {
            let tally = Tally { comparisons, alarms, ..Tally::default() };
            assert_eq!(tally.is_borne(), expected, "{alarms} of {comparisons}");
        }
    }
}
