//! The size of a batch, chosen by measurement: as small as the link allows.
//!
//! A small batch is sooner through, keeps more of itself in the processor's cache and fills the lanes sooner; a copy that is too small
//! leaves the link idle between two of them. Nothing else is weighed.

use gpu_core::Device;

use super::{CalibrationConfig, LinkRates, calibrate};
use crate::error::{Error, Result};

/// How much of the best rate a size must reach.
const ENOUGH: f64 = 0.97;

/// Which sizes are tried, and with how much effort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ChunkSearch {
    /// The smallest size; each next one is twice as large.
    pub smallest_bytes: usize,
    /// No size is larger.
    pub largest_bytes: usize,
    /// Bytes that each pass copies each way, at least.
    pub pass_bytes: usize,
    /// Passes of each size.
    pub passes: usize,
}

impl Default for ChunkSearch {
    /// 64 KiB to 16 MiB, five passes of 64 MiB each.
    fn default() -> Self {
        let (smallest_bytes, largest_bytes) = (64 << 10, 16 << 20);
        Self { smallest_bytes, largest_bytes, pass_bytes: 64 << 20, passes: 5 }
    }
}

/// The smallest size of a copy that brings the link to at least 97 % of the best rate both ways, and what was measured.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ChunkChoice {
    /// The size.
    pub chunk_bytes: usize,
    /// All sizes that were tried, smallest first. Never empty.
    pub measured: Vec<LinkRates>,
}

impl ChunkChoice {
    /// Measures every size of `search` on `device` and chooses.
    ///
    /// # Errors
    /// [`Error::Config`] names a knob out of range; otherwise as for [`calibrate`].
    pub fn measure(device: &Device, search: ChunkSearch) -> Result<Self> {
        let ChunkSearch { smallest_bytes, largest_bytes, pass_bytes, passes } = search;
        if smallest_bytes == 0 || smallest_bytes > largest_bytes {
            let (what, actual) = ("smallest_bytes", smallest_bytes);
            return Err(Error::Config { what, actual, min: 1, max: largest_bytes });
        }
        let doubled = |&bytes: &usize| bytes.checked_mul(2);
        let sizes = std::iter::successors(Some(smallest_bytes), doubled);
        let measured = sizes.take_while(|&bytes| bytes <= largest_bytes).map(|chunk_bytes| {
            let chunks = pass_bytes.div_ceil(chunk_bytes);
            calibrate(device, CalibrationConfig { chunk_bytes, chunks, passes })
        });
        Ok(Self::among(measured.collect::<Result<_>>()?))
    }

    fn among(measured: Vec<LinkRates>) -> Self {
        let best = measured.iter().map(LinkRates::duplex_sum_gb_s).fold(0.0, f64::max);
        let is_enough = |rates: &&LinkRates| rates.duplex_sum_gb_s() >= ENOUGH * best;
        let chosen = measured.iter().find(is_enough).expect("the best one is good enough");
        Self { chunk_bytes: chosen.config.chunk_bytes, measured }
    }

    /// What was measured at the chosen size.
    pub fn rates(&self) -> &LinkRates {
        let is_chosen = |rates: &&LinkRates| rates.config.chunk_bytes == self.chunk_bytes;
        self.measured.iter().find(is_chosen).expect("the choice is one of the measured sizes")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::RATES;
    use super::*;

    fn rates(chunk_bytes: usize, sum_gb_s: f64) -> LinkRates {
        let config = CalibrationConfig::new(chunk_bytes);
        let (up_duplex_gb_s, down_duplex_gb_s) = (sum_gb_s / 2.0, sum_gb_s / 2.0);
        LinkRates { config, up_duplex_gb_s, down_duplex_gb_s, ..RATES }
    }

    #[test]
    fn the_smallest_size_that_is_good_enough_is_chosen() {
        let choice = |sums: &[f64]| {
            let measured = sums.iter().zip([1, 2, 4, 8]).map(|(&sum, bytes)| rates(bytes, sum));
            let choice = ChunkChoice::among(measured.collect());
            assert_eq!(choice.rates().config.chunk_bytes, choice.chunk_bytes);
            choice.chunk_bytes
        };
        assert_eq!(choice(&[50.0, 90.0, 97.0, 100.0]), 4);
        assert_eq!(choice(&[50.0, 90.0, 96.9, 100.0]), 8);
        // Past the best one, larger sizes do not matter.
        assert_eq!(choice(&[50.0, 99.0, 100.0, 60.0]), 2);
        assert_eq!(choice(&[7.0]), 1);
    }
}
