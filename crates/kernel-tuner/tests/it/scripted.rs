//! A subject and a timer that follow a script, so that no test depends on the machine's speed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use gpu_core::{
    Axis, Device, Error, ErrorKind, FaultPlan, KernelAttributes, Launch, LaunchSpace, Operation,
    Point, Result, Stream,
};
use kernel_tuner::{Mismatch, PerformanceTuner, Ready, StopRule, Subject, Timer, TunerConfig};

pub(crate) const SPACE: LaunchSpace =
    LaunchSpace::new(&[Axis { name: "threads", values: &[64, 128, 256, 512, 1024] }]);

/// How a configuration behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Right,
    Wrong,
    /// Right when first verified, wrong later.
    WrongInTheEnd,
    RefusedByContract,
    FailsToLaunch(ErrorKind),
    LeavesOutputUntouched,
}

/// What the subject does and what the timer reads, by threads.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) us: BTreeMap<u32, f64>,
    pub(crate) behaviour: BTreeMap<u32, Behaviour>,
    /// The configuration that was prepared last: what a launch runs, as with a real kernel.
    prepared: Cell<u32>,
    /// The configuration that was queued last.
    current: Cell<u32>,
    /// Every configuration that was queued for timing, in order.
    pub(crate) timed: RefCell<Vec<u32>>,
}

impl Script {
    pub(crate) fn new(us: [(u32, f64); 5]) -> Self {
        let behaviour = us.iter().map(|&(threads, _)| (threads, Behaviour::Right)).collect();
        let (prepared, current) = (Cell::new(0), Cell::new(0));
        let timed = RefCell::new(Vec::new());
        Self { us: us.into(), behaviour, prepared, current, timed }
    }

    pub(crate) fn with(mut self, threads: u32, behaviour: Behaviour) -> Self {
        self.behaviour.insert(threads, behaviour);
        self
    }
}

#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) script: Rc<Script>,
    pub(crate) space: LaunchSpace,
    pub(crate) attributes: Option<KernelAttributes>,
    /// Whether poisoning does what it says.
    pub(crate) poisons: bool,
    pub(crate) output: f64,
    pub(crate) verifications: BTreeMap<u32, u32>,
}

const BASELINE: LaunchSpace = LaunchSpace::new(&[Axis { name: "threads", values: &[128] }]);
const RIGHT: f64 = 42.0;

fn threads(point: &Point) -> u32 {
    point.value("threads").unwrap()
}

impl Scripted {
    pub(crate) fn new(script: &Rc<Script>) -> Self {
        Self {
            script: Rc::clone(script),
            space: SPACE,
            attributes: None,
            poisons: true,
            output: RIGHT,
            verifications: BTreeMap::new(),
        }
    }
}

impl Subject for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    fn space(&self) -> LaunchSpace {
        self.space
    }

    fn baseline(&self) -> Point {
        BASELINE.point(0).unwrap()
    }

    fn prepare(&mut self, point: &Point) -> Result<Ready> {
        let threads = threads(point);
        if self.script.behaviour[&threads] == Behaviour::RefusedByContract {
            let (min, max, multiple) = (32, 256, 32);
            let (kernel, threads) = ("scripted", threads.into());
            return Err(Error::Threads { kernel, threads, min, max, multiple });
        }
        self.script.prepared.set(threads);
        Ok(Ready { launch: Launch::linear(1, threads), attributes: self.attributes })
    }

    fn enqueue(&mut self, _point: &Point, stream: &Stream) -> Result<()> {
        let threads = self.script.prepared.get();
        self.script.current.set(threads);
        match self.script.behaviour[&threads] {
            Behaviour::FailsToLaunch(kind) => {
                let plan = FaultPlan::none().fail_once(Operation::Create, 0, kind);
                let failing = Device::host().with_faults(plan);
                return failing.stream().map(|_| ());
            }
            Behaviour::Wrong => self.output = RIGHT + 1.0,
            Behaviour::LeavesOutputUntouched => {}
            _ => self.output = RIGHT,
        }
        stream.is_idle().map(|_| ())
    }

    fn poison(&mut self, _stream: &Stream) -> Result<()> {
        if self.poisons {
            self.output = f64::NAN;
        }
        Ok(())
    }

    fn verify(&mut self, _stream: &Stream) -> Result<Result<(), Mismatch>> {
        let threads = self.script.current.get();
        let times = self.verifications.entry(threads).or_default();
        *times += 1;
        let is_late = self.script.behaviour.get(&threads) == Some(&Behaviour::WrongInTheEnd);
        if is_late && *times > 1 {
            self.output += 0.5;
        }
        Ok(Mismatch::compare("output", &[RIGHT], &[self.output], 1e-9))
    }
}

/// Reads the time of the configuration that was just queued from the script.
#[derive(Debug)]
pub(crate) struct ScriptedTimer(pub(crate) Rc<Script>);

impl Timer for ScriptedTimer {
    fn time(
        &mut self,
        stream: &Stream,
        work: &mut dyn FnMut(&Stream) -> Result<()>,
    ) -> Result<Duration> {
        work(stream)?;
        let threads = self.0.current.get();
        self.0.timed.borrow_mut().push(threads);
        Ok(Duration::from_secs_f64(self.0.us[&threads] * 1e-6))
    }
}

pub(crate) fn config() -> TunerConfig {
    TunerConfig {
        warm_up: 2,
        stop: StopRule { samples_min: 6, samples_max: 20, half_width_max: 0.05 },
        contest_turns: 4,
        contest_samples: 3,
        ..TunerConfig::default()
    }
}

pub(crate) fn tuner(script: &Rc<Script>) -> PerformanceTuner<ScriptedTimer> {
    let timer = ScriptedTimer(Rc::clone(script));
    PerformanceTuner::with_timer(&Device::host(), config(), timer).unwrap()
}
