//! The same frame on all cores, from the optimised versions of its parts.
//!
//! The coupling is written to a second matrix and not in place, so that a frame that fails costs nothing to take back.

use rayon::prelude::*;

use super::error::check_input;
use super::naive::observe;
use super::system::spikes;
use super::{Error, Metrics, Outputs, SAMPLES, System};
use crate::active_inference::{self, OBSERVATIONS, seen};
use crate::information::{self, CHANNELS};
use crate::{synchronisation, thermodynamic};

/// Rows that are worth handing to another core.
const ROWS_MIN: usize = 32;

/// One frame of 900 values and their 900 targets.
///
/// # Errors
/// [`Error`]; the system is then as it was.
pub fn frame(system: &mut System, input: &[f64]) -> Result<Outputs, Error> {
    let number = system.offer();
    let (values, targets) = check_input(number, input)?;
    let before = Before::of(system);
    let outputs = run(system, values, targets);
    let checked = outputs.as_ref().check(number);
    if let Err(error) = checked {
        before.put_back(system);
        return Err(error);
    }
    Ok(outputs)
}

fn run(system: &mut System, values: &[f64], targets: &[f64]) -> Outputs {
    let System { history, network, agent, banks, spare, .. } = system;
    history.push(spikes(values));
    let flow = information::optimised::flow(history);
    spare.resize(network.state.coupling.len(), 0.0);
    couple(&network.state.coupling, &flow.shares(), spare);
    std::mem::swap(&mut network.state.coupling, spare);
    let observables = thermodynamic::optimised::evolve(network);
    let acted = active_inference::optimised::infer(agent, &observe(network.theta()));

    let Action { control, mu, prediction } = act(&acted.mu, &acted.u, targets);
    let coherence = synchronisation::optimised::synchronise(banks, &mu, network.theta());
    let metrics = Metrics {
        free_energy: acted.free_energy,
        g: acted.g,
        policy: acted.policy,
        network: observables,
        te_max: flow.max(),
        coherence,
        information: information::optimised::channel_information(&mu),
    };
    agent.mu = mu;
    Outputs { control, prediction, metrics }
}

/// What the control phase makes.
pub(super) struct Action {
    pub(super) control: Vec<f64>,
    /// The corrected mean.
    pub(super) mu: Vec<f64>,
    pub(super) prediction: Vec<f64>,
}

/// Corrects the action `u` by the targets, and the mean by the result.
pub(super) fn act(mu: &[f64], u: &[f64], targets: &[f64]) -> Action {
    let corrected = |((u, target), mu): ((&f64, &f64), &f64)| u + 0.7 * (target - mu);
    let control: Vec<f64> = u.iter().zip(targets).zip(mu).map(corrected).collect();
    let mu: Vec<f64> = mu.iter().zip(&control).map(|(mu, control)| mu + 0.1 * control).collect();
    let prediction = (0..OBSERVATIONS).map(|i| seen(&mu, i) + 1.0).collect();
    Action { control, mu, prediction }
}

/// Draws every coupling of `before` towards the share of the flow to its row's channel from its column's.
pub(super) fn couple(before: &[f64], shares: &[[f64; CHANNELS]; CHANNELS], after: &mut [f64]) {
    const BLOCK: usize = SAMPLES / CHANNELS;
    let rows = before.par_chunks_exact(SAMPLES).zip(after.par_chunks_exact_mut(SAMPLES));
    rows.with_min_len(ROWS_MIN).enumerate().for_each(|(row, (before, after))| {
        let blocks = before.chunks_exact(BLOCK).zip(after.chunks_exact_mut(BLOCK));
        for ((before, after), share) in blocks.zip(&shares[row / BLOCK]) {
            for (before, after) in before.iter().zip(after) {
                *after = (0.9 * before + 0.1 * share).clamp(0.0, 1.0);
            }
        }
        after[row] = 0.0;
    });
}

/// What a frame changes in place.
struct Before {
    history: information::History,
    theta: Vec<f64>,
    v: Vec<f64>,
    steps_done: u64,
    agent: active_inference::Agent,
    banks: synchronisation::Banks,
}

impl Before {
    fn of(system: &System) -> Self {
        let System { history, network, agent, banks, .. } = system;
        Self {
            history: *history,
            theta: network.theta().to_vec(),
            v: network.v().to_vec(),
            steps_done: network.steps_done(),
            agent: agent.clone(),
            banks: banks.clone(),
        }
    }

    fn put_back(self, system: &mut System) {
        system.history = self.history;
        system.network.state.theta = self.theta;
        system.network.state.v = self.v;
        system.network.steps_done = self.steps_done;
        std::mem::swap(&mut system.network.state.coupling, &mut system.spare);
        system.agent = self.agent;
        system.banks = self.banks;
    }
}
