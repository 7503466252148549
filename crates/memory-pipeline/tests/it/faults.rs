//! Every operation, failing at every call, in every way: no panic, no hang, no buffer lost, and a run after it that is right.

use gpu_core::{Device, ErrorKind, FaultPlan, Operation};
use memory_pipeline::{Config, Error, MemoryOptimizer, Step, Timing};

use crate::kernels::{Mixer, fill_all, mixed, numbers};

const BATCH_LEN: usize = 5;
const BATCHES: usize = 7;
const KINDS: [ErrorKind; 3] = [ErrorKind::Transient, ErrorKind::Exhausted, ErrorKind::Poisoned];

fn input() -> Vec<u32> {
    numbers(BATCHES * BATCH_LEN - 2)
}

fn pipeline(device: &Device) -> MemoryOptimizer<Mixer> {
    staged(device, 1)
}

fn staged(device: &Device, staging_threads: usize) -> MemoryOptimizer<Mixer> {
    let config = Config { depth: 2, staging_threads, ..Config::new(BATCH_LEN) };
    MemoryOptimizer::new(device, Mixer::new(device), config).unwrap()
}

fn leased(pipeline: &MemoryOptimizer<Mixer>) -> usize {
    let (inputs, outputs) = (pipeline.inputs().stats(), pipeline.outputs().stats());
    assert_eq!((inputs.quarantined(), outputs.quarantined()), (0, 0));
    inputs.leased() + outputs.leased()
}

/// The operations that a failed step can have been at.
fn operations_of(step: Step) -> &'static [Operation] {
    match step {
        Step::Upload => &[Operation::Upload, Operation::Wait, Operation::Record],
        Step::Compute => &[Operation::Launch, Operation::Wait, Operation::Record],
        Step::Download => &[Operation::Download, Operation::Wait, Operation::Record],
        Step::Complete | Step::Measure => &[Operation::Synchronize],
    }
}

/// Runs with call `index` of `operation` failing; whether that call was reached.
fn fault_is_survived(
    mut pipeline: MemoryOptimizer<Mixer>,
    device: &Device,
    (operation, index, kind): (Operation, u64, ErrorKind),
) -> bool {
    let case = format!("{operation} {index} {kind}");
    let (input, expected) = (input(), mixed(&input(), BATCH_LEN));
    let mut output = vec![0; input.len()];
    let plan = FaultPlan::none().fail_once(operation, index, kind);
    let device = device.clone().with_faults(plan);

    let result = pipeline.pipeline_execute(&input, &mut output);
    let hit = result.is_err();
    match result {
        Ok(_) => assert_eq!(output, expected, "{case}"),
        Err(error) => {
            assert_eq!(error.kind(), kind, "{case}");
            let Error::Batch { batch, step, .. } = error else { panic!("{case}: {error:?}") };
            assert!(batch < BATCHES as u64, "{case}: batch {batch}");
            assert!(operations_of(step).contains(&operation), "{case}: {step}");
            if matches!(operation, Operation::Upload | Operation::Launch | Operation::Download) {
                assert_eq!(batch, index, "{case}");
            }
        }
    }
    assert_eq!(leased(&pipeline), 0, "{case}");
    assert_eq!(pipeline.in_flight(), 0, "{case}");

    let device = device.with_faults(FaultPlan::none());
    let again = pipeline.pipeline_execute(&input, &mut output);
    if device.lost().is_some() {
        assert_eq!(again.unwrap_err().kind(), ErrorKind::Poisoned, "{case}");
    } else {
        let report = again.unwrap();
        assert_eq!(output, expected, "{case}");
        assert_eq!(report.batches, BATCHES as u64, "{case}");
    }
    assert_eq!(leased(&pipeline), 0, "{case}");
    hit
}

#[test]
fn every_call_may_fail_in_every_way() {
    // How many calls of each operation a run makes, so that the matrix is known to cover them all.
    let waits = 2 * BATCHES + 2 * (BATCHES - 2);
    let timed = (0..BATCHES as u64).filter(|&batch| Timing::SAMPLED.is_timed(batch)).count();
    let calls = [
        (Operation::Allocate, 0),
        (Operation::Copy, 0),
        (Operation::Create, 0),
        (Operation::Download, BATCHES),
        (Operation::Launch, BATCHES),
        (Operation::Load, 0),
        (Operation::Record, 3 * BATCHES + 6 * timed + 1),
        (Operation::Synchronize, BATCHES + 6 * timed),
        (Operation::Upload, BATCHES),
        (Operation::Wait, waits),
    ];
    assert_eq!(calls.map(|(operation, _)| operation), Operation::ALL);
    for (operation, count) in calls {
        let count = count as u64;
        for kind in KINDS {
            for index in 0..=count {
                let seeded = Device::host_simulated(index + 1000);
                for (device, threads) in [(Device::host(), 1), (seeded, 1), (Device::host(), 2)] {
                    let pipeline = staged(&device, threads);
                    let hit = fault_is_survived(pipeline, &device, (operation, index, kind));
                    assert_eq!(hit, index < count, "{operation} {index} {kind}");
                }
            }
        }
    }
}

