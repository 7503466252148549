//! Ways to stop half-way: every buffer comes back, and no copy touches it afterwards.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gpu_core::{Device, ErrorKind, FaultPlan, Operation};
use memory_pipeline::{Config, Error, MemoryOptimizer};

use crate::kernels::{Mixer, Odd, fill_all, mixed, numbers};

const BATCH_LEN: usize = 6;

fn pipeline(device: &Device) -> MemoryOptimizer<Mixer> {
    MemoryOptimizer::new(device, Mixer::new(device), Config::new(BATCH_LEN)).unwrap()
}

fn submit(pipeline: &mut MemoryOptimizer<Mixer>, batches: usize) {
    for _ in 0..batches {
        let mut lease = pipeline.acquire().unwrap();
        lease.copy_from_slice(&numbers(BATCH_LEN));
        pipeline.submit(lease).unwrap();
    }
}

#[test]
fn abandoning_waits_for_the_copies_of_every_batch() {
    for seed in 0..60 {
        let device = Device::host_simulated(seed);
        let mut pipeline = pipeline(&device);
        submit(&mut pipeline, 5);
        pipeline.abandon();
        assert_eq!(pipeline.in_flight(), 0);
        let outputs = fill_all(pipeline.outputs(), 77_u64);
        assert_eq!(outputs.len(), pipeline.outputs().stats().capacity());
        device.synchronize().unwrap();
        let intact = outputs.iter().all(|lease| lease.iter().all(|&element| element == 77));
        assert!(intact, "seed {seed}: a copy wrote to a buffer that was back in its pool");
    }
}

#[test]
fn dropping_a_pipeline_in_any_state_returns_every_buffer() {
    for seed in 0..40 {
        for batches in 0..=5 {
            for completed in 0..=batches {
                let device = Device::host_simulated(seed);
                let mut pipeline = pipeline(&device);
                submit(&mut pipeline, batches);
                for _ in 0..completed {
                    pipeline.complete().unwrap().unwrap();
                }
                let (inputs, outputs) = (pipeline.inputs().clone(), pipeline.outputs().clone());
                drop(pipeline);
                assert_eq!(
                    (inputs.stats().leased(), outputs.stats().leased()),
                    (0, 0),
                    "seed {seed}"
                );
            }
        }
    }
}

#[test]
fn a_batch_outlives_its_pipeline() {
    let device = Device::host_simulated(3);
    let mut pipeline = pipeline(&device);
    submit(&mut pipeline, 2);
    let batch = pipeline.complete().unwrap().unwrap();
    drop(pipeline);
    drop(device);
    assert_eq!(*batch.output, *mixed(&numbers(BATCH_LEN), BATCH_LEN));
}

#[test]
fn a_lost_device_ends_a_pipeline_in_flight_without_losing_buffers() {
    let device = Device::host_simulated(4);
    let mut pipeline = pipeline(&device);
    submit(&mut pipeline, 4);
    let plan = FaultPlan::none().fail_once(Operation::Synchronize, 0, ErrorKind::Poisoned);
    let _device = device.with_faults(plan);
    for _ in 0..4 {
        assert_eq!(pipeline.complete().unwrap_err().kind(), ErrorKind::Poisoned);
    }
    assert!(pipeline.complete().unwrap().is_none());
    assert_eq!(pipeline.inputs().stats().leased() + pipeline.outputs().stats().leased(), 0);
    let rejected = pipeline.submit(pipeline.acquire().unwrap()).unwrap_err();
    assert_eq!(rejected.error.kind(), ErrorKind::Poisoned);
    assert!(rejected.input.is_some());
}

#[test]
fn a_source_or_sink_that_fails_ends_the_run_and_the_next_one_is_right() {
    for seed in 0..40 {
        let device = Device::host_simulated(seed);
        let mut pipeline = pipeline(&device);
        let endless = |buffer: &mut [u32]| Ok::<_, Error>(buffer.len());
        let stop = Error::Busy { in_flight: 0 };
        let error =
            pipeline.run(endless, |index, _| if index < 3 { Ok(()) } else { Err(stop.clone()) });
        assert_eq!(error.unwrap_err(), stop, "seed {seed}");
        let mut fills = 0;
        let failing = |buffer: &mut [u32]| {
            fills += 1;
            if fills < 4 { Ok(buffer.len()) } else { Err(stop.clone()) }
        };
        assert_eq!(pipeline.run(failing, |_, _| Ok(())).unwrap_err(), stop, "seed {seed}");
        assert_eq!(
            (pipeline.in_flight(), pipeline.outputs().stats().leased()),
            (0, 0),
            "seed {seed}"
        );
        let input = numbers(50);
        let mut output = vec![0; 50];
        pipeline.pipeline_execute(&input, &mut output).unwrap();
        assert_eq!(output, mixed(&input, BATCH_LEN), "seed {seed}");
    }
}

#[test]
fn a_panic_in_source_sink_or_stage_leaves_nothing_in_flight() {
    let device = Device::host_simulated(11);
    let mut pipeline = pipeline(&device);
    let endless = |buffer: &mut [u32]| Ok::<_, Error>(buffer.len());
    let result = catch_unwind(AssertUnwindSafe(|| pipeline.run(endless, |_, _| panic!("a sink"))));
    assert!(result.is_err());
    assert_eq!((pipeline.in_flight(), pipeline.inputs().stats().leased()), (0, 0));

    let stage = Odd { output_len: |len| len, enqueue: || panic!("a stage") };
    let mut pipeline = MemoryOptimizer::new(&device, stage, Config::new(4)).unwrap();
    let result = catch_unwind(AssertUnwindSafe(|| {
        pipeline.run(|buffer| Ok::<_, Error>(buffer.len()), |_, _| Ok(()))
    }));
    assert!(result.is_err());
    assert_eq!((pipeline.in_flight(), pipeline.inputs().stats().leased()), (0, 0));
    assert_eq!(pipeline.outputs().stats().leased(), 0);
}
