//! Schedules that are recorded once: the same results as batch by batch, and no buffer let go too early.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gpu_core::{Device, ErrorKind, FaultPlan, Operation, Stream};
use gpu_core::{DeviceSlice, DeviceSliceMut};
use memory_pipeline::{
    Config, DEPTH_MAX, Error, MemoryOptimizer, Replay, ReplayConfig, Stage, Step,
};

use crate::kernels::{Halver, Mixer, Odd, mixed, numbers};

const BATCH_LEN: usize = 6;
const BATCHES: usize = 9;
const CONFIG: ReplayConfig = ReplayConfig::new(BATCH_LEN, BATCHES);

fn replay(device: &Device, config: ReplayConfig) -> Replay<Mixer> {
    Replay::new(device, Mixer::new(device), config).unwrap()
}

/// Fills the inputs of a schedule with numbers of `round`.
fn fill(replay: &mut Replay<Mixer>, round: u32) -> Vec<u32> {
    let len = replay.config().batch_len;
    let all: Vec<u32> = numbers(replay.config().batches * len).iter().map(|n| n ^ round).collect();
    replay
        .inputs_mut()
        .zip(all.chunks(len))
        .for_each(|(input, batch)| input.copy_from_slice(batch));
    all
}

fn results(replay: &Replay<Mixer>) -> Vec<u64> {
    replay.outputs().flatten().copied().collect()
}

#[test]
fn every_interleaving_gives_what_batches_one_by_one_give() {
    for depth in 1..=4 {
        let config = Config { depth, ..Config::new(BATCH_LEN) };
        for seed in 0..50 {
            let device = Device::host_simulated(seed);
            let mut one_by_one =
                MemoryOptimizer::new(&device, Mixer::new(&device), config).unwrap();
            let mut replay = replay(&device, ReplayConfig { depth, ..CONFIG });
            for round in 0..4 {
                let input = fill(&mut replay, round);
                replay = replay.launch().unwrap().wait().unwrap();
                let mut expected = vec![0; input.len()];
                one_by_one.pipeline_execute(&input, &mut expected).unwrap();
                assert_eq!(results(&replay), expected, "seed {seed}, depth {depth}, round {round}");
                assert_eq!(expected, mixed(&input, BATCH_LEN));
            }
        }
    }
}

#[test]
fn a_schedule_on_the_eager_host_needs_no_more_slots_than_batches() {
    for batches in 1..=4 {
        let config = ReplayConfig { depth: DEPTH_MAX, ..ReplayConfig::new(BATCH_LEN, batches) };
        let mut replay = replay(&Device::host(), config);
        assert_eq!(replay.nodes(), 3 * batches, "up, the stage and down");
        assert_eq!(replay.inputs_mut().count(), batches);
        assert_eq!(replay.outputs().count(), batches);
        let input = fill(&mut replay, 1);
        let replay = replay.launch().unwrap().wait().unwrap();
        assert_eq!(results(&replay), mixed(&input, BATCH_LEN));
    }
}

#[test]
fn a_copy_that_carries_several_batches_changes_no_result() {
    for batches_per_copy in [2, 3, 5, BATCHES, BATCHES + 3] {
        let copies = BATCHES.div_ceil(batches_per_copy);
        for device in (0..20).map(Device::host_simulated).chain([Device::host()]) {
            let config = ReplayConfig { batches_per_copy, depth: 2, ..CONFIG };
            let mut replay = replay(&device, config);
            assert_eq!(replay.nodes(), 2 * copies + BATCHES, "the stage once a batch");
            for round in 0..3 {
                let input = fill(&mut replay, round);
                assert_eq!(input.len(), BATCHES * BATCH_LEN);
                replay = replay.launch().unwrap().wait().unwrap();
                assert_eq!(results(&replay), mixed(&input, BATCH_LEN), "{batches_per_copy}");
            }
        }
    }
}

