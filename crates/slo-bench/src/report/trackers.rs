//! What trackers of benchmarks read: github-action-benchmark's two lists and the Bencher Metric Format.
//!
//! A figure is listed only if its unit says which way is better.

use serde_json::{Map, Value, json};

use super::text::slug;
use super::{Better, Report, milliseconds, number};
use crate::recorder::Latency;

/// `customSmallerIsBetter` of github-action-benchmark: percentiles in milliseconds, and figures that are times.
pub(super) fn smaller_is_better(report: &Report) -> String {
    let mut entries = Vec::new();
    for (section, run, name) in report.runs() {
        for point in run.latency.points() {
            let Some(value) = point.ns else { continue };
            let range = point.interval.map(|interval| {
                let [from, to] = [interval.lower_ns, interval.upper_ns].map(milliseconds);
                format!("{} % between {from} and {to}", number(interval.confidence * 100.0))
            });
            entries.push(json!({
                "name": format!("{} / {name}: {}", section.name, point.name),
                "unit": "ms",
                "value": crate::contract::milliseconds(value),
                "range": range.unwrap_or_default(),
                "extra": extra(report, &run.measured_on, Some(&run.latency)),
            }));
        }
    }
    entries.extend(figures(report, Better::Smaller));
    pretty(&Value::Array(entries))
}

/// `customBiggerIsBetter` of the same: rates, and figures that are rates or ratios.
pub(super) fn bigger_is_better(report: &Report) -> String {
    let rates = report.runs().into_iter().map(|(section, run, name)| {
        json!({
            "name": format!("{} / {name}: rate", section.name),
            "unit": "Hz",
            "value": run.rate_hz,
            "extra": extra(report, &run.measured_on, Some(&run.latency)),
        })
    });
    let entries = rates.chain(figures(report, Better::Larger)).collect();
    pretty(&Value::Array(entries))
}

/// The Bencher Metric Format: benchmarks with measures, latencies in nanoseconds with the ends of their intervals.
pub(super) fn bencher(report: &Report) -> String {
    let mut benchmarks = Map::new();
    for (section, run, name) in report.runs() {
        let mut measures = Map::new();
        for point in run.latency.points() {
            let Some(value) = point.ns else { continue };
            let mut metric = Map::from_iter([("value".to_owned(), json!(value))]);
            let ends = point.interval.map(|interval| {
                [("lower_value", interval.lower_ns), ("upper_value", interval.upper_ns)]
            });
            for (end, value) in ends.into_iter().flatten() {
                metric.extend(value.map(|value| (end.to_owned(), json!(value))));
            }
            measures.insert(format!("latency-{}", slug(point.name)), Value::Object(metric));
        }
        measures.insert("rate-hz".to_owned(), json!({ "value": run.rate_hz }));
        benchmarks.insert(format!("{} / {name}", section.name), Value::Object(measures));
    }
    for (section, figure, name) in report.figures() {
        if Better::of(&figure.unit).is_some() {
            let measure = json!({ slug(&figure.unit): { "value": figure.value } });
            benchmarks.insert(format!("{} / {name}", section.name), measure);
        }
    }
    pretty(&Value::Object(benchmarks))
}

fn figures(report: &Report, better: Better) -> Vec<Value> {
    let figures = report.figures().into_iter();
    let figures = figures.filter(|(_, figure, _)| Better::of(&figure.unit) == Some(better));
    let entry = figures.map(|(section, figure, name)| {
        json!({
            "name": format!("{} / {name}", section.name),
            "unit": figure.unit,
            "value": figure.value,
            "extra": extra(report, &figure.measured_on, None),
        })
    });
    entry.collect()
}

/// Facts for the eye, a line each.
fn extra(report: &Report, measured_on: &str, latency: Option<&Latency>) -> String {
    let samples = latency.map(|latency| format!("\nsamples: {}", latency.samples));
    format!(
        "measured on: {measured_on}\ncommit: {}{}",
        report.program.commit,
        samples.unwrap_or_default()
    )
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
