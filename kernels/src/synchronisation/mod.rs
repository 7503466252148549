//! Two banks of coupled phases that are pulled into step (Kuramoto 1975), each by itself and by the other.
//!
//! With R e^(i Phi) the mean of e^(i phi), and R', Psi those of psi, a step of Euler's method is
//!
//! ```text
//! d phi_i = omega_i  + 0.1 mu_i        + 5 R  sin(Phi - phi_i) + sin(psi_i - phi_i)
//! d psi_i = omega'_i + 0.1 sin theta_i + 5 R' sin(Psi - psi_i) + sin(phi_i - psi_i)
//! ```
//!
//! where mu and theta come from elsewhere. A call takes three steps of 0.01, leaves the phases in [0, 2 pi), which
//! changes no sine, and says how coherent the banks are: |mean e^(i (phi - psi))|. [`naive`] writes this out,
//! [`optimised`] computes the same on all cores. Never changes what drives the banks.

mod banks;

pub mod naive;
pub mod optimised;

#[cfg(test)]
mod tests;

pub use banks::Banks;

/// Steps of a call.
const STEPS: usize = 3;

/// Time of a step.
const DT: f64 = 0.01;

/// What the drive from elsewhere counts.
const DRIVE: f64 = 0.1;

/// How strongly a bank pulls its own phases.
const PULL: f64 = 5.0;

/// What the random numbers of this workload are for.
mod stream {
    pub(super) const PHASES: u32 = 8;
    pub(super) const FREQUENCIES: u32 = 9;
}
