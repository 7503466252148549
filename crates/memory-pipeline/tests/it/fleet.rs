//! Several devices as one: results in order, and no member left running when one fails.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gpu_core::{Device, DeviceSlice, DeviceSliceMut, ErrorKind, FaultPlan, Operation, Stream};
use memory_pipeline::{
    Canceller, Config, Error, Fleet, Member, MemoryOptimizer, PinnedMemoryPool, Stage,
};

use crate::kernels::{Mixer, Odd, mixed, numbers};

const BATCH_LEN: usize = 6;

fn fleet(devices: &[Device], shares: &[u32], staging_threads: usize) -> Fleet<Mixer> {
    let config = Config { staging_threads, ..Config::new(BATCH_LEN) };
    let members = devices.iter().zip(shares).map(|(device, &share)| {
        let pipeline = MemoryOptimizer::new(device, Mixer::new(device), config).unwrap();
        Member { pipeline, share }
    });
    Fleet::new(members.collect()).unwrap()
}

fn simulated(seed: u64) -> Vec<Device> {
    (0..3).map(|place| Device::host_simulated(3 * seed + place)).collect()
}

fn leased(fleet: &Fleet<Mixer>) -> usize {
    let pipelines = fleet.members().iter().map(|member| &member.pipeline);
    pipelines.map(|one| one.inputs().stats().leased() + one.outputs().stats().leased()).sum()
}

#[test]
fn three_devices_give_what_one_gives() {
    for seed in 0..40 {
        let shares = [[1, 1, 1], [3, 1, 2], [0, 5, 1]][usize::try_from(seed % 3).unwrap()];
        let mut fleet = fleet(&simulated(seed), &shares, 1 + usize::try_from(seed % 2).unwrap());
        for len in [0, 1, BATCH_LEN, 20 * BATCH_LEN - 1] {
            let (input, mut output) = (numbers(len), vec![0; len]);
            let report = fleet.pipeline_execute(&input, &mut output).unwrap();
            assert_eq!(output, mixed(&input, BATCH_LEN), "seed {seed}");
            let batches: u64 = report.members.iter().map(|member| member.batches).sum();
            assert_eq!(batches, len.div_ceil(BATCH_LEN) as u64, "seed {seed}");
            assert_eq!(leased(&fleet), 0, "seed {seed}");
        }
    }
}

#[test]
fn the_first_error_ends_all_members_and_names_the_one() {
    for seed in 0..30 {
        let devices = simulated(seed);
        let mut fleet = fleet(&devices, &[1, 1, 1], 1);
        let plan = FaultPlan::none().fail_once(Operation::Launch, seed, ErrorKind::Transient);
        let failing = devices[1].clone().with_faults(plan);
        let (input, mut output) = (numbers(300 * BATCH_LEN), vec![0; 300 * BATCH_LEN]);
        let error = fleet.pipeline_execute(&input, &mut output).unwrap_err();
        let Error::Member { member: 1, source } = &error else { panic!("{error:?}") };
        assert!(matches!(**source, Error::Batch { batch, .. } if batch == seed), "{error}");
        assert_eq!((error.kind(), leased(&fleet)), (ErrorKind::Transient, 0), "seed {seed}");
        // No member takes the alarm for its next run.
        drop(failing.with_faults(FaultPlan::none()));
        fleet.pipeline_execute(&input, &mut output).unwrap();
        assert_eq!(output, mixed(&input, BATCH_LEN), "seed {seed}");
    }
}

#[test]
fn a_lost_device_loses_no_buffer_of_the_others() {
    let devices = simulated(1);
    let mut fleet = fleet(&devices, &[1, 1, 1], 2);
    let plan = FaultPlan::none().fail_once(Operation::Synchronize, 2, ErrorKind::Poisoned);
    let _lost = devices[2].clone().with_faults(plan);
    let (input, mut output) = (numbers(90 * BATCH_LEN), vec![0; 90 * BATCH_LEN]);
    let error = fleet.pipeline_execute(&input, &mut output).unwrap_err();
    assert_eq!((error.kind(), leased(&fleet)), (ErrorKind::Poisoned, 0), "{error}");
    // Without it, the others go on.
    let mut members = fleet.into_members();
    members.pop();
    let mut rest = Fleet::new(members).unwrap();
    rest.pipeline_execute(&input, &mut output).unwrap();
    assert_eq!(output, mixed(&input, BATCH_LEN));
}

