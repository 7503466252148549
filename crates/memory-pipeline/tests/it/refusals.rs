//! What a pipeline refuses, each with an error that names the thing.

use gpu_core::{Device, ErrorKind};
use memory_pipeline::{
    Config, DEPTH_MAX, Error, MemoryOptimizer, PinnedMemoryPool, PoolConfig, Timing,
};

use crate::kernels::{Mixer, Odd, numbers};

fn pipeline() -> MemoryOptimizer<Mixer> {
    let device = Device::host();
    MemoryOptimizer::new(&device, Mixer::new(&device), Config::new(4)).unwrap()
}

#[test]
fn a_knob_out_of_range_is_named() {
    let device = Device::host();
    let new = |config| MemoryOptimizer::new(&device, Mixer::new(&device), config).unwrap_err();
    let cases = [
        (Config::new(0), "batch_len is 0, it must be 1 to 18446744073709551615"),
        (Config { depth: 0, ..Config::new(4) }, "depth is 0, it must be 1 to 64"),
        (Config { depth: DEPTH_MAX + 1, ..Config::new(4) }, "depth is 65, it must be 1 to 64"),
        (Config { ahead: 65, ..Config::new(4) }, "ahead is 65, it must be 0 to 64"),
        (
            Config { staging_threads: 0, ..Config::new(4) },
            "staging_threads is 0, it must be 1 to 256",
        ),
        (
            Config { timing: Timing::OneIn(0), ..Config::new(4) },
            "timing, one batch in so many, is 0, it must be 1 to 4294967295",
        ),
    ];
    for (config, text) in cases {
        let error = new(config);
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Invalid, text.to_owned()));
    }
    let huge = new(Config::new(usize::MAX / 2));
    assert_eq!(huge.kind(), ErrorKind::Exhausted, "{huge}");
}

#[test]
fn a_full_pipeline_gives_the_input_back_until_a_batch_is_completed() {
    let mut pipeline = pipeline();
    for _ in 0..pipeline.budget().in_flight_max {
        pipeline.submit(pipeline.acquire().unwrap()).unwrap();
    }
    assert!(pipeline.is_full());
    let rejected = pipeline.submit(pipeline.acquire().unwrap()).unwrap_err();
    assert_eq!(rejected.error, Error::Full { in_flight: 5 });
    assert_eq!(rejected.error.kind(), ErrorKind::Exhausted);
    let lease = rejected.input.unwrap();
    drop(pipeline.complete().unwrap());
    assert_eq!(pipeline.submit(lease).unwrap(), 5);
}

#[test]
fn a_batch_must_have_between_one_element_and_a_full_batch() {
    let mut pipeline = pipeline();
    let mut lease = pipeline.acquire().unwrap();
    lease.resize(0).unwrap();
    let error = pipeline.submit(lease).unwrap_err().error;
    assert_eq!(error.to_string(), "batch 0 has 0 elements, the pipeline takes 1 to 4");

    // A lease of another pool is as good, if it fits.
    let other = PinnedMemoryPool::new(&Device::host(), PoolConfig::uniform::<u32>(1, 5)).unwrap();
    let mut lease = pipeline.submit(other.acquire(5).unwrap()).unwrap_err().input.unwrap();
    assert_eq!(lease.resize(6).unwrap_err(), Error::LeaseLength { len: 6, max: 5 });
    lease.resize(3).unwrap();
    pipeline.submit(lease).unwrap();
}

#[test]
fn a_source_that_writes_past_its_buffer_is_refused() {
    let error =
        pipeline().run(|buffer| Ok(buffer.len() + 1), |_, _| Ok::<_, Error>(())).unwrap_err();
    assert_eq!(error.to_string(), "a buffer of 4 elements cannot hold 5");
}

#[test]
fn an_output_of_the_wrong_length_is_refused_before_anything_runs() {
    let mut pipeline = pipeline();
    let error = pipeline.pipeline_execute(&numbers(10), &mut [0; 9]).unwrap_err();
    assert_eq!(error, Error::OutputLength { expected: 10, actual: 9 });
    assert_eq!(pipeline.inputs().stats().classes[0].leased_max, 0);
}

#[test]
fn a_run_does_not_mix_with_batches_in_flight() {
    let mut pipeline = pipeline();
    pipeline.submit(pipeline.acquire().unwrap()).unwrap();
    let error = pipeline.pipeline_execute(&numbers(8), &mut [0; 8]).unwrap_err();
    assert_eq!(error, Error::Busy { in_flight: 1 });
    assert!(pipeline.complete().unwrap().is_some(), "the batch is still there");
    pipeline.pipeline_execute(&numbers(8), &mut [0; 8]).unwrap();
}

#[test]
fn a_stage_that_makes_nothing_or_too_much_is_refused() {
    let device = Device::host();
    let stage = |output_len| Odd { output_len, enqueue: || Ok(()) };
    let nothing = MemoryOptimizer::new(&device, stage(|_| 0), Config::new(4)).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::Invalid);
    let growing = stage(|len| if len == 4 { 4 } else { 9 });
    let mut growing = MemoryOptimizer::new(&device, growing, Config::new(4)).unwrap();
    let error = growing.pipeline_execute(&[1; 6], &mut [0; 13]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the stage makes 9 elements of batch 1, there is room for 1 to 4"
    );
    assert_eq!(growing.outputs().stats().leased(), 0);
}

#[test]
fn holding_more_results_than_budgeted_is_refused_and_costs_nothing() {
    let mut pipeline = pipeline();
    let mut held = Vec::new();
    let error = loop {
        let lease = match pipeline.acquire() {
            Ok(lease) => lease,
            Err(error) => break error,
        };
        match pipeline.submit(lease) {
            Ok(_) => held.push(pipeline.complete().unwrap().unwrap().output),
            Err(rejected) => break rejected.error,
        }
    };
    assert_eq!(held.len(), 7);
    assert_eq!(
        error,
        Error::Exhausted { buffer_bytes: 32, capacity: 7, leased: 7, quarantined: 0 }
    );
    held.pop();
    pipeline.submit(pipeline.acquire().unwrap()).unwrap();
}

#[test]
fn a_buffer_of_another_device_is_refused() {
    let (here, there) = (Device::host(), Device::host());
    let mut pipeline = MemoryOptimizer::new(&here, Mixer::new(&there), Config::new(4)).unwrap();
    let rejected = pipeline.submit(pipeline.acquire().unwrap()).unwrap_err();
    let text = rejected.error.to_string();
    assert_eq!(
        text,
        "batch 0 failed at compute: the kernel belongs to another device than the stream"
    );
}
