//! Everything that a frame finds and changes: history, network, agent and banks.

use super::{SAMPLES, formula};
use crate::active_inference::Agent;
use crate::information::{CHANNELS, History};
use crate::source::check_len;
use crate::synchronisation::Banks;
use crate::thermodynamic::Network;

/// What is between two frames. Systems are equal when every frame to come is.
#[derive(Clone, Debug)]
pub struct System {
    pub(super) history: History,
    pub(super) network: Network,
    pub(super) agent: Agent,
    pub(super) banks: Banks,
    /// Frames that were offered, good or not: the number of the next one.
    pub(super) frames_offered: u64,
    /// Room for the coupling to come.
    pub(super) spare: Vec<f64>,
}

impl System {
    /// The workload's system at its beginning, drawn from `seed`. Its history is that of the formula's frames -128 to -1.
    pub fn initial(seed: u64) -> Self {
        let mut history = History::default();
        for frame in -128..0 {
            history.push(spikes(&formula(frame)));
        }
        let network = Network::initial(SAMPLES, seed).expect("the workload's network is one");
        let (agent, banks) = (Agent::initial(seed), Banks::initial(SAMPLES, seed));
        Self { history, network, agent, banks, frames_offered: 0, spare: Vec::new() }
    }

    /// A system in any state.
    ///
    /// # Errors
    /// [`gpu_core::Error::Length`] if the network or a bank does not have one oscillator or phase for each of the 900 windows.
    pub fn new(
        history: History,
        network: Network,
        agent: Agent,
        banks: Banks,
    ) -> gpu_core::Result<Self> {
        check_len("the network of the system", SAMPLES, network.parameters().n)?;
        check_len("each bank of the system", SAMPLES, banks.len())?;
        Ok(Self { history, network, agent, banks, frames_offered: 0, spare: Vec::new() })
    }

    /// The same system after `frames` frames were offered to it, which only decides what errors call the next one.
    #[must_use]
    pub fn with_frames_offered(mut self, frames: u64) -> Self {
        self.frames_offered = frames;
        self
    }

    /// The last moments of every channel.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The thermodynamic network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The active inference agent.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// The two banks of phases.
    pub fn banks(&self) -> &Banks {
        &self.banks
    }

    /// Frames that were offered, good or not.
    pub fn frames_offered(&self) -> u64 {
        self.frames_offered
    }

    /// Counts a frame that is offered; its number.
    pub(super) fn offer(&mut self) -> u64 {
        self.frames_offered += 1;
        self.frames_offered - 1
    }
}

impl PartialEq for System {
    fn eq(&self, other: &Self) -> bool {
        let Self { history, network, agent, banks, .. } = other;
        self.history == *history
            && self.network == *network
            && self.agent == *agent
            && self.banks == *banks
    }
}

/// Whether each channel spikes: whether its window's value is above a half.
pub(super) fn spikes(values: &[f64]) -> [bool; CHANNELS] {
    std::array::from_fn(|channel| values[channel * (SAMPLES / CHANNELS)] > 0.5)
}
