//! Occupancy against NVIDIA's figures, and tuning with scripted times and on the host's devices.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod cache;
mod device;
mod occupancy;
mod recommend;
mod scripted;
mod tuner;
