//! Kernels through their public face: on the host, on the simulated host and, where there is one, on a GPU.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a test that cannot run says why")]

mod conformance;
mod evolution;
mod frame;
mod grids;
mod inference;
mod refusals;
mod signatures;
mod sources;
