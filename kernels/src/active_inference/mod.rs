//! W1, active inference: a belief about 30 x 30 windows, and the policy that is expected to serve it best.
//!
//! A call takes 100 observations o. It first lets the belief's mean mu explain them, o ~ J mu + 1, by ten steps down the
//! free energy; then it tries five policies on a drawn atmosphere, three steps ahead, and chooses the one with the
//! smallest expected free energy G. [`naive`] writes this out, [`optimised`] computes the same on all cores, and
//! [`Inference`] keeps the state on a device and runs [`Infer`] on it. [`compare`] says whether two of them agree.
//!
//! Where the definition leaves room, it is read like this:
//! - mu is 0 before the first call and persists; the variance of the belief is a constant of the model, and what the
//!   substeps do to it is forgotten with the policy. Calls are counted from 0: that is the frame of the random numbers.
//! - Policies start from the mean that inference has just reached. Position and variance of the windows and the
//!   atmosphere go on from one step of the horizon to the next; every policy starts anew, with an atmosphere of 0.
//! - The action x <- x - g mu is taken once a step of the horizon, before its substeps, always with the same mu.
//! - Row i of J sees windows 3 i - 1, 3 i and 3 i + 1; row 0 lacks the first. The last row ends at window 298, so the
//!   other windows are not observed: their mean only falls back to the prior's.
//! - Mode k moves windows 9 k to 9 k + 8. Modes -1 and 100 do not exist and are left out of the drive.
//! - G is the mean over the horizon of risk + ambiguity - novelty, each taken after the substeps.

mod agent;
mod compare;
mod coupling;
mod infer;
mod inference;
mod outputs;
mod parameters;

pub mod naive;
pub mod optimised;

#[cfg(test)]
mod tests;

pub use agent::Agent;
pub use compare::{Differences, TOLERANCES, compare};
pub use coupling::Coupling;
pub(crate) use infer::{ARRIVALS, THREADS, parts_for};
pub use infer::{Infer, InferArgs};
pub use inference::Inference;
pub use outputs::{OUTPUTS, Outputs, OutputsRef};
pub use parameters::Parameters;

use crate::philox::Draw;

/// Windows along each side of the grid.
pub const SIDE: usize = 30;

/// Windows.
pub const WINDOWS: usize = SIDE * SIDE;

/// Modes of the atmosphere.
pub const MODES: usize = 100;

/// Observations.
pub const OBSERVATIONS: usize = 100;

/// Policies.
pub const POLICIES: usize = 5;

/// Steps that a policy is followed.
pub const HORIZON: usize = 3;

/// Substeps of a step of the horizon.
pub const SUBSTEPS: usize = 100;

/// Steps of inference in a call.
pub const ITERATIONS: usize = 10;

/// Steps of all policies: each has an atmosphere, a drive and a noise of its own.
const COLUMNS: usize = POLICIES * HORIZON;

/// Windows that share a mode.
const WINDOWS_PER_MODE: usize = WINDOWS / MODES;

/// What a neighbour counts, in an observation and in the drive.
const NEIGHBOUR: f64 = 0.3;

/// What the workload observes when it runs alone: o_i = sin(0.01 i) + 0.5.
pub fn observations_alone() -> [f64; OBSERVATIONS] {
    std::array::from_fn(|i| (0.01 * count(i)).sin() + 0.5)
}

/// Row `i` of J: the windows that observation `i` sees, and how much of each.
fn seen_by(i: usize) -> impl Iterator<Item = (usize, f64)> {
    let centre = 3 * i;
    let left = centre.checked_sub(1).map(|left| (left, NEIGHBOUR));
    left.into_iter().chain([(centre, 1.0), (centre + 1, NEIGHBOUR)])
}

/// (J x)_i.
pub(crate) fn seen(x: &[f64], i: usize) -> f64 {
    seen_by(i).map(|(window, weight)| weight * x[window]).sum()
}

/// The policy of the smallest G; the first of them on a tie.
fn best(g: &[f64; POLICIES]) -> usize {
    (1..POLICIES).fold(0, |best, policy| if g[policy] < g[best] { policy } else { best })
}

/// What the random numbers of this workload are for.
mod stream {
    pub(super) const ATMOSPHERE: u32 = 6;
    pub(super) const WINDOWS: u32 = 7;
}

/// Where the numbers of the atmosphere are drawn; `column` is 3 policy + step of the horizon.
fn atmosphere_draw(column: usize, calls: u64) -> Draw {
    Draw { stream: stream::ATMOSPHERE, step: index(column), frame: frame(calls) }
}

/// Where the numbers of the windows are drawn, a substep at a time.
fn window_draw(column: usize, substep: usize, calls: u64) -> Draw {
    let step = index(column * SUBSTEPS + substep);
    Draw { stream: stream::WINDOWS, step, frame: frame(calls) }
}

/// The counter has 32 bits for the frame: the numbers repeat after 4e9 calls.
#[expect(clippy::cast_possible_truncation, reason = "documented: the frame is taken modulo 2^32")]
fn frame(calls: u64) -> u32 {
    calls as u32
}

/// A place below the sizes above, as a counter takes it.
fn index(place: usize) -> u32 {
    u32::try_from(place).expect("all sizes of the workload are small")
}

/// A number of things below the sizes above, as arithmetic takes it.
fn count(things: usize) -> f64 {
    f64::from(index(things))
}
