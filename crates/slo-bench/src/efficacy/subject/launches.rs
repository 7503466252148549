//! What the trials share: prepared launches by their points, inputs from a seed, and comparisons bit by bit.

use std::collections::HashMap;

use gpu_core::{Device, KernelImages, Launch, Point, Prepared};
use kernel_tuner::{Mismatch, Ready};
use kernels::{Deviation, Tunable};

/// Launches of one kernel that are ready.
#[derive(Debug)]
pub(super) struct Launches<K: Tunable> {
    device: Device,
    images: KernelImages,
    prepared: HashMap<Point, Prepared<K>>,
}

impl<K: Tunable> Launches<K> {
    pub(super) fn new(device: &Device, images: &KernelImages) -> Self {
        let (device, images) = (device.clone(), images.clone());
        Self { device, images, prepared: HashMap::new() }
    }

    pub(super) fn prepare(&mut self, point: &Point, launch: Launch) -> gpu_core::Result<Ready> {
        if !self.prepared.contains_key(point) {
            let prepared = K::prepare(&self.device, &self.images, launch)?;
            self.prepared.insert(point.clone(), prepared);
        }
        Ok(Ready { launch, attributes: self.at(point).attributes()? })
    }

    /// The launch of a point that was prepared.
    pub(super) fn at(&self, point: &Point) -> &Prepared<K> {
        &self.prepared[point]
    }
}

/// Numbers in [-1, 1).
pub(super) fn singles(seed: u64, len: usize) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..len).map(|_| 2.0 * random.f32() - 1.0).collect()
}

/// Compares two outputs bit by bit, but for the sign of zero. What is not a number never equals anything.
pub(super) fn compare(output: &str, expected: &[f32], actual: &[f32]) -> Result<(), Mismatch> {
    if expected == actual {
        return Ok(());
    }
    let [expected, actual] =
        [expected, actual].map(|side| side.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
    Mismatch::compare(output, &expected, &actual, 0.0)
}

/// A length in 64 bits.
pub(super) fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// A quantity of a workload that differs by more than is tolerated.
pub(super) fn deviation(found: &Deviation) -> Mismatch {
    Mismatch {
        output: found.quantity.to_owned(),
        index: 0,
        expected: format!("a difference of at most {:e}", found.tolerance),
        actual: format!("{:e}", found.difference),
        wrong: 1,
    }
}
