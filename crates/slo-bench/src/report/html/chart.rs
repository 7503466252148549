//! The two charts of a run, drawn by hand: latency by percentile, and how often each latency was seen.
//!
//! Both axes of both are logarithmic: a tail is a thousand times rarer and ten times slower than the middle.

use std::fmt::{Result, Write as _};

use crate::contract::Evidence;
use crate::recorder::Latency;
use crate::report::Run;
use crate::verdict::Verdict;

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 230.0;
/// The plot without its labels.
const LEFT: f64 = 52.0;
const RIGHT: f64 = WIDTH - 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = HEIGHT - 34.0;
/// Points of the curve, and bars of the histogram, at most.
const STEPS: u32 = 64;

/// A logarithmic axis: values from `low` to `high`, both positive, on `from..=to` of the page.
#[derive(Clone, Copy, Debug)]
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// At least 4 % wide, so that one value alone has a place.
    fn new(low: f64, high: f64, from: f64, to: f64) -> Self {
        let (low, high) = if high < low * 1.04 { (low * 0.98, high * 1.02) } else { (low, high) };
        Self { low, high, from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        self.from + share * (self.to - self.from)
    }

    /// Four to seven round values within.
    fn ticks(&self) -> Vec<f64> {
        const TICKS_MAX: usize = 7;
        let steps: &[f64] = match self.high / self.low {
            // Few powers of ten fit: equal distances instead.
            ratio if ratio < 8.0 => return self.linear_ticks(),
            ratio if ratio < 150.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let decades = (-3..=18).map(|decade| 10f64.powi(decade));
        let all = decades.flat_map(|decade| steps.iter().map(move |step| step * decade));
        let held: Vec<_> = all.filter(|&value| self.holds(value)).collect();
        held.iter().copied().step_by(held.len().div_ceil(TICKS_MAX).max(1)).collect()
    }

    fn linear_ticks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / 5.0;
        let unit = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|s| s * unit).find(|s| *s >= rough);
        let step = step.unwrap_or(rough);
        let first = (self.low / step).ceil();
        (0..8u32).map(|i| (first + f64::from(i)) * step).filter(|&v| self.holds(v)).collect()
    }

    fn holds(&self, value: f64) -> bool {
        value >= self.low * 0.999_999 && value <= self.high * 1.000_001
    }
}

/// Latency by percentile: the curve, the intervals of percentiles, and the limits of the contract.
pub(super) fn percentiles(out: &mut String, run: &Run) -> Result {
    let points = curve(&run.latency);
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Ok(()) };
    let limits = limits(run);
    let near =
        limits.iter().map(|limit| limit.value).filter(|&v| v < last.1 * 4.0 && v > first.1 / 4.0);
    let (low, high) = near.fold((first.1, last.1), |(low, high), v| (v.min(low), v.max(high)));
    let y = Axis::new(low * 0.97, high * 1.03, BOTTOM, TOP);
    let x = Axis::new(1.0, last.0 * 1.1, LEFT, RIGHT);
    writeln!(out, "<figure>\n<figcaption>latency by percentile</figcaption>")?;
    open(out, "Latency by percentile")?;
    let names = ["p50", "p90", "p99", "p99.9", "p99.99", "p99.999", "p99.9999"];
    let places = [2.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
    let named = places.into_iter().zip(names).filter(|(at, _)| x.holds(*at));
    vertical_ticks(out, named.map(|(at, name)| (x.at(at), name.to_owned())))?;
    horizontal_ticks(out, &y, &time_unit(high))?;
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
            "<path class=\"{class}\" d=\"M{:.1} {up:.1}H{:.1}\"><title>{words}</title></path>",
            at - 14.0,
            (at + 14.0).min(RIGHT)
        )?;
    }
    writeln!(out, "</svg>\n</figure>")
}

