//! How much tuning gains: the generic baseline of a kernel against the configuration that the tuner chooses.
//!
//! The search chooses, and its times are then forgotten: among many equal configurations the fastest time seen is that of
//! the luckiest. The gain is measured anew, on inputs drawn anew, in interleaved blocks, and given with a bound
//! that it lies above with a confidence of 95 %. Beside it stands how far each side is from what the device
//! could do at best, since twice as fast as a bad baseline says little. Never claims what the bound does not show,
//! and never times a configuration whose result is wrong.

mod blocks;
mod gain;
mod roofline;
mod subject;
mod times;
mod trial;

pub use blocks::{Turns, interleave};
pub use gain::Gain;
pub use roofline::{BoundBy, Precision, Roofline, Work, copy_rate};
pub use subject::{Product, Sizes, Sum, TrialName};
pub use times::{times_chart, times_us};
pub use trial::{BLOCKS_MIN, Efficacy, EfficacyPlan, Trial, try_out};
