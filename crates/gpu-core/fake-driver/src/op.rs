//! One operation of a stream or of a graph that touches memory.

use crate::kernel::Kernel;
use crate::span::{Home, Span};

/// A copy, a fill or a launch, with the memory it touches.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Copy {
        from: Span,
        to: Span,
    },
    Fill {
        to: Span,
        value: u8,
    },
    Launch {
        kernel: &'static Kernel,
        params: Vec<u64>,
        /// Read by the kernel, in the order that it expects.
        reads: Vec<Span>,
        /// Written by it.
        writes: Vec<Span>,
        threads: u64,
        /// The image that the kernel is of.
        module: u64,
    },
}

impl Op {
    pub(crate) fn run(&self) {
        match self {
            Self::Copy { from, to } => from.copy_to(to),
            Self::Fill { to, value } => to.fill(*value),
            Self::Launch { kernel, params, reads, writes, threads, .. } => {
                (kernel.run)(params, reads, writes, *threads);
            }
        }
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        match self {
            Self::Copy { from, to } => vec![*from, *to],
            Self::Fill { to, .. } => vec![*to],
            Self::Launch { reads, writes, .. } => reads.iter().chain(writes).copied().collect(),
        }
    }

    pub(crate) fn writes(&self) -> Vec<Span> {
        match self {
            Self::Copy { to, .. } | Self::Fill { to, .. } => vec![*to],
            Self::Launch { writes, .. } => writes.clone(),
        }
    }

    pub(crate) fn uses(&self, span: &Span) -> bool {
        self.spans().iter().any(|used| used.overlaps(span))
    }

    /// The image whose kernel it launches.
    pub(crate) fn module(&self) -> Option<u64> {
        match self {
            Self::Launch { module, .. } => Some(*module),
            Self::Copy { .. } | Self::Fill { .. } => None,
        }
    }

    /// Whether it is a copy from the host.
    pub(crate) fn is_upload(&self) -> bool {
        matches!(self, Self::Copy { from, .. } if from.home != Home::Device)
    }

    /// Which engine runs it, and for how long in virtual time: a link of 55 bytes and memory of 2900 bytes a nanosecond.
    pub(crate) fn cost(&self) -> (usize, u64) {
        let over = |bytes: usize, rate: usize| 1000 + (bytes / rate) as u64;
        match self {
            Self::Copy { from, to } if from.home != Home::Device => (0, over(to.bytes, 55)),
            Self::Copy { from, to } if to.home != Home::Device => (1, over(from.bytes, 55)),
            Self::Copy { to, .. } | Self::Fill { to, .. } => (2, over(to.bytes, 2900)),
            Self::Launch { threads, .. } => (2, 3000 + threads / 100),
        }
    }
}
