//! Whether two implementations of a call agree, and by how much they differ.

use super::{Agent, Outputs};
use crate::deviation::{Deviation, within, worse, worst};

/// One number a quantity: a difference, or the most that is tolerated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Differences {
    /// Worst mean, relative to the largest.
    pub mu: f64,
    /// Worst free energy, relative to itself.
    pub free_energy: f64,
    /// Worst G, relative to itself.
    pub g: f64,
    /// By how much the G of the chosen policies differ; 0 where the same one was chosen.
    pub choice: f64,
    /// Worst action, relative to the largest, against -g mu of the policy that was chosen.
    pub u: f64,
    /// Worst window at the end of a horizon, relative to the largest.
    pub foreseen: f64,
    /// How much the free energy rose, on either side; see [`Outputs::rise`].
    pub rise: f64,
}

/// The most by which two implementations may differ after one call from the same state.
pub const TOLERANCES: Differences = Differences {
    mu: 1e-10,
    free_energy: 1e-10,
    g: 1e-9,
    choice: 1e-6,
    u: 1e-10,
    foreseen: 1e-10,
    rise: 1e-9,
};

impl Differences {
    /// All quantities with their names, in a fixed order.
    pub fn named(&self) -> [(&'static str, f64); 7] {
        [
            ("mean", self.mu),
            ("free energy", self.free_energy),
            ("expected free energy", self.g),
            ("choice", self.choice),
            ("action", self.u),
            ("foreseen windows", self.foreseen),
            ("rise of free energy", self.rise),
        ]
    }

    /// How far `actual` is from `expected`; NaN where either is.
    pub fn between(
        (expected_agent, expected): (&Agent, &Outputs),
        (actual_agent, actual): (&Agent, &Outputs),
    ) -> Self {
        let gain = expected_agent.parameters().gains[actual.policy];
        let follows: Vec<f64> = expected.mu.iter().map(|mu| -gain * mu).collect();
        // The mean is both a state and an output: they must be the same.
        let state = of_the_largest(expected_agent.mu(), actual_agent.mu());
        Self {
            mu: worse(state, of_the_largest(&expected.mu, &actual.mu)),
            free_energy: relative(&expected.free_energy, &actual.free_energy),
            g: relative(&expected.g, &actual.g),
            choice: (expected.g[actual.policy] - expected.g[expected.policy]).abs(),
            u: of_the_largest(&follows, &actual.u),
            foreseen: of_the_largest(expected_agent.foreseen(), actual_agent.foreseen()),
            rise: worse(expected.rise(), actual.rise()),
        }
    }
}

/// Refuses an `actual` agent or its outputs that differ from `expected` by more than [`TOLERANCES`].
///
/// # Errors
/// The first quantity that does, in the order of [`Differences::named`].
pub fn compare(
    expected: (&Agent, &Outputs),
    actual: (&Agent, &Outputs),
) -> Result<Differences, Deviation> {
    let differences = Differences::between(expected, actual);
    within(differences.named(), TOLERANCES.named())?;
    Ok(differences)
}

/// The worst difference, relative to each element.
fn relative(expected: &[f64], actual: &[f64]) -> f64 {
    worst(expected, actual, |expected, actual| share(expected - actual, expected))
}

/// The worst difference, relative to the largest element: single elements may be near 0 by cancellation.
fn of_the_largest(expected: &[f64], actual: &[f64]) -> f64 {
    let largest = expected.iter().map(|x| x.abs()).fold(0.0, worse);
    worst(expected, actual, |expected, actual| share(expected - actual, largest))
}

/// How large a difference is beside `whole`.
fn share(difference: f64, whole: f64) -> f64 {
    // Also where both are 0.
    if difference == 0.0 { 0.0 } else { difference.abs() / whole.abs() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::active_inference::{observations_alone, optimised};

    /// Changes one quantity by a share of it.
    type Change = fn(&mut Agent, &mut Outputs, f64);

    fn called() -> (Agent, Outputs) {
        let mut agent = Agent::initial(1);
        let outputs = optimised::infer(&mut agent, &observations_alone());
        (agent, outputs)
    }

    fn largest(numbers: &mut [f64]) -> &mut f64 {
        numbers.iter_mut().max_by(|one, other| one.abs().total_cmp(&other.abs())).unwrap()
    }

    #[test]
    fn a_call_does_not_differ_from_itself() {
        let (agent, outputs) = called();
        let differences = compare((&agent, &outputs), (&agent, &outputs)).unwrap();
        assert!(differences.named().iter().all(|&(_, difference)| difference == 0.0));
    }

    #[test]
    fn every_quantity_is_held_to_its_own_tolerance() {
        let (agent, outputs) = called();
        let changes: [(&str, Change); 6] = [
            ("mean", |_, outputs, by| *largest(&mut outputs.mu) *= 1.0 + by),
            ("mean", |agent, _, by| *largest(&mut agent.mu) *= 1.0 + by),
            ("free energy", |_, outputs, by| outputs.free_energy[10] *= 1.0 - by),
            ("expected free energy", |_, outputs, by| outputs.g[4] *= 1.0 + by),
            ("action", |_, outputs, by| *largest(&mut outputs.u) *= 1.0 + by),
            ("foreseen windows", |agent, _, by| {
                *largest(&mut agent.foreseen) *= 1.0 + by;
            }),
        ];
        for (quantity, change) in changes {
            let named = TOLERANCES.named();
            let tolerance = named.iter().find(|&&(name, _)| name == quantity).unwrap().1;
            let changed = |by| {
                let (mut other, mut seen) = (agent.clone(), outputs.clone());
                change(&mut other, &mut seen, by);
                compare((&agent, &outputs), (&other, &seen))
            };
            assert!(changed(0.9 * tolerance).is_ok(), "{quantity}");
            assert_eq!(changed(1.1 * tolerance).unwrap_err().quantity, quantity);
            assert_eq!(changed(f64::NAN).unwrap_err().quantity, quantity);
        }
    }

    #[test]
    fn another_choice_is_right_where_two_policies_are_as_good_and_the_action_follows_it() {
        let (agent, outputs) = called();
        let chosen_otherwise = |gap: f64| {
            let (mut expected, mut actual) = (outputs.clone(), outputs.clone());
            let other = (outputs.policy + 1) % 5;
            expected.g[other] = expected.g[outputs.policy] + gap;
            actual.g = expected.g;
            actual.policy = other;
            let gain = agent.parameters().gains[other];
            actual.u = actual.mu.iter().map(|mu| -gain * mu).collect();
            compare((&agent, &expected), (&agent, &actual))
        };
        assert!(chosen_otherwise(0.9e-6).is_ok());
        assert_eq!(chosen_otherwise(1.1e-6).unwrap_err().quantity, "choice");
        let mut other = outputs.clone();
        other.policy = (outputs.policy + 1) % 5;
        let mut same = outputs.clone();
        same.g[other.policy] = same.g[same.policy];
        other.g = same.g;
        let stale_action = compare((&agent, &same), (&agent, &other)).unwrap_err();
        assert_eq!(stale_action.quantity, "action");
    }

    #[test]
    fn a_free_energy_that_rises_is_refused_on_either_side() {
        let (agent, outputs) = called();
        let mut risen = outputs.clone();
        risen.free_energy[6] = risen.free_energy[5] * (1.0 + 1.1e-9);
        for (one, other) in [(&outputs, &risen), (&risen, &outputs)] {
            let differences = Differences::between((&agent, one), (&agent, other));
            assert!(differences.rise > TOLERANCES.rise);
        }
        let deviation = compare((&agent, &risen), (&agent, &risen)).unwrap_err();
        assert_eq!(deviation.quantity, "rise of free energy");
    }
}
