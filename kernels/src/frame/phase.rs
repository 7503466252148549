//! The phases of a frame, by name.

/// What a frame goes through, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Values above a half become spikes, which join the history.
    Spikes,
    /// Transfer entropy between all channels of the history.
    InformationFlow,
    /// The flow changes the coupling of the network.
    Coupling,
    /// One call of the network.
    Thermodynamic,
    /// What the network shows of itself.
    Observable,
    /// One call of the agent on it.
    ActiveInference,
    /// The action is corrected by the targets, and so is the agent's mean.
    Control,
    /// Two banks of phases, and the information that the mean carries.
    Synchronisation,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Spikes => "spikes",
            Self::InformationFlow => "information flow",
            Self::Coupling => "coupling",
            Self::Thermodynamic => "thermodynamic",
            Self::Observable => "observable",
            Self::ActiveInference => "active inference",
            Self::Control => "control",
            Self::Synchronisation => "synchronisation",
        })
    }
}
