//! Frames of the end-to-end workload: 900 inputs and 900 targets each, from the formula or from a file.
//!
//! Never holds a file in memory: a source fills the caller's frames, as many as fit.

mod file;
mod formula;
mod npy;
mod repeated;
#[cfg(test)]
mod tests;
mod write;

pub use file::FrameFile;
pub use formula::Formula;
pub use repeated::Repeated;
pub use write::{FrameFormat, write_frames};

use crate::error::Result;

/// Windows of a frame: its inputs, and as many targets.
pub const WINDOWS: usize = 900;
/// Values of a frame: the inputs, then the targets.
pub const FRAME_LEN: usize = 2 * WINDOWS;
/// Bytes of a frame in a file.
const FRAME_BYTES: usize = FRAME_LEN * size_of::<f64>();

/// Where frames come from: a file, the formula, or anything live, such as a camera or a socket.
pub trait FrameSource {
    /// Fills whole frames at the front of `frames`, as many as there are and fit, and returns how many. 0 is the end.
    ///
    /// # Errors
    /// What the source finds wrong with a frame, by its number. Frames already returned stay good.
    ///
    /// # Panics
    /// If `frames` is empty or not a whole number of frames.
    fn fill(&mut self, frames: &mut [f64]) -> Result<usize>;

    /// Frames still to come, where the source knows.
    fn len_hint(&self) -> Option<u64>;
}

/// How many frames a buffer holds.
fn capacity(frames: &[f64]) -> usize {
    let is_whole = !frames.is_empty() && frames.len().is_multiple_of(FRAME_LEN);
    assert!(is_whole, "a buffer for frames holds a whole number of {FRAME_LEN} values");
    frames.len() / FRAME_LEN
}
