//! When the device passed each part of a frame.

use std::time::Duration;

use gpu_core::{Device, Event, Result, Stream};

use crate::frame::Phase;

/// The parts of a frame on the device, in their order, and the phases that each computes. The outputs of the last
/// part are written over the bus by the kernel itself, so no part is a download.
const PARTS: [(&str, &[Phase]); 6] = [
    ("upload", &[]),
    ("perceive", &[Phase::Spikes, Phase::InformationFlow, Phase::Coupling]),
    ("evolve", &[Phase::Thermodynamic]),
    ("observable", &[Phase::Observable]),
    ("infer", &[Phase::ActiveInference]),
    ("act", &[Phase::Control, Phase::Synchronisation]),
];

/// Timed events around the parts of a frame, for [`Engine::call_marked`](super::Engine::call_marked).
#[derive(Debug)]
pub struct Marks {
    /// Invariant: one before the first part and one behind each.
    events: Vec<Event>,
}

/// How long the device took over one part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The kernel, or `upload`.
    pub part: &'static str,
    /// The phases that it computes.
    pub phases: &'static [Phase],
    /// From the end of the part before to its own end.
    pub duration: Duration,
}

impl Marks {
    /// Marks for frames on `device`.
    ///
    /// # Errors
    /// What the driver says.
    pub fn new(device: &Device) -> Result<Self> {
        let events = (0..=PARTS.len()).map(|_| device.timed_event()).collect::<Result<_>>()?;
        Ok(Self { events })
    }

    /// How long each part of the last marked frame took.
    ///
    /// # Errors
    /// [`gpu_core::Error::EventUntimed`] if there was none.
    pub fn spans(&self) -> Result<Vec<Span>> {
        let span = |((part, phases), pair): (&(&'static str, &'static [Phase]), &[Event])| {
            let duration = pair[1].elapsed_since(&pair[0])?;
            Ok(Span { part, phases, duration })
        };
        PARTS.iter().zip(self.events.windows(2)).map(span).collect()
    }

    /// Marks that `parts` parts of a frame are queued.
    pub(super) fn record(&self, stream: &Stream, parts: usize) -> Result<()> {
        stream.record(&self.events[parts])
    }
}
