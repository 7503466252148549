//! Whether two implementations of a frame agree, and by how much they differ.

use super::{OutputsRef, System};
use crate::deviation::{Deviation, around_the_circle, within, worst};

/// One number a quantity: an absolute difference, or the most that is tolerated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Differences {
    /// Moments of the history that are not the same.
    pub history: f64,
    /// The largest transfer entropy.
    pub te_max: f64,
    /// Worst coupling.
    pub coupling: f64,
    /// Worst angle of the network, around the circle.
    pub theta: f64,
    /// Worst velocity of the network.
    pub v: f64,
    /// Worst of what the network shows.
    pub network: f64,
    /// Worst free energy.
    pub free_energy: f64,
    /// Worst G.
    pub g: f64,
    /// 0 where the same policy was chosen, else 1.
    pub policy: f64,
    /// Worst control.
    pub control: f64,
    /// Worst corrected mean.
    pub mu: f64,
    /// Worst prediction.
    pub prediction: f64,
    /// Worst phase of a bank, around the circle.
    pub phases: f64,
    /// The coherence.
    pub coherence: f64,
    /// The information.
    pub information: f64,
}

/// The workload's tolerance, after a frame from the same state.
const TOLERANCE: f64 = 1e-7;

/// The most by which two implementations may differ after one frame from the same state.
pub const TOLERANCES: Differences = Differences {
    history: 0.0,
    te_max: 1e-12,
    coupling: TOLERANCE,
    theta: TOLERANCE,
    v: TOLERANCE,
    network: TOLERANCE,
    free_energy: TOLERANCE,
    g: TOLERANCE,
    policy: 0.0,
    control: TOLERANCE,
    mu: TOLERANCE,
    prediction: TOLERANCE,
    phases: TOLERANCE,
    coherence: TOLERANCE,
    information: TOLERANCE,
};

impl Differences {
    /// All quantities with their names, in a fixed order.
    pub fn named(&self) -> [(&'static str, f64); 15] {
        [
            ("history", self.history),
            ("largest transfer entropy", self.te_max),
            ("coupling", self.coupling),
            ("theta", self.theta),
            ("v", self.v),
            ("observables of the network", self.network),
            ("free energy", self.free_energy),
            ("expected free energy", self.g),
            ("policy", self.policy),
            ("control", self.control),
            ("mean", self.mu),
            ("prediction", self.prediction),
            ("phases of the banks", self.phases),
            ("coherence", self.coherence),
            ("information", self.information),
        ]
    }

    /// How far `actual` is from `expected`; NaN where either is.
    pub fn between(
        (expected, expected_outputs): (&System, OutputsRef<'_>),
        (actual, actual_outputs): (&System, OutputsRef<'_>),
    ) -> Self {
        let (one, other) = (expected_outputs.metrics, actual_outputs.metrics);
        let (network, actual_network) = (expected.network(), actual.network());
        let (couplings, actual_couplings) =
            (&network.state().coupling, &actual_network.state().coupling);
        let control = worst(expected_outputs.control, actual_outputs.control, apart);
        Self {
            history: moments_apart(expected, actual),
            te_max: apart(one.te_max, other.te_max),
            coupling: worst(couplings, actual_couplings, apart),
            theta: worst(network.theta(), actual_network.theta(), around_the_circle),
            v: worst(network.v(), actual_network.v(), apart),
            network: worst(&one.network.to_device(), &other.network.to_device(), apart),
            free_energy: worst(&one.free_energy, &other.free_energy, apart),
            g: worst(&one.g, &other.g, apart),
            policy: f64::from(u8::from(one.policy != other.policy)),
            control,
            mu: worst(expected.agent().mu(), actual.agent().mu(), apart),
            prediction: worst(expected_outputs.prediction, actual_outputs.prediction, apart),
            phases: worst(expected.banks().phases(), actual.banks().phases(), around_the_circle),
            coherence: apart(one.coherence, other.coherence),
            information: apart(one.information, other.information),
        }
    }
}

/// Refuses an `actual` system or its outputs that differ from `expected` by more than [`TOLERANCES`].
///
/// # Errors
/// The first quantity that does, in the order of [`Differences::named`].
pub fn compare(
    expected: (&System, OutputsRef<'_>),
    actual: (&System, OutputsRef<'_>),
) -> Result<Differences, Deviation> {
    let differences = Differences::between(expected, actual);
    within(differences.named(), TOLERANCES.named())?;
    Ok(differences)
}

fn moments_apart(expected: &System, actual: &System) -> f64 {
    let pairs = expected.history().bits().iter().zip(actual.history().bits());
    pairs.map(|(one, other)| f64::from((one ^ other).count_ones())).sum()
}

pub(super) fn apart(expected: f64, actual: f64) -> f64 {
    (expected - actual).abs()
}