#[test]
fn cancelling_one_member_ends_the_run() {
    let mut fleet = fleet(&simulated(2), &[1, 1, 1], 1);
    fleet.members()[0].pipeline.canceller().cancel();
    let (input, mut output) = (numbers(90), vec![0; 90]);
    let error = fleet.pipeline_execute(&input, &mut output).unwrap_err();
    let cancelled = Box::new(Error::Cancelled { completed: 0 });
    assert_eq!(error, Error::Member { member: 0, source: cancelled });
    fleet.pipeline_execute(&input, &mut output).unwrap();
}

/// Cancels a pipeline that has ended its run, from the stage of another one.
struct Late {
    other: Option<(Canceller, PinnedMemoryPool)>,
}

impl Stage for Late {
    type Input = u32;
    type Output = u32;

    fn enqueue(
        &mut self,
        stream: &Stream,
        input: DeviceSlice<'_, u32>,
        output: DeviceSliceMut<'_, u32>,
    ) -> gpu_core::Result<()> {
        if let Some((canceller, inputs)) = self.other.take() {
            // The other one has no batch: once its only buffer is back, its run does not look again.
            let has_ended =
                || inputs.stats().classes[0].leased_max > 0 && inputs.stats().leased() == 0;
            while !has_ended() {
                std::thread::yield_now();
            }
            canceller.cancel();
        }
        stream.copy(input, output)
    }
}

#[test]
fn a_cancel_that_comes_after_its_member_has_ended_ends_the_next_run() {
    let on_host = |other| {
        MemoryOptimizer::new(&Device::host(), Late { other }, Config::new(BATCH_LEN)).unwrap()
    };
    let idle = on_host(None);
    let busy = on_host(Some((idle.canceller(), idle.inputs().clone())));
    let members = vec![Member { pipeline: idle, share: 0 }, Member { pipeline: busy, share: 1 }];
    let mut fleet = Fleet::new(members).unwrap();
    let (input, mut output) = (numbers(20), vec![0; 20]);
    fleet.pipeline_execute(&input, &mut output).unwrap();
    let error = fleet.pipeline_execute(&input, &mut output).unwrap_err();
    let cancelled = Box::new(Error::Cancelled { completed: 0 });
    assert_eq!(error, Error::Member { member: 0, source: cancelled });
    fleet.pipeline_execute(&input, &mut output).unwrap();
    assert_eq!(output, input);
}

#[test]
fn a_panic_in_one_member_comes_out_and_leaves_no_buffer_behind() {
    let stages = [(|| Ok(())) as fn() -> gpu_core::Result<()>, || panic!("a stage")];
    let members = stages.map(|enqueue| {
        let stage = Odd { output_len: |len| len, enqueue };
        let pipeline = MemoryOptimizer::new(&Device::host(), stage, Config::new(2)).unwrap();
        Member { pipeline, share: 1 }
    });
    let mut fleet = Fleet::new(members.into()).unwrap();
    let result = catch_unwind(AssertUnwindSafe(|| fleet.pipeline_execute(&[0; 40], &mut [0; 40])));
    assert!(result.is_err());
    for Member { pipeline, .. } in fleet.members() {
        let leased = pipeline.inputs().stats().leased() + pipeline.outputs().stats().leased();
        assert_eq!((leased, pipeline.in_flight()), (0, 0));
    }
}

#[test]
fn a_fleet_that_makes_no_sense_is_refused() {
    let on = |device: &Device, batch_len, share| {
        let config = Config::new(batch_len);
        let pipeline = MemoryOptimizer::new(device, Mixer::new(device), config).unwrap();
        Member { pipeline, share }
    };
    let member = |batch_len, share| on(&Device::host(), batch_len, share);
    let refused = |members| Fleet::new(members).unwrap_err().to_string();
    assert!(refused(Vec::new()).starts_with("members of a fleet is 0"));
    assert_eq!(
        refused(vec![member(4, 1), member(5, 1)]),
        "batch_len of a fleet's member is 5, it must be 4 to 4"
    );
    assert!(refused(vec![member(4, 0), member(4, 0)]).starts_with("sum of a fleet's shares is 0"));
    let one = Device::host();
    let shared = vec![member(4, 1), on(&one, 4, 1), member(4, 1), on(&one.clone(), 4, 1)];
    let text = "members 1 and 3 of the fleet are on one device; make one pipeline of them, or give each a device of its own";
    assert_eq!(refused(shared), text);
    let mut fleet = Fleet::new(vec![member(4, 1)]).unwrap();
    let error = fleet.pipeline_execute(&numbers(10), &mut [0; 9]).unwrap_err();
    assert_eq!(error, Error::OutputLength { expected: 10, actual: 9 });
}
