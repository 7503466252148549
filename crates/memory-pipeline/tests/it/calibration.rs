//! The link as it is measured on hosts, and what a report makes of it.

use gpu_core::{BackendKind, Device, ErrorKind, FaultPlan, Operation};
use memory_pipeline::{
    CalibrationConfig, ChunkChoice, ChunkSearch, Config, MemoryOptimizer, Timing, calibrate,
};

use crate::kernels::{Mixer, numbers};

const CONFIG: CalibrationConfig =
    CalibrationConfig { chunk_bytes: 64 << 10, chunks: 20, passes: 3 };

#[test]
fn a_host_has_rates_and_says_that_they_are_a_host_s() {
    for device in [Device::host(), Device::host_simulated(3)] {
        let rates = calibrate(&device, CONFIG).unwrap();
        assert_eq!((rates.backend, rates.config), (device.backend(), CONFIG));
        let all = [
            rates.up_alone_gb_s,
            rates.down_alone_gb_s,
            rates.up_duplex_gb_s,
            rates.down_duplex_gb_s,
        ];
        assert!(all.iter().all(|rate| rate.is_finite() && *rate > 0.0), "{rates:?}");
    }
}

#[test]
fn a_knob_of_zero_is_named() {
    let cases = [
        (CalibrationConfig { chunk_bytes: 0, ..CONFIG }, "chunk_bytes is 0"),
        (CalibrationConfig { chunks: 0, ..CONFIG }, "chunks is 0"),
        (CalibrationConfig { passes: 0, ..CONFIG }, "passes is 0"),
    ];
    for (config, text) in cases {
        let error = calibrate(&Device::host(), config).unwrap_err();
        assert!(error.to_string().starts_with(text), "{error}");
    }
    let search = ChunkSearch { smallest_bytes: 9, largest_bytes: 8, ..ChunkSearch::default() };
    let error = ChunkChoice::measure(&Device::host(), search).unwrap_err();
    assert_eq!(error.to_string(), "smallest_bytes is 9, it must be 1 to 8");
}

#[test]
fn a_device_that_fails_any_call_ends_the_measurement_with_its_words() {
    let operations = [
        (Operation::Allocate, 1 + 8),
        (Operation::Create, 3 + 1 + 2 * 17),
        (Operation::Record, 12 * 2),
        (Operation::Upload, 8 * 20),
        (Operation::Download, 8 * 20),
        (Operation::Synchronize, 12 * 2),
    ];
    for (operation, calls) in operations {
        for index in [0, calls - 1] {
            let plan = FaultPlan::none().fail_once(operation, index, ErrorKind::Transient);
            let device = Device::host_simulated(index).with_faults(plan);
            let error = calibrate(&device, CONFIG).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Transient, "{operation} {index}");
        }
    }
}

#[test]
fn a_chunk_size_is_chosen_among_those_measured_and_becomes_a_batch() {
    let search = ChunkSearch {
        smallest_bytes: 4 << 10,
        largest_bytes: 40 << 10,
        pass_bytes: 100 << 10,
        passes: 1,
    };
    let choice = ChunkChoice::measure(&Device::host(), search).unwrap();
    let sizes: Vec<_> = choice.measured.iter().map(|rates| rates.config.chunk_bytes).collect();
    assert_eq!(sizes, [4 << 10, 8 << 10, 16 << 10, 32 << 10]);
    assert!(sizes.contains(&choice.chunk_bytes));
    assert_eq!(Config::tuned::<u64>(&choice).batch_len, choice.chunk_bytes / 8);
    assert_eq!(Config::tuned::<[u64; 4096]>(&choice).batch_len, 1);
}

#[test]
fn a_report_is_held_against_the_link() {
    let device = Device::host();
    let config = Config { timing: Timing::EVERY, ..Config::new(1 << 12) };
    let mut pipeline = MemoryOptimizer::new(&device, Mixer::new(&device), config).unwrap();
    let input = numbers(20 << 12);
    let report = pipeline.pipeline_execute(&input, &mut vec![0; input.len()]).unwrap();
    let rates = calibrate(&device, CONFIG).unwrap();
    let ceiling = report.ceiling(&rates);
    assert!(ceiling.bound_ns > 0.0 && ceiling.efficiency.unwrap() > 0.0, "{ceiling:?}");

    let simulated = calibrate(&Device::host_simulated(1), CONFIG).unwrap();
    assert_eq!(simulated.backend, BackendKind::HostSimulated);
    let ceiling = report.ceiling(&simulated);
    assert_eq!((ceiling.efficiency, ceiling.link_share), (None, None), "another backend's link");
}
