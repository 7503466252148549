//! The Markdown face of a report.
//!
//! Stays far below the 1 MiB of a CI summary: one row a check, figure and run.

use std::fmt::Write as _;

use super::{PAGE, Report, Run, Section, tails};
use crate::contract::Clause;
use crate::recorder::{Interval, Latency};

pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_report(&mut text, report);
    text
}

fn write_report(out: &mut String, report: &Report) -> std::fmt::Result {
    let (command, verdict) = (&report.command, &report.verdict);
    writeln!(out, "# {command}: {verdict}\n")?;
    writeln!(out, "| | |\n|---|---|")?;
    writeln!(out, "| measured on | {} |", cell(&report.machine.label))?;
    for (name, value) in place(report) {
        writeln!(out, "| {name} | {} |", cell(&value))?;
    }
    writeln!(out, "\n| section | result | detail | time |\n|---|---|---|---:|")?;
    for section in &report.sections {
        let Section { name, verdict, detail, elapsed_s, .. } = section;
        writeln!(out, "| {name} | {verdict} | {} | {elapsed_s:.1} s |", cell(detail))?;
    }
    report.sections.iter().try_for_each(|section| write_section(out, section))
}

/// The rows that say where and with what.
pub(super) fn place(report: &Report) -> Vec<(&'static str, String)> {
    let property = |key: &str| match &report.machine.properties[key] {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Null => None,
        other => Some(other.to_string()),
    };
    let mut rows = vec![("backend", report.machine.backend.clone())];
    rows.extend(property("driver_release").map(|driver| ("driver", driver)));
    rows.extend(property("driver_version").map(|version| ("CUDA version of the driver", version)));
    let clocks =
        [("before", &report.machine.telemetry_before), ("after", &report.machine.telemetry_after)];
    for (when, sample) in clocks {
        if let (Some(sm), Some(memory)) =
            (sample["sm_clock_mhz"].as_u64(), sample["memory_clock_mhz"].as_u64())
        {
            let name = if when == "before" { "clocks before" } else { "clocks after" };
            rows.push((name, format!("SM {sm} MHz, memory {memory} MHz")));
        }
    }
    let program = &report.program;
    rows.push(("version", format!("{}, commit {}", program.version, program.commit)));
    rows.push(("arguments", program.arguments.join(" ")));
    rows.push(("started", report.started_utc.to_string()));
    rows.push(("took", format!("{:.1} s", report.elapsed_s)));
    rows
}

fn write_section(out: &mut String, section: &Section) -> std::fmt::Result {
    if section.checks.is_empty() && section.figures.is_empty() && section.runs.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## {}", section.name)?;
    if !section.runs.is_empty() {
        write_runs(out, &section.runs)?;
    }
    if !section.checks.is_empty() {
        writeln!(out, "\n| check | result | seen |\n|---|---|---|")?;
        for check in &section.checks {
            let (name, seen) = (cell(&check.name), cell(check.words()));
            writeln!(out, "| {name} | {} | {seen} |", check.verdict)?;
        }
    }
    if !section.figures.is_empty() {
        writeln!(out, "\n| figure | value | measured on |\n|---|---:|---|")?;
        for figure in &section.figures {
            let (name, unit) = (cell(&figure.name), cell(&figure.unit));
            let (value, place) = (number(figure.value), cell(&figure.measured_on));
            writeln!(out, "| {name} | {value} {unit} | {place} |")?;
        }
    }
    for chart in &section.charts {
        let (title, place) = (cell(&chart.title), cell(&chart.measured_on));
        writeln!(out, "\nChart in {PAGE}: {title}, on {place}")?;
    }
    for file in &section.files {
        let shown = if file.ends_with(".svg") { "!" } else { "" };
        writeln!(out, "\n{shown}[{file}]({file})")?;
    }
    Ok(())
}

