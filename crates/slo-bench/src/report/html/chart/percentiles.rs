//! Latency by percentile: the curve, the intervals of percentiles, and the limits of the contract.
//!
//! Both axes are logarithmic: a tail is a thousand times rarer and ten times slower than the middle.

use std::fmt::{Result, Write as _};

use super::axis::Axis;
use super::{ACROSS, BOTTOM, RIGHT, STEPS, TOP, UP, middle};
use crate::contract::Evidence;
use crate::recorder::Latency;
use crate::report::Run;
use crate::report::text::Xml;
use crate::verdict::Verdict;

pub(in super::super) fn percentiles(out: &mut String, run: &Run) -> Result {
    let points = curve(&run.latency);
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Ok(()) };
    let limits = limits(run);
    let near =
        limits.iter().map(|limit| limit.value).filter(|&v| v < last.1 * 4.0 && v > first.1 / 4.0);
    let (low, high) = near.fold((first.1, last.1), |(low, high), v| (v.min(low), v.max(high)));
    let y = Axis::logarithmic(low * 0.97, high * 1.03, UP);
    let x = Axis::logarithmic(1.0, last.0 * 1.1, ACROSS);
    writeln!(out, "<figure>\n<figcaption>latency by percentile</figcaption>")?;
    super::open(out, "Latency by percentile", ["percentile", "latency"])?;
    let names = ["p50", "p90", "p99", "p99.9", "p99.99", "p99.999", "p99.9999"];
    let places = [2.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
    let named = places.into_iter().zip(names).filter(|(at, _)| x.holds(*at));
    super::vertical_ticks(out, named.map(|(at, name)| (x.at(at), name.to_owned())))?;
    super::horizontal_ticks(out, super::latency_ticks(&y))?;
    write!(out, "<path class=\"curve\" d=\"M{:.1} {:.1}", x.at(first.0), y.at(first.1))?;
    for (scarcity, value) in &points[1..] {
        write!(out, "V{:.1}H{:.1}", y.at(*value), x.at(*scarcity))?;
    }
    writeln!(out, "\"/>")?;
    for interval in &run.latency.intervals {
        let Some(at) = scarcity(&interval.quantile) else { continue };
        let end =
            |ns: Option<u64>, open: f64| ns.map_or(open, |ns| y.at(ns as f64).clamp(TOP, BOTTOM));
        let (from, to) = (end(interval.lower_ns, BOTTOM), end(interval.upper_ns, TOP));
        let at = x.at(at);
        writeln!(
            out,
            "<path class=\"interval\" d=\"M{at:.1} {from:.1}V{to:.1}M{0:.1} {from:.1}H{1:.1}M{0:.1} {to:.1}H{1:.1}\"/>",
            at - 3.0,
            at + 3.0
        )?;
    }
    for Drawn { scarcity, value, class, words } in
        limits.iter().filter(|limit| y.holds(limit.value))
    {
        let (at, up) = (x.at(scarcity.min(x.high)), y.at(*value));
        writeln!(
            out,
            "<path class=\"{class}\" d=\"M{:.1} {up:.1}H{:.1}\"><title>{}</title></path>",
            at - 14.0,
            (at + 14.0).min(RIGHT),
            Xml(words)
        )?;
    }
    writeln!(out, "</svg>")?;
    let drawn = limits.iter().filter(|limit| y.holds(limit.value));
    let drawn = drawn.map(|limit| (limit.class, "M4 6H28", limit.words.clone()));
    let interval = ("interval", "M16 1V11M13 1H19M13 11H19", "95 % interval".to_owned());
    let interval = (!run.latency.intervals.is_empty()).then_some(interval);
    let entries = interval.into_iter().chain(drawn);
    super::legend(
        out,
        entries
            .map(|(class, path, name)| (format!("<path class=\"{class}\" d=\"{path}\"/>"), name)),
    )?;
    writeln!(out, "</figure>")
}

/// Samples as (1 / share above, latency), ascending, thinned to what a chart can show. The largest stands at its rank.
fn curve(latency: &Latency) -> Vec<(f64, f64)> {
    let all = latency.samples as f64;
    let mut points: Vec<(f64, f64)> = Vec::new();
    let (mut below, mut next) = (0.0, 0.0);
    let step = all.max(2.0).ln() / f64::from(STEPS);
    for (edges, count) in latency.histogram.buckets() {
        below += count as f64;
        let scarcity = all / (all - below).max(1.0);
        if scarcity.ln() >= next || points.is_empty() {
            points.push((scarcity, middle(&edges)));
            next = scarcity.ln() + step;
        } else if let Some(last) = points.last_mut().filter(|_| below >= all) {
            *last = (scarcity, middle(&edges));
        }
    }
    points
}

struct Drawn {
    scarcity: f64,
    value: f64,
    class: &'static str,
    words: String,
}

/// The limits of percentiles in the contract of a run.
fn limits(run: &Run) -> Vec<Drawn> {
    let drawn = run.clauses.iter().filter_map(|clause| {
        let Evidence::Percentile(counted) = &clause.evidence else { return None };
        let class = match clause.verdict {
            Verdict::Pass => "kept",
            Verdict::Fail => "broken",
            _ => "undecided",
        };
        Some(Drawn {
            scarcity: scarcity(&counted.quantile)
                .unwrap_or_else(|| run.latency.samples.max(2) as f64),
            value: counted.limit_ms * 1e6,
            class,
            words: format!("{}: {}", clause.promise, clause.verdict),
        })
    });
    drawn.collect()
}

/// One over the share above a percentile such as `p99.9`; `None` for the largest.
fn scarcity(quantile: &str) -> Option<f64> {
    let percent: f64 = quantile.strip_prefix('p')?.parse().ok()?;
    Some(100.0 / (100.0 - percent))
}
