//! The OpenMetrics 1.0 face of a report, for the text file collector of a node exporter or a push gateway.
//!
//! Latencies are a histogram in seconds; their percentiles and the ends of their intervals stand beside it as gauges.

use std::collections::BTreeMap;
use std::fmt::{Result, Write as _};

use super::text::Label;
use super::{Report, Run, Section};

pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_report(&mut text, report);
    text
}

fn write_report(out: &mut String, report: &Report) -> Result {
    write_run_info(out, report)?;
    family(out, "temper_checks", "gauge", None, "Checks by what they came to.")?;
    for section in &report.sections {
        let mut counts = BTreeMap::<String, u64>::new();
        for check in &section.checks {
            *counts.entry(check.verdict.to_string()).or_default() += 1;
        }
        for (verdict, count) in counts {
            let section = Label(&section.name);
            writeln!(out, "temper_checks{{section=\"{section}\",verdict=\"{verdict}\"}} {count}")?;
        }
    }
    family(out, "temper_figure", "gauge", None, "Measured values, in the unit of their label.")?;
    for (section, figure, name) in report.figures() {
        let [name, unit, on] = [&name, &figure.unit, &figure.measured_on].map(|t| Label(t));
        let section = Label(&section.name);
        writeln!(
            out,
            "temper_figure{{section=\"{section}\",name=\"{name}\",unit=\"{unit}\",on=\"{on}\"}} {}",
            figure.value
        )?;
    }
    write_latencies(out, report)?;
    writeln!(out, "# EOF")
}

fn write_run_info(out: &mut String, report: &Report) -> Result {
    family(out, "temper_run", "info", None, "What ran where, and what it came to.")?;
    let (command, on) = (Label(&report.command), Label(&report.machine.label));
    let (version, commit) = (Label(&report.program.version), Label(&report.program.commit));
    let (verdict, started) = (&report.verdict, &report.started_utc);
    writeln!(
        out,
        "temper_run_info{{command=\"{command}\",verdict=\"{verdict}\",started=\"{started}\",on=\"{on}\",version=\"{version}\",commit=\"{commit}\"}} 1"
    )
}

fn write_latencies(out: &mut String, report: &Report) -> Result {
    let runs = report.runs();
    let name = "temper_latency_seconds";
    family(out, name, "histogram", Some("seconds"), "Latency of each sample.")?;
    for (section, run, title) in &runs {
        write_histogram(out, name, &labels(section, run, title), run)?;
    }
    let name = "temper_latency_quantile_seconds";
    let help = "Percentiles of the samples, and where those of all iterations lie.";
    family(out, name, "gauge", Some("seconds"), help)?;
    for (section, run, title) in &runs {
        let labels = labels(section, run, title);
        for point in run.latency.points() {
            let ends = point.interval.map_or([None, None], |i| [i.lower_ns, i.upper_ns]);
            for (bound, ns) in [("sample", point.ns), ("lower", ends[0]), ("upper", ends[1])] {
                if let Some(ns) = ns {
                    let (quantile, value) = (point.name, seconds(ns));
                    writeln!(
                        out,
                        "{name}{{{labels},quantile=\"{quantile}\",bound=\"{bound}\"}} {value}"
                    )?;
                }
            }
        }
    }
    family(out, "temper_rate_hertz", "gauge", Some("hertz"), "Completed iterations a second.")?;
    for (section, run, title) in &runs {
        let labels = labels(section, run, title);
        writeln!(out, "temper_rate_hertz{{{labels}}} {}", run.rate_hz)?;
    }
    Ok(())
}

fn write_histogram(out: &mut String, name: &str, labels: &str, run: &Run) -> Result {
    let mut below = 0;
    for bucket in &run.latency.distribution {
        below += bucket.count;
        let edge = seconds(bucket.up_to_ns);
        writeln!(out, "{name}_bucket{{{labels},le=\"{edge}\"}} {below}")?;
    }
    let samples = run.latency.samples;
    writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {samples}")?;
    let sum = run.latency.mean_ns.map_or(0.0, seconds) * samples as f64;
    writeln!(out, "{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {samples}")
}

fn labels(section: &Section, run: &Run, title: &str) -> String {
    let [section, run_name, on] =
        [section.name.as_str(), title, run.measured_on.as_str()].map(Label);
    format!("section=\"{section}\",run=\"{run_name}\",on=\"{on}\"")
}

fn family(out: &mut String, name: &str, kind: &str, unit: Option<&str>, help: &str) -> Result {
    writeln!(out, "# TYPE {name} {kind}")?;
    if let Some(unit) = unit {
        writeln!(out, "# UNIT {name} {unit}")?;
    }
    writeln!(out, "# HELP {name} {help}")
}

fn seconds(ns: u64) -> f64 {
    std::time::Duration::from_nanos(ns).as_secs_f64()
}
