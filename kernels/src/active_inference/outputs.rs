//! What a call puts out, and the one block of numbers in which a device leaves it.

use std::ops::Range;

use super::{ITERATIONS, POLICIES, WINDOWS};

/// Numbers in the block that a device leaves: mu, u, the free energies, G and the policy, the last as a whole number.
pub const OUTPUTS: usize = POLICY + 1;

/// Places in the block; `infer.cu` has them too.
pub(super) const MU: Range<usize> = 0..WINDOWS;
pub(super) const U: Range<usize> = WINDOWS..2 * WINDOWS;
const FREE_ENERGY: Range<usize> = U.end..U.end + ITERATIONS + 1;
const G: Range<usize> = FREE_ENERGY.end..FREE_ENERGY.end + POLICIES;
const POLICY: usize = G.end;

/// What a call puts out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outputs {
    /// What the agent now believes the windows to be.
    pub mu: Vec<f64>,
    /// F before the first step of inference and after each.
    pub free_energy: [f64; ITERATIONS + 1],
    /// G of every policy.
    pub g: [f64; POLICIES],
    /// The chosen policy, that of the smallest G.
    pub policy: usize,
    /// The action, -g mu with the gain of the chosen policy.
    pub u: Vec<f64>,
}

/// What a call on a device put out, in page-locked memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutputsRef<'a> {
    /// As [`Outputs::mu`].
    pub mu: &'a [f64],
    /// As [`Outputs::free_energy`].
    pub free_energy: &'a [f64; ITERATIONS + 1],
    /// As [`Outputs::g`].
    pub g: &'a [f64; POLICIES],
    /// As [`Outputs::policy`].
    pub policy: usize,
    /// As [`Outputs::u`].
    pub u: &'a [f64],
}

impl Outputs {
    /// How much the free energy rose in the worst step of inference, relative to itself; 0 if it never did.
    ///
    /// Each step goes downhill, so more than rounding is a defect.
    pub fn rise(&self) -> f64 {
        let steps = self.free_energy.windows(2);
        let rises = steps.map(|step| (step[1] - step[0]) / step[0].abs());
        rises.fold(0.0, |worst, rise| if rise.is_nan() || rise > worst { rise } else { worst })
    }

    /// Writes the block that a device would leave.
    pub(super) fn write(&self, block: &mut [f64]) {
        block[MU].copy_from_slice(&self.mu);
        block[U].copy_from_slice(&self.u);
        block[FREE_ENERGY].copy_from_slice(&self.free_energy);
        block[G].copy_from_slice(&self.g);
        block[POLICY] = super::count(self.policy);
    }
}

impl<'a> OutputsRef<'a> {
    /// Reads the block that a device left.
    pub(super) fn read(block: &'a [f64]) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the policy is a small whole number; NaN becomes 0 and is refused elsewhere"
        )]
        let policy = block[POLICY] as usize;
        Self {
            mu: &block[MU],
            free_energy: block[FREE_ENERGY].first_chunk().expect("the range has this length"),
            g: block[G].first_chunk().expect("the range has this length"),
            policy: policy.min(POLICIES - 1),
            u: &block[U],
        }
    }
}

impl From<OutputsRef<'_>> for Outputs {
    fn from(outputs: OutputsRef<'_>) -> Self {
        let OutputsRef { mu, free_energy, g, policy, u } = outputs;
        Self { mu: mu.to_vec(), free_energy: *free_energy, g: *g, policy, u: u.to_vec() }
    }
}
