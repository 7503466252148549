//! The same call on all cores, by what the definition leaves constant.
//!
//! - The drive is constant over the substeps, so each step of the horizon needs one product W sin(drive), and that with
//!   the windows of every mode folded together ([`Coupling`](super::Coupling)).
//! - A substep is x <- a x + d dt + sqrt(2 D dt) n with a = 1 - gamma dt, so after S of them x has become
//!   a^S x + d (1 - a^S) / gamma + sqrt(2 D dt) z, where z sums a^(S-1-s) n_s: Horner's scheme, substep by substep.
//! - The variance does the same without noise, s^2 <- b s^2 + 2 D dt with b = 1 - 2 gamma dt, for all windows alike: it
//!   ends at D/gamma + (s^2 - D/gamma) b^S.
//!
//! The result does not depend on the number of threads: each task sums in one order, and so does who collects them.

use std::f64::consts::TAU;

use rayon::prelude::*;

use super::{
    Agent, COLUMNS, HORIZON, ITERATIONS, MODES, NEIGHBOUR, OBSERVATIONS, Outputs, POLICIES,
    Parameters, SUBSTEPS, WINDOWS, atmosphere_draw, best, count, seen, seen_by, window_draw,
};
use crate::philox::Philox;

/// Tasks that share the substeps of one step of the horizon.
const PARTS: usize = 4;

/// Windows that are worth handing to another core.
const WINDOWS_MIN: usize = 64;

/// One call: inference, then the policies.
pub fn infer(agent: &mut Agent, observations: &[f64; OBSERVATIONS]) -> Outputs {
    let model = Model {
        parameters: *agent.parameters(),
        folded: agent.coupling().folded(),
        seed: agent.seed(),
        calls: agent.calls,
    };
    let (outputs, foreseen) = model.infer(observations, &agent.mu);
    agent.mu.copy_from_slice(&outputs.mu);
    agent.foreseen = foreseen;
    agent.calls += 1;
    outputs
}

/// What a call leaves as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model<'a> {
    pub(super) parameters: Parameters,
    /// The coupling with the windows of every mode added up.
    pub(super) folded: &'a [f64],
    pub(super) seed: u64,
    pub(super) calls: u64,
}

