//! The highest rate that holds a contract: doubled or halved until two rates enclose it, then halved in between.
//!
//! Never looks at latencies: a probe says whether its rate holds. The number of probes is fixed beforehand, so that the
//! search ends whatever they say.

use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

/// How to search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CapacityPlan {
    /// The first rate to try.
    pub start_hz: f64,
    /// How many rates are tried.
    pub probes: u32,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// The highest rate that held; `None` if none did.
    pub holds_hz: Option<f64>,
    /// The lowest rate that did not; `None` if all did.
    pub breaks_hz: Option<f64>,
    /// Each rate that was tried, in order.
    pub probes: Vec<Probe>,
}

/// One rate that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Iterations a second.
    pub rate_hz: f64,
    /// Whether it held. Whatever is no pass did not.
    pub verdict: Verdict,
}

/// Searches for the highest rate at which `try_rate` passes, assuming that every lower one does.
///
/// # Errors
/// What `try_rate` fails with.
pub fn capacity<E>(
    plan: &CapacityPlan,
    mut try_rate: impl FnMut(f64) -> Result<Verdict, E>,
) -> Result<Capacity, E> {
    let mut found = Capacity { holds_hz: None, breaks_hz: None, probes: Vec::new() };
    for _ in 0..plan.probes {
        let rate_hz = match (found.holds_hz, found.breaks_hz) {
            (None, None) => plan.start_hz,
            (Some(holds), None) => holds * 2.0,
            (None, Some(breaks)) => breaks / 2.0,
            // Rates are compared by their ratio: the middle is the geometric one.
            (Some(holds), Some(breaks)) => (holds * breaks).sqrt(),
        };
        let verdict = try_rate(rate_hz)?;
        if verdict == Verdict::Pass {
            found.holds_hz = Some(rate_hz);
        } else {
            found.breaks_hz = Some(rate_hz);
        }
        found.probes.push(Probe { rate_hz, verdict });
    }
    Ok(found)
}
