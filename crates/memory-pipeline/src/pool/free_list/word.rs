//! The two words of the free list, and what their bits mean.

/// What stands for an index where there is none: the stack ends here.
pub(super) const EMPTY: u16 = u16::MAX;
/// The same, and somebody waits for an index: whoever has one hands it over instead of pushing it.
pub(super) const WANTED: u16 = EMPTY - 1;

/// The head of a stack: its top, and a tag that changes on every pop.
///
/// Invariant: the tag makes a stale compare-exchange fail. At 10^8 pops a second it takes 32 days to come round,
/// and then only a thread that slept for exactly that long could be fooled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// An index, [`EMPTY`] or [`WANTED`].
    pub(super) top: u16,
    /// Only the low 48 bits are kept.
    pub(super) tag: u64,
}

/// What a free index knows of those below it in its stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// The next index, or [`EMPTY`].
    pub(super) below: u16,
    /// Indices in the stack from this one down.
    pub(super) depth: u16,
}

impl Head {
    /// The index on top, if the stack has one.
    pub(super) fn index(self) -> Option<u16> {
        (self.top < WANTED).then_some(self.top)
    }

    pub(super) fn pack(self) -> u64 {
        (self.tag << u16::BITS) | u64::from(self.top)
    }

    pub(super) fn unpack(word: u64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the low 16 bits are the top")]
        let top = word as u16;
        Self { top, tag: word >> u16::BITS }
    }
}

impl Node {
    pub(super) fn pack(self) -> u32 {
        (u32::from(self.depth) << u16::BITS) | u32::from(self.below)
    }

    pub(super) fn unpack(word: u32) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the low 16 bits are the index")]
        let below = word as u16;
        let depth = (word >> u16::BITS) as u16;
        Self { below, depth }
    }
}