#[test]
fn two_schedules_take_turns() {
    for seed in 0..50 {
        let device = Device::host_simulated(seed);
        let mut waiting = replay(&device, CONFIG);
        let mut expected = mixed(&fill(&mut waiting, 0), BATCH_LEN);
        let mut in_flight = waiting.launch().unwrap();
        let mut idle = replay(&device, ReplayConfig { depth: 2, ..CONFIG });
        for round in 1..6 {
            let next = mixed(&fill(&mut idle, round), BATCH_LEN);
            let launched = idle.launch().unwrap();
            idle = in_flight.wait().unwrap();
            assert_eq!(results(&idle), expected, "seed {seed}, round {round}");
            (in_flight, expected) = (launched, next);
        }
        let last = in_flight.wait().unwrap();
        assert_eq!(results(&last), expected, "seed {seed}");
    }
}

#[test]
fn a_schedule_may_change_type_and_length() {
    let device = Device::host_simulated(8);
    let config = ReplayConfig::new(5, 4);
    let mut replay = Replay::new(&device, Halver::new(&device), config).unwrap();
    replay.inputs_mut().for_each(|input| input.copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0]));
    let replay = replay.launch().unwrap().wait().unwrap();
    assert!(replay.outputs().all(|output| *output == [3.0, 7.0, 5.0]));
}

#[test]
fn whether_a_schedule_is_done_can_be_asked() {
    let in_flight = replay(&Device::host(), CONFIG).launch().unwrap();
    assert!(in_flight.is_done().unwrap());
    for seed in 0..20 {
        let in_flight = replay(&Device::host_simulated(seed), CONFIG).launch().unwrap();
        // Each look lets the simulated device go on by a step.
        while !in_flight.is_done().unwrap() {}
        in_flight.wait().unwrap();
    }
}

#[test]
fn dropping_a_schedule_in_flight_waits_for_it() {
    for seed in 0..50 {
        let device = Device::host_simulated(seed);
        let stream = device.stream().unwrap();
        let mut other = replay(&device, CONFIG);
        drop(replay(&device, CONFIG).launch().unwrap());
        // What was freed or is still held is not written any more: another schedule is undisturbed.
        let input = fill(&mut other, 3);
        let other = other.launch().unwrap().wait().unwrap();
        assert_eq!(results(&other), mixed(&input, BATCH_LEN), "seed {seed}");
        assert!(stream.is_idle().unwrap());
    }
}

#[test]
fn a_knob_out_of_range_is_named() {
    let device = Device::host();
    let text = |config| Replay::new(&device, Mixer::new(&device), config).unwrap_err().to_string();
    assert!(text(ReplayConfig { batch_len: 0, ..CONFIG }).starts_with("batch_len is 0"));
    assert!(text(ReplayConfig { batches: 0, ..CONFIG }).starts_with("batches is 0"));
    assert!(
        text(ReplayConfig { depth: 65, ..CONFIG }).starts_with("depth is 65, it must be 1 to 64")
    );
    let none = ReplayConfig { batches_per_copy: 0, ..CONFIG };
    assert!(text(none).starts_with("batches_per_copy is 0"));
    let nothing = Odd { output_len: |_| 0, enqueue: || Ok(()) };
    let error = Replay::new(&device, nothing, CONFIG).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}

/// A stage that waits, as nothing in a schedule may.
struct Waiting;

impl Stage for Waiting {
    type Input = u8;
    type Output = u8;

    fn enqueue(
        &mut self,
        stream: &Stream,
        input: DeviceSlice<'_, u8>,
        output: DeviceSliceMut<'_, u8>,
    ) -> gpu_core::Result<()> {
        stream.copy(input, output)?;
        stream.synchronize()
    }
}

/// A stage that takes so many batches and no more.
struct Tired(u32);

impl Stage for Tired {
    type Input = u8;
    type Output = u8;

    fn enqueue(
        &mut self,
        stream: &Stream,
        input: DeviceSlice<'_, u8>,
        output: DeviceSliceMut<'_, u8>,
    ) -> gpu_core::Result<()> {
        self.0 = self.0.checked_sub(1).ok_or(gpu_core::Error::NoDevice)?;
        stream.copy(input, output)
    }
}

