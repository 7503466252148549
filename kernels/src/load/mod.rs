//! Loads whose demand on a device is known beforehand: memory and nothing else, arithmetic and nothing else, or little behind much.
//!
//! They measure ceilings and try the judgement of saturation; no workload uses them.

pub(crate) mod conformance;
mod spin;
mod strided_read;
mod triad;

pub use spin::{SPIN_OPERATIONS, SPIN_STARTS, Spin, SpinArgs, spin};
pub use strided_read::{StridedRead, StridedReadArgs, strided_read};
pub use triad::{Triad, TriadArgs, triad};
