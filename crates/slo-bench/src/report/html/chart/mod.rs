//! The charts of the page, drawn by hand: one file a kind, over the frame, axes and ticks that they share.
//!
//! Needs no script: what tells lines apart is in their dashes and marks as well as in their colours.

mod axis;
mod histogram;
mod lines;
mod percentiles;

use std::fmt::{Result, Write as _};
use std::ops::RangeInclusive;

use crate::report::text::Xml;
use axis::{Axis, short};

pub(super) use histogram::histogram;
pub(super) use lines::lines;
pub(super) use percentiles::percentiles;

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 220.0;
/// The plot without its labels.
const LEFT: f64 = 54.0;
const RIGHT: f64 = WIDTH - 12.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = HEIGHT - 38.0;
/// The ends of the horizontal axis, and of the vertical one from below.
const ACROSS: [f64; 2] = [LEFT, RIGHT];
const UP: [f64; 2] = [BOTTOM, TOP];
/// Points of a curve, and bars of a histogram, at most.
const STEPS: u32 = 64;
/// About the width of a character, in a face that is rather wide.
const CHARACTER: f64 = 7.0;

/// Begins a chart; what its axes measure stands at the ends of them.
fn open(out: &mut String, what: &str, [x, y]: [&str; 2]) -> Result {
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        Xml(what)
    )?;
    let (above, below) = (TOP - 10.0, HEIGHT - 4.0);
    writeln!(out, "<text x=\"4\" y=\"{above}\">{}</text>", Xml(y))?;
    writeln!(out, "<text x=\"{RIGHT}\" y=\"{below}\" text-anchor=\"end\">{}</text>", Xml(x))
}

/// What each thing in a chart looks like, and its name.
fn legend(out: &mut String, entries: impl Iterator<Item = (String, String)>) -> Result {
    writeln!(out, "<ul class=\"legend\">")?;
    for (swatch, name) in entries {
        let name = Xml(&name);
        writeln!(
            out,
            "<li><svg viewBox=\"0 0 32 12\" aria-hidden=\"true\">{swatch}</svg>{name}</li>"
        )?;
    }
    writeln!(out, "</ul>")
}

/// Lines with names below them; a name that would touch the one before is left out.
fn vertical_ticks(out: &mut String, ticks: impl Iterator<Item = (f64, String)>) -> Result {
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
            taken = middle + half + CHARACTER / 2.0;
        }
    }
    Ok(())
}

/// Lines with names to the left of them.
fn horizontal_ticks(out: &mut String, ticks: impl Iterator<Item = (f64, String)>) -> Result {
    for (at, name) in ticks {
        writeln!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{RIGHT}\" y2=\"{at:.1}\"/>"
        )?;
        let (left, below) = (LEFT - 5.0, at + 4.0);
        writeln!(out, "<text x=\"{left}\" y=\"{below:.1}\" text-anchor=\"end\">{name}</text>")?;
    }
    Ok(())
}

/// The round values of an axis of latencies, with their unit.
fn latency_ticks(axis: &Axis) -> impl Iterator<Item = (f64, String)> {
    let (unit, scale) = time_unit(axis.high);
    let ticks = axis.ticks().into_iter();
    ticks.map(move |tick| (axis.at(tick), format!("{} {unit}", short(tick / scale))))
}

/// The latency that stands for a bucket.
fn middle(edges: &RangeInclusive<u64>) -> f64 {
    (edges.start().midpoint(*edges.end())).max(1) as f64
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
