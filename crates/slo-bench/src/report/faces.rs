//! Every form that one run is written in, by the name of its file.
//!
//! The JSON is the report; all else is made from it and from what stands beside it, and can be made again.

use std::ffi::OsStr;
use std::time::{Duration, UNIX_EPOCH};

use super::text::slug;
use super::{Report, html, junit, markdown, openmetrics, sarif, tables, trackers};
use crate::recorder::{LogInterval, write_hgrm, write_hlog};

/// Name of the report itself.
pub(super) const JSON: &str = "report.json";
/// Name of the Markdown face.
pub(super) const MARKDOWN: &str = "report.md";
/// Name of the page.
pub const PAGE: &str = "report.html";

/// A face: the name of its file and what writes it.
type Face = (&'static str, fn(&Report) -> String);

/// Faces of one file each, without the page.
const FACES: [Face; 10] = [
    (MARKDOWN, markdown::render),
    ("report.junit.xml", junit::render),
    ("report.sarif", sarif::render),
    ("report.smaller-is-better.json", trackers::smaller_is_better),
    ("report.bigger-is-better.json", trackers::bigger_is_better),
    ("report.bencher.json", trackers::bencher),
    ("report.openmetrics.txt", openmetrics::render),
    ("report.runs.csv", tables::runs),
    ("report.figures.csv", tables::figures),
    ("report.hlog", hlog),
];
/// Distributions have a file each: `report.<section>-<run>.hgrm`.
const DISTRIBUTION: (&str, &str) = ("report.", ".hgrm");

/// Whether a file of this name is one that a report is written in.
pub(super) fn is_ours(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let (start, end) = DISTRIBUTION;
    name == JSON
        || name == PAGE
        || FACES.iter().any(|(face, _)| *face == name)
        || (name.starts_with(start) && name.ends_with(end))
}

/// Every face of `report` but the JSON. `beside` reads a file that stands beside the report, for the page.
pub(super) fn all(
    report: &Report,
    beside: impl Fn(&str) -> Option<String>,
) -> Vec<(String, String)> {
    let mut faces: Vec<_> =
        FACES.iter().map(|(name, write)| ((*name).to_owned(), write(report))).collect();
    faces.push((PAGE.to_owned(), html::render(report, beside)));
    let (start, end) = DISTRIBUTION;
    for (section, run, title) in report.runs() {
        let mut text = Vec::new();
        // Writing to memory cannot fail.
        let _ = write_hgrm(&mut text, &run.latency.histogram);
        let name = format!("{start}{}{end}", slug(&format!("{} {title}", section.name)));
        faces.push((name, String::from_utf8_lossy(&text).into_owned()));
    }
    faces
}

/// The interval log: an interval a run, one after the other as far as the report knows.
fn hlog(report: &Report) -> String {
    let runs = report.runs();
    let mut start = Duration::ZERO;
    let intervals = runs.iter().map(|(section, run, title)| {
        let length = Duration::try_from_secs_f64(run.latency.samples as f64 / run.rate_hz);
        let length = length.unwrap_or_default();
        let tag = format!("{}/{title}", section.name);
        let interval = (tag, start, length, &run.latency.histogram);
        start += length;
        interval
    });
    let intervals: Vec<_> = intervals.collect();
    let intervals: Vec<_> = intervals
        .iter()
        .map(|(tag, start, length, histogram)| LogInterval {
            tag,
            start: *start,
            length: *length,
            histogram,
        })
        .collect();
    let started = UNIX_EPOCH + report.started_utc.after_epoch().unwrap_or_default();
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = write_hlog(&mut text, started, &intervals);
    String::from_utf8_lossy(&text).into_owned()
}
