//! Every call of the driver, failing in every way: the error names it, nothing is freed too early, and nothing is lost that
//! could still be given back.

use std::collections::BTreeMap;

use fake_driver_client::{Call, Fail, FakeDriver, Lasting, aborts_on_fake_driver, on_fake_driver};
use gpu_core::{Device, Error, ErrorKind, HostRegion, Launch, RegionConfig, Result};

use crate::affine::{self, AffineArgs};
use crate::driver::is_backend_built;

/// A failure that the bindings do not know and that says nothing about the context.
const ODD: u32 = 916;
/// The two that were provoked on a GPU.
const STICKY: [u32; 2] = [700, 719];

/// Functions whose failure need not cost the answer, because they also clean up.
const FORGIVEN: [&str; 10] = [
    "cuMemHostUnregister",
    "cuGraphDestroy",
    "cuGraphExecDestroy",
    "cuCtxSetCurrent",
    "cuCtxSynchronize",
    "cuMemFree_v2",
    "cuMemFreeHost",
    "cuStreamDestroy_v2",
    "cuEventDestroy_v2",
    "cuModuleUnload",
];

/// A little of everything that a device does, without borrowing: what it leaves in flight, buffers wait for.
fn journey() -> Result<Vec<f64>> {
    let device = Device::cuda(0)?;
    assert!(device.memory()?.free_bytes > 0);
    let (first, second) = (device.stream()?, device.stream()?);
    let event = device.event()?;
    let marks = [device.timed_event()?, device.timed_event()?];
    let launch = Launch::linear(1, 32).with_shared_bytes(64 << 10);
    let prepared = affine::prepare(&device, launch)?;
    prepared.blocks_per_multiprocessor()?;
    let mut input = device.pinned::<f64>(8)?;
    let mut output = device.pinned::<f64>(8)?;
    let (mut x, mut y) = (device.buffer(8)?, device.buffer(8)?);
    input.fill(2.0);
    first.record(&marks[0])?;
    // SAFETY: nothing writes to `input` from here on, and dropping it waits for the device.
    unsafe { first.upload(&input, x.view_mut()) }?;
    first.copy(x.view(), y.view_mut())?;
    first.zero(y.view_mut())?;
    let args = AffineArgs { x: x.view(), y: y.view_mut(), factor: 3.0, offset: 1.0 };
    first.launch(&prepared, args)?;
    first.record(&event)?;
    second.wait(&event)?;
    // SAFETY: nothing reads `output` before the wait below, and dropping it waits for the device.
    unsafe { second.download(y.view(), &mut output) }?;
    second.record(&marks[1])?;
    marks[1].synchronize()?;
    while !(event.is_complete()? && second.is_idle()?) {}
    second.synchronize()?;
    marks[1].elapsed_since(&marks[0])?;
    device.synchronize()?;
    Ok(output.to_vec())
}

/// The same through blocking calls and a scope, which end the process if the driver cannot say whether copies are done.
fn borrowing_journey() -> Result<Vec<f64>> {
    let device = Device::cuda(0)?;
    let stream = device.stream()?;
    let prepared = affine::prepare(&device, Launch::linear(1, 32))?;
    let mut output = device.pinned::<f64>(8)?;
    let (mut x, mut y) = (device.buffer(8)?, device.buffer(8)?);
    stream.write(&[2.0; 8], x.view_mut())?;
    stream.scope(|scope| {
        let args = AffineArgs { x: x.view(), y: y.view_mut(), factor: 3.0, offset: 1.0 };
        scope.stream().launch(&prepared, args)?;
        scope.download(y.view(), &mut output)
    })?;
    assert_eq!(stream.read_vec(y.view())?, *output);
    Ok(output.to_vec())
}

