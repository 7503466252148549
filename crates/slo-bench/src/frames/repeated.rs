//! The frames of a file again and again: input without end from a file that has one.
//!
//! Holds nothing of the file in memory.

use super::{FRAME_LEN, FrameFile, FrameSource, capacity};
use crate::error::Result;

/// A file that begins again where it ends.
#[derive(Debug)]
pub struct Repeated {
    file: FrameFile,
}

impl Repeated {
    /// The frames of `file` from its first on.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) if the file cannot be rewound.
    pub fn new(mut file: FrameFile) -> Result<Self> {
        file.rewind()?;
        Ok(Self { file })
    }
}

impl FrameSource for Repeated {
    fn fill(&mut self, frames: &mut [f64]) -> Result<usize> {
        let wanted = capacity(frames);
        let mut filled = 0;
        while filled < wanted {
            if self.file.len_hint() == Some(0) {
                self.file.rewind()?;
            }
            filled += self.file.fill(&mut frames[filled * FRAME_LEN..])?;
        }
        Ok(filled)
    }

    fn len_hint(&self) -> Option<u64> {
        None
    }
}