#[test]
fn setting_up_fails_at_any_call_with_the_device_s_words() {
    for operation in [Operation::Allocate, Operation::Create] {
        let mut count = 0;
        loop {
            let device = Device::host();
            let mixer = Mixer::new(&device);
            let plan = FaultPlan::none().fail_once(operation, count, ErrorKind::Exhausted);
            let device = device.with_faults(plan);
            match MemoryOptimizer::new(&device, mixer, Config::new(4)) {
                Ok(_) => break,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Exhausted, "{error}"),
            }
            count += 1;
        }
        // 3 streams, 5 tickets of 3 events and 6 with a time, and the origin; 3 slots of 2 buffers and 2 pools.
        let expected = if operation == Operation::Create { 49 } else { 8 };
        assert_eq!(count, expected, "{operation}");
    }
}

#[test]
fn a_batch_that_fails_to_queue_comes_back_and_the_others_go_on() {
    let operations = [Operation::Upload, Operation::Launch, Operation::Download];
    for (seed, operation) in (0..60).zip(operations.into_iter().cycle()) {
        let device = Device::host_simulated(seed);
        let mut pipeline = pipeline(&device);
        let device =
            device.with_faults(FaultPlan::none().fail_once(operation, 1, ErrorKind::Transient));
        let input = input();
        let mut submitted = 0;
        for (index, batch) in input.chunks(BATCH_LEN).take(3).enumerate() {
            let mut lease = pipeline.acquire().unwrap();
            lease.resize(batch.len()).unwrap();
            lease.copy_from_slice(batch);
            let number = match pipeline.submit(lease) {
                Ok(number) => number,
                Err(rejected) => {
                    assert!(matches!(rejected.error, Error::Batch { batch: 1, .. }), "seed {seed}");
                    let lease = rejected.input.unwrap();
                    assert_eq!(*lease, *batch, "seed {seed}");
                    pipeline.submit(lease).unwrap()
                }
            };
            assert_eq!(number, index as u64, "seed {seed}");
            submitted += 1;
        }
        for batch in input.chunks(BATCH_LEN).take(submitted) {
            let done = pipeline.complete().unwrap().unwrap();
            assert_eq!(*done.output, *mixed(batch, BATCH_LEN), "seed {seed}");
        }
        drop(device);
    }
}

#[test]
fn a_rejected_batch_leaves_no_copy_behind() {
    // The last call of the journey fails, when the copy to the output is already queued.
    let last_record = 9;
    for seed in 0..60 {
        let device = Device::host_simulated(seed);
        let mut pipeline = pipeline(&device);
        let plan =
            FaultPlan::none().fail_once(Operation::Record, last_record, ErrorKind::Transient);
        let device = device.with_faults(plan);
        let rejected = pipeline.submit(pipeline.acquire().unwrap()).unwrap_err();
        assert!(matches!(rejected.error, Error::Batch { step: Step::Download, .. }), "seed {seed}");
        let outputs = fill_all(pipeline.outputs(), 77_u64);
        assert_eq!(outputs.len(), pipeline.outputs().stats().capacity(), "seed {seed}");
        device.synchronize().unwrap();
        let intact = outputs.iter().all(|lease| lease.iter().all(|&element| element == 77));
        assert!(intact, "seed {seed}: a copy wrote to a buffer that was back in its pool");
    }
}

#[test]
fn a_batch_whose_wait_fails_is_lost_alone_and_leaves_no_copy_behind() {
    for seed in 0..60 {
        let device = Device::host_simulated(seed);
        let mut pipeline = pipeline(&device);
        let input = input();
        for batch in input.chunks(BATCH_LEN).take(3) {
            let mut lease = pipeline.acquire().unwrap();
            lease.copy_from_slice(batch);
            pipeline.submit(lease).unwrap();
        }
        let plan = FaultPlan::none().fail_once(Operation::Synchronize, 0, ErrorKind::Transient);
        let device = device.with_faults(plan);
        let error = pipeline.complete().unwrap_err();
        assert!(
            matches!(error, Error::Batch { batch: 0, step: Step::Complete, .. }),
            "seed {seed}"
        );
        let outputs = fill_all(pipeline.outputs(), 77_u64);
        for (index, batch) in input.chunks(BATCH_LEN).enumerate().take(3).skip(1) {
            let done = pipeline.complete().unwrap().unwrap();
            assert_eq!(done.index, index as u64, "seed {seed}");
            assert_eq!(*done.output, *mixed(batch, BATCH_LEN), "seed {seed}");
        }
        assert!(pipeline.complete().unwrap().is_none());
        device.synchronize().unwrap();
        let intact = outputs.iter().all(|lease| lease.iter().all(|&element| element == 77));
        assert!(intact, "seed {seed}: a copy wrote to a buffer that was back in its pool");
    }
}
