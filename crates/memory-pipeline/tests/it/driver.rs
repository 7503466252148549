//! The pipeline on the CUDA backend over the fake driver, and on the host: every call failing in every way, and no batch or buffer lost.

use std::collections::{BTreeMap, VecDeque};

use fake_driver_client::{Call, Fail, FakeDriver, Lasting, on_fake_driver};
use gpu_core::{Device, ErrorKind, FaultPlan, Operation};
use memory_pipeline::{
    Config, Error, MemoryOptimizer, Replay, ReplayConfig, ReplayInFlight, Timing,
};

use crate::driver_ledger::{Ledger, Tally};
use crate::kernels::{Mixer, fill_all, mixed, numbers};

const BATCH_LEN: usize = 5;
const BATCHES: usize = 5;

/// A failure that the bindings do not know and that says nothing about the context.
const ODD: u32 = 916;
/// A fault of the device.
const STICKY: u32 = 700;

/// Whether the CUDA backend is in this program; says so if it is not.
pub(crate) fn is_backend_built() -> bool {
    let is_missing = matches!(Device::cuda_count(), Err(gpu_core::Error::BackendMissing));
    if is_missing {
        println!("not run on the fake driver: built without the CUDA backend");
    }
    !is_missing
}

/// Something that a user does with a pipeline on a device; an error is of what had to be there first.
pub(crate) type Journey = fn(&Device, &mut Ledger) -> Result<(), Error>;

fn pipeline(device: &Device, config: Config) -> Result<MemoryOptimizer<Mixer>, Error> {
    MemoryOptimizer::new(device, Mixer::on(device)?, config)
}

/// Batches that were submitted and have not come back: number and content, oldest first.
type Waiting<'a> = VecDeque<(u64, &'a [u32])>;

/// Submits a batch, filled with `content`.
fn submit<'a>(
    pipeline: &mut MemoryOptimizer<Mixer>,
    content: &'a [u32],
    waiting: &mut Waiting<'a>,
    ledger: &mut Ledger,
) {
    let mut lease = match pipeline.acquire() {
        Ok(lease) => lease,
        Err(error) => {
            ledger.refused += 1;
            return ledger.note(error);
        }
    };
    lease.resize(content.len()).unwrap();
    lease.copy_from_slice(content);
    match pipeline.submit(lease) {
        Ok(number) => {
            ledger.submitted += 1;
            waiting.push_back((number, content));
        }
        Err(rejected) => {
            ledger.refused += 1;
            if let Some(lease) = rejected.input {
                assert_eq!(*lease, *content, "it comes back as it was filled");
            }
            ledger.note(rejected.error);
            scribble(pipeline);
        }
    }
}

/// Completes the oldest batch, which must be right or named.
fn complete(pipeline: &mut MemoryOptimizer<Mixer>, waiting: &mut Waiting<'_>, ledger: &mut Ledger) {
    let (number, content) = waiting.pop_front().unwrap();
    match pipeline.complete() {
        // Lost: the ledger will show it.
        Ok(None) => {}
        Ok(Some(done)) => {
            assert_eq!((done.index, &*done.input), (number, content));
            assert_eq!(*done.output, *mixed(content, BATCH_LEN), "batch {number}");
            ledger.came_back += 1;
        }
        Err(error) => {
            assert!(matches!(error, Error::Batch { batch, .. } if batch == number), "{error:?}");
            ledger.named += 1;
            ledger.note(error);
            scribble(pipeline);
        }
    }
}

/// Writes to every buffer that is free, which breaks the promise of any copy that still uses one.
fn scribble(pipeline: &MemoryOptimizer<Mixer>) {
    drop(fill_all(pipeline.inputs(), 0xdead_u32));
    drop(fill_all(pipeline.outputs(), 0xdead_u64));
}

/// A whole run, which must be right or named.
fn execute(pipeline: &mut MemoryOptimizer<Mixer>, input: &[u32], ledger: &mut Ledger) {
    let mut output = vec![0; input.len()];
    ledger.submitted += 1;
    match pipeline.pipeline_execute(input, &mut output) {
        Ok(_) => {
            assert_eq!(output, mixed(input, BATCH_LEN));
            ledger.came_back += 1;
        }
        Err(error) => {
            ledger.named += 1;
            ledger.note(error);
            scribble(pipeline);
        }
    }
}

/// Every buffer is back in its pool or given up for ever.
fn settle_accounts(pipeline: &MemoryOptimizer<Mixer>, ledger: &mut Ledger) {
    for pool in [pipeline.inputs(), pipeline.outputs()] {
        let stats = pool.stats();
        assert_eq!(stats.leased(), 0, "{stats:?}");
        ledger.given_up += stats.quarantined() as u64;
    }
}

