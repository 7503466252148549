//! What the driver sees of a pipeline: nothing but copies, launches, events and waits while it runs, and nothing left when it is gone.

use std::collections::BTreeMap;

use fake_driver_client::{FakeDriver, on_fake_driver};
use gpu_core::Device;
use memory_pipeline::{
    Config, Error, Fleet, Lease, Member, MemoryOptimizer, PinnedMemoryPool, PoolConfig, Replay,
    ReplayConfig, Timing,
};

use crate::driver::is_backend_built;
use crate::kernels::{Mixer, mixed, numbers};

const BATCH_LEN: usize = 6;
const SEEDS: u64 = 50;

/// All that a running pipeline may call.
const STEADY: [&str; 8] = [
    "cuCtxSetCurrent",
    "cuEventElapsedTime",
    "cuEventRecord",
    "cuEventSynchronize",
    "cuLaunchKernel",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyHtoDAsync_v2",
    "cuStreamWaitEvent",
];

/// The calls of each function that `work` makes, and none on the default stream or from pageable memory.
fn calls_during(driver: &FakeDriver, work: impl FnOnce()) -> BTreeMap<String, u64> {
    let (calls, counters) = (driver.call_counts(), driver.counters());
    work();
    assert_eq!(driver.counters(), counters, "the default stream, or a copy of pageable memory");
    let before = |name: &str| calls.get(name).copied().unwrap_or(0);
    let during = driver.call_counts().into_iter();
    let during = during.map(|(name, count)| (name.clone(), count - before(&name)));
    during.filter(|&(_, count)| count > 0).collect()
}

fn assert_steady(calls: &BTreeMap<String, u64>) {
    let foreign: Vec<_> = calls.keys().filter(|name| !STEADY.contains(&name.as_str())).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[test]
fn a_running_pipeline_allocates_frees_and_creates_nothing_and_never_names_the_default_stream() {
    if !is_backend_built() {
        return;
    }
    on_fake_driver(|driver| {
        for timing in [Timing::EVERY, Timing::SAMPLED, Timing::Off] {
            driver.reset(1);
            let device = Device::cuda(0).unwrap();
            let config = Config { timing, ..Config::new(BATCH_LEN) };
            let mut pipeline = MemoryOptimizer::new(&device, Mixer::new(&device), config).unwrap();
            let mut left = 1000;
            let calls = calls_during(driver, || {
                let fill = |buffer: &mut [u32]| {
                    left -= 1;
                    buffer.fill(left);
                    Ok::<_, Error>(if left > 0 { buffer.len() } else { 0 })
                };
                assert_eq!(pipeline.run(fill, |_, _| Ok(())).unwrap().batches, 999);
            });
            assert_steady(&calls);
            assert_eq!(calls["cuMemcpyHtoDAsync_v2"], 999);
            println!("{timing:?}, 999 batches: {calls:?}");
            let threads = driver.calls().into_iter().map(|call| call.thread).max();
            assert_eq!(threads, Some(0), "one thread calls the driver");
            drop((pipeline, device));
            driver.assert_clean("after a run");
        }
    });
}

#[test]
fn staging_threads_never_call_the_driver() {
    if !is_backend_built() {
        return;
    }
    on_fake_driver(|driver| {
        driver.reset(2);
        let device = Device::cuda(0).unwrap();
        let config = Config { staging_threads: 3, ..Config::new(BATCH_LEN) };
        let mut pipeline = MemoryOptimizer::new(&device, Mixer::new(&device), config).unwrap();
        let input = numbers(40 * BATCH_LEN);
        let mut output = vec![0; input.len()];
        let calls = calls_during(driver, || {
            pipeline.pipeline_execute(&input, &mut output).unwrap();
        });
        assert_eq!(output, mixed(&input, BATCH_LEN));
        assert_steady(&calls);
        let threads = driver.calls().into_iter().map(|call| call.thread).max();
        assert_eq!(threads, Some(0), "one thread calls the driver");
    });
}

#[test]
fn a_schedule_is_one_launch_and_one_wait() {
    if !is_backend_built() {
        return;
    }
    on_fake_driver(|driver| {
        driver.reset(3);
        let device = Device::cuda(0).unwrap();
        let config = ReplayConfig::new(BATCH_LEN, 8);
        let replay = Replay::new(&device, Mixer::new(&device), config).unwrap();
        let mut idle = Some(replay);
        let calls = calls_during(driver, || {
            for _ in 0..100 {
                let in_flight = idle.take().unwrap().launch().unwrap();
                idle = Some(in_flight.wait().unwrap());
            }
        });
        let names: Vec<&str> = calls.keys().map(String::as_str).collect();
        assert_eq!(names, ["cuCtxSetCurrent", "cuGraphLaunch", "cuStreamSynchronize"]);
        assert_eq!((calls["cuGraphLaunch"], calls["cuStreamSynchronize"]), (100, 100));
        println!("100 launches of 8 batches: {calls:?}");
        drop((idle, device));
        driver.assert_clean("after the schedule");
    });
}

#[test]
fn acquiring_and_releasing_never_call_the_driver() {
    if !is_backend_built() {
        return;
    }
    on_fake_driver(|driver| {
        driver.reset(4);
        let device = Device::cuda(0).unwrap();
        let pool = PinnedMemoryPool::new(&device, PoolConfig::uniform::<u64>(8, 16)).unwrap();
        let calls = calls_during(driver, || {
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for _ in 0..1000 {
                            drop(pool.acquire::<u64>(16));
                        }
                    });
                }
            });
        });
        assert_eq!(calls, BTreeMap::new());
    });
}

