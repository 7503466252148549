//! How much information flows: between spiking channels, and through a noisy channel.
//!
//! Transfer entropy (Schreiber 2000) says how many bits the present of a source tells about the next moment of a target
//! beyond what the target's own present tells. With a history of one moment on either side, over all moments seen,
//!
//! ```text
//! TE = sum p(y', y, x) log2( p(y', y, x) p(y) / (p(y, x) p(y', y)) )     y' after y; x beside y
//! ```
//!
//! Mutual information is that of the channel P(y|x) = 0.9 where y = x and 0.1 / (n - 1) elsewhere, whose source is
//! softmax(mu): H(P p) - H(row), in bits. [`naive`] writes both out, [`optimised`] computes the same from bits in words
//! and in one pass. Never moves data and never waits: it counts.

mod history;

pub mod naive;
pub mod optimised;

#[cfg(test)]
mod tests;

pub use history::History;

/// Channels.
pub const CHANNELS: usize = 10;

/// Moments that a history holds.
pub const MOMENTS: usize = 128;

/// Cells of a histogram.
pub const CELLS: usize = 8;

/// How often (y', y, x) occurred, at place 4 y' + 2 y + x.
pub type Counts = [u32; CELLS];

/// What every channel tells about every other.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// Histogram of every target and source; all 0 where they are the same channel.
    pub counts: [[Counts; CHANNELS]; CHANNELS],
    /// Transfer entropy to every target from every source, in bits; 0 where they are the same channel.
    pub entropies: [[f64; CHANNELS]; CHANNELS],
}

/// How likely the noisy channel hands on what it was given.
const KEPT: f64 = 0.9;

/// How likely it hands on anything else.
const CONFUSED: f64 = 0.1;

impl Flow {
    /// The flow whose histograms and entropies two functions make: of (target, source), and of a histogram.
    fn of(count: impl Fn(usize, usize) -> Counts, entropy: fn(&Counts) -> f64) -> Self {
        let mut flow = Self {
            counts: [[[0; CELLS]; CHANNELS]; CHANNELS],
            entropies: [[0.0; CHANNELS]; CHANNELS],
        };
        for target in 0..CHANNELS {
            for source in (0..CHANNELS).filter(|&source| source != target) {
                let counts = count(target, source);
                flow.counts[target][source] = counts;
                flow.entropies[target][source] = entropy(&counts);
            }
        }
        flow
    }

    /// The largest transfer entropy.
    pub fn max(&self) -> f64 {
        self.entropies.iter().flatten().copied().fold(0.0, f64::max)
    }

    /// Every transfer entropy beside the largest; all 0 where nothing flows.
    pub fn shares(&self) -> [[f64; CHANNELS]; CHANNELS] {
        let max = self.max();
        self.entropies.map(|row| row.map(|entropy| if max > 0.0 { entropy / max } else { 0.0 }))
    }
}
