//! An agent: its model, what it believes and how often it was called.

use std::sync::Arc;

use gpu_core::Result;

use super::{Coupling, POLICIES, Parameters, WINDOWS};
use crate::source::check_len;

/// An agent between two calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    parameters: Parameters,
    coupling: Arc<Coupling>,
    /// Invariant: `WINDOWS` means.
    pub(crate) mu: Vec<f64>,
    /// Invariant: `WINDOWS` numbers for each policy.
    pub(super) foreseen: Vec<f64>,
    seed: u64,
    pub(super) calls: u64,
}

impl Agent {
    /// The workload's agent at its beginning: a mean of 0. `seed` is that of the atmosphere and of the windows' noise.
    pub fn initial(seed: u64) -> Self {
        Self::new(Arc::new(Coupling::of_neighbours()), seed)
    }

    /// As [`initial`](Self::initial), with windows that push each other by `coupling`.
    pub fn new(coupling: Arc<Coupling>, seed: u64) -> Self {
        Self {
            parameters: Parameters::default(),
            coupling,
            mu: vec![0.0; WINDOWS],
            foreseen: vec![0.0; POLICIES * WINDOWS],
            seed,
            calls: 0,
        }
    }

    /// The same agent with other constants.
    ///
    /// # Errors
    /// [`gpu_core::Error::Argument`] if they are not those of a model.
    pub fn with_parameters(mut self, parameters: Parameters) -> Result<Self> {
        parameters.check()?;
        self.parameters = parameters;
        Ok(self)
    }

    /// The same agent with another mean.
    ///
    /// # Errors
    /// [`gpu_core::Error::Length`] if it is not one number a window.
    pub fn with_mu(mut self, mu: Vec<f64>) -> Result<Self> {
        check_len("the mean of the agent", WINDOWS, mu.len())?;
        self.mu = mu;
        Ok(self)
    }

    /// The same agent after `calls` calls of its life, which decides the random numbers to come.
    #[must_use]
    pub fn with_calls(mut self, calls: u64) -> Self {
        self.calls = calls;
        self
    }

    /// The same agent with what its last call foresaw.
    pub(crate) fn with_foreseen(mut self, foreseen: Vec<f64>) -> Self {
        debug_assert_eq!(foreseen.len(), POLICIES * WINDOWS, "a number a policy and window");
        self.foreseen = foreseen;
        self
    }

    /// Its constants.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// How its windows push each other.
    pub fn coupling(&self) -> &Arc<Coupling> {
        &self.coupling
    }

    /// What it believes the windows to be.
    pub fn mu(&self) -> &[f64] {
        &self.mu
    }

    /// Where its last call saw the windows at the end of the horizon, policy by policy; 0 before the first call.
    pub fn foreseen(&self) -> &[f64] {
        &self.foreseen
    }

    /// The seed of the atmosphere and of the windows' noise.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Calls since its beginning.
    pub fn calls(&self) -> u64 {
        self.calls
    }
}
