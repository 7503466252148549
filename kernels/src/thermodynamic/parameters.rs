//! The constants of a network.

use gpu_core::{Error, Result};

/// The constants of a network. The default is the workload's: 900 oscillators, 10 steps a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// Oscillators.
    pub n: usize,
    /// Steps of one call.
    pub steps: u32,
    /// K, the strength of the coupling.
    pub coupling: f64,
    /// gamma, the friction of the bath.
    pub friction: f64,
    /// T, the temperature of the bath.
    pub temperature: f64,
    /// Time of one step.
    pub dt: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { n: 900, steps: 10, coupling: 0.5, friction: 0.1, temperature: 1.0, dt: 1e-3 }
    }
}

impl Parameters {
    /// The constants of the physics test, where theory says what comes out: a network that
    /// reaches its equilibrium within a few hundred steps.
    pub const EQUILIBRIUM: Self =
        Self { n: 256, steps: 10, coupling: 2.0, friction: 1.0, temperature: 1.0, dt: 0.01 };

    /// sqrt(2 gamma T / dt), the noise in the force.
    pub(super) fn force_noise(&self) -> f64 {
        (2.0 * self.friction * self.temperature / self.dt).sqrt()
    }

    /// sqrt(2 gamma T dt), the noise in the heat.
    pub(super) fn heat_noise(&self) -> f64 {
        (2.0 * self.friction * self.temperature * self.dt).sqrt()
    }

    /// Refuses constants that no network has.
    pub(super) fn check(&self) -> Result<()> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let rules = [
            (
                (1..=u32::MAX as usize).contains(&self.n),
                "a network has between 1 and 2^32 - 1 oscillators",
            ),
            (self.coupling.is_finite(), "the coupling must be finite"),
            (
                self.friction.is_finite() && self.friction >= 0.0,
                "the friction must be finite and not negative",
            ),
            (positive(self.temperature), "the temperature must be finite and positive"),
            (positive(self.dt), "the time step must be finite and positive"),
        ];
        let broken = rules.into_iter().find(|(holds, _)| !holds);
        broken.map_or(Ok(()), |(_, reason)| Err(Error::Argument { kernel: "evolve", reason }))
    }
}