/// Two streams captured into a graph that is replayed, with new input, until it has given the answer.
fn captured_journey() -> Result<Vec<f64>> {
    let device = Device::cuda(0)?;
    let (first, second) = (device.stream()?, device.stream()?);
    let (fork, join) = (device.event()?, device.event()?);
    let prepared = affine::prepare(&device, Launch::linear(1, 32))?;
    let mut input = device.pinned::<f64>(8)?;
    let mut output = device.pinned::<f64>(8)?;
    let (mut x, mut y) = (device.buffer(8)?, device.buffer(8)?);
    let graph = first.capture(|| {
        first.zero(y.view_mut())?;
        first.record(&fork)?;
        second.wait(&fork)?;
        // SAFETY: `input` is written between replays that were waited for; dropping it waits for the device.
        unsafe { second.upload_for_replays(&input, x.view_mut()) }?;
        second.record(&join)?;
        first.wait(&join)?;
        let args = AffineArgs { x: x.view(), y: y.view_mut(), factor: 3.0, offset: 1.0 };
        first.launch(&prepared, args)?;
        // SAFETY: `output` is read after replays that were waited for; dropping it waits for the device.
        unsafe { first.download_for_replays(y.view(), &mut output) }
    })?;
    for value in [0.0, 2.0] {
        input.fill(value);
        first.replay(&graph)?;
        first.replay(&graph)?;
        first.synchronize()?;
        assert_eq!(output[..], [value.mul_add(3.0, 1.0); 8]);
    }
    drop(graph);
    Ok(output.to_vec())
}

/// Memory of the program's own, registered, used by copies both ways, and taken back.
fn registered_journey() -> Result<Vec<f64>> {
    let device = Device::cuda(0)?;
    let stream = device.stream()?;
    let region = || HostRegion::new(&RegionConfig::new(64));
    let mut input = device.register(region()?).map_err(|failed| failed.error)?;
    let mut output = device.register(region()?).map_err(|failed| failed.error)?;
    let mut x = device.buffer::<u8>(input.len())?;
    input.fill(7);
    // SAFETY: nothing writes to `input` until it is taken back, which waits for the device, as dropping it does.
    unsafe { stream.upload(&input, x.view_mut()) }?;
    // SAFETY: nothing reads `output` until it is taken back, which waits for the device, as dropping it does.
    unsafe { stream.download(x.view(), &mut output) }?;
    drop(x);
    // Memory that the driver does not let go of, or of which it cannot say whether it is still used, does not come back.
    let regions = [input.into_region(), output.into_region()];
    stream.synchronize()?;
    for region in regions.into_iter().flatten() {
        assert!(region.iter().all(|&byte| byte == 7));
    }
    Ok(vec![7.0; 8])
}

/// What became of the cases of a matrix.
#[derive(Default)]
struct Tally {
    cases: u64,
    answered: u64,
    failed: u64,
    leaked: u64,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cases, answered, failed, leaked } = self;
        write!(
            formatter,
            "{cases} cases, {answered} right answers, {failed} errors of the failed call, "
        )?;
        write!(formatter, "{leaked} with objects whose release failed, 0 broken promises")
    }
}

impl Tally {
    /// Runs `journey` with one failure and judges what came of it.
    fn judge(&mut self, driver: &FakeDriver, seed: u64, fail: Fail, run: fn() -> Result<Vec<f64>>) {
        driver.reset(seed);
        driver.fail(fail);
        let result = run();
        let case = format!("{fail:?}");
        assert_eq!(driver.violations(), Vec::<String>::new(), "{case}");
        let failed: Vec<Call> =
            driver.calls().into_iter().filter(|call| call.result == fail.code).collect();
        let culprit = failed.iter().find(|call| !FORGIVEN.contains(&call.name.as_str()));
        self.cases += 1;
        match &result {
            Ok(values) => {
                assert_eq!(*values, [7.0; 8], "{case}");
                assert!(culprit.is_none(), "{case}: {culprit:?} went unnoticed");
                self.answered += 1;
            }
            Err(error) => {
                assert_named(error, &failed, &case);
                self.failed += 1;
            }
        }
        let alive = driver.alive();
        self.leaked += u64::from(!alive.is_empty());
        let explained = alive.keys().all(|kind| failed.iter().any(|call| call.keeps_alive(kind)));
        assert!(explained, "{case}: {alive:?} after {failed:?}");
        if fail.lasting == Lasting::Once {
            // One object whose own release failed; one failed wait for the device costs no memory.
            let is_wait = failed.iter().all(|call| call.name == "cuCtxSynchronize");
            let costs_nothing = |kind: &str| is_wait && kind != "module";
            assert!(!alive.keys().any(|kind| costs_nothing(kind)), "{case}: {alive:?}");
            assert!(alive.values().sum::<u64>() <= 1, "{case}: {alive:?}");
        }
    }
}

