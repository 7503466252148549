//! Random schedules of what a user does with a pipeline, failures included, on the fake driver and on the simulated host.

use std::collections::VecDeque;

use fake_driver_client::{Fail, FakeDriver, Lasting, on_fake_driver};
use gpu_core::{Device, ErrorKind, FaultPlan, Operation};
use memory_pipeline::{Batch, Config, Error, MemoryOptimizer, Timing};
use proptest::prelude::*;

use crate::driver::is_backend_built;
use crate::kernels::{Mixer, mixed, numbers};

const BATCH_LEN: usize = 5;

/// What the user does next.
#[derive(Clone, Debug)]
enum Act {
    /// Submits a batch of so many elements.
    Submit(usize),
    /// Completes the oldest batch and keeps it.
    Complete,
    /// Lets go of the batch that was kept longest.
    Release,
    /// Forgets the batch that was kept longest.
    Forget,
    Abandon,
    /// Sends so many elements through at once.
    Execute(usize),
    /// Drops the pipeline in flight and makes another one.
    Renew,
    /// Lets a call that is soon to come fail.
    Fail {
        operation: usize,
        soon: u64,
    },
    /// Lets a call that is soon to come lose the device.
    Lose {
        soon: u64,
    },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (1..=BATCH_LEN).prop_map(Act::Submit),
        8 => Just(Act::Complete),
        6 => Just(Act::Release),
        1 => Just(Act::Forget),
        1 => Just(Act::Abandon),
        2 => (0..30_usize).prop_map(Act::Execute),
        1 => Just(Act::Renew),
        4 => (0..OPERATIONS.len(), 0..20_u64)
            .prop_map(|(operation, soon)| Act::Fail { operation, soon }),
        1 => (0..200_u64).prop_map(|soon| Act::Lose { soon }),
    ]
}

/// What a plan can make fail while a pipeline runs.
const OPERATIONS: [Operation; 6] = [
    Operation::Download,
    Operation::Launch,
    Operation::Record,
    Operation::Synchronize,
    Operation::Upload,
    Operation::Wait,
];

/// Where a schedule runs.
#[derive(Clone, Copy)]
enum Place<'a> {
    Fake(&'a FakeDriver),
    Simulated,
}

/// A pipeline, its user, and what the user knows.
struct World<'a> {
    place: Place<'a>,
    device: Device,
    /// Absent once the device is lost and no other pipeline could be made.
    pipeline: Option<MemoryOptimizer<Mixer>>,
    /// Number and content of each batch in flight, oldest first.
    waiting: VecDeque<(u64, Vec<u32>)>,
    /// Batches that came back, with what they must still hold.
    kept: VecDeque<(Batch<u32, u64>, Vec<u32>)>,
    forgotten: usize,
    forgotten_in_all: usize,
    filled: usize,
    /// A failure was asked for and has not been seen.
    is_failing: bool,
    is_losing: bool,
}

impl<'a> World<'a> {
    fn new(place: Place<'a>, seed: u64) -> Self {
        let device = match place {
            Place::Fake(driver) => {
                driver.reset(seed);
                Device::cuda(0).unwrap()
            }
            Place::Simulated => Device::host_simulated(seed),
        };
        let mut world = Self {
            place,
            device,
            pipeline: None,
            waiting: VecDeque::new(),
            kept: VecDeque::new(),
            forgotten: 0,
            forgotten_in_all: 0,
            filled: 0,
            is_failing: false,
            is_losing: false,
        };
        world.renew();
        world
    }

    /// Content that no other batch has.
    fn content(&mut self, len: usize) -> Vec<u32> {
        self.filled += len;
        numbers(self.filled).split_off(self.filled - len)
    }

    fn renew(&mut self) {
        self.waiting.clear();
        self.pipeline = None;
        // What is kept and forgotten belongs to the pools of an earlier pipeline.
        self.check_kept();
        self.kept.clear();
        self.forgotten = 0;
        let config = Config { depth: 2, ahead: 1, timing: Timing::EVERY, ..Config::new(BATCH_LEN) };
        let device = self.device.clone();
        let make = || MemoryOptimizer::new(&device, Mixer::on(&device)?, config);
        for _ in 0..2 {
            match make() {
                Ok(pipeline) => {
                    self.pipeline = Some(pipeline);
                    return;
                }
                Err(error) => self.expect(&error),
            }
            if self.device.lost().is_some() {
                return;
            }
        }
        panic!("one failure was asked for and two came");
    }

    /// An error must be one that was asked for, or follow from what the user holds or the device has kept.
    fn expect(&mut self, error: &Error) {
        let given_up = self.pipeline.as_ref().map_or(0, |pipeline| {
            pipeline.inputs().stats().quarantined() + pipeline.outputs().stats().quarantined()
        });
        match error {
            Error::Closed => assert!(given_up > 0, "{error}"),
            Error::Exhausted { .. } => {
                assert!(self.kept.len() + self.forgotten + given_up > 0, "{error}");
            }
            Error::Batch { source, .. } | Error::Device(source) => {
                let is_lost = self.is_losing && source.kind() == ErrorKind::Poisoned;
                assert!(is_lost || self.is_failing, "{error}");
                self.is_failing &= is_lost;
            }
            other => panic!("{other:?}"),
        }
    }

