//! What a tuning result is valid for.

use serde::{Deserialize, Serialize};

use crate::outcome::DeviceLabel;

/// Device, kernel source and problem: a result holds for exactly these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProfileKey {
    /// The device's unique id, or backend and name where it has none.
    pub device: String,
    /// Hash of the kernel's sources, as [`gpu_core::KernelSource::hash`] gives it.
    pub source_hash: String,
    /// The size of the problem, such as `n=900`.
    pub problem: String,
}

impl ProfileKey {
    /// The key of a result for `problem`, of a kernel with `source_hash`, on `device`.
    pub fn new(device: &DeviceLabel, source_hash: &str, problem: &str) -> Self {
        let device = match device.uuid.as_str() {
            "" => format!("{}: {}", device.backend, device.name),
            uuid => uuid.to_owned(),
        };
        Self { device, source_hash: source_hash.to_owned(), problem: problem.to_owned() }
    }
}
