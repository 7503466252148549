//! The equations of the network, written out loop by loop on one thread.
//!
//! It exists to be read and to be right. Never made fast: [`optimised`](super::optimised) is.

use super::observables::entropy;
use super::{Network, Observables, noise_draw, wrap};
use crate::philox::Philox;

/// One call: the steps, then what is observed.
pub fn evolve(network: &mut Network) -> Observables {
    let mut heat = 0.0;
    for _ in 0..network.parameters().steps {
        heat += step(network);
    }
    observe(network, heat)
}

/// One step; the heat that the bath took up.
fn step(network: &mut Network) -> f64 {
    let parameters = *network.parameters();
    let dt = parameters.dt;
    let mut noise = vec![0.0; parameters.n];
    Philox::new(network.seed()).normals(noise_draw(network.steps_done), &mut noise);

    let mut force = vec![0.0; parameters.n];
    for i in 0..parameters.n {
        let mut pull = 0.0;
        for j in 0..parameters.n {
            let angle = network.state.theta[j] - network.state.theta[i];
            pull += network.state.coupling[i * parameters.n + j] * angle.sin();
        }
        force[i] = network.state.omega[i] + parameters.coupling * pull
            - parameters.friction * network.state.v[i]
            + parameters.force_noise() * noise[i];
    }

    let mut heat = 0.0;
    for i in 0..parameters.n {
        let before = network.state.v[i];
        let after = before + force[i] * dt;
        let bath = -parameters.friction * before * dt + parameters.heat_noise() * noise[i];
        heat += -0.5 * (before + after) * bath;
        network.state.v[i] = after;
        network.state.theta[i] = wrap(network.state.theta[i] + after * dt);
    }
    network.steps_done += 1;
    heat
}

fn observe(network: &Network, heat: f64) -> Observables {
    let parameters = network.parameters();
    let (theta, v) = (network.theta(), network.v());
    let mut kinetic = 0.0;
    let mut interaction = 0.0;
    let (mut sum_of_cosines, mut sum_of_sines) = (0.0, 0.0);
    for i in 0..parameters.n {
        kinetic += 0.5 * v[i] * v[i];
        sum_of_cosines += theta[i].cos();
        sum_of_sines += theta[i].sin();
        let mut row = 0.0;
        for j in 0..parameters.n {
            row += network.state.coupling[i * parameters.n + j] * (theta[j] - theta[i]).cos();
        }
        interaction -= 0.5 * parameters.coupling * row;
    }
    #[expect(clippy::cast_precision_loss, reason = "a network has fewer than 2^53 oscillators")]
    let order = sum_of_cosines.hypot(sum_of_sines) / parameters.n as f64;
    Observables { kinetic, interaction, order, heat, entropy: entropy(v, parameters.temperature) }
}
