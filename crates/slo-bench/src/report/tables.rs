//! The runs and the figures of a report as comma-separated values, a row each.

use std::fmt::{Result, Write as _};

use super::Report;
use super::text::Field;

/// A row a run: where and how it was measured, percentiles in nanoseconds and the ends of their intervals.
pub(super) fn runs(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_runs(&mut text, report);
    text
}

/// A row a figure.
pub(super) fn figures(report: &Report) -> String {
    let mut text = String::from("section,figure,value,unit,measured_on\r\n");
    for (section, figure, name) in report.figures() {
        let [section, name, unit, on] =
            [&section.name, &name, &figure.unit, &figure.measured_on].map(|t| Field(t));
        // Writing to a string cannot fail.
        let _ = write!(text, "{section},{name},{},{unit},{on}\r\n", figure.value);
    }
    text
}

fn write_runs(out: &mut String, report: &Report) -> Result {
    write!(out, "section,run,n,measured_on,load,samples,rate_hz,cold_ns,mean_ns")?;
    for quantile in ["p50", "p90", "p99", "p99.9"] {
        write!(out, ",{quantile}_ns,{quantile}_lower_ns,{quantile}_upper_ns")?;
    }
    write!(out, ",max_ns\r\n")?;
    for (section, run, title) in report.runs() {
        let load = run.load.to_string();
        let [section, title, on, load] =
            [&section.name, &title, &run.measured_on, &load].map(|text| Field(text));
        let (samples, rate, cold) = (run.latency.samples, run.rate_hz, run.cold_ns);
        write!(out, "{section},{title},{},{on},{load},{samples},{rate},{cold}", run.n)?;
        write!(out, ",{}", cell(run.latency.mean_ns))?;
        for point in run.latency.points() {
            write!(out, ",{}", cell(point.ns))?;
            if point.name != "max" {
                let ends = point.interval.map_or([None, None], |i| [i.lower_ns, i.upper_ns]);
                write!(out, ",{},{}", cell(ends[0]), cell(ends[1]))?;
            }
        }
        write!(out, "\r\n")?;
    }
    Ok(())
}

/// Empty where there is no value.
fn cell(ns: Option<u64>) -> String {
    ns.map(|ns| ns.to_string()).unwrap_or_default()
}
