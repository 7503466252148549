//! The conformance suite, mounted on every backend.

use gpu_core::{Device, ErrorKind, KernelImages};
use kernels::conformance::check_all;

fn assert_conforms(device: &Device, images: &KernelImages, seed: u64) {
    let mut kernels = Vec::new();
    for check in check_all(device, images, seed) {
        let (kernel, quantity) = (check.kernel, check.quantity);
        let failure = check.failure.as_ref().map(ToString::to_string);
        println!(
            "{kernel} {quantity}: {} cases, worst {:e}, tolerance {:e}",
            check.cases, check.worst, check.tolerance
        );
        assert!(check.passed(), "{kernel} {quantity}: {failure:?}");
        assert!(check.cases > 0, "{kernel} {quantity} was never run");
        kernels.push(kernel);
    }
    for source in kernels::SOURCES {
        assert!(kernels.contains(&source.name), "{} is not checked", source.name);
    }
}

#[test]
fn the_host_conforms() {
    assert_conforms(&Device::host(), &KernelImages::at("unused"), 1);
}

#[test]
fn the_simulated_host_conforms_for_every_seed() {
    for seed in 0..2 {
        assert_conforms(&Device::host_simulated(seed), &KernelImages::at("unused"), seed);
    }
}

#[test]
fn the_first_gpu_conforms() {
    match Device::cuda(0) {
        Ok(device) => {
            for seed in 1..=3 {
                assert_conforms(&device, &KernelImages::discover(), seed);
            }
        }
        Err(error) => {
            let required = std::env::var_os("GPU_REQUIRED").is_some_and(|value| value == "1");
            assert!(!required, "GPU_REQUIRED=1, but: {error}");
            println!("skipped: {error}");
        }
    }
}

#[test]
fn a_device_that_fails_is_a_failure_and_not_a_pass() {
    use gpu_core::{FaultPlan, Operation};
    let plan = FaultPlan::none().fail_from(Operation::Launch, 3, ErrorKind::Transient);
    let device = Device::host().with_faults(plan);
    let images = KernelImages::at("unused");
    assert!(check_all(&device, &images, 1).all(|check| !check.passed()));
}
