//! The pipeline and its pool as their users see them, on the eager and on the simulated host.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod allocations;
mod calibration;
mod endings;
mod faults;
mod fleet;
mod interleavings;
mod kernels;
mod pool;
mod refusals;
mod replays;
mod reports;
mod staging;
