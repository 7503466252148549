//! The constants of the model. Its sizes are fixed.

use gpu_core::{Error, Result};

use super::{NEIGHBOUR, POLICIES};

/// The constants of the model. The default is the workload's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// Pi, the precision of every observation.
    pub precision: f64,
    /// Variance of the prior on every window, whose mean is 0.
    pub prior_variance: f64,
    /// Variance of the belief about every window.
    pub variance: f64,
    /// kappa, the size of a step of inference.
    pub rate: f64,
    /// lambda, the rate at which a mode of the atmosphere is forgotten.
    pub mode_rate: f64,
    /// Variance of a mode in the long run.
    pub mode_variance: f64,
    /// gamma, the rate at which a window falls back.
    pub friction: f64,
    /// D, the diffusion of a window.
    pub diffusion: f64,
    /// Time of a substep.
    pub dt: f64,
    /// How much of the mean each policy takes away.
    pub gains: [f64; POLICIES],
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            precision: 56.786,
            prior_variance: 10.0,
            variance: 0.01,
            rate: 0.01,
            mode_rate: 0.1,
            mode_variance: 0.25,
            friction: 1.0,
            diffusion: 0.01,
            dt: 0.01,
            gains: [0.95, 1.0, 1.2, 0.85, 1.1],
        }
    }
}

impl Parameters {
    /// What is left of a mode after one step.
    pub(super) fn mode_kept(&self) -> f64 {
        (-self.mode_rate).exp()
    }

    /// What a normal number adds to a mode in one step.
    pub(super) fn mode_noise(&self) -> f64 {
        (self.mode_variance * (1.0 - (-2.0 * self.mode_rate).exp())).sqrt()
    }

    /// What is left of a window after one substep.
    pub(super) fn window_kept(&self) -> f64 {
        1.0 - self.friction * self.dt
    }

    /// What a normal number adds to a window in one substep.
    pub(super) fn window_noise(&self) -> f64 {
        (2.0 * self.diffusion * self.dt).sqrt()
    }

    /// Refuses constants that no model has.
    ///
    /// The free energy has curvature 1/prior variance + precision |row of J|^2 at most, and a step downhill overshoots
    /// to a higher place when rate times curvature is above 2.
    pub(super) fn check(&self) -> Result<()> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let not_negative = |value: f64| value.is_finite() && value >= 0.0;
        let row_squared = 1.0 + 2.0 * NEIGHBOUR * NEIGHBOUR;
        let curvature = 1.0 / self.prior_variance + self.precision * row_squared;
        let rules = [
            (positive(self.precision), "the precision must be finite and positive"),
            (
                positive(self.prior_variance),
                "the variance of the prior must be finite and positive",
            ),
            (positive(self.variance), "the variance of the belief must be finite and positive"),
            (
                positive(self.rate) && self.rate * curvature <= 2.0,
                "the rate of inference must be positive and small enough for the free energy to fall",
            ),
            (not_negative(self.mode_rate), "the rate of the modes must be finite and not negative"),
            (
                not_negative(self.mode_variance),
                "the variance of the modes must be finite and not negative",
            ),
            (positive(self.friction), "the friction must be finite and positive"),
            (not_negative(self.diffusion), "the diffusion must be finite and not negative"),
            (
                positive(self.dt) && self.dt * self.friction < 0.5,
                "the time of a substep must be positive and less than half of 1 / friction",
            ),
            (self.gains.iter().all(|gain| gain.is_finite()), "the gains must be finite"),
        ];
        let broken = rules.into_iter().find(|(holds, _)| !holds);
        broken.map_or(Ok(()), |(_, reason)| Err(Error::Argument { kernel: "infer", reason }))
    }
}
