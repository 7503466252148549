//! Whether two implementations of the network agree, and by how much they differ.

use super::{Network, Observables};
use crate::deviation::{Deviation, around_the_circle, within, worst};

/// One number a quantity: a difference, or the most that is tolerated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Differences {
    /// Worst angle, around the circle.
    pub theta: f64,
    /// Worst velocity, relative to itself.
    pub v: f64,
    /// Relative.
    pub kinetic: f64,
    /// Relative.
    pub interaction: f64,
    /// Relative.
    pub order: f64,
    /// Relative.
    pub heat: f64,
    /// Relative.
    pub entropy: f64,
}

/// The most by which two implementations may differ after one call from the same state.
///
/// The network is mildly chaotic, so longer comparisons start every call from the same state again.
pub const TOLERANCES: Differences = Differences {
    theta: 1e-9,
    v: 1e-9,
    kinetic: 1e-10,
    interaction: 1e-10,
    order: 1e-10,
    heat: 1e-10,
    entropy: 1e-10,
};

impl Differences {
    /// All quantities with their names, in a fixed order.
    pub fn named(&self) -> [(&'static str, f64); 7] {
        [
            ("theta", self.theta),
            ("v", self.v),
            ("kinetic energy", self.kinetic),
            ("interaction energy", self.interaction),
            ("order parameter", self.order),
            ("heat", self.heat),
            ("entropy", self.entropy),
        ]
    }

    /// How far `actual` is from `expected`; NaN where either is.
    pub fn between(
        (expected, expected_observables): (&Network, &Observables),
        (actual, actual_observables): (&Network, &Observables),
    ) -> Self {
        let (expected_o, actual_o) = (expected_observables, actual_observables);
        Self {
            theta: worst(expected.theta(), actual.theta(), around_the_circle),
            v: worst(expected.v(), actual.v(), relative),
            kinetic: relative(expected_o.kinetic, actual_o.kinetic),
            interaction: relative(expected_o.interaction, actual_o.interaction),
            order: relative(expected_o.order, actual_o.order),
            heat: relative(expected_o.heat, actual_o.heat),
            entropy: relative(expected_o.entropy, actual_o.entropy),
        }
    }
}

/// Refuses an `actual` network or its observables that differ from `expected` by more than [`TOLERANCES`].
///
/// # Errors
/// The first quantity that does, in the order of [`Differences::named`].
pub fn compare(
    expected: (&Network, &Observables),
    actual: (&Network, &Observables),
) -> Result<Differences, Deviation> {
    let differences = Differences::between(expected, actual);
    within(differences.named(), TOLERANCES.named())?;
    Ok(differences)
}

fn relative(expected: f64, actual: f64) -> f64 {
    // Also where both are 0.
    if expected == actual {
        return 0.0;
    }
    (expected - actual).abs() / expected.abs()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;
    use crate::thermodynamic::optimised;

    /// Changes one quantity by a share of it, or an angle by so much.
    type Change = fn(&mut Network, &mut Observables, f64);

    /// A network after a call, with what the call observed.
    fn evolved() -> (Network, Observables) {
        let mut network = Network::initial(40, 1).unwrap();
        let observables = optimised::evolve(&mut network);
        (network, observables)
    }

    #[test]
    fn a_network_does_not_differ_from_itself() {
        let (network, observables) = evolved();
        let differences = compare((&network, &observables), (&network, &observables)).unwrap();
        assert!(differences.named().iter().all(|&(_, difference)| difference == 0.0));
    }

    #[test]
    fn every_quantity_is_held_to_its_own_tolerance() {
        let (network, observables) = evolved();
        let changes: [(&str, Change); 7] = [
            ("theta", |network, _, by| network.state.theta[39] += by),
            ("v", |network, _, by| network.state.v[0] *= 1.0 + by),
            ("kinetic energy", |_, observables, by| observables.kinetic *= 1.0 + by),
            ("interaction energy", |_, observables, by| observables.interaction *= 1.0 + by),
            ("order parameter", |_, observables, by| observables.order *= 1.0 + by),
            ("heat", |_, observables, by| observables.heat *= 1.0 + by),
            ("entropy", |_, observables, by| observables.entropy *= 1.0 + by),
        ];
        for ((quantity, change), (_, tolerance)) in changes.into_iter().zip(TOLERANCES.named()) {
            let changed = |by| {
                let (mut other, mut seen) = (network.clone(), observables);
                change(&mut other, &mut seen, by);
                compare((&network, &observables), (&other, &seen))
            };
            assert!(changed(0.9 * tolerance).is_ok(), "{quantity}");
            assert_eq!(changed(1.1 * tolerance).unwrap_err().quantity, quantity);
            assert_eq!(changed(f64::NAN).unwrap_err().quantity, quantity);
        }
    }

    #[test]
    fn a_hair_on_either_side_of_a_full_turn_is_a_hair_apart() {
        let (mut network, observables) = evolved();
        let mut other = network.clone();
        network.state.theta[3] = 0.0;
        other.state.theta[3] = TAU - 1e-12;
        let differences = compare((&network, &observables), (&other, &observables)).unwrap();
        assert!(differences.theta > 0.9e-12 && differences.theta < 1.1e-12);
    }
}