fn write_runs(out: &mut String, runs: &[Run]) -> std::fmt::Result {
    writeln!(
        out,
        "\n| run, ms | n | samples | p50 | p90 | p99 | p99.9 | max | cold | measured on |"
    )?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|---:|---:|---:|---|")?;
    for run in runs {
        write_latency(out, run, &run.name, &run.latency)?;
        for (what, latency) in
            [("service alone", &run.service), ("slip of the generator", &run.slip)]
        {
            if let Some(latency) = latency {
                write_latency(out, run, &format!("{}: {what}", run.name), latency)?;
            }
        }
    }
    write_intervals(out, runs)?;
    write_tails(out, runs)?;
    let judged = runs.iter().filter_map(|run| run.contract.as_ref().map(|name| (name, run)));
    for (name, run) in judged {
        writeln!(out, "\nContract {}:\n", cell(name))?;
        for clause in &run.clauses {
            let Clause { promise, verdict, seen, .. } = clause;
            writeln!(out, "- {verdict}: {promise}? {}", cell(verdict.reason().unwrap_or(seen)))?;
        }
    }
    Ok(())
}

fn write_latency(out: &mut String, run: &Run, name: &str, latency: &Latency) -> std::fmt::Result {
    let Latency { samples, p50_ns, p90_ns, p99_ns, p999_ns, max_ns, .. } = *latency;
    write!(out, "| {} | {} | {samples} |", cell(name), run.n)?;
    for value in [p50_ns, p90_ns, p99_ns, p999_ns, max_ns, Some(run.cold_ns)] {
        write!(out, " {} |", super::milliseconds(value))?;
    }
    writeln!(out, " {} |", cell(&run.measured_on))
}

/// Where percentiles of all iterations lie, and how many independent samples say so.
fn write_intervals(out: &mut String, runs: &[Run]) -> std::fmt::Result {
    writeln!(out, "\n| run, ms | load | percentile | from | to | confidence | samples | worth |")?;
    writeln!(out, "|---|---|---|---:|---:|---:|---:|---:|")?;
    for run in runs {
        for interval in &run.latency.intervals {
            let Interval { quantile, confidence, lower_ns, upper_ns, effective_samples } = interval;
            let [from, to] = [lower_ns, upper_ns].map(|&ns| super::milliseconds(ns));
            let (name, load, samples) = (cell(&run.name), run.load, run.latency.samples);
            let percent = number(confidence * 100.0);
            writeln!(
                out,
                "| {name} | {load} | {quantile} | {from} | {to} | {percent} % | {samples} | {effective_samples} |"
            )?;
        }
    }
    Ok(())
}

/// Which stages slow iterations come from, a table a run.
fn write_tails(out: &mut String, runs: &[Run]) -> std::fmt::Result {
    let told = runs.iter().filter_map(|run| Some((run, run.attribution.as_ref()?)));
    for (index, (run, attribution)) in told.enumerate() {
        if index == 0 {
            writeln!(out, "\n{}", tails::WORDS)?;
        }
        let (head, rows) = tails::table(attribution);
        writeln!(out, "\nStages of {}: {}\n", run.title(), attribution.words())?;
        let line = |cells: &[String]| cells.iter().map(|text| cell(text)).collect::<Vec<_>>();
        writeln!(out, "| {} |", line(&head).join(" | "))?;
        writeln!(out, "|---{}|", "|---:".repeat(head.len() - 1))?;
        for row in rows {
            writeln!(out, "| {} |", line(&row).join(" | "))?;
        }
    }
    Ok(())
}

/// Five significant digits, without a tail of zeros for whole numbers.
pub(super) fn number(value: f64) -> String {
    let magnitude = value.abs();
    if value.fract() == 0.0 && magnitude < 1e15 {
        return format!("{value}");
    }
    match magnitude {
        m if m >= 1e4 => format!("{value:.0}"),
        m if m >= 1e3 => format!("{value:.1}"),
        m if m >= 1e2 => format!("{value:.2}"),
        m if m >= 1e1 => format!("{value:.3}"),
        m if m >= 1e-2 => format!("{value:.4}"),
        _ => format!("{value:.3e}"),
    }
}

/// Text that stays inside its cell, or on its line.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
