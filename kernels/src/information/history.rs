//! The last moments of every channel, a bit each.

use super::{CHANNELS, MOMENTS};

/// The last [`MOMENTS`] moments of every channel: a ring whose oldest moment makes room for the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Invariant: bit t is moment t, the oldest first.
    channels: [u128; CHANNELS],
}

impl History {
    /// A history with these moments of each channel, the oldest in bit 0.
    pub const fn from_bits(channels: [u128; CHANNELS]) -> Self {
        Self { channels }
    }

    /// The moments of each channel, the oldest in bit 0.
    pub const fn bits(&self) -> &[u128; CHANNELS] {
        &self.channels
    }

    /// Takes in the newest moment and forgets the oldest.
    pub fn push(&mut self, spikes: [bool; CHANNELS]) {
        for (channel, is_spike) in self.channels.iter_mut().zip(spikes) {
            *channel = *channel >> 1 | u128::from(is_spike) << (MOMENTS - 1);
        }
    }

    /// Whether `channel` spiked at `moment`, counted from the oldest.
    ///
    /// # Panics
    /// If there is no such channel or moment.
    pub fn is_spike(&self, channel: usize, moment: usize) -> bool {
        assert!(moment < MOMENTS, "a history has {MOMENTS} moments");
        self.channels[channel] >> moment & 1 == 1
    }

    /// Two words a channel, the older half first, as a device keeps them.
    #[expect(clippy::cast_possible_truncation, reason = "the halves of each channel are wanted")]
    pub(crate) fn words(&self) -> [u64; 2 * CHANNELS] {
        let mut words = [0; 2 * CHANNELS];
        for (pair, channel) in words.chunks_exact_mut(2).zip(self.channels) {
            pair.copy_from_slice(&[channel as u64, (channel >> 64) as u64]);
        }
        words
    }

    /// The history that a device keeps as `words`.
    pub(crate) fn from_words(words: &[u64]) -> Self {
        let mut history = Self::default();
        for (channel, pair) in history.channels.iter_mut().zip(words.chunks_exact(2)) {
            *channel = u128::from(pair[0]) | u128::from(pair[1]) << 64;
        }
        history
    }
}