impl Model<'_> {
    /// One call from the mean `mu`: its outputs, and the windows at the end of every policy.
    pub(super) fn infer(
        &self,
        observations: &[f64; OBSERVATIONS],
        mu: &[f64],
    ) -> (Outputs, Vec<f64>) {
        let mut mu = mu.to_vec();
        let (free_energy, pushes) =
            rayon::join(|| self.descend(observations, &mut mu), || self.pushes());
        let mut foreseen = vec![0.0; POLICIES * WINDOWS];
        let risks: Vec<f64> = foreseen
            .par_chunks_exact_mut(WINDOWS)
            .zip(pushes.par_chunks_exact(HORIZON * WINDOWS))
            .zip(self.parameters.gains)
            .map(|((x, pushes), gain)| self.risk(gain, &mu, pushes, x))
            .collect();
        let prospect = self.prospect();
        let g = std::array::from_fn(|policy| risks[policy] + prospect);
        let policy = best(&g);
        let gain = self.parameters.gains[policy];
        let u = mu.iter().map(|mu| -gain * mu).collect();
        (Outputs { mu, free_energy, g, policy, u }, foreseen)
    }

    /// All steps of inference; the free energy before the first and after each.
    fn descend(&self, observations: &[f64; OBSERVATIONS], mu: &mut [f64]) -> [f64; ITERATIONS + 1] {
        let Parameters { precision, prior_variance, variance, rate, .. } = self.parameters;
        let complexity =
            count(WINDOWS) * (variance / prior_variance - 1.0 + (prior_variance / variance).ln());
        let surprise = count(OBSERVATIONS) * (TAU.ln() - precision.ln());
        let mut energies = [0.0; ITERATIONS + 1];
        for (step, energy) in energies.iter_mut().enumerate() {
            let residuals: [f64; OBSERVATIONS] =
                std::array::from_fn(|i| observations[i] - seen(mu, i) - 1.0);
            let squares: f64 = mu.iter().map(|mu| mu * mu).sum();
            let errors: f64 = residuals.iter().map(|residual| residual * residual).sum();
            *energy = 0.5 * (complexity + squares / prior_variance)
                + 0.5 * (precision * errors + surprise);
            if step == ITERATIONS {
                break;
            }
            mu.iter_mut().for_each(|mu| *mu -= rate / prior_variance * *mu);
            for (i, residual) in residuals.into_iter().enumerate() {
                for (window, weight) in seen_by(i) {
                    mu[window] += rate * weight * precision * residual;
                }
            }
        }
        energies
    }

    /// What drive and noise add to every window in each step of the horizon, the steps of the first policy first.
    fn pushes(&self) -> Vec<f64> {
        let friction = self.parameters.friction;
        let reach = (1.0 - self.parameters.window_kept().powi(steps(SUBSTEPS))) / friction;
        let sines = self.sines();
        let mut pushes = self.noise();
        for (pushes, sines) in pushes.chunks_exact_mut(WINDOWS).zip(sines.chunks_exact(MODES)) {
            pushes
                .par_iter_mut()
                .zip(self.folded.par_chunks_exact(MODES))
                .with_min_len(WINDOWS_MIN)
                .for_each(|(push, weights)| *push += reach * product(weights, sines));
        }
        pushes
    }

    /// sin(drive) of every mode in each step of the horizon.
    pub(super) fn sines(&self) -> Vec<f64> {
        let mut sines = vec![0.0; COLUMNS * MODES];
        let (kept, noise) = (self.parameters.mode_kept(), self.parameters.mode_noise());
        let mut modes = [0.0; MODES];
        let mut normals = [0.0; MODES];
        for (column, sines) in sines.chunks_exact_mut(MODES).enumerate() {
            if column.is_multiple_of(HORIZON) {
                modes = [0.0; MODES];
            }
            Philox::new(self.seed).normals(atmosphere_draw(column, self.calls), &mut normals);
            for (mode, normal) in modes.iter_mut().zip(&normals) {
                *mode = *mode * kept + noise * normal;
            }
            for (k, sine) in sines.iter_mut().enumerate() {
                let before = if k > 0 { modes[k - 1] } else { 0.0 };
                let after = modes.get(k + 1).copied().unwrap_or(0.0);
                *sine = (modes[k] + NEIGHBOUR * (before + after)).sin();
            }
        }
        sines
    }

    /// sqrt(2 D dt) z of every window in each step of the horizon.
    pub(super) fn noise(&self) -> Vec<f64> {
        let kept = self.parameters.window_kept();
        let scale = self.parameters.window_noise();
        let tasks: Vec<usize> = (0..COLUMNS * PARTS).collect();
        let parts: Vec<Vec<f64>> = tasks
            .into_par_iter()
            .map(|task| self.noise_of_part(kept, task / PARTS, task % PARTS))
            .collect();
        let kept_by_part = kept.powi(steps(SUBSTEPS / PARTS));
        let mut noise = vec![0.0; COLUMNS * WINDOWS];
        for (noise, parts) in noise.chunks_exact_mut(WINDOWS).zip(parts.chunks_exact(PARTS)) {
            for part in parts {
                for (sum, part) in noise.iter_mut().zip(part) {
                    *sum = *sum * kept_by_part + part;
                }
            }
            noise.iter_mut().for_each(|sum| *sum *= scale);
        }
        noise
    }

    /// The share of z that the substeps of one part have, as it stands after the last of them.
    fn noise_of_part(&self, kept: f64, column: usize, part: usize) -> Vec<f64> {
        const SIZE: usize = SUBSTEPS / PARTS;
        let mut sums = vec![0.0; WINDOWS];
        let mut normals = vec![0.0; WINDOWS];
        for substep in part * SIZE..(part + 1) * SIZE {
            let draw = window_draw(column, substep, self.calls);
            Philox::new(self.seed).normals(draw, &mut normals);
            for (sum, normal) in sums.iter_mut().zip(&normals) {
                *sum = *sum * kept + normal;
            }
        }
        sums
    }

    /// Follows the policy with this gain; leaves the windows at its end in `x` and returns the mean risk.
    fn risk(&self, gain: f64, mu: &[f64], pushes: &[f64], x: &mut [f64]) -> f64 {
        let kept = self.parameters.window_kept().powi(steps(SUBSTEPS));
        x.copy_from_slice(mu);
        let mut risk = 0.0;
        for pushes in pushes.chunks_exact(WINDOWS) {
            for ((x, mu), push) in x.iter_mut().zip(mu).zip(pushes) {
                *x = kept * (*x - gain * mu) + push;
            }
            risk += (0..OBSERVATIONS).map(|i| seen(x, i)).map(|miss| miss * miss).sum::<f64>();
        }
        risk / count(HORIZON)
    }

    /// The mean of ambiguity - novelty over the horizon: what G has beside the risk, the same for every policy.
    fn prospect(&self) -> f64 {
        let Parameters { precision, prior_variance, friction, diffusion, dt, .. } = self.parameters;
        let squares: f64 =
            (0..OBSERVATIONS).flat_map(seen_by).map(|(_, weight)| weight * weight).sum();
        let rest = diffusion / friction;
        let kept = (1.0 - 2.0 * friction * dt).powi(steps(SUBSTEPS));
        let mut variance = self.parameters.variance;
        let mut sum = 0.0;
        for _ in 0..HORIZON {
            variance = rest + (variance - rest) * kept;
            let ambiguity = squares * variance + count(OBSERVATIONS) / precision;
            sum += ambiguity - 0.5 * count(WINDOWS) * (prior_variance / variance).ln();
        }
        sum / count(HORIZON)
    }
}

/// The product of a row of the folded coupling and the sines, in four sums side by side.
fn product(weights: &[f64], sines: &[f64]) -> f64 {
    const LANES: usize = 4;
    let mut sums = [0.0; LANES];
    let (weights, _) = weights.as_chunks::<LANES>();
    let (sines, _) = sines.as_chunks::<LANES>();
    for (weights, sines) in weights.iter().zip(sines) {
        for lane in 0..LANES {
            sums[lane] += weights[lane] * sines[lane];
        }
    }
    sums.iter().sum()
}

/// A number of substeps as an exponent.
fn steps(count: usize) -> i32 {
    i32::try_from(count).expect("a step of the horizon has 100 substeps")
}
