//! Why a frame has no outputs. The system is then as the last good frame left it.

use gpu_core::ErrorKind;

use super::{FRAME_LEN, Phase};

/// Why a frame has no outputs. Frames are counted from 0, refused ones included.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A frame that is too short or too long.
    #[error(
        "frame {frame} has {actual} numbers; a frame is {FRAME_LEN}: 900 values, then their 900 targets"
    )]
    Length {
        /// Which frame.
        frame: u64,
        /// How many numbers it has.
        actual: usize,
    },
    /// A number in a frame that is NaN or infinite.
    #[error("frame {frame}: number {index} is not finite; leave this frame out")]
    Input {
        /// Which frame.
        frame: u64,
        /// Which of its numbers, from 0; targets start at 900.
        index: usize,
    },
    /// A phase whose outputs are not finite.
    #[error(
        "frame {frame}: the {phase} phase puts out a number that is not finite; the frame is dropped"
    )]
    Output {
        /// Which frame.
        frame: u64,
        /// The first phase that does.
        phase: Phase,
    },
    /// The device failed.
    #[error(transparent)]
    Device(#[from] gpu_core::Error),
}

impl Error {
    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Device(error) => error.kind(),
            Self::Length { .. } | Self::Input { .. } | Self::Output { .. } => ErrorKind::Invalid,
        }
    }
}

/// Refuses a frame that is not [`FRAME_LEN`] finite numbers; otherwise its values and its targets.
///
/// # Errors
/// [`Error::Length`] or [`Error::Input`], with the frame's number.
pub fn check_input(frame: u64, input: &[f64]) -> Result<(&[f64], &[f64]), Error> {
    if input.len() != FRAME_LEN {
        return Err(Error::Length { frame, actual: input.len() });
    }
    match input.iter().position(|number| !number.is_finite()) {
        Some(index) => Err(Error::Input { frame, index }),
        None => Ok(input.split_at(FRAME_LEN / 2)),
    }
}
