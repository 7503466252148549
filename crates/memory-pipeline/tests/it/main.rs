//! The pipeline and its pool as their users see them, on the eager and on the simulated host.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a test prints what it counted, or why it cannot run")]

mod allocations;
mod calibration;
mod driver;
mod driver_ledger;
mod driver_schedules;
mod driver_steady;
mod endings;
mod faults;
mod fleet;
mod interleavings;
mod kernels;
mod pool;
mod pool_memory;
mod pool_regions;
mod refusals;
mod replays;
mod reports;
mod staging;
mod twins;
