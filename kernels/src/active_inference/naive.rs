//! One call of active inference, written out loop by loop on one thread.
//!
//! It exists to be read and to be right. Never made fast: [`optimised`](super::optimised) is. The one thing it does not
//! repeat is W sin(drive), which the definition holds constant over the substeps; every substep itself is taken.

use std::f64::consts::TAU;

use super::{
    Agent, HORIZON, ITERATIONS, MODES, NEIGHBOUR, OBSERVATIONS, Outputs, POLICIES, SUBSTEPS,
    WINDOWS, WINDOWS_PER_MODE, atmosphere_draw, best, count, seen, seen_by, window_draw,
};
use crate::philox::Philox;

/// One call: inference, then the policies.
pub fn infer(agent: &mut Agent, observations: &[f64; OBSERVATIONS]) -> Outputs {
    let mut energies = [0.0; ITERATIONS + 1];
    energies[0] = free_energy(agent, observations);
    for energy in &mut energies[1..] {
        descend(agent, observations);
        *energy = free_energy(agent, observations);
    }
    let mut g = [0.0; POLICIES];
    for (policy, g) in g.iter_mut().enumerate() {
        *g = follow(agent, policy);
    }
    agent.calls += 1;
    let policy = best(&g);
    let gain = agent.parameters().gains[policy];
    let u = agent.mu().iter().map(|mu| -gain * mu).collect();
    Outputs { mu: agent.mu.clone(), free_energy: energies, g, policy, u }
}

/// F of the belief.
pub(super) fn free_energy(agent: &Agent, observations: &[f64; OBSERVATIONS]) -> f64 {
    let parameters = agent.parameters();
    let (prior_variance, variance) = (parameters.prior_variance, parameters.variance);
    let mut complexity = 0.0;
    for mu in agent.mu() {
        complexity += variance / prior_variance + mu * mu / prior_variance - 1.0
            + (prior_variance / variance).ln();
    }
    let mut surprise = 0.0;
    for (i, observation) in observations.iter().enumerate() {
        let residual = observation - seen(agent.mu(), i) - 1.0;
        surprise += parameters.precision * residual * residual;
    }
    surprise += count(OBSERVATIONS) * TAU.ln();
    surprise -= count(OBSERVATIONS) * parameters.precision.ln();
    0.5 * complexity + 0.5 * surprise
}

/// One step of inference: mu <- mu + kappa (J^T e - mu / prior variance).
pub(super) fn descend(agent: &mut Agent, observations: &[f64; OBSERVATIONS]) {
    let parameters = *agent.parameters();
    let mut direction = vec![0.0; WINDOWS];
    for (i, observation) in observations.iter().enumerate() {
        let error = parameters.precision * (observation - seen(&agent.mu, i) - 1.0);
        for (window, weight) in seen_by(i) {
            direction[window] += weight * error;
        }
    }
    for (mu, direction) in agent.mu.iter_mut().zip(direction) {
        *mu += parameters.rate * (direction - *mu / parameters.prior_variance);
    }
}

/// Follows a policy to the end of the horizon; its G.
fn follow(agent: &mut Agent, policy: usize) -> f64 {
    let parameters = *agent.parameters();
    let random = Philox::new(agent.seed());
    let mut x = agent.mu.clone();
    let mut variance = vec![parameters.variance; WINDOWS];
    let mut modes = vec![0.0; MODES];
    let mut sum = 0.0;
    for h in 0..HORIZON {
        let column = HORIZON * policy + h;

        let mut normals = vec![0.0; MODES];
        random.normals(atmosphere_draw(column, agent.calls), &mut normals);
        for (mode, normal) in modes.iter_mut().zip(normals) {
            *mode = *mode * parameters.mode_kept() + parameters.mode_noise() * normal;
        }

        for (x, mu) in x.iter_mut().zip(&agent.mu) {
            *x -= parameters.gains[policy] * mu;
        }

        let drive = push(agent.coupling().dense(), &modes);
        for substep in 0..SUBSTEPS {
            let mut normals = vec![0.0; WINDOWS];
            random.normals(window_draw(column, substep, agent.calls), &mut normals);
            for window in 0..WINDOWS {
                let fall = -parameters.friction * x[window] + drive[window];
                x[window] += fall * parameters.dt + parameters.window_noise() * normals[window];
                let growth = -2.0 * parameters.friction * variance[window];
                variance[window] += (growth + 2.0 * parameters.diffusion) * parameters.dt;
            }
        }
        sum += value(agent, &x, &variance);
    }
    agent.foreseen[policy * WINDOWS..(policy + 1) * WINDOWS].copy_from_slice(&x);
    sum / count(HORIZON)
}

/// d = W sin(drive), window by window.
fn push(coupling: &[f64], modes: &[f64]) -> Vec<f64> {
    let mut sines = vec![0.0; WINDOWS];
    for (window, sine) in sines.iter_mut().enumerate() {
        let mode = window / WINDOWS_PER_MODE;
        let before = if mode > 0 { modes[mode - 1] } else { 0.0 };
        let after = if mode + 1 < MODES { modes[mode + 1] } else { 0.0 };
        *sine = (modes[mode] + NEIGHBOUR * before + NEIGHBOUR * after).sin();
    }
    let mut push = vec![0.0; WINDOWS];
    for (window, push) in push.iter_mut().enumerate() {
        for (other, sine) in sines.iter().enumerate() {
            *push += coupling[window * WINDOWS + other] * sine;
        }
    }
    push
}

/// Risk + ambiguity - novelty of windows at `x` with `variance`.
fn value(agent: &Agent, x: &[f64], variance: &[f64]) -> f64 {
    let parameters = agent.parameters();
    let (mut risk, mut ambiguity, mut novelty) = (0.0, 0.0, 0.0);
    for i in 0..OBSERVATIONS {
        // The observation is J x + 1, and 1 is what is wished for.
        let miss = seen(x, i) + 1.0 - 1.0;
        risk += miss * miss;
        for (window, weight) in seen_by(i) {
            ambiguity += weight * weight * variance[window];
        }
        ambiguity += 1.0 / parameters.precision;
    }
    for variance in variance {
        novelty += 0.5 * (parameters.prior_variance / variance).ln();
    }
    risk + ambiguity - novelty
}
