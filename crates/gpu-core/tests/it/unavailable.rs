//! A machine without CUDA, or without that device: values that name what is missing, never a panic.

use gpu_core::{BackendKind, Device, ErrorKind};

#[test]
fn the_host_is_always_there_and_last_in_the_list() {
    let all = Device::list();
    assert_eq!(all.last().unwrap().backend, BackendKind::Host);
    let auto = Device::auto().unwrap();
    assert_eq!(auto.backend(), all[0].backend, "auto takes the first of the list");
    assert!(auto.properties().multiprocessors > 0 && auto.properties().memory_bytes > 0);
}

#[test]
fn a_device_that_is_not_there_is_an_error_that_says_what_to_do() {
    let error = Device::cuda(4096).unwrap_err();
    match Device::cuda_count() {
        Ok(count) => {
            assert_eq!(error.kind(), ErrorKind::Invalid);
            let text = format!("no CUDA device 4096: this machine has {count} (ordinals from 0)");
            assert_eq!(error.to_string(), text);
        }
        Err(missing) => {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert_eq!(error, missing);
            assert!(error.to_string().contains("use the host"), "{error}");
        }
    }
}

#[test]
fn the_host_tells_no_telemetry() {
    assert_eq!(Device::host().telemetry().unwrap(), None);
    assert!(Device::host().monitor().unwrap().is_none());
}
