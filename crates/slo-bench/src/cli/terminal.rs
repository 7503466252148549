//! What people see: rows, a bar on long steps, a last line.
//!
//! Never panics when the reader has gone, and never prints a colour or a bar where nobody looks at a terminal.

use std::cell::Cell;
use std::io::Write as _;

use comfy_table::{CellAlignment, Table, presets};
use console::{Style, Term};
use indicatif::{ProgressBar, ProgressStyle};

use crate::compare::Row;
use crate::load::Load;
use crate::recorder::{Interval, Latency};
use crate::report::{Figure, Run, Section, milliseconds, number};
use crate::verdict::Verdict;

/// What goes to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Rows for people.
    Table,
    /// One JSON document and nothing else.
    Json,
}

/// Stdout, until its reader goes away.
#[derive(Debug)]
pub struct Terminal {
    output: Output,
    is_gone: Cell<bool>,
}

const NAME_WIDTH: usize = 18;
const RESULT_WIDTH: usize = 14;
const TIME_WIDTH: usize = 8;
/// Where details begin.
const INDENT: usize = NAME_WIDTH + RESULT_WIDTH + TIME_WIDTH + 2;

impl Terminal {
    /// Stdout for `output`.
    pub fn new(output: Output) -> Self {
        Self { output, is_gone: Cell::new(false) }
    }

    /// A line for people; nothing where JSON was asked for.
    pub fn line(&self, text: &str) {
        if self.output == Output::Table {
            self.write(&format!("{text}\n"));
        }
    }

    /// The report for machines; nothing where rows were asked for.
    pub fn json(&self, text: &str) {
        if self.output == Output::Json {
            self.write(text);
        }
    }

    /// What the columns of [`section`](Self::section) are, below an empty line.
    pub fn heading(&self) {
        let text = format!(
            "{:NAME_WIDTH$}{:RESULT_WIDTH$}{:>TIME_WIDTH$}  detail",
            "section", "result", "time"
        );
        self.line("");
        self.line(&Style::new().dim().apply_to(text).to_string());
    }

    /// One row a section, and under it what was bad or skipped, and why.
    pub fn section(&self, section: &Section) {
        let name = format!("{:NAME_WIDTH$}", section.name);
        let result = style(&section.verdict).apply_to(format!("{:RESULT_WIDTH$}", section.verdict));
        let time = format!("{:>TIME_WIDTH$}", seconds(section.elapsed_s));
        self.wrapped(&format!("{name}{result}{time}  "), INDENT, &section.detail);
        for check in section.checks.iter().filter(|check| check.verdict != Verdict::Pass) {
            let words = format!("{}: {}", check.name, check.words());
            // The first bad check, and why a whole section is skipped, is what the row above says already.
            if ![words.as_str(), check.words()].contains(&section.detail.as_str()) {
                let result = format!("{:RESULT_WIDTH$}", check.verdict);
                let result = style(&check.verdict).apply_to(result);
                let lead = format!("{:NAME_WIDTH$}{result}", "");
                self.wrapped(&lead, NAME_WIDTH + RESULT_WIDTH, &words);
            }
        }
    }

    /// A row a run: percentiles in milliseconds and where they were measured; below it the interval of each, and how
    /// many independent samples the samples are worth where that is least.
    pub fn runs(&self, runs: &[Run]) {
        let mut table = table(["ms", "samples", "p50", "p90", "p99", "p99.9", "max", "cold"], "on");
        for run in runs {
            let load = match run.load {
                Load::Closed => String::new(),
                load => format!(", {load}"),
            };
            let name = format!("{}, n = {}{load}", run.name, run.n);
            let mut row = latency_row(name, &run.latency);
            row.extend([milliseconds(Some(run.cold_ns)), short(&run.measured_on)]);
            table.add_row(row);
            if let Some(worth) = run.latency.intervals.iter().map(|i| i.effective_samples).min() {
                let mut row = vec!["  95 % between".to_owned(), format!("worth {worth}")];
                row.extend(run.latency.intervals.iter().map(between));
                table.add_row(row);
            }
            for (what, latency) in [("  service alone", &run.service), ("  slip", &run.slip)] {
                if let Some(latency) = latency {
                    table.add_row(latency_row(what.to_owned(), latency));
                }
            }
        }
        self.table(&table, runs.len());
        for run in runs {
            if let Some(attribution) = &run.attribution {
                self.line(&format!("{}: {}", run.title(), attribution.words()));
            }
        }
    }

    /// A row a figure.
    pub fn figures(&self, figures: &[Figure]) {
        let mut table = table(["figure", "value"], "on");
        for Figure { name, value, unit, measured_on } in figures {
            let value = format!("{} {unit}", number(*value));
            table.add_row([name.as_str(), value.trim_end(), &short(measured_on)]);
        }
        self.table(&table, figures.len());
    }