/// Batches one by one, and then a whole run on the same pipeline.
fn one_by_one(device: &Device, ledger: &mut Ledger) -> Result<(), Error> {
    let config = Config { depth: 2, ahead: 1, timing: Timing::EVERY, ..Config::new(BATCH_LEN) };
    let mut pipeline = pipeline(device, config)?;
    let input = numbers(BATCHES * BATCH_LEN - 2);
    let mut waiting = Waiting::new();
    for content in input.chunks(BATCH_LEN) {
        if pipeline.is_full() {
            complete(&mut pipeline, &mut waiting, ledger);
        }
        submit(&mut pipeline, content, &mut waiting, ledger);
    }
    while !waiting.is_empty() {
        complete(&mut pipeline, &mut waiting, ledger);
    }
    assert!(pipeline.complete().unwrap().is_none());
    execute(&mut pipeline, &input, ledger);
    settle_accounts(&pipeline, ledger);
    Ok(())
}

/// A run that is staged by threads, one that is left half-way, and a pipeline that is dropped in flight.
fn runs(device: &Device, ledger: &mut Ledger) -> Result<(), Error> {
    let config = Config { staging_threads: 2, timing: Timing::Off, ..Config::new(BATCH_LEN) };
    let mut pipeline = pipeline(device, config)?;
    let input = numbers(2 * BATCHES * BATCH_LEN);
    execute(&mut pipeline, &input, ledger);
    let fill = |buffer: &mut [u32]| {
        buffer.fill(7);
        Ok::<_, Error>(buffer.len())
    };
    let stop = Error::Cancelled { completed: 0 };
    match pipeline.run(fill, |index, _| if index < 2 { Ok(()) } else { Err(stop.clone()) }) {
        Err(error) if error == stop => {}
        Err(error) => ledger.note(error),
        Ok(_) => panic!("the source has no end"),
    }
    let mut waiting = Waiting::new();
    if pipeline.restart().is_ok() {
        for content in input.chunks(BATCH_LEN).take(3) {
            submit(&mut pipeline, content, &mut waiting, ledger);
        }
    }
    // What is in flight goes with the pipeline; its buffers come back.
    ledger.dropped += waiting.len() as u64;
    let pools = [pipeline.inputs().clone(), pipeline.outputs().clone()];
    drop(pipeline);
    for pool in pools {
        assert_eq!(pool.stats().leased(), 0);
        ledger.given_up += pool.stats().quarantined() as u64;
    }
    Ok(())
}

/// Two schedules in turn, and one that is dropped in flight.
fn schedules(device: &Device, ledger: &mut Ledger) -> Result<(), Error> {
    let config = ReplayConfig { depth: 2, ..ReplayConfig::new(BATCH_LEN, 3) };
    let make = || Replay::new(device, Mixer::on(device)?, config);
    let (mut first, mut second) = (make()?, make()?);
    for round in 0..2 {
        let content = vec![round; BATCH_LEN];
        first.inputs_mut().for_each(|input| input.copy_from_slice(&content));
        ledger.submitted += 1;
        first = match first.launch().and_then(ReplayInFlight::wait) {
            Ok(replay) => replay,
            Err(failed) => {
                ledger.named += 1;
                ledger.note(failed.error);
                // What comes back is idle, so it may be written.
                if let Some(mut replay) = failed.replay {
                    replay.inputs_mut().for_each(|input| input.fill(0xdead));
                }
                return Ok(());
            }
        };
        assert!(first.outputs().all(|output| *output == *mixed(&content, BATCH_LEN)));
        ledger.came_back += 1;
        std::mem::swap(&mut first, &mut second);
    }
    match second.launch() {
        Ok(in_flight) => {
            ledger.submitted += 1;
            ledger.dropped += 1;
            drop(in_flight);
        }
        Err(failed) => ledger.note(failed.error),
    }
    Ok(())
}

/// Whether the failed calls are why an object of this kind is still alive.
fn is_explained(kind: &str, failed: &[Call]) -> bool {
    // Buffers that were given up, because a stream could not be waited for, keep their pool, which keeps its context.
    let given_up =
        ["page-locked memory", "registered memory", "context", "executable graph", "device memory"];
    let is_given_up = |call: &Call| call.name == "cuStreamSynchronize" && given_up.contains(&kind);
    failed.iter().any(|call| call.keeps_alive(kind) || is_given_up(call))
}

