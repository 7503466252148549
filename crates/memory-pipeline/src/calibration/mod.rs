//! How fast the link is: up alone, down alone, and both at once.
//!
//! A pipeline copies both ways at once, so its ceiling is what the link gives then, which is less than twice one
//! direction. Measured by events around real copies of the same kind; never taken from a data sheet.

mod chunk;
mod link;

use gpu_core::{BackendKind, Device};

pub use self::chunk::{ChunkChoice, ChunkSearch};
use self::link::{Link, Traffic};
use crate::error::{Error, Result};

/// How a link is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CalibrationConfig {
    /// Bytes of one copy.
    pub chunk_bytes: usize,
    /// Copies each way in a pass.
    pub chunks: usize,
    /// Passes of which the median is taken, after one that does not count.
    pub passes: usize,
}

impl CalibrationConfig {
    /// Five passes of 128 copies of `chunk_bytes` each way.
    pub const fn new(chunk_bytes: usize) -> Self {
        Self { chunk_bytes, chunks: 128, passes: 5 }
    }

    fn check(&self) -> Result<()> {
        let Self { chunk_bytes, chunks, passes } = *self;
        let knobs = [("chunk_bytes", chunk_bytes), ("chunks", chunks), ("passes", passes)];
        match knobs.into_iter().find(|&(_, actual)| actual == 0) {
            Some((what, actual)) => Err(Error::Config { what, actual, min: 1, max: usize::MAX }),
            None => Ok(()),
        }
    }
}

/// What the link gives, in gigabytes (10^9 bytes) a second: medians over the passes, each finite and above 0.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct LinkRates {
    /// Where it was measured; on a host these are copies in its own memory, one at a time.
    pub backend: BackendKind,
    /// How it was measured.
    pub config: CalibrationConfig,
    /// Host to device while nothing comes down.
    pub up_alone_gb_s: f64,
    /// Device to host while nothing goes up.
    pub down_alone_gb_s: f64,
    /// Host to device while copies come down.
    pub up_duplex_gb_s: f64,
    /// Device to host while copies go up.
    pub down_duplex_gb_s: f64,
}

impl LinkRates {
    /// Both directions at once, summed.
    pub fn duplex_sum_gb_s(&self) -> f64 {
        self.up_duplex_gb_s + self.down_duplex_gb_s
    }

    /// The shortest time for `up_bytes` up and `down_bytes` down, side by side until the shorter way is done.
    pub(crate) fn exchange_ns(&self, [up_bytes, down_bytes]: [f64; 2]) -> f64 {
        let together_ns = (up_bytes / self.up_duplex_gb_s).min(down_bytes / self.down_duplex_gb_s);
        let up_left = up_bytes - together_ns * self.up_duplex_gb_s;
        let down_left = down_bytes - together_ns * self.down_duplex_gb_s;
        together_ns + up_left / self.up_alone_gb_s + down_left / self.down_alone_gb_s
    }
}

/// Measures the link of `device`. Allocates first and measures then.
///
/// # Errors
/// [`Error::Config`] names a knob that is 0; [`Error::TooShort`] says that a pass was over before the clock could tell;
/// otherwise what the driver says.
///
/// ```
/// use gpu_core::Device;
/// use memory_pipeline::{CalibrationConfig, calibrate};
///
/// # fn main() -> memory_pipeline::Result<()> {
/// let config = CalibrationConfig { chunks: 8, passes: 1, ..CalibrationConfig::new(64 << 10) };
/// let rates = calibrate(&Device::auto()?, config)?;
/// println!("{:.1} GB/s both ways together, on {}", rates.duplex_sum_gb_s(), rates.backend);
/// # Ok(())
/// # }
/// ```
pub fn calibrate(device: &Device, config: CalibrationConfig) -> Result<LinkRates> {
    config.check()?;
    let mut link = Link::new(device, config.chunk_bytes)?;
    let mut rates_of = |traffic| -> Result<[f64; 2]> {
        let mut passes = [Vec::with_capacity(config.passes), Vec::with_capacity(config.passes)];
        link.pass(traffic, config.chunks)?;
        for _ in 0..config.passes {
            let rates = link.pass(traffic, config.chunks)?;
            passes.iter_mut().zip(rates).for_each(|(all, rate)| all.push(rate));
        }
        Ok(passes.map(median))
    };
    let [up_alone_gb_s, _] = rates_of(Traffic::Up)?;
    let [_, down_alone_gb_s] = rates_of(Traffic::Down)?;
    let [up_duplex_gb_s, down_duplex_gb_s] = rates_of(Traffic::Both)?;
    let backend = device.backend();
    Ok(LinkRates {
        backend,
        config,
        up_alone_gb_s,
        down_alone_gb_s,
        up_duplex_gb_s,
        down_duplex_gb_s,
    })
}

/// The middle of the passes; the lower of two middles, so that it is a rate that was measured.
fn median(mut passes: Vec<f64>) -> f64 {
    passes.sort_by(f64::total_cmp);
    passes[(passes.len() - 1) / 2]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A link of 50 GB/s one way, and 40 up and 20 down at once.
    pub(crate) const RATES: LinkRates = LinkRates {
        backend: BackendKind::Cuda,
        config: CalibrationConfig::new(1 << 20),
        up_alone_gb_s: 50.0,
        down_alone_gb_s: 50.0,
        up_duplex_gb_s: 40.0,
        down_duplex_gb_s: 20.0,
    };

    #[test]
    fn the_two_ways_share_the_link_until_one_is_done() {
        assert_eq!(RATES.duplex_sum_gb_s(), 60.0);
        assert_eq!(RATES.exchange_ns([500.0, 0.0]), 10.0);
        assert_eq!(RATES.exchange_ns([400.0, 200.0]), 10.0);
        // 10 ns for 400 up and 200 down, then 500 more up alone.
        assert_eq!(RATES.exchange_ns([900.0, 200.0]), 20.0);
        assert_eq!(RATES.exchange_ns([0.0, 0.0]), 0.0);
    }

    #[test]
    fn the_median_is_one_of_the_passes() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.0);
        assert_eq!(median(vec![7.0]), 7.0);
    }
}