/// Makes a pipeline, gives it work, and drops it with some of it in flight.
fn cycle(device: &Device, index: usize) {
    let config = Config { depth: 2, ahead: 1, timing: Timing::Off, ..Config::new(BATCH_LEN) };
    let mut pipeline = MemoryOptimizer::new(device, Mixer::new(device), config).unwrap();
    for _ in 0..index % 4 {
        pipeline.submit(pipeline.acquire().unwrap()).unwrap();
    }
    let done: Option<Lease<u64>> = match index % 3 {
        0 => None,
        _ => pipeline.complete().unwrap().map(|batch| batch.output),
    };
    drop(pipeline);
    drop(done);
}

#[test]
fn ten_thousand_pipelines_come_and_go_and_leave_nothing() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            let mut calls = 0;
            for round in 0..100 {
                driver.reset(round);
                let device = Device::cuda(0).unwrap();
                (0..100).for_each(|index| cycle(&device, index));
                drop(device);
                driver.assert_clean(&format!("round {round}"));
                calls += driver.call_counts().values().sum::<u64>();
            }
            println!("10000 pipelines, {calls} calls of the driver, nothing alive");
        });
    }
    let device = Device::host_simulated(9);
    (0..10_000).for_each(|index| cycle(&device, index));
}

#[test]
fn two_devices_share_a_run_on_a_thread_each() {
    if !is_backend_built() {
        return;
    }
    on_fake_driver(|driver| {
        let input = numbers(20 * BATCH_LEN - 1);
        for seed in 0..SEEDS {
            driver.reset(seed);
            let member = |ordinal, share| {
                let device = Device::cuda(ordinal).unwrap();
                let config = Config::new(BATCH_LEN);
                let pipeline = MemoryOptimizer::new(&device, Mixer::new(&device), config).unwrap();
                Member { pipeline, share }
            };
            let mut fleet = Fleet::new(vec![member(0, 1), member(1, 2)]).unwrap();
            let mut output = vec![0; input.len()];
            fleet.pipeline_execute(&input, &mut output).unwrap();
            assert_eq!(output, mixed(&input, BATCH_LEN), "seed {seed}");
            drop(fleet);
            driver.assert_clean(&format!("seed {seed}"));
        }
    });
}

#[test]
fn every_order_of_the_streams_gives_what_the_stage_means() {
    if !is_backend_built() {
        return;
    }
    on_fake_driver(|driver| {
        let input = numbers(12 * BATCH_LEN - 3);
        for (seed, depth) in (0..SEEDS).flat_map(|seed| (1..=4).map(move |depth| (seed, depth))) {
            driver.reset(seed);
            let device = Device::cuda(0).unwrap();
            let config = Config { depth, ..Config::new(BATCH_LEN) };
            let mut pipeline = MemoryOptimizer::new(&device, Mixer::new(&device), config).unwrap();
            let mut output = vec![0; input.len()];
            pipeline.pipeline_execute(&input, &mut output).unwrap();
            assert_eq!(output, mixed(&input, BATCH_LEN), "seed {seed}, depth {depth}");
            drop((pipeline, device));
            driver.assert_clean(&format!("seed {seed}, depth {depth}"));
        }
    });
}
