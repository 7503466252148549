//! W2, the thermodynamic network: coupled oscillators in a heat bath (Langevin and Kuramoto).
//!
//! State: angles theta and velocities v of n oscillators. One step, with normal numbers xi of its own:
//!
//! ```text
//! F_i     = omega_i + K sum_j C_ij sin(theta_j - theta_i) - gamma v_i + sqrt(2 gamma T / dt) xi_i
//! v_i     <- v_i + F_i dt
//! theta_i <- (theta_i + v_i dt) mod 2 pi
//! ```
//!
//! [`naive`] writes this out, [`optimised`] computes the same on all cores, and [`Evolution`] keeps the state on a device
//! and runs [`EvolveResident`] on it, or [`Evolve`] where
//! that does not fit. [`compare`] says whether two of them agree. Boltzmann's constant is 1.

mod compare;
mod evolution;
mod evolve;
mod evolve_resident;
mod network;
mod observables;
mod parameters;

pub mod naive;
pub mod optimised;

#[cfg(test)]
mod tests;

pub use compare::{Differences, TOLERANCES, compare};
pub(crate) use evolution::PreparedProgram;
pub use evolution::{Evolution, Program};
pub use evolve::{Evolve, EvolveArgs};
pub(crate) use evolve::{noise_len, results_len};
pub use evolve_resident::EvolveResident;
pub use network::{Network, State};
pub use observables::{OBSERVABLES, Observables};
pub use parameters::Parameters;

use std::f64::consts::TAU;

use crate::philox::Draw;

/// What the random numbers of this workload are for.
mod stream {
    pub(super) const THETA: u32 = 1;
    pub(super) const V: u32 = 2;
    pub(super) const OMEGA: u32 = 3;
    pub(super) const COUPLING: u32 = 4;
    pub(super) const NOISE: u32 = 5;
}

/// Steps that share a frame of the random numbers, whatever the steps of a call.
const STEPS_PER_FRAME: u64 = 10;

/// Where the noise of step `time` is drawn, counted from the beginning of the network's life.
///
/// The counter has 32 bits for the frame: the noise repeats after 4e10 steps.
#[expect(clippy::cast_possible_truncation, reason = "documented: the frame is taken modulo 2^32")]
fn noise_draw(time: u64) -> Draw {
    let step = (time % STEPS_PER_FRAME) as u32;
    Draw { stream: stream::NOISE, step, frame: (time / STEPS_PER_FRAME) as u32 }
}

/// The angle in [0, 2 pi), by the formula of `wrap` in `network.cuh`.
///
/// The quotient may be rounded over a whole number, so the remainder can miss the range by a turn on either side.
pub(crate) fn wrap(angle: f64) -> f64 {
    let mut wrapped = (-(angle / TAU).floor()).mul_add(TAU, angle);
    if wrapped < 0.0 {
        wrapped += TAU;
    }
    if wrapped >= TAU {
        wrapped -= TAU;
    }
    wrapped
}
