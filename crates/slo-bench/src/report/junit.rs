//! The JUnit face of a report: a suite a section, a case a check.
//!
//! What failed is a failure; what is inconclusive or invalid is an error, since it tells nothing about what was checked.

use std::fmt::{Result, Write as _};

use super::text::Xml;
use super::{Check, Report, Section, number};
use crate::verdict::Verdict;

pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_report(&mut text, report);
    text
}

fn write_report(out: &mut String, report: &Report) -> Result {
    let all: Vec<_> = report.sections.iter().flat_map(cases).collect();
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    write!(out, "<testsuites name=\"{}\"", Xml(&report.command))?;
    write_counts(out, &all)?;
    writeln!(out, " time=\"{:.3}\">", report.elapsed_s)?;
    report.sections.iter().try_for_each(|section| write_section(out, report, section))?;
    writeln!(out, "</testsuites>")
}

fn write_section(out: &mut String, report: &Report, section: &Section) -> Result {
    let cases = cases(section);
    let started = report.started_utc.to_string();
    write!(out, "  <testsuite name=\"{}\"", Xml(&section.name))?;
    write_counts(out, &cases)?;
    // Jenkins' schema knows this count of a suite, and of nothing above it.
    let skipped = count(&cases, |verdict| matches!(verdict, Verdict::Skipped { .. }));
    write!(out, " skipped=\"{skipped}\"")?;
    // The schemas want the time of day without its zone.
    let started = started.trim_end_matches('Z');
    writeln!(out, " time=\"{:.3}\" timestamp=\"{started}\">", section.elapsed_s)?;
    write_properties(out, report, section)?;
    cases.iter().try_for_each(|case| write_case(out, section, case))?;
    writeln!(out, "  </testsuite>")
}

/// The checks of a section; its own verdict where it has none.
fn cases(section: &Section) -> Vec<Check> {
    if !section.checks.is_empty() {
        return section.checks.clone();
    }
    let Section { name, verdict, detail, .. } = section;
    vec![Check { name: name.clone(), verdict: verdict.clone(), detail: detail.clone() }]
}

fn write_counts(out: &mut String, cases: &[Check]) -> Result {
    let tests = cases.len();
    let failures = count(cases, |verdict| *verdict == Verdict::Fail);
    let errors = count(cases, |verdict| verdict.is_bad() && *verdict != Verdict::Fail);
    write!(out, " tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"")
}

fn count(cases: &[Check], is: fn(&Verdict) -> bool) -> usize {
    cases.iter().filter(|case| is(&case.verdict)).count()
}

fn write_properties(out: &mut String, report: &Report, section: &Section) -> Result {
    writeln!(out, "    <properties>")?;
    let mut property = |name: &str, value: &str| {
        writeln!(out, "      <property name=\"{}\" value=\"{}\"/>", Xml(name), Xml(value))
    };
    property("measured on", &report.machine.label)?;
    property("commit", &report.program.commit)?;
    for figure in &section.figures {
        let value = format!("{} {} on {}", number(figure.value), figure.unit, figure.measured_on);
        property(&figure.name, &value)?;
    }
    writeln!(out, "    </properties>")
}

fn write_case(out: &mut String, section: &Section, case: &Check) -> Result {
    let (class, name) = (Xml(&section.name), Xml(&case.name));
    write!(out, "    <testcase classname=\"{class}\" name=\"{name}\">")?;
    let (words, verdict) = (Xml(case.words()), &case.verdict);
    match verdict {
        Verdict::Pass => write!(out, "<system-out>{words}</system-out>"),
        Verdict::Fail => write!(out, "<failure message=\"{words}\" type=\"{verdict}\"/>"),
        Verdict::Skipped { .. } => write!(out, "<skipped message=\"{words}\"/>"),
        Verdict::Inconclusive { .. } | Verdict::Invalid { .. } => {
            write!(out, "<error message=\"{words}\" type=\"{verdict}\"/>")
        }
    }?;
    writeln!(out, "</testcase>")
}
