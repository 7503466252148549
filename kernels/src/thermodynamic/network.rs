//! A network: its constants, its state and how far it has come.

use gpu_core::Result;

use super::{Parameters, stream};
use crate::philox::{Draw, Philox};
use crate::source::check_len;

/// What a network is made of, for [`Network::new`].
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Angles, in [0, 2 pi).
    pub theta: Vec<f64>,
    /// Velocities.
    pub v: Vec<f64>,
    /// Driving forces, the natural frequencies.
    pub omega: Vec<f64>,
    /// Couplings, row by row: element (i, j) is the pull of j on i.
    pub coupling: Vec<f64>,
}

/// A network between two calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    parameters: Parameters,
    /// Invariant: n angles, velocities and forces, and n * n couplings.
    pub(crate) state: State,
    seed: u64,
    pub(crate) steps_done: u64,
}

impl Network {
    /// The workload's network of `n` oscillators at its beginning, drawn from `seed`.
    ///
    /// # Errors
    /// [`gpu_core::Error::Argument`] if `n` is 0.
    pub fn initial(n: usize, seed: u64) -> Result<Self> {
        let parameters = Parameters { n, ..Parameters::default() };
        parameters.check()?;
        let random = Philox::new(seed);
        let draw = |stream| Draw { stream, step: 0, frame: 0 };
        let drawn = |fill: &dyn Fn(&mut [f64])| {
            let mut numbers = vec![0.0; n];
            fill(&mut numbers);
            numbers
        };
        let state = State {
            theta: drawn(&|out| {
                random.uniforms(draw(stream::THETA), out);
                out.iter_mut().for_each(|x| *x *= std::f64::consts::TAU);
            }),
            v: drawn(&|out| random.normals(draw(stream::V), out)),
            omega: drawn(&|out| {
                random.normals(draw(stream::OMEGA), out);
                out.iter_mut().for_each(|x| *x = 0.1f64.mul_add(*x, 1.0));
            }),
            coupling: initial_coupling(random, n),
        };
        Self::new(parameters, state, seed)
    }

    /// A network in any state, at step 0. `seed` is that of the thermal noise.
    ///
    /// # Errors
    /// [`gpu_core::Error::Length`] if a part of the state does not have the length that `parameters.n` asks for;
    /// [`gpu_core::Error::Argument`] if the parameters are not those of a network.
    pub fn new(parameters: Parameters, state: State, seed: u64) -> Result<Self> {
        parameters.check()?;
        let n = parameters.n;
        check_len("theta of the network", n, state.theta.len())?;
        check_len("v of the network", n, state.v.len())?;
        check_len("omega of the network", n, state.omega.len())?;
        check_len("the coupling of the network", n.saturating_mul(n), state.coupling.len())?;
        Ok(Self { parameters, state, seed, steps_done: 0 })
    }

    /// The same network after `steps` steps of its life, which decides the noise to come.
    #[must_use]
    pub fn with_steps_done(mut self, steps: u64) -> Self {
        self.steps_done = steps;
        self
    }

    /// Its constants.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Its state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Angles, in [0, 2 pi).
    pub fn theta(&self) -> &[f64] {
        &self.state.theta
    }

    /// Velocities.
    pub fn v(&self) -> &[f64] {
        &self.state.v
    }

    /// The seed of the thermal noise.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Steps since the network's beginning.
    pub fn steps_done(&self) -> u64 {
        self.steps_done
    }
}

/// Uniform numbers, a step of the draw for each row, and nothing on the diagonal.
fn initial_coupling(random: Philox, n: usize) -> Vec<f64> {
    let mut coupling = vec![0.0; n * n];
    for (row, step) in coupling.chunks_exact_mut(n).zip(0..) {
        random.uniforms(Draw { stream: stream::COUPLING, step, frame: 0 }, row);
        row[step as usize] = 0.0;
    }
    coupling
}
