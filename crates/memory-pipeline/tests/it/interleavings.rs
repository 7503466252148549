//! Every order that the waits leave open gives the same results. A missing wait fails here, and the seed replays it.

use gpu_core::Device;
use memory_pipeline::{Config, MemoryOptimizer};

use crate::kernels::{Halver, Mixer, mixed, numbers};

const SEEDS: u64 = 200;
const BATCH_LEN: usize = 7;

/// Results of a slice through `depth` slots.
fn executed(device: &Device, config: Config, input: &[u32]) -> Vec<u64> {
    let mut pipeline = MemoryOptimizer::new(device, Mixer::new(device), config).unwrap();
    let mut output = vec![0; input.len()];
    pipeline.pipeline_execute(input, &mut output).unwrap();
    assert_eq!(pipeline.inputs().stats().leased(), 0);
    assert_eq!(pipeline.outputs().stats().leased(), 0);
    output
}

#[test]
fn every_depth_gives_what_the_stage_means_on_the_eager_host() {
    for depth in 1..=5 {
        for ahead in 0..=3 {
            for batches in 5..=20 {
                let input = numbers(batches * BATCH_LEN - 3);
                let config = Config { depth, ahead, ..Config::new(BATCH_LEN) };
                let output = executed(&Device::host(), config, &input);
                assert_eq!(output, mixed(&input, BATCH_LEN), "{config:?}, {batches} batches");
            }
        }
    }
}

#[test]
fn every_interleaving_gives_the_eager_result() {
    let input = numbers(12 * BATCH_LEN - 3);
    // Without batches behind the slots, the host has always seen a slot's last batch done, and nothing waits for it.
    for (depth, ahead) in [(1, 2), (2, 2), (3, 2), (4, 2), (5, 2), (1, 0), (3, 0), (5, 0)] {
        let config = Config { depth, ahead, ..Config::new(BATCH_LEN) };
        let expected = executed(&Device::host(), config, &input);
        for seed in 0..SEEDS {
            let output = executed(&Device::host_simulated(seed), config, &input);
            assert_eq!(output, expected, "seed {seed}, {config:?}");
        }
    }
}

#[test]
fn every_interleaving_keeps_batches_apart_and_in_order_with_outputs_held_back() {
    for seed in 0..SEEDS {
        let device = Device::host_simulated(seed);
        let config = Config { depth: 2, ahead: 3, ..Config::new(BATCH_LEN) };
        let mut pipeline = MemoryOptimizer::new(&device, Mixer::new(&device), config).unwrap();
        let input = numbers(14 * BATCH_LEN - 2);
        let mut expected = input.chunks(BATCH_LEN).enumerate();
        let mut source = input.chunks(BATCH_LEN);
        // One batch stays with its reader while the next ones are in flight.
        let mut held = None;
        loop {
            while !pipeline.is_full() {
                let Some(batch) = source.next() else { break };
                let mut lease = pipeline.acquire().unwrap();
                lease.resize(batch.len()).unwrap();
                lease.copy_from_slice(batch);
                pipeline.submit(lease).unwrap();
            }
            let done = held.take();
            held = pipeline.complete().unwrap();
            if let Some(memory_pipeline::Batch { index, input, output }) = done {
                let (place, batch) = expected.next().unwrap();
                assert_eq!(index, place as u64, "seed {seed}");
                assert_eq!(*input, *batch, "seed {seed}: the input of batch {index} changed");
                assert_eq!(*output, *mixed(batch, BATCH_LEN), "seed {seed}, batch {index}");
            }
            if held.is_none() {
                break;
            }
        }
        assert!(expected.next().is_none(), "seed {seed}: a batch is missing");
    }
}

#[test]
fn a_stage_may_change_type_and_length() {
    let input: Vec<f32> = (0..61_u8).map(f32::from).collect();
    let expected: Vec<f64> = input
        .chunks(9)
        .flat_map(|batch| batch.chunks(2).map(|pair| pair.iter().map(|&x| f64::from(x)).sum()))
        .collect();
    for seed in 0..SEEDS {
        let device = Device::host_simulated(seed);
        let mut pipeline =
            MemoryOptimizer::new(&device, Halver::new(&device), Config::new(9)).unwrap();
        let mut output = vec![0.0; expected.len()];
        let report = pipeline.pipeline_execute(&input, &mut output).unwrap();
        assert_eq!(output, expected, "seed {seed}");
        assert_eq!(report.bytes_up, 61 * 4, "seed {seed}");
        assert_eq!(report.bytes_down, expected.len() as u64 * 8, "seed {seed}");
    }
}

#[test]
fn a_second_run_starts_from_batch_0_and_owes_nothing_to_the_first() {
    for seed in 0..SEEDS {
        let device = Device::host_simulated(seed);
        let mut pipeline =
            MemoryOptimizer::new(&device, Mixer::new(&device), Config::new(BATCH_LEN)).unwrap();
        for len in [40, 3, 0, 55] {
            let input = numbers(len);
            let mut output = vec![0; len];
            let report = pipeline.pipeline_execute(&input, &mut output).unwrap();
            assert_eq!(output, mixed(&input, BATCH_LEN), "seed {seed}, {len} elements");
            assert_eq!(report.batches, len.div_ceil(BATCH_LEN) as u64);
        }
    }
}

#[test]
fn a_source_of_unequal_batches_flows_through() {
    let device = Device::host_simulated(5);
    let mut pipeline = MemoryOptimizer::new(&device, Mixer::new(&device), Config::new(8)).unwrap();
    let batches: Vec<Vec<u32>> = (0..30).map(|batch| numbers(batch % 8 + 1)).collect();
    let mut source = batches.iter();
    let mut expected = (0..).zip(&batches);
    let report = pipeline
        .run(
            |buffer| {
                let batch: &[u32] = source.next().map_or(&[], |batch| batch);
                buffer[..batch.len()].copy_from_slice(batch);
                Ok::<_, memory_pipeline::Error>(batch.len())
            },
            |index, output| {
                let (place, batch) = expected.next().unwrap();
                assert_eq!(index, place);
                assert_eq!(output, mixed(batch, 8), "batch {index}");
                Ok(())
            },
        )
        .unwrap();
    assert_eq!(report.batches, 30);
    assert!(expected.next().is_none());
}