#[test]
fn a_stage_that_fails_waits_or_panics_is_not_recorded_and_costs_nothing() {
    for device in [Device::host(), Device::host_simulated(5)] {
        let error = Replay::new(&device, Waiting, CONFIG).unwrap_err();
        assert!(matches!(error, Error::Batch { batch: 0, step: Step::Compute, .. }), "{error}");
        let config = ReplayConfig { batches_per_copy: 2, ..CONFIG };
        let error = Replay::new(&device, Tired(3), config).unwrap_err();
        assert!(matches!(error, Error::Batch { batch: 3, step: Step::Compute, .. }), "{error}");
        let panicking = Odd { output_len: |len| len, enqueue: || panic!("a stage") };
        let result = catch_unwind(AssertUnwindSafe(|| Replay::new(&device, panicking, CONFIG)));
        assert!(result.is_err());
        let mut after = replay(&device, CONFIG);
        let input = fill(&mut after, 2);
        let after = after.launch().unwrap().wait().unwrap();
        assert_eq!(results(&after), mixed(&input, BATCH_LEN));
    }
}

#[test]
fn making_a_schedule_fails_at_any_call_with_the_device_s_words() {
    let operations = [
        Operation::Allocate,
        Operation::Create,
        Operation::Upload,
        Operation::Launch,
        Operation::Download,
        Operation::Record,
        Operation::Wait,
    ];
    for operation in operations {
        for kind in [ErrorKind::Transient, ErrorKind::Exhausted, ErrorKind::Poisoned] {
            let mut index = 0;
            loop {
                let device = Device::host_simulated(index);
                let mixer = Mixer::new(&device);
                let plan = FaultPlan::none().fail_once(operation, index, kind);
                let device = device.with_faults(plan);
                match Replay::new(&device, mixer, CONFIG) {
                    Ok(_) => break,
                    Err(error) => assert_eq!(error.kind(), kind, "{operation} {index}: {error}"),
                }
                index += 1;
            }
            assert!(index >= 2, "{operation} failed {index} times");
        }
    }
}

#[test]
fn a_launch_or_a_wait_that_fails_gives_the_schedule_back() {
    for seed in 0..40 {
        for (operation, is_launch) in [(Operation::Launch, true), (Operation::Synchronize, false)] {
            let device = Device::host_simulated(seed);
            let mut replay = replay(&device, CONFIG);
            let input = fill(&mut replay, 4);
            let plan = FaultPlan::none().fail_once(operation, 0, ErrorKind::Transient);
            let device = device.with_faults(plan);
            let failed = match replay.launch() {
                Err(failed) if is_launch => failed,
                Ok(in_flight) if !is_launch => in_flight.wait().unwrap_err(),
                other => panic!("seed {seed}, {operation}: {other:?}"),
            };
            assert_eq!(failed.error.kind(), ErrorKind::Transient);
            let again = failed.replay.expect("nothing of it runs any more");
            if !is_launch {
                // Only the wait was made to fail: had nobody waited instead, some results would be missing.
                assert_eq!(results(&again), mixed(&input, BATCH_LEN), "seed {seed}: not settled");
            }
            let again = again.launch().unwrap().wait().unwrap();
            assert_eq!(results(&again), mixed(&input, BATCH_LEN), "seed {seed}, {operation}");
            drop(device);
        }
    }
}

#[test]
fn a_lost_device_says_so_and_gives_the_schedule_back() {
    let device = Device::host_simulated(6);
    let in_flight = replay(&device, CONFIG).launch().unwrap();
    let plan = FaultPlan::none().fail_once(Operation::Synchronize, 0, ErrorKind::Poisoned);
    let _device = device.with_faults(plan);
    let failed = in_flight.wait().unwrap_err();
    assert_eq!(failed.error.kind(), ErrorKind::Poisoned);
    let failed = failed.replay.unwrap().launch().unwrap_err();
    assert_eq!(failed.error.kind(), ErrorKind::Poisoned);
}