    fn submit(&mut self, len: usize) {
        let content = self.content(len);
        let Some(pipeline) = &mut self.pipeline else { return };
        let mut lease = match pipeline.acquire() {
            Ok(lease) => lease,
            Err(error) => return self.expect(&error),
        };
        lease.resize(len).unwrap();
        lease.copy_from_slice(&content);
        match pipeline.submit(lease) {
            Ok(number) => self.waiting.push_back((number, content)),
            Err(rejected) if matches!(rejected.error, Error::Full { .. }) => {
                assert_eq!(self.waiting.len(), 3);
            }
            Err(rejected) => {
                if let Some(lease) = &rejected.input {
                    assert_eq!(**lease, *content);
                }
                self.expect(&rejected.error);
            }
        }
    }

    fn complete(&mut self) {
        let Some(pipeline) = &mut self.pipeline else { return };
        let result = pipeline.complete();
        let Some((number, content)) = self.waiting.pop_front() else {
            assert!(result.unwrap().is_none());
            return;
        };
        match result {
            Ok(batch) => {
                let batch = batch.expect("it was submitted");
                assert_eq!(batch.index, number);
                self.kept.push_back((batch, content));
                self.check_kept();
            }
            Err(error) => {
                assert!(matches!(error, Error::Batch { batch, .. } if batch == number), "{error}");
                self.expect(&error);
            }
        }
    }

    fn execute(&mut self, len: usize) {
        let content = self.content(len);
        let Some(pipeline) = &mut self.pipeline else { return };
        let mut output = vec![0; len];
        let result = pipeline.pipeline_execute(&content, &mut output);
        if !self.waiting.is_empty() {
            let in_flight = self.waiting.len();
            assert_eq!(result.unwrap_err(), Error::Busy { in_flight });
            return;
        }
        pipeline.restart().unwrap();
        match result {
            Ok(_) => assert_eq!(output, mixed(&content, BATCH_LEN)),
            Err(error) => self.expect(&error),
        }
    }

    fn fail(&mut self, operation: usize, soon: u64, kind: ErrorKind) {
        if self.is_losing {
            return;
        }
        match self.place {
            Place::Fake(driver) => {
                let (lasting, code) = match kind {
                    ErrorKind::Poisoned => (Lasting::Sticky, 719),
                    _ => (Lasting::Once, 916),
                };
                driver.heal();
                driver.fail(Fail { function: None, first: soon, lasting, code });
            }
            Place::Simulated => {
                let plan = FaultPlan::none().fail_once(OPERATIONS[operation], soon, kind);
                self.device = self.device.clone().with_faults(plan);
            }
        }
        self.is_failing = kind != ErrorKind::Poisoned;
        self.is_losing = kind == ErrorKind::Poisoned;
    }

    /// What came back stays as it was, whatever runs meanwhile.
    fn check_kept(&self) {
        for (batch, content) in &self.kept {
            assert_eq!(*batch.input, **content, "batch {}", batch.index);
            assert_eq!(*batch.output, *mixed(content, BATCH_LEN), "batch {}", batch.index);
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Submit(len) => self.submit(len),
            Act::Complete => self.complete(),
            Act::Release => drop(self.kept.pop_front()),
            Act::Forget => {
                let forgotten = self.kept.pop_front();
                self.forgotten += usize::from(forgotten.is_some());
                self.forgotten_in_all += usize::from(forgotten.is_some());
                std::mem::forget(forgotten);
            }
            Act::Abandon => {
                self.waiting.clear();
                if let Some(pipeline) = &mut self.pipeline {
                    pipeline.abandon();
                }
            }
            Act::Execute(len) => self.execute(len),
            Act::Renew => self.renew(),
            Act::Fail { operation, soon } => self.fail(operation, soon, ErrorKind::Transient),
            Act::Lose { soon } => self.fail(0, soon, ErrorKind::Poisoned),
        }
        self.check_kept();
        let Some(pipeline) = &self.pipeline else { return };
        let out = self.waiting.len() + self.kept.len() + self.forgotten;
        for pool in [pipeline.inputs(), pipeline.outputs()] {
            assert_eq!(pool.stats().leased(), out, "after {act:?}");
        }
    }

    /// Ends everything; on the fake driver, looks what it saw.
    fn end(self) {
        let Self { place, device, pipeline, kept, forgotten_in_all, .. } = self;
        drop((pipeline, kept, device));
        let Place::Fake(driver) = place else { return };
        driver.heal();
        let _ = Device::cuda(0).and_then(|device| device.buffer::<u8>(1));
        assert_eq!(driver.violations(), Vec::<String>::new());
        let has_failed = driver.calls().iter().any(|call| matches!(call.result, 719 | 916));
        if forgotten_in_all == 0 && !has_failed {
            driver.assert_clean("at the end");
        }
    }
}

fn run(place: Place<'_>, cases: u32) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let schedules = (any::<u64>(), prop::collection::vec(act(), 1..80));
    proptest!(config, |((seed, acts) in schedules)| {
        let mut world = World::new(place, seed);
        acts.iter().for_each(|act| world.act(act));
        world.end();
    });
}

#[test]
fn any_schedule_on_the_simulated_host_keeps_every_buffer_and_batch() {
    run(Place::Simulated, 200);
}

#[test]
fn any_schedule_on_the_fake_driver_keeps_every_buffer_batch_and_promise() {
    if is_backend_built() {
        on_fake_driver(|driver| run(Place::Fake(driver), 200));
    }
}
