//! The CUDA backend on the fake driver: what it is run with, and what it may leave behind.

use fake_driver_client::{on_fake_driver_as, path_of};
use gpu_core::{Device, Error};

/// Seeds of the fake driver: each is another order of the streams' work.
pub(crate) const SEEDS: u64 = 50;

/// Whether the CUDA backend is in this program; says so if it is not.
pub(crate) fn is_backend_built() -> bool {
    let is_missing = matches!(Device::cuda_count(), Err(Error::BackendMissing));
    if is_missing {
        println!("not run on the fake driver: built without the CUDA backend");
    }
    !is_missing
}

/// Runs `test` on the first device of the fake driver, once a seed, and looks what it left behind.
pub(crate) fn on_every_seed(test: impl Fn(&Device)) {
    if !is_backend_built() {
        return;
    }
    on_fake_driver_as(&path_of(&test), |driver| {
        for seed in 0..SEEDS {
            driver.reset(seed);
            let device = Device::cuda(0).unwrap();
            test(&device);
            drop(device);
            driver.assert_clean(&format!("seed {seed}"));
        }
    });
}
