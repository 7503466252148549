//! The two banks: their phases, and the frequencies that they have alone.

use std::f64::consts::TAU;

use gpu_core::Result;

use super::stream;
use crate::philox::{Draw, Philox};
use crate::source::check_len;

/// Two banks of as many phases each.
#[derive(Clone, Debug, PartialEq)]
pub struct Banks {
    /// Invariant: n phases of the first bank, then n of the second.
    pub(crate) phases: Vec<f64>,
    /// Invariant: n frequencies of the first bank, then n of the second.
    frequencies: Vec<f64>,
}

impl Banks {
    /// The workload's banks of `n` phases each at their beginning, drawn from `seed`.
    pub fn initial(n: usize, seed: u64) -> Self {
        let drawn = |stream, transform: fn(f64) -> f64| {
            let mut numbers = vec![0.0; 2 * n];
            let (first, second) = numbers.split_at_mut(n);
            Philox::new(seed).uniforms(Draw { stream, step: 0, frame: 0 }, first);
            Philox::new(seed).uniforms(Draw { stream, step: 1, frame: 0 }, second);
            numbers.iter_mut().for_each(|number| *number = transform(*number));
            numbers
        };
        Self {
            phases: drawn(stream::PHASES, |uniform| TAU * uniform),
            frequencies: drawn(stream::FREQUENCIES, |uniform| 1.0 + 0.1 * uniform),
        }
    }

    /// Banks in any state: the first bank's phases and then the second's, and the frequencies likewise.
    ///
    /// # Errors
    /// [`gpu_core::Error::Length`] if there are not as many of both, or not two banks of them.
    pub fn new(phases: Vec<f64>, frequencies: Vec<f64>) -> Result<Self> {
        check_len("the phases of two banks", phases.len() / 2 * 2, phases.len())?;
        check_len("the frequencies of two banks", phases.len(), frequencies.len())?;
        Ok(Self { phases, frequencies })
    }

    /// Phases of a bank.
    pub fn len(&self) -> usize {
        self.phases.len() / 2
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.phases.is_empty()
    }

    /// The phases of both banks, those of the first before those of the second.
    pub fn phases(&self) -> &[f64] {
        &self.phases
    }

    /// The frequencies of both banks, those of the first before those of the second.
    pub fn frequencies(&self) -> &[f64] {
        &self.frequencies
    }
}
