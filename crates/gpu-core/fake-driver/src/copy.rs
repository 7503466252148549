//! Copies and fills, from addresses to operations.

use crate::code::Outcome;
use crate::driver::Driver;
use crate::op::Op;

impl Driver {
    pub(crate) fn upload(&mut self, from: usize, to: u64, bytes: usize, stream: u64) -> Outcome {
        let stream = self.stream(stream)?;
        let (from, to) = (self.host_span(from, bytes)?, self.device_span(to, bytes)?);
        self.submit(stream, Op::Copy { from, to })
    }

    pub(crate) fn download(&mut self, from: u64, to: usize, bytes: usize, stream: u64) -> Outcome {
        let stream = self.stream(stream)?;
        let (from, to) = (self.device_span(from, bytes)?, self.host_span(to, bytes)?);
        self.submit(stream, Op::Copy { from, to })
    }

    pub(crate) fn copy(&mut self, from: u64, to: u64, bytes: usize, stream: u64) -> Outcome {
        let stream = self.stream(stream)?;
        let (from, to) = (self.device_span(from, bytes)?, self.device_span(to, bytes)?);
        if from.overlaps(&to) {
            self.journal.violation("a copy between overlapping places on the device");
        }
        self.submit(stream, Op::Copy { from, to })
    }

    pub(crate) fn fill(&mut self, to: u64, value: u8, bytes: usize, stream: u64) -> Outcome {
        let stream = self.stream(stream)?;
        let to = self.device_span(to, bytes)?;
        self.submit(stream, Op::Fill { to, value })
    }
}
