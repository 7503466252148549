//! What a program sees where the driver is no library: run in processes of their own, since the
//! driver is looked for once in each.

use std::process::Command;

use super::{
    Cuda, Event, Function, Memory, Module, Pinned, Stream, count, driver, properties, raw,
};
use crate::error::{Error, ErrorKind};
use crate::{Device, DeviceProperties};

/// A file that is here and is no library.
const NO_LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

/// Runs `body` in a process whose driver is [`NO_LIBRARY`]; `test` is the caller's own path.
fn without_driver(test: &str, body: impl FnOnce()) {
    if std::env::var(driver::VARIABLE).as_deref() == Ok(NO_LIBRARY) {
        return body();
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", test, "--nocapture"]).env(driver::VARIABLE, NO_LIBRARY);
    let output = again.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn handles_may_be_used_from_every_thread() {
    fn check<T: Send + Sync>() {}
    check::<Cuda>();
    check::<(Event, Stream, Memory, Pinned)>();
    check::<(Module, Function)>();
}

#[test]
fn every_way_to_a_device_names_the_library_that_was_tried() {
    without_driver(
        "backend::cuda::tests::every_way_to_a_device_names_the_library_that_was_tried",
        || {
            let errors = [
                Device::cuda(0).unwrap_err(),
                Device::cuda_count().unwrap_err(),
                Cuda::open(7).unwrap_err(),
                count().unwrap_err(),
                properties(0).unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.kind(), ErrorKind::Unavailable);
                let Error::DriverMissing { library, reason } = error else { panic!("{error}") };
                assert_eq!(library, NO_LIBRARY);
                assert!(reason.contains(driver::VARIABLE), "{reason}");
            }
            assert_eq!(Device::auto().unwrap().properties(), Device::host().properties());
            let kinds: Vec<_> = Device::list().iter().map(DeviceProperties::clone).collect();
            assert_eq!(kinds.len(), 1, "the host only");
        },
    );
}

#[test]
fn a_call_without_a_driver_fails_with_a_code_that_the_bindings_know() {
    without_driver(
        "backend::cuda::tests::a_call_without_a_driver_fails_with_a_code_that_the_bindings_know",
        || {
            let mut count = 7;
            // SAFETY: without a driver nothing is done with the pointer.
            let error = unsafe { raw::call!(cuDeviceGetCount(&raw mut count)) }.unwrap_err();
            assert!(matches!(error, Error::DriverMissing { .. }), "{error}");
            // SAFETY: as above.
            let code = unsafe { cust_raw::cuDeviceGetCount(&raw mut count) };
            let expected = cust_raw::CUresult::CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND;
            assert_eq!((code, count), (expected, 7));
        },
    );
}
