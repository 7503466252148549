//! Tests of gpu-core through its public API, on every backend.

mod affine;
mod conformance;
mod faults;
mod images;
mod simulator;
mod unavailable;
