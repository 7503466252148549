//! What a pipeline takes, as sums written out: who holds which buffer.

use crate::config::Config;

/// Batches that the staging threads may have on the way in, and as many on the way out: while one is copied, the next one waits for no wake-up.
pub(crate) const STAGED: usize = 2;

/// Memory that a pipeline allocates when it is made. It allocates nothing afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Budget {
    /// Batches that the device may have been given and the host has not seen done.
    pub in_flight_max: usize,
    /// Page-locked buffers in each of the two pools, input and output.
    pub buffers_per_pool: usize,
    /// Page-locked memory of both pools.
    pub pinned_bytes: usize,
    /// Device memory of all slots.
    pub device_bytes: usize,
}

/// Bytes of one full batch, on its way up and on its way down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchBytes {
    pub(crate) input: usize,
    pub(crate) output: usize,
}

impl Budget {
    /// The sums for `config`; a batch too large to count saturates, and its allocation fails.
    pub(crate) fn new(config: &Config, batch: BatchBytes) -> Self {
        let in_flight_max = config.in_flight_max();
        let buffers_per_pool = in_flight_max // the device's
            + 1 // being filled by the caller
            + 1 // being read by the caller
            + if config.staging_threads > 1 { STAGED } else { 0 }; // between them and the threads
        let both = batch.input.saturating_add(batch.output);
        Self {
            in_flight_max,
            buffers_per_pool,
            pinned_bytes: both.saturating_mul(buffers_per_pool),
            device_bytes: both.saturating_mul(config.depth),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_slots_with_two_ahead_need_seven_buffers_each_way() {
        let budget = Budget::new(&Config::new(10), BatchBytes { input: 40, output: 80 });
        assert_eq!(budget.in_flight_max, 5);
        assert_eq!(budget.buffers_per_pool, 7);
        assert_eq!(budget.pinned_bytes, 7 * 120);
        assert_eq!(budget.device_bytes, 3 * 120);
        let staged = Config { staging_threads: 4, ..Config::new(10) };
        let budget = Budget::new(&staged, BatchBytes { input: 40, output: 80 });
        assert_eq!(budget.buffers_per_pool, 9);
    }
}