/// Runs `journey` with one failure, judges what came of it, and returns its ledger.
fn judge(driver: &FakeDriver, seed: u64, fail: Fail, journey: Journey) -> Ledger {
    driver.reset(seed);
    driver.fail(fail);
    let mut ledger = Ledger::default();
    match Device::cuda(0) {
        Ok(device) => ledger.take(&device, journey),
        Err(error) => ledger.note(error.into()),
    }
    let case = format!("seed {seed}, {fail:?}");
    assert!(!ledger.is_closed || ledger.given_up > 0, "{case}: {ledger:?}");
    // What waited for the device to answer again goes now.
    driver.heal();
    let _ = Device::cuda(0).and_then(|device| device.buffer::<u8>(1));
    let failed: Vec<Call> =
        driver.calls().into_iter().filter(|call| call.result == fail.code).collect();
    for error in &ledger.errors {
        let cause = match error {
            gpu_core::Error::Poisoned { cause } => &**cause,
            error => error,
        };
        let gpu_core::Error::Driver { call, .. } = cause else { panic!("{case}: {error:?}") };
        assert!(failed.iter().any(|failed| failed.name == *call), "{case}: {error}");
    }
    if fail.lasting == Lasting::Once {
        assert!(ledger.errors.len() <= 1, "{case}: {ledger:?}");
        assert_eq!(ledger.given_up, 0, "{case}: one failure costs no buffer");
    }
    ledger.violations = driver.violations();
    let alive = driver.alive();
    assert!(alive.keys().all(|kind| is_explained(kind, &failed)), "{case}: {alive:?}, {failed:?}");
    let of_the_host = ["page-locked memory", "registered memory"];
    ledger.kept = of_the_host.iter().filter_map(|&kind| alive.get(kind)).sum();
    ledger
}

/// Fails every call of the driver that `journey` makes, and each call of each function, in each way.
fn matrix(driver: &FakeDriver, journey: Journey) {
    driver.reset(0);
    journey(&Device::cuda(0).unwrap(), &mut Ledger::default()).unwrap();
    driver.assert_clean("without a failure");
    let counts: BTreeMap<String, u64> = driver.call_counts();
    let total: u64 = counts.values().sum();
    for lasting in Lasting::ALL {
        let code = if lasting == Lasting::Sticky { STICKY } else { ODD };
        let mut tally = Tally::default();
        let mut run = |function: Option<&'static str>, calls: u64| {
            for first in 0..calls {
                let fail = Fail { function, first, lasting, code };
                let ledger = judge(driver, first, fail, journey);
                tally.add(&format!("seed {first}, {fail:?}"), ledger);
            }
        };
        run(None, total + 1);
        for (name, &count) in &counts {
            // The names live as long as the process of the test.
            run(Some(&*name.clone().leak()), count);
        }
        let functions = counts.len();
        let (ended, planned) = (tally.cases, 2 * total + 1);
        println!(
            "{lasting:?}, {total} calls of {functions} functions: {ended} of {planned} cases ran to their end, {tally}; {}",
            tally.promises()
        );
        assert_eq!(ended, planned, "any call, each call of each function, and no failure at all");
        tally.assert_whole();
    }
}

#[test]
fn every_call_under_single_batches_may_fail_in_every_way() {
    if is_backend_built() {
        on_fake_driver(|driver| matrix(driver, one_by_one));
    }
}

#[test]
fn every_call_under_whole_runs_may_fail_in_every_way() {
    if is_backend_built() {
        on_fake_driver(|driver| matrix(driver, runs));
    }
}

#[test]
fn every_call_under_schedules_may_fail_in_every_way() {
    if is_backend_built() {
        on_fake_driver(|driver| matrix(driver, schedules));
    }
}

/// Fails every operation of `journey` on the simulated host, once, from then on, and for good.
fn host_matrix(journey: Journey) {
    for lasting in Lasting::ALL {
        let mut tally = Tally::default();
        for operation in Operation::ALL {
            for index in 0.. {
                let plan = FaultPlan::none();
                let plan = match lasting {
                    Lasting::Once => plan.fail_once(operation, index, ErrorKind::Transient),
                    Lasting::Always => plan.fail_from(operation, index, ErrorKind::Transient),
                    Lasting::Sticky => plan.fail_once(operation, index, ErrorKind::Poisoned),
                };
                let device = Device::host_simulated(index).with_faults(plan);
                let mut ledger = Ledger::default();
                ledger.take(&device, journey);
                let case = format!("{lasting:?}, {operation} {index}");
                let is_injected = |error: &gpu_core::Error| error.to_string().contains("injected");
                assert!(ledger.errors.iter().all(is_injected), "{case}: {ledger:?}");
                assert_eq!((ledger.given_up, ledger.is_closed), (0, false), "{case}: {ledger:?}");
                assert!(lasting != Lasting::Once || ledger.errors.len() <= 1, "{case}: {ledger:?}");
                let is_last = ledger.errors.is_empty();
                tally.add(&case, ledger);
                if is_last {
                    break;
                }
            }
        }
        let cases = tally.cases;
        println!("{lasting:?}, every operation of the simulated host, {cases} cases: {tally}");
        tally.assert_whole();
    }
}

#[test]
fn every_operation_under_single_batches_may_fail_in_every_way_on_the_host() {
    host_matrix(one_by_one);
}

#[test]
fn every_operation_under_whole_runs_may_fail_in_every_way_on_the_host() {
    host_matrix(runs);
}

#[test]
fn every_operation_under_schedules_may_fail_in_every_way_on_the_host() {
    host_matrix(schedules);
}
