//! The equations of the banks, written out on one thread.
//!
//! It exists to be read and to be right. Never made fast: [`optimised`](super::optimised) is.

use super::{Banks, DRIVE, DT, PULL, STEPS};
use crate::thermodynamic::wrap;

/// One call, driven by `mu` and `theta`, one of each for every phase of a bank; the coherence at its end.
pub fn synchronise(banks: &mut Banks, mu: &[f64], theta: &[f64]) -> f64 {
    let n = banks.len();
    for _ in 0..STEPS {
        let (phi, psi) = banks.phases.split_at(n);
        let (omega, omega_other) = banks.frequencies().split_at(n);
        let (phi_order, phi_mean) = mean(phi);
        let (psi_order, psi_mean) = mean(psi);
        let mut changes = vec![0.0; 2 * n];
        for i in 0..n {
            changes[i] = omega[i]
                + DRIVE * mu[i]
                + PULL * phi_order * (phi_mean - phi[i]).sin()
                + (psi[i] - phi[i]).sin();
            changes[n + i] = omega_other[i]
                + DRIVE * theta[i].sin()
                + PULL * psi_order * (psi_mean - psi[i]).sin()
                + (phi[i] - psi[i]).sin();
        }
        for (phase, change) in banks.phases.iter_mut().zip(changes) {
            *phase += DT * change;
        }
    }
    banks.phases.iter_mut().for_each(|phase| *phase = wrap(*phase));
    let (phi, psi) = banks.phases.split_at(n);
    let apart: Vec<f64> = phi.iter().zip(psi).map(|(phi, psi)| phi - psi).collect();
    mean(&apart).0
}

/// Length and angle of the mean of e^(i phase).
fn mean(phases: &[f64]) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "a bank has fewer than 2^53 phases")]
    let n = phases.len() as f64;
    let (mut cosine, mut sine) = (0.0, 0.0);
    for phase in phases {
        cosine += phase.cos() / n;
        sine += phase.sin() / n;
    }
    (cosine.hypot(sine), sine.atan2(cosine))
}
