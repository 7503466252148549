//! The synthetic input of the end-to-end workload.

use super::{FRAME_LEN, FrameSource, WINDOWS, capacity};
use crate::error::Result;

/// Frames f = 0, 1, ... with inputs cos(0.015 (i + f)) + 0.5 and targets 0.5 + 0.3 sin(0.025 (i + f)).
#[derive(Clone, Debug)]
pub struct Formula {
    next: u64,
    /// The frame at which the source ends; `None` for never.
    end: Option<u64>,
}

impl Formula {
    /// Frames without end.
    pub fn unlimited() -> Self {
        Self { next: 0, end: None }
    }

    /// The first `count` frames.
    pub fn first(count: u64) -> Self {
        Self { next: 0, end: Some(count) }
    }
}

impl FrameSource for Formula {
    fn fill(&mut self, frames: &mut [f64]) -> Result<usize> {
        capacity(frames);
        let left = self.len_hint().and_then(|left| usize::try_from(left).ok());
        let mut filled = 0;
        for frame in frames.chunks_exact_mut(FRAME_LEN).take(left.unwrap_or(usize::MAX)) {
            write(self.next, frame);
            self.next += 1;
            filled += 1;
        }
        Ok(filled)
    }

    fn len_hint(&self) -> Option<u64> {
        self.end.map(|end| end.saturating_sub(self.next))
    }
}

fn write(frame: u64, values: &mut [f64]) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "frame numbers stay below 2^53: at 10,000 frames a second that is 28,000 years"
    )]
    let frame = frame as f64;
    let (inputs, targets) = values.split_at_mut(WINDOWS);
    for (index, (input, target)) in (0_u32..).zip(inputs.iter_mut().zip(targets)) {
        let place = f64::from(index) + frame;
        *input = (0.015 * place).cos() + 0.5;
        *target = 0.5 + 0.3 * (0.025 * place).sin();
    }
}
