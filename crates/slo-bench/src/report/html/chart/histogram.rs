//! How often each latency was seen.
//!
//! Both axes are logarithmic: a tail is a thousand times rarer and ten times slower than the middle.

use std::fmt::{Result, Write as _};

use super::axis::{Axis, short};
use super::{ACROSS, BOTTOM, LEFT, RIGHT, STEPS, UP, middle};
use crate::recorder::Latency;

pub(in super::super) fn histogram(out: &mut String, latency: &Latency) -> Result {
    let buckets: Vec<_> = latency.histogram.buckets().collect();
    let (Some((lowest, _)), Some((highest, _))) = (buckets.first(), buckets.last()) else {
        return Ok(());
    };
    // Latencies of 0 ns are in the bucket of 1 ns.
    let (low, high) = ((*lowest.start()).max(1) as f64, *highest.end() as f64 * 1.001);
    let x = Axis::logarithmic(low, high, ACROSS);
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
    let y = Axis::logarithmic(0.5, most as f64 * 1.2, UP);
    writeln!(out, "<figure>\n<figcaption>samples by latency</figcaption>")?;
    super::open(out, "Samples by latency", ["latency", "samples"])?;
    super::vertical_ticks(out, super::latency_ticks(&x))?;
    // Counts are whole.
    let whole = y.ticks().into_iter().filter(|tick| tick.fract() == 0.0);
    super::horizontal_ticks(out, whole.map(|tick| (y.at(tick), short(tick))))?;
    write!(out, "<path class=\"bars\" d=\"")?;
    let width = (RIGHT - LEFT) / f64::from(STEPS);
    for (index, &count) in (0u32..).zip(&counts).filter(|(_, count)| **count > 0) {
        let left = LEFT + f64::from(index) * width;
        let top = y.at(count as f64);
        write!(out, "M{left:.1} {BOTTOM}V{top:.1}H{:.1}V{BOTTOM}Z", left + width * 0.85)?;
    }
    writeln!(out, "\"/>\n</svg>\n</figure>")
}
