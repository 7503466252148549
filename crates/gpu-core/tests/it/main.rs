//! Tests of gpu-core through its public API, on every backend.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a test that cannot run says why")]

mod affine;
mod captures;
mod conformance;
mod driver;
mod driver_faults;
mod driver_rules;
mod faults;
mod graphs;
mod images;
mod parking;
mod regions;
mod simulator;
mod unavailable;