/// The error is of one of the calls that failed, with the very code.
fn assert_named(error: &Error, failed: &[Call], case: &str) {
    // A lost device names the call that lost it.
    let cause = if let Error::Poisoned { cause } = error { &**cause } else { error };
    let Error::Driver { call, code } = cause else { panic!("{case}: {error:?}") };
    let is_of =
        |failure: &Call| failure.name == *call && i64::from(failure.result) == i64::from(*code);
    assert!(failed.iter().any(is_of), "{case}: {error}, but {failed:?}");
    assert!(error.to_string().contains(call), "{case}: {error}");
}

/// How often each function is called while all is well.
fn calls_of(driver: &FakeDriver, run: fn() -> Result<Vec<f64>>) -> BTreeMap<String, u64> {
    driver.reset(0);
    assert_eq!(run().unwrap(), [7.0; 8]);
    driver.assert_clean("without a failure");
    driver.call_counts()
}

/// A code for a failure that lasts so long.
fn code(lasting: Lasting, index: u64) -> u32 {
    match lasting {
        Lasting::Once | Lasting::Always => ODD,
        Lasting::Sticky => STICKY[usize::try_from(index % 2).unwrap()],
    }
}

fn matrix(driver: &FakeDriver, lastings: &[Lasting], run: fn() -> Result<Vec<f64>>) {
    let counts = calls_of(driver, run);
    let total: u64 = counts.values().sum();
    for &lasting in lastings {
        let mut tally = Tally::default();
        for first in 0..=total {
            let fail = Fail { function: None, first, lasting, code: code(lasting, first) };
            tally.judge(driver, first, fail, run);
        }
        println!("{lasting:?}, each of {total} calls: {tally}");
        let mut tally = Tally::default();
        for (name, &count) in &counts {
            // The names outlive the process's tests.
            let function = Some(&*name.clone().leak());
            for first in 0..count {
                let fail = Fail { function, first, lasting, code: code(lasting, first) };
                tally.judge(driver, first, fail, run);
            }
        }
        println!("{lasting:?}, each call of {} functions: {tally}", counts.len());
    }
}

#[test]
fn every_call_may_fail_in_every_way() {
    if is_backend_built() {
        on_fake_driver(|driver| matrix(driver, &Lasting::ALL, journey));
    }
}

#[test]
fn every_call_of_a_capture_and_its_replays_may_fail_in_every_way() {
    if is_backend_built() {
        on_fake_driver(|driver| matrix(driver, &Lasting::ALL, captured_journey));
    }
}

#[test]
fn every_call_under_registered_memory_may_fail_in_every_way() {
    if is_backend_built() {
        on_fake_driver(|driver| matrix(driver, &Lasting::ALL, registered_journey));
    }
}

#[test]
fn every_call_of_a_scope_may_fail_once_or_lose_the_device() {
    if is_backend_built() {
        let lastings = [Lasting::Once, Lasting::Sticky];
        on_fake_driver(|driver| matrix(driver, &lastings, borrowing_journey));
    }
}

#[test]
fn a_scope_whose_copies_nobody_can_vouch_for_ends_the_process() {
    if is_backend_built() {
        aborts_on_fake_driver(|driver| {
            driver.reset(0);
            let function = Some("cuStreamSynchronize");
            // The first four waits are of buffers that are being zeroed.
            driver.fail(Fail { function, first: 3, lasting: Lasting::Always, code: ODD });
            let _ = borrowing_journey();
        });
    }
}

#[test]
fn a_sticky_fault_loses_the_device_and_every_later_one_in_the_process() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            driver.reset(0);
            let device = Device::cuda(0).unwrap();
            let stream = device.stream().unwrap();
            let fail = Fail { function: None, first: 0, lasting: Lasting::Sticky, code: 719 };
            driver.fail(fail);
            let cause = stream.synchronize().unwrap_err();
            assert_eq!(cause.kind(), ErrorKind::Poisoned);
            assert_eq!(device.lost(), Some(&cause));
            let later = device.buffer::<u8>(1).unwrap_err();
            assert_eq!(later.kind(), ErrorKind::Poisoned);
            assert!(later.to_string().contains(&cause.to_string()), "{later}");
            assert_eq!(Device::cuda(0).unwrap_err().kind(), ErrorKind::Poisoned);
            stream.settle().unwrap();
        });
    }
}
