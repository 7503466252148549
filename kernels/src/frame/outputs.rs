//! What a frame puts out, and the one block of numbers in which a device leaves it.

use std::ops::Range;

use super::{Error, Phase};
use crate::active_inference::{ITERATIONS, OBSERVATIONS, POLICIES, WINDOWS};
use crate::source::check_len;
use crate::thermodynamic::{OBSERVABLES, Observables};

/// Numbers in the block: the free energies, G, the policy, what the network shows, the largest transfer entropy, coherence,
/// information, the control and the predictions. The policy is a whole number.
pub const OUTPUTS: usize = PREDICTION.end;

/// Places in the block; `act.cu` has them too.
const FREE_ENERGY: Range<usize> = 0..ITERATIONS + 1;
const G: Range<usize> = FREE_ENERGY.end..FREE_ENERGY.end + POLICIES;
const POLICY: usize = G.end;
const NETWORK: Range<usize> = POLICY + 1..POLICY + 1 + OBSERVABLES;
const TE_MAX: usize = NETWORK.end;
const COHERENCE: usize = TE_MAX + 1;
const INFORMATION: usize = COHERENCE + 1;
const CONTROL: Range<usize> = INFORMATION + 1..INFORMATION + 1 + WINDOWS;
const PREDICTION: Range<usize> = CONTROL.end..CONTROL.end + OBSERVATIONS;

/// What the agent puts out beside mean and action, at the end of its own block and at the beginning of this one.
pub(super) const AGENT_METRICS: Range<usize> = 0..POLICY + 1;

/// What a frame puts out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outputs {
    /// The control of every window.
    pub control: Vec<f64>,
    /// What the corrected mean predicts of every observation.
    pub prediction: Vec<f64>,
    /// The numbers that describe the frame.
    pub metrics: Metrics,
}

/// What a frame on a device put out, in page-locked memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutputsRef<'a> {
    /// As [`Outputs::control`].
    pub control: &'a [f64],
    /// As [`Outputs::prediction`].
    pub prediction: &'a [f64],
    /// As [`Outputs::metrics`].
    pub metrics: Metrics,
}

/// The numbers that describe a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    /// The agent's free energy before the first step of inference and after each.
    pub free_energy: [f64; ITERATIONS + 1],
    /// G of every policy.
    pub g: [f64; POLICIES],
    /// The chosen policy.
    pub policy: usize,
    /// Energies, order, heat and entropy of the network.
    pub network: Observables,
    /// The largest transfer entropy, in bits.
    pub te_max: f64,
    /// How coherent the two banks are.
    pub coherence: f64,
    /// Information that the mean carries through the noisy channel, in bits.
    pub information: f64,
}

impl Outputs {
    /// The outputs as a device leaves them in page-locked memory.
    pub fn as_ref(&self) -> OutputsRef<'_> {
        let Self { control, prediction, metrics } = self;
        OutputsRef { control, prediction, metrics: *metrics }
    }
}

impl From<OutputsRef<'_>> for Outputs {
    fn from(outputs: OutputsRef<'_>) -> Self {
        let OutputsRef { control, prediction, metrics } = outputs;
        Self { control: control.to_vec(), prediction: prediction.to_vec(), metrics }
    }
}

/// What the last phases make, for the block that a device would leave.
#[derive(Debug)]
pub(super) struct Block<'a> {
    /// The agent's free energies, its G and its policy.
    pub(super) agent_metrics: &'a [f64],
    pub(super) network: &'a [f64],
    pub(super) te_max: f64,
    pub(super) coherence: f64,
    pub(super) information: f64,
    pub(super) control: &'a [f64],
    pub(super) prediction: &'a [f64],
}

impl Block<'_> {
    /// Writes the block.
    pub(super) fn write(&self, block: &mut [f64]) {
        block[AGENT_METRICS].copy_from_slice(self.agent_metrics);
        block[NETWORK].copy_from_slice(self.network);
        block[TE_MAX] = self.te_max;
        block[COHERENCE] = self.coherence;
        block[INFORMATION] = self.information;
        block[CONTROL].copy_from_slice(self.control);
        block[PREDICTION].copy_from_slice(self.prediction);
    }
}

impl<'a> OutputsRef<'a> {
    /// What the device left in `block` for frame number `frame`.
    ///
    /// # Errors
    /// [`gpu_core::Error::Length`] if it is not [`OUTPUTS`] long; [`Error::Output`] if a phase put out a number that is not finite.
    pub fn of_block(frame: u64, block: &'a [f64]) -> Result<Self, Error> {
        check_len("the outputs of the frame", OUTPUTS, block.len())?;
        let outputs = Self::read(block);
        outputs.check(frame).map(|()| outputs)
    }

    /// Reads the block that a device left.
    pub(super) fn read(block: &'a [f64]) -> Self {
        let network = block[NETWORK].first_chunk().expect("the range has this length");
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the policy is a small whole number"
        )]
        let policy = block[POLICY] as usize;
        let metrics = Metrics {
            free_energy: *block[FREE_ENERGY].first_chunk().expect("the range has this length"),
            g: *block[G].first_chunk().expect("the range has this length"),
            policy: policy.min(POLICIES - 1),
            network: Observables::from_device(*network),
            te_max: block[TE_MAX],
            coherence: block[COHERENCE],
            information: block[INFORMATION],
        };
        Self { control: &block[CONTROL], prediction: &block[PREDICTION], metrics }
    }

    /// Refuses outputs that are not finite, naming the first phase that put such a number out.
    pub(super) fn check(&self, frame: u64) -> Result<(), Error> {
        let Metrics { free_energy, g, network, te_max, coherence, information, .. } = self.metrics;
        let finite = |numbers: &[f64]| numbers.iter().all(|number| number.is_finite());
        let phases = [
            (finite(&[te_max]), Phase::InformationFlow),
            (finite(&network.to_device()), Phase::Thermodynamic),
            (finite(&free_energy) && finite(&g), Phase::ActiveInference),
            (finite(self.control) && finite(self.prediction), Phase::Control),
            (finite(&[coherence, information]), Phase::Synchronisation),
        ];
        let broken = phases.into_iter().find(|(is_finite, _)| !is_finite);
        broken.map_or(Ok(()), |(_, phase)| Err(Error::Output { frame, phase }))
    }
}