    /// A row a comparison; the ratio lies between the ends behind it.
    pub fn comparison(&self, rows: &[Row]) {
        let mut table = table(["figure", "outcome", "base", "head", "ratio", "from", "to"], "in");
        let ratio =
            |ratio: Option<f64>| ratio.map(|ratio| format!("{ratio:.3}")).unwrap_or_default();
        for row in rows {
            let known = |value: f64| Some(value).filter(|value| value.is_finite());
            let value = |value: f64| known(value).map(number).unwrap_or_default();
            let cells = [ratio(known(row.ratio)), ratio(row.lower), ratio(row.upper)];
            let outcome = row.outcome.to_string();
            let lead = [row.name.clone(), outcome, value(row.base), value(row.head)];
            table.add_row(lead.into_iter().chain(cells).chain([row.unit.clone()]));
        }
        self.table(&table, rows.len());
    }

    fn table(&self, table: &Table, rows: usize) {
        if rows == 0 {
            return;
        }
        self.line("");
        for line in table.lines() {
            self.line(line.trim_end());
        }
    }

    /// The last line: the verdict and a summary.
    pub fn verdict(&self, verdict: &Verdict, summary: &str) {
        self.line(&format!("{} {summary}", style(verdict).apply_to(verdict)));
    }

    /// A bar on stderr for `len` steps of work; hidden where that is not a terminal.
    pub fn progress(&self, what: impl Into<String>, len: u64) -> ProgressBar {
        let style = ProgressStyle::with_template("{msg:24} {bar:32} {pos}/{len} {eta}");
        let style = style.expect("the template is a constant that parses");
        // No steady tick: its thread would wake up in the middle of what is measured.
        ProgressBar::new(len).with_style(style).with_message(what.into())
    }

    /// `lead`, then `text` broken at words so that it stays right of `indent`.
    fn wrapped(&self, lead: &str, indent: usize, text: &str) {
        let lines = wrap(text, self.width().map(|width| width.saturating_sub(indent)));
        for (number, line) in lines.iter().enumerate() {
            let margin = if number == 0 { lead.to_owned() } else { " ".repeat(indent) };
            self.line(format!("{margin}{line}").trim_end());
        }
    }

    /// Columns of the terminal; `None` where output goes elsewhere.
    fn width(&self) -> Option<usize> {
        let term = Term::stdout();
        term.is_term().then(|| usize::from(term.size().1))
    }

    fn write(&self, text: &str) {
        if self.is_gone.get() {
            return;
        }
        let mut stdout = std::io::stdout().lock();
        // A reader that went away, as `head` does, is no failure of ours: the report is still written.
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        self.is_gone.set(written.is_err());
    }
}

fn latency_row(name: String, latency: &Latency) -> Vec<String> {
    let Latency { samples, p50_ns, p90_ns, p99_ns, p999_ns, max_ns, .. } = *latency;
    let values = [p50_ns, p90_ns, p99_ns, p999_ns, max_ns].map(milliseconds);
    [name, samples.to_string()].into_iter().chain(values).collect()
}

/// An end that no sample gives is left open.
fn between(interval: &Interval) -> String {
    let end = |ns: Option<u64>| ns.map(|ns| milliseconds(Some(ns))).unwrap_or_default();
    format!("{}..{}", end(interval.lower_ns), end(interval.upper_ns))
}

/// A table without lines: the first column left, the others right, and the last, of words, left again.
fn table<const COLUMNS: usize>(columns: [&str; COLUMNS], last: &str) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(columns.iter().chain([&last]));
    for index in 1..COLUMNS {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A place without its product's name, which stands above the rows.
fn short(measured_on: &str) -> String {
    measured_on.split(" (").next().unwrap_or_default().to_owned()
}

fn style(verdict: &Verdict) -> Style {
    match verdict {
        Verdict::Pass => Style::new().green(),
        Verdict::Fail => Style::new().red().bold(),
        Verdict::Skipped { .. } => Style::new().yellow(),
        Verdict::Inconclusive { .. } | Verdict::Invalid { .. } => Style::new().magenta(),
    }
}

fn seconds(elapsed_s: f64) -> String {
    format!("{elapsed_s:.1} s")
}

/// Lines of at most `width` characters, broken at spaces; one line without a width.
fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
    /// Narrower columns would be harder to read than long lines.
    const WIDTH_MIN: usize = 20;
    let Some(width) = width.filter(|&width| width >= WIDTH_MIN) else {
        return vec![text.to_owned()];
    };
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_details_break_at_words_and_short_ones_do_not() {
        let text = "nine checks against their references, and one skipped";
        assert_eq!(wrap(text, None), [text]);
        assert_eq!(wrap(text, Some(80)), [text]);
        assert_eq!(wrap(text, Some(5)), [text]);
        let lines = wrap(text, Some(24));
        assert_eq!(lines, ["nine checks against", "their references, and", "one skipped"]);
    }
}
