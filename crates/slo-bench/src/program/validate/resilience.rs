//! Section `resilience`: a device that fails is left alone, found again when it recovers, and given up when it is lost.
//!
//! The faults are injected and the clock is manual, so what is seen depends on nothing but the code.

use std::cell::Cell;
use std::time::Duration;

use gpu_core::{
    BackendKind, Clock, Device, ErrorKind, FaultPlan, KernelImages, Operation, Prepared, Stream,
};
use kernels::Tunable as _;
use kernels::vector::{Saxpy, SaxpyArgs};
use resilience::{
    BreakerConfig, CircuitBreaker, Guard, HealthConfig, HealthMonitor, Importance, Phase,
};
use slo_bench::Section;

use crate::program::setup::Setup;

/// Operations of the guarded call, each of which is made to fail in turn.
const OPERATIONS: [Operation; 5] = [
    Operation::Allocate,
    Operation::Upload,
    Operation::Launch,
    Operation::Download,
    Operation::Synchronize,
];

const FAILURES: u32 = 3;
const OPEN: Duration = Duration::from_millis(100);
const LEN: usize = 256;

pub(super) fn section(setup: &Setup<'_>) -> anyhow::Result<Section> {
    let mut section = Section::new("resilience");
    for operation in OPERATIONS {
        let patient = Patient::new(&another(setup.session.device())?, &setup.session.images)?;
        let story = patient.fails_and_recovers(operation);
        section.check(
            format!("{operation} fails and recovers"),
            story.is_ok(),
            story.unwrap_or_else(|fault| fault),
        );
    }
    // A loss that is only pretended stays in the host backend: a real context is not worth risking.
    let story = Patient::new(&Device::host(), &setup.session.images)?.is_lost();
    section.check("a lost device is not ready", story.is_ok(), story.unwrap_or_else(|fault| fault));
    let count = OPERATIONS.len();
    Ok(section.close(format!(
        "{count} operations made to fail on {}: opened after {FAILURES}, refused, probed, recovered; a lost device stays refused",
        setup.session.device().backend()
    )))
}

/// Another handle of the same device: faults that are injected into it reach no other.
fn another(device: &Device) -> gpu_core::Result<Device> {
    match device.backend() {
        BackendKind::Cuda => Device::cuda(device.properties().ordinal),
        BackendKind::Host => Ok(Device::host()),
        BackendKind::HostSimulated => Ok(Device::host_simulated(0)),
    }
}

/// A guarded device, and how often a call got as far as the device.
struct Patient {
    device: Device,
    stream: Stream,
    kernel: Prepared<Saxpy>,
    clock: Clock,
    monitor: HealthMonitor,
    guard: Guard,
    reached: Cell<u32>,
}

/// Says what went wrong, or nothing.
fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

impl Patient {
    fn new(device: &Device, images: &KernelImages) -> anyhow::Result<Self> {
        let clock = Clock::manual();
        let monitor = HealthMonitor::new(HealthConfig::default(), clock.clone())?;
        let config = BreakerConfig {
            failures: FAILURES,
            window: Duration::from_secs(10),
            open: OPEN,
            ..BreakerConfig::default()
        };
        let breaker = CircuitBreaker::new("saxpy", config, clock.clone())?;
        let guard = Guard::new(breaker, monitor.register("saxpy", Importance::Critical)?);
        Ok(Self {
            device: device.clone(),
            stream: device.stream()?,
            kernel: Saxpy::prepare(device, images, Saxpy::launch_for(LEN))?,
            clock,
            monitor,
            guard,
            reached: Cell::new(0),
        })
    }

    /// One guarded call: allocate, upload, launch, download.
    fn call(&self) -> resilience::Result<Vec<f32>> {
        self.guard.run(|| {
            self.reached.set(self.reached.get() + 1);
            let (mut x, mut y) = (self.device.buffer::<f32>(LEN)?, self.device.buffer::<f32>(LEN)?);
            self.stream.write(&[1.0; LEN], x.view_mut())?;
            self.stream.write(&[0.5; LEN], y.view_mut())?;
            let args = SaxpyArgs { x: x.view(), y: y.view_mut(), alpha: 2.0 };
            self.stream.launch(&self.kernel, args)?;
            self.stream.read_vec(y.view())
        })
    }

