//! The link as it is measured on hosts, and what a report makes of it.

use gpu_core::{BackendKind, Device, ErrorKind, FaultPlan, Operation};
use memory_pipeline::{
    CalibrationConfig, ChunkChoice, ChunkSearch, Config, Error, LinkRates, MemoryOptimizer, Result,
    Timing, calibrate,
};

use crate::kernels::{Mixer, numbers};

const CONFIG: CalibrationConfig =
    CalibrationConfig { chunk_bytes: 64 << 10, chunks: 20, passes: 3 };

/// What `measure` finds with as little work as the clock at hand can tell: it gets a factor, doubled until the passes are long enough.
fn told<T>(measure: impl Fn(usize) -> Result<T>) -> T {
    let factors = std::iter::successors(Some(1), |factor| Some(2 * factor));
    let mut found = factors.map(measure).filter(|one| !matches!(one, Err(Error::TooShort { .. })));
    found.next().unwrap().unwrap()
}

fn rates(device: &Device) -> LinkRates {
    told(|factor| calibrate(device, CalibrationConfig { chunks: factor * CONFIG.chunks, ..CONFIG }))
}

#[test]
fn a_host_has_rates_and_says_that_they_are_a_host_s() {
    for device in [Device::host(), Device::host_simulated(3)] {
        let rates = rates(&device);
        let CalibrationConfig { chunk_bytes, chunks, passes } = rates.config;
        assert_eq!((rates.backend, chunk_bytes), (device.backend(), CONFIG.chunk_bytes));
        assert_eq!((chunks % CONFIG.chunks, passes), (0, CONFIG.passes));
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
    // Twice what the clock needs, so that no pass ends the measurement by being too short.
    let config = rates(&Device::host_simulated(0)).config;
    let config = CalibrationConfig { chunks: 2 * config.chunks, ..config };
    let copies = 8 * config.chunks as u64;
    let operations = [
        (Operation::Allocate, 1 + 8),
        (Operation::Create, 3 + 1 + 2 * 17),
        (Operation::Record, 12 * 2),
        (Operation::Upload, copies),
        (Operation::Download, copies),
        (Operation::Synchronize, 12 * 2),
    ];
    for (operation, calls) in operations {
        for index in [0, calls - 1] {
            let plan = FaultPlan::none().fail_once(operation, index, ErrorKind::Transient);
            let device = Device::host_simulated(index).with_faults(plan);
            let error = calibrate(&device, config).unwrap_err();
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
    let choice = told(|factor| {
        let search = ChunkSearch { pass_bytes: factor * search.pass_bytes, ..search };
        ChunkChoice::measure(&Device::host(), search)
    });
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
    let ceiling = report.ceiling(&rates(&device));
    assert!(ceiling.bound_ns.is_finite() && ceiling.bound_ns > 0.0, "{ceiling:?}");
    // A clock may be too coarse for a span.
    assert_eq!(ceiling.efficiency.is_some_and(|of_one| of_one > 0.0), report.span_ns > 0);

    let simulated = rates(&Device::host_simulated(1));
    assert_eq!(simulated.backend, BackendKind::HostSimulated);
    let ceiling = report.ceiling(&simulated);
    assert_eq!((ceiling.efficiency, ceiling.link_share), (None, None), "another backend's link");
}
