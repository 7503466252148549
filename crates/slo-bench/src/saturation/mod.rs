//! Saturation that is not hollow: whether a device was kept busy, and with work that needs it.
//!
//! NVML's utilisation is the share of *time* in which something ran: one block that spins on one multiprocessor reads as
//! 100 %. So three tiers of evidence stand side by side: T0, what the algorithm counts, over a ceiling measured in the same run;
//! T1, what the device's counters (GPM) count; T2, NVML. [`judge`] is pure: it wants the promise in words (T2) and in
//! substance (T1, or T0 where there are no counters) for every second of a minute, and calls what only looks busy hollow.
//! [`watch`] reads a device beside the work: [`serve`] runs services of a workload side by side, `Driver` a load whose
//! saturation is known beforehand. Never changes clocks, power or modes.

mod chart;
#[cfg(feature = "workloads")]
mod control;
#[cfg(feature = "workloads")]
mod drive;
mod judge;
mod level;
#[cfg(feature = "workloads")]
mod load;
mod promise;
mod services;
#[cfg(test)]
mod tests;
mod trace;
mod watch;

#[cfg(feature = "workloads")]
pub use control::Control;
#[cfg(feature = "workloads")]
pub use drive::{Driver, Duty, Rate};
pub use judge::{Saturation, judge};
pub use level::{Channel, Level};
#[cfg(feature = "workloads")]
pub use load::LoadName;
pub use promise::{Demand, SaturationPromise, warm_up_s};
pub use services::{Served, serve};
pub use trace::{Ceiling, Observation, Trace, Work};
pub use watch::{Progress, Sensor, watch};
