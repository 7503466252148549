//! Slices that threads stage, iterators, and runs that another thread ends.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gpu_core::{Device, ErrorKind};
use memory_pipeline::{Config, Error, MemoryOptimizer};

use crate::kernels::{Halver, Mixer, Odd, mixed, numbers};

const BATCH_LEN: usize = 7;

fn staged(threads: usize) -> Config {
    Config { staging_threads: threads, ..Config::new(BATCH_LEN) }
}

fn pipeline(device: &Device, config: Config) -> MemoryOptimizer<Mixer> {
    MemoryOptimizer::new(device, Mixer::new(device), config).unwrap()
}

fn leased(pipeline: &MemoryOptimizer<Mixer>) -> usize {
    pipeline.inputs().stats().leased() + pipeline.outputs().stats().leased()
}

#[test]
fn every_number_of_threads_gives_the_same_results() {
    for seed in 0..50 {
        for threads in 1..=4 {
            let device = Device::host_simulated(seed);
            let mut pipeline = pipeline(&device, staged(threads));
            for len in [40 * BATCH_LEN - 3, 1, 0, 2 * BATCH_LEN] {
                let (input, mut output) = (numbers(len), vec![0; len]);
                let report = pipeline.pipeline_execute(&input, &mut output).unwrap();
                assert_eq!(output, mixed(&input, BATCH_LEN), "seed {seed}, {threads} threads");
                assert_eq!(report.batches, len.div_ceil(BATCH_LEN) as u64);
                assert_eq!(leased(&pipeline), 0, "seed {seed}, {threads} threads");
            }
        }
    }
}

#[test]
fn a_batch_of_many_pieces_is_staged_whole() {
    // One piece is 256 KiB: a batch has eight and a half up and seventeen down.
    let device = Device::host();
    let batch_len = (2 << 20) / 4 + 33_333;
    let config = Config { staging_threads: 3, ..Config::new(batch_len) };
    let mut pipeline = pipeline(&device, config);
    let input = numbers(2 * batch_len + 5);
    let mut output = vec![0; input.len()];
    pipeline.pipeline_execute(&input, &mut output).unwrap();
    assert!(output == mixed(&input, batch_len), "an element is out of place");
}

#[test]
fn results_of_a_slice_can_be_read_where_they_arrive() {
    for threads in [1, 3] {
        let device = Device::host_simulated(4);
        let mut pipeline = pipeline(&device, staged(threads));
        let input = numbers(100);
        let (mut output, mut order) = (Vec::new(), Vec::new());
        pipeline
            .run_slice(&input, |batch, results| {
                order.push(batch);
                output.extend_from_slice(results);
                Ok::<_, Error>(())
            })
            .unwrap();
        assert_eq!(output, mixed(&input, BATCH_LEN));
        assert!(order.iter().copied().eq(0..15), "{order:?}");
    }
}

#[test]
fn an_iterator_is_cut_into_batches() {
    let device = Device::host_simulated(9);
    let mut pipeline = pipeline(&device, staged(1));
    for len in [0, 1, BATCH_LEN, 5 * BATCH_LEN + 2] {
        let mut output = vec![7];
        let report = pipeline.run_iter(numbers(len), &mut output).unwrap();
        assert_eq!(output[0], 7, "what was there stays");
        assert_eq!(output[1..], mixed(&numbers(len), BATCH_LEN), "{len} items");
        assert_eq!(report.batches, len.div_ceil(BATCH_LEN) as u64);
    }
    // Another type in and out, and fewer results than items.
    let mut halver = MemoryOptimizer::new(&device, Halver::new(&device), Config::new(4)).unwrap();
    let mut sums = Vec::new();
    halver.run_iter((0..10_u8).map(f32::from), &mut sums).unwrap();
    assert_eq!(sums, [1.0, 5.0, 9.0, 13.0, 17.0]);
}

#[test]
fn a_cancelled_run_returns_every_buffer_and_the_next_one_is_right() {
    for threads in [1, 3] {
        for seed in 0..40 {
            let device = Device::host_simulated(seed);
            let mut pipeline = pipeline(&device, staged(threads));
            let canceller = pipeline.canceller();
            let input = numbers(30 * BATCH_LEN);
            let cancel_at_3 = |batch: u64, _: &[u64]| {
                if batch == 3 {
                    canceller.cancel();
                }
                Ok::<_, Error>(())
            };
            let error = pipeline.run_slice(&input, cancel_at_3).unwrap_err();
            assert_eq!(error, Error::Cancelled { completed: 4 }, "seed {seed}");
            assert_eq!(error.kind(), ErrorKind::Transient);
            assert_eq!((leased(&pipeline), pipeline.in_flight()), (0, 0), "seed {seed}");
            let mut output = vec![0; input.len()];
            pipeline.pipeline_execute(&input, &mut output).unwrap();
            assert_eq!(output, mixed(&input, BATCH_LEN), "seed {seed}");
        }
    }
}

#[test]
fn cancelling_before_a_run_ends_that_run_and_no_other() {
    let device = Device::host();
    let mut pipeline = pipeline(&device, staged(2));
    pipeline.canceller().cancel();
    let mut output = vec![0; 9];
    let error = pipeline.pipeline_execute(&numbers(9), &mut output).unwrap_err();
    assert_eq!(error, Error::Cancelled { completed: 0 });
    pipeline.pipeline_execute(&numbers(9), &mut output).unwrap();
}

#[test]
fn a_panic_in_a_staged_run_leaves_nothing_in_flight() {
    let device = Device::host_simulated(11);
    let mut pipeline = pipeline(&device, staged(3));
    let input = numbers(200);
    let panicking = |_, _: &[u64]| -> Result<(), Error> { panic!("a sink") };
    let result = catch_unwind(AssertUnwindSafe(|| pipeline.run_slice(&input, panicking)));
    assert!(result.is_err());
    assert_eq!((pipeline.in_flight(), leased(&pipeline)), (0, 0));

    let stage = Odd { output_len: |len| len, enqueue: || panic!("a stage") };
    let mut pipeline = MemoryOptimizer::new(&device, stage, staged(3)).unwrap();
    let result =
        catch_unwind(AssertUnwindSafe(|| pipeline.pipeline_execute(&[1; 50], &mut [0; 50])));
    assert!(result.is_err());
    assert_eq!(pipeline.inputs().stats().leased() + pipeline.outputs().stats().leased(), 0);
}

#[test]
fn a_stage_whose_lengths_change_under_way_is_refused_with_threads_too() {
    let growing = Odd { output_len: |len| if len == 4 { 4 } else { 9 }, enqueue: || Ok(()) };
    let config = Config { staging_threads: 2, ..Config::new(4) };
    let mut growing = MemoryOptimizer::new(&Device::host(), growing, config).unwrap();
    let error = growing.pipeline_execute(&[1; 6], &mut [0; 13]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the stage makes 9 elements of batch 1, there is room for 1 to 4"
    );
    assert_eq!(growing.outputs().stats().leased(), 0);
}
