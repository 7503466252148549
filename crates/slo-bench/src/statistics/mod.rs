//! What samples prove about a percentile: nearest ranks, confidence intervals, gates, and the worth of dependent samples.
//!
//! Knows counts and ranks, never latencies or contracts. Everything here is a pure function.
//!
//! ```
//! use slo_bench::statistics::{Indicator, Quantile, effective_samples, over_count_max};
//!
//! // One sample in 125 is over the limit, and never two in a row.
//! let samples: Vec<u64> = (0..100_000).collect();
//! let over = Indicator::of(&samples, |i| i % 125 == 0);
//! let worth = effective_samples(&[&over]);
//! let most = over_count_max(100_000, worth, Quantile::P99, 0.95);
//! assert!(most.is_some_and(|most| over.count() <= most));
//! ```

mod binomial;
mod dependence;
mod gate;
mod indicator;
mod interval;
mod quantile;

pub use dependence::effective_samples;
pub use gate::{each_of, over_count_max, samples_min, samples_needed};
pub use indicator::Indicator;
pub use interval::{RankInterval, rank_interval};
pub use quantile::Quantile;