    fn plan(&self, plan: FaultPlan) {
        // A clone is the same device: the plan reaches the handle that the calls use.
        let _ = self.device.clone().with_faults(plan);
    }

    fn is_ready(&self) -> bool {
        self.monitor.snapshot().readiness.is_ready()
    }

    fn phase_is(&self, phase: Phase) -> Result<(), String> {
        let seen = self.guard.breaker().phase();
        expect(seen == phase, || format!("the breaker is {seen:?} where {phase:?} was due"))
    }

    fn reached_is(&self, due: u32) -> Result<(), String> {
        let seen = self.reached.get();
        expect(seen == due, || format!("{seen} calls reached the device where {due} should have"))
    }

    fn succeeds(&self) -> Result<(), String> {
        let result =
            self.call().map_err(|error| format!("a call on the repaired device fails: {error}"))?;
        expect(result == [2.5; LEN], || "a guarded call returns wrong numbers".to_owned())
    }

    fn is_refused(&self) -> Result<(), String> {
        let reached = self.reached.get();
        let refused = self.call().is_err_and(|error| error.is_refusal());
        expect(refused && self.reached.get() == reached, || {
            "a call was made that should have been refused".to_owned()
        })
    }

    fn fails_and_recovers(&self, operation: Operation) -> Result<String, String> {
        self.succeeds()?;
        expect(self.is_ready(), || "a healthy device is not ready".to_owned())?;
        self.plan(FaultPlan::none().fail_from(operation, 0, ErrorKind::Transient));
        for _ in 0..10 {
            let failed = self.call().is_err();
            expect(failed, || format!("an injected {operation} fault did not fail its call"))?;
        }
        self.phase_is(Phase::Open)?;
        self.reached_is(1 + FAILURES)?;
        expect(!self.is_ready(), || "a failing device is ready".to_owned())?;
        // The device still fails: one probe finds out, and the breaker stays open for twice as long.
        self.clock.advance(OPEN);
        let probe_failed = self.call().is_err_and(|error| !error.is_refusal());
        expect(probe_failed, || "the first probe did not reach the device".to_owned())?;
        self.reached_is(2 + FAILURES)?;
        self.plan(FaultPlan::none());
        self.clock.advance(OPEN);
        self.is_refused()?;
        self.clock.advance(OPEN);
        self.succeeds()?;
        self.phase_is(Phase::Closed)?;
        self.reached_is(3 + FAILURES)?;
        // Health comes back step by step.
        (0..4).try_for_each(|_| self.succeeds())?;
        expect(self.is_ready(), || "a recovered device is not ready".to_owned())?;
        let stats = self.guard.breaker().stats();
        let due = 10 - u64::from(FAILURES) + 1;
        expect(stats.refused == due, || format!("{} refusals, {due} were due", stats.refused))?;
        Ok(format!("{} calls reached the device, {due} were refused, 2 probes", self.reached.get()))
    }

    fn is_lost(&self) -> Result<String, String> {
        self.succeeds()?;
        self.plan(FaultPlan::none().fail_once(Operation::Launch, 0, ErrorKind::Poisoned));
        let lost = self.call().is_err_and(|error| error.kind() == ErrorKind::Poisoned);
        expect(lost, || "a sticky fault is not reported as such".to_owned())?;
        self.plan(FaultPlan::none());
        // No time brings a lost context back.
        self.clock.advance(Duration::from_secs(3600));
        self.is_refused()?;
        self.phase_is(Phase::Lost)?;
        self.reached_is(2)?;
        expect(!self.is_ready(), || "a lost device is ready".to_owned())?;
        Ok("refused for ever after one sticky fault (injected, on the host)".to_owned())
    }
}
