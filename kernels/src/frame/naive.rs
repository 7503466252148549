//! One frame, written out phase by phase on one thread.
//!
//! It exists to be read and to be right. Never made fast: [`optimised`](super::optimised) is.

use super::error::check_input;
use super::system::spikes;
use super::{Error, Metrics, Outputs, SAMPLES, System};
use crate::active_inference::{self, OBSERVATIONS, seen};
use crate::information::{self, CHANNELS};
use crate::{synchronisation, thermodynamic};

/// One frame of 900 values and their 900 targets.
///
/// # Errors
/// [`Error`]; the system is then as it was.
pub fn frame(system: &mut System, input: &[f64]) -> Result<Outputs, Error> {
    let number = system.offer();
    let (values, targets) = check_input(number, input)?;
    let mut next = system.clone();

    next.history.push(spikes(values));
    let flow = information::naive::flow(&next.history);
    let te_max = flow.max();
    couple(&mut next.network.state.coupling, &flow.entropies, te_max);
    let network = thermodynamic::naive::evolve(&mut next.network);
    let observations = observe(next.network.theta());
    let acted = active_inference::naive::infer(&mut next.agent, &observations);

    let mut control = vec![0.0; SAMPLES];
    let mut mu = acted.mu;
    for i in 0..SAMPLES {
        control[i] = acted.u[i] + 0.7 * (targets[i] - mu[i]);
        mu[i] += 0.1 * control[i];
    }
    let mut prediction = vec![0.0; OBSERVATIONS];
    for (i, prediction) in prediction.iter_mut().enumerate() {
        *prediction = seen(&mu, i) + 1.0;
    }

    let theta = next.network.theta();
    let coherence = synchronisation::naive::synchronise(&mut next.banks, &mu, theta);
    let information = information::naive::channel_information(&mu);
    next.agent = next.agent.with_mu(mu)?;

    let (free_energy, g, policy) = (acted.free_energy, acted.g, acted.policy);
    let metrics = Metrics { free_energy, g, policy, network, te_max, coherence, information };
    let outputs = Outputs { control, prediction, metrics };
    outputs.as_ref().check(number)?;
    *system = next;
    Ok(outputs)
}

/// Draws every coupling towards what flows to its row's channel from its column's.
pub(super) fn couple(coupling: &mut [f64], entropies: &[[f64; CHANNELS]; CHANNELS], te_max: f64) {
    let channel = |oscillator: usize| oscillator / (SAMPLES / CHANNELS);
    for i in 0..SAMPLES {
        for j in 0..SAMPLES {
            let (target, source) = (channel(i), channel(j));
            let nothing_flows = te_max == 0.0 || target == source;
            let share = if nothing_flows { 0.0 } else { entropies[target][source] / te_max };
            let learnt = 0.9 * coupling[i * SAMPLES + j] + 0.1 * share;
            coupling[i * SAMPLES + j] = if i == j { 0.0 } else { learnt.clamp(0.0, 1.0) };
        }
    }
}

/// What the agent gets to see of the angles.
pub(super) fn observe(theta: &[f64]) -> [f64; OBSERVATIONS] {
    #[expect(clippy::cast_precision_loss, reason = "900 is a double")]
    let scale = (SAMPLES as f64).sqrt();
    std::array::from_fn(|i| 1.0 + theta[i].cos() / scale)
}
