//! W3, the end-to-end frame: 900 values and their 900 targets in, a control of 900 windows out.
//!
//! Ten channels of the values become spikes; what flows between them draws the coupling of a thermodynamic network,
//! an agent observes the network and acts, targets correct the action and the agent, and two banks of phases follow.
//! [`Phase`] lists the eight phases. [`naive`] writes them out, [`optimised`] computes the same on all cores, and
//! [`Engine`] keeps a [`System`] on a device and runs its frames there. [`compare`] says whether two of them agree.
//!
//! A frame that is refused or fails changes nothing: the next good frame finds what the last good one left. Where the
//! definition leaves room, it is read like this:
//! - The history has 127 moments with a next one, and the probabilities of a transfer entropy are over these.
//! - Where no information flows to a block of couplings, they are kept by 0.9, like all others.
//! - The phases of the banks are taken modulo 2 pi at the end of a frame, which changes nothing that is put out.
//!
//! [`TrackingError`] works on batches of the same frames by itself.

mod act;
mod compare;
pub(crate) mod conformance;
mod engine;
mod error;
mod formula;
mod observable;
mod outputs;
mod perceive;
mod phase;
mod system;
mod tracking_error;

pub mod naive;
pub mod optimised;

#[cfg(test)]
mod tests;

pub use act::{Act, ActArgs};
pub use compare::{Differences, TOLERANCES, compare};
pub use engine::{Engine, Launches, Marks, Span};
pub use error::{Error, check_input};
pub use formula::formula;
pub use observable::{Observable, ObservableArgs};
pub use outputs::{Metrics, OUTPUTS, Outputs, OutputsRef};
pub use perceive::{Perceive, PerceiveArgs};
pub use phase::Phase;
pub use system::System;
pub use tracking_error::{FRAME_LEN, SAMPLES, TrackingError, TrackingErrorArgs, tracking_error};