/// How often each latency was seen.
pub(super) fn histogram(out: &mut String, latency: &Latency) -> Result {
    let buckets: Vec<_> = latency.histogram.buckets().collect();
    let (Some((lowest, _)), Some((highest, _))) = (buckets.first(), buckets.last()) else {
        return Ok(());
    };
    // Latencies of 0 ns are in the bucket of 1 ns.
    let x = Axis::new((*lowest.start()).max(1) as f64, *highest.end() as f64 * 1.001, LEFT, RIGHT);
    let bars = (x.high / x.low).ln() / f64::from(STEPS);
    let mut counts = vec![0; 1];
    let mut edge = x.low.ln() + bars;
    for (edges, count) in &buckets {
        while middle(edges).ln() > edge {
            counts.push(0);
            edge += bars;
        }
        *counts.last_mut().expect("there is a bar from the start") += count;
    }
    let most = counts.iter().copied().max().unwrap_or(1);
    // From half a sample on, so that a bar of one can be seen.
    let y = Axis::new(0.5, most as f64 * 1.2, BOTTOM, TOP);
    writeln!(out, "<figure>\n<figcaption>samples by latency</figcaption>")?;
    open(out, "Samples by latency")?;
    let (unit, scale) = time_unit(x.high);
    let ticks = x.ticks().into_iter();
    vertical_ticks(out, ticks.map(|tick| (x.at(tick), format!("{} {unit}", short(tick / scale)))))?;
    horizontal_ticks(out, &y, &("", 1.0))?;
    write!(out, "<path class=\"bars\" d=\"")?;
    let width = (RIGHT - LEFT) / f64::from(STEPS);
    for (index, &count) in (0u32..).zip(&counts).filter(|(_, count)| **count > 0) {
        let left = LEFT + f64::from(index) * width;
        let top = y.at(count as f64);
        write!(out, "M{left:.1} {BOTTOM}V{top:.1}H{:.1}V{BOTTOM}Z", left + width * 0.85)?;
    }
    writeln!(out, "\"/>\n</svg>\n</figure>")
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
            words: format!("{}: {}", clause.promise, clause.verdict).replace('<', "&lt;"),
        })
    });
    drawn.collect()
}

/// One over the share above a percentile such as `p99.9`; `None` for the largest.
fn scarcity(quantile: &str) -> Option<f64> {
    let percent: f64 = quantile.strip_prefix('p')?.parse().ok()?;
    Some(100.0 / (100.0 - percent))
}

fn middle(edges: &std::ops::RangeInclusive<u64>) -> f64 {
    (edges.start().midpoint(*edges.end())).max(1) as f64
}

fn open(out: &mut String, what: &str) -> Result {
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{what}\">"
    )
}

/// Lines with names below them; a name that would touch the one before is left out.
fn vertical_ticks(out: &mut String, ticks: impl Iterator<Item = (f64, String)>) -> Result {
    /// About the width of a character, in a face that is rather wide.
    const CHARACTER: f64 = 6.5;
    let mut taken = 0.0;
    for (at, name) in ticks {
        writeln!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{BOTTOM}\"/>"
        )?;
        let half = name.chars().map(|_| CHARACTER).sum::<f64>() / 2.0;
        // A name at the end of the axis stays on the page.
        let middle = at.min(WIDTH - half);
        if middle - half > taken {
            let below = BOTTOM + 16.0;
            writeln!(
                out,
                "<text x=\"{middle:.1}\" y=\"{below}\" text-anchor=\"middle\">{name}</text>"
            )?;
            taken = middle + half;
        }
    }
    Ok(())
}

fn horizontal_ticks(out: &mut String, y: &Axis, (unit, scale): &(&str, f64)) -> Result {
    // Counts are whole.
    let is_shown = |tick: &f64| !unit.is_empty() || tick.fract() == 0.0;
    for tick in y.ticks().into_iter().filter(is_shown) {
        let (at, value) = (y.at(tick), short(tick / scale));
        writeln!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{RIGHT}\" y2=\"{at:.1}\"/>"
        )?;
        let label = format!("{value} {unit}");
        writeln!(
            out,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 5.0,
            at + 4.0,
            label.trim_end()
        )?;
    }
    Ok(())
}

/// The unit that values up to `ns` read best in, and how many nanoseconds it is.
fn time_unit(ns: f64) -> (&'static str, f64) {
    match ns {
        n if n < 2e3 => ("ns", 1.0),
        n if n < 2e6 => ("us", 1e3),
        n if n < 2e9 => ("ms", 1e6),
        _ => ("s", 1e9),
    }
}

/// A round value without what counting in binary left behind it; thousands and millions by letter.
fn short(value: f64) -> String {
    let (value, letter) = match value {
        v if v >= 1e6 => (v / 1e6, "M"),
        v if v >= 1e4 => (v / 1e3, "k"),
        v => (v, ""),
    };
    format!("{}{letter}", (value * 1e6).round() / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_round_and_within() {
        for (low, high) in
            [(1.0, 1.03), (9.5e3, 3.2e5), (30e3, 36e3), (1.0, 1e9), (0.5, 1.2e5), (4.0, 30.0)]
        {
            let ticks = Axis::new(low, high, 0.0, 300.0).ticks();
            assert!((2..=8).contains(&ticks.len()), "{low} to {high}: {ticks:?}");
            assert!(ticks.is_sorted(), "{ticks:?}");
        }
        assert_eq!(Axis::new(9.5e3, 3.2e5, 0.0, 300.0).ticks(), [1e4, 2e4, 5e4, 1e5, 2e5]);
    }

    #[test]
    fn labels_are_short() {
        assert_eq!([0.5, 35.8, 20_000.0, 3e6].map(short), ["0.5", "35.8", "20k", "3M"]);
    }
}
