//! Whether a device computes what the references say: every kernel, several sizes, every launch of its space.
//!
//! Inputs are drawn anew from the seed; outputs are filled with NaN before each run and are followed by guard elements
//! that no kernel may touch; every element is compared. Never stops at a deviation: it is counted and reported.

use gpu_core::{
    Device, DeviceBuffer, KernelImages, Launch, LaunchSpace, Pod, Point, Result, Stream,
};

use crate::active_inference::{
    self, Agent, Infer, Inference, OBSERVATIONS, Outputs, WINDOWS, observations_alone,
};
use crate::frame::{self, FRAME_LEN, SAMPLES, TrackingError, TrackingErrorArgs, tracking_error};
use crate::load;
use crate::matrix;
use crate::philox::{Draw, Philox};
use crate::source::Tunable;
use crate::stencil;
use crate::thermodynamic::{
    Differences, Evolution, Evolve, EvolveResident, Network, Observables, Program, TOLERANCES,
    naive,
};
use crate::vector::{ReduceSum, Saxpy, SaxpyArgs, SumWorkspace, reduce_sum, saxpy};

/// How one quantity that a kernel computes compares with its reference.
#[derive(Clone, Debug)]
pub struct KernelCheck {
    /// Entry point of the kernel.
    pub kernel: &'static str,
    /// What was compared.
    pub quantity: &'static str,
    /// Runs: sizes times launches times repetitions.
    pub cases: usize,
    /// The worst difference that was seen, in the measure of the tolerance; NaN if something was not a number.
    pub worst: f64,
    /// The most that is tolerated; 0 where bits must be equal.
    pub tolerance: f64,
    /// The first thing that went wrong.
    pub failure: Option<Failure>,
}

impl KernelCheck {
    /// Whether every case ran and nothing differed by more than is tolerated.
    pub fn passed(&self) -> bool {
        self.failure.is_none()
    }
}

/// Why a check did not pass.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// A result that is not the reference's.
    #[error(
        "differs by {difference:e} at size {len} with {blocks} blocks of {threads} threads, more than {tolerance:e}"
    )]
    Deviation {
        /// Size of the input.
        len: usize,
        /// Blocks of the launch.
        blocks: u32,
        /// Threads of a block.
        threads: u32,
        /// Difference from the reference.
        difference: f64,
        /// The most that is tolerated.
        tolerance: f64,
    },
    /// A write past the end of an output.
    #[error(
        "wrote past the end of its output at size {len} with {blocks} blocks of {threads} threads"
    )]
    OutOfBounds {
        /// Size of the input.
        len: usize,
        /// Blocks of the launch.
        blocks: u32,
        /// Threads of a block.
        threads: u32,
    },
    /// The device or its image failed.
    #[error(transparent)]
    Device(#[from] gpu_core::Error),
    /// A frame has no outputs.
    #[error(transparent)]
    Frame(#[from] frame::Error),
}

/// Checks every kernel of this crate on `device`, one after the other as the iterator is advanced.
pub fn check_all<'a>(
    device: &'a Device,
    images: &'a KernelImages,
    seed: u64,
) -> impl Iterator<Item = KernelCheck> + 'a {
    let context = Context { device, images, random: Philox::new(seed), seed };
    let checks: [fn(&Context<'_>) -> Vec<KernelCheck>; 10] = [
        |context| context.check("saxpy", "y", Context::saxpy),
        |context| context.check("reduce_sum", "sum", Context::reduce_sum),
        |context| context.check("tracking_error", "errors", Context::tracking_error),
        |context| context.evolve::<Evolve>(Program::Streaming),
        |context| context.evolve::<EvolveResident>(Program::Resident),
        |context| context.infer(),
        |context| frame::conformance::check(context.device, context.images, context.seed),
        matrix::conformance::check,
        stencil::conformance::check,
        load::conformance::check,
    ];
    checks.into_iter().flat_map(move |check| check(&context))
}

/// Elements after each output that stay as they are.
pub(crate) const GUARD: usize = 64;

/// Stream of the random inputs, apart from those of the workloads.
const STREAM: u32 = 64;

const LENGTHS: [usize; 7] = [0, 1, 31, 257, 4096, 100_003, 300_000];
const FRAMES: [usize; 5] = [0, 1, 2, 7, 64];
const OSCILLATORS: [usize; 6] = [1, 2, 33, 257, 900, 1024];

/// What the checks work with.
pub(crate) struct Context<'a> {
    pub(crate) device: &'a Device,
    pub(crate) images: &'a KernelImages,
    random: Philox,
    seed: u64,
}

/// One run: its size and its launch.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) len: usize,
    pub(crate) launch: Launch,
}

impl Context<'_> {
    /// A check of one quantity that is compared bit by bit.
    pub(crate) fn check(
        &self,
        kernel: &'static str,
        quantity: &'static str,
        run: fn(&Self, &mut KernelCheck) -> Result<()>,
    ) -> Vec<KernelCheck> {
        let mut check = KernelCheck::new(kernel, quantity, 0.0);
        if let Err(error) = run(self, &mut check) {
            check.fail(error.into());
        }
        vec![check]
    }

    fn saxpy(&self, check: &mut KernelCheck) -> Result<()> {
        let stream = self.device.stream()?;
        for len in LENGTHS {
            let (x, y) = (self.singles(0, len), self.singles(1, len));
            let alpha = 0.5 + self.singles(2, 1)[0];
            let mut expected = y.clone();
            saxpy(alpha, &x, &mut expected);
            let mut device_x = self.device.buffer(len)?;
            stream.write(&x, device_x.view_mut())?;
            let mut device_y = self.device.buffer(len + GUARD)?;
            for launch in launches::<Saxpy>(len) {
                let prepared = Saxpy::prepare(self.device, self.images, launch)?;
                stream.write(&vec![f32::NAN; len + GUARD], device_y.view_mut())?;
                let mut target = device_y.view_mut().range(0..len)?;
                stream.write(&y, target.reborrow())?;
                let args = SaxpyArgs { x: device_x.view(), y: target, alpha };
                stream.launch(&prepared, args)?;
                check.compare(Case { len, launch }, &expected, &stream.read_vec(device_y.view())?);
            }
        }
        Ok(())
    }

    fn reduce_sum(&self, check: &mut KernelCheck) -> Result<()> {
        let stream = self.device.stream()?;
        let mut workspace = SumWorkspace::new(self.device)?;
        let mut output = self.device.buffer(1 + GUARD)?;
        for len in LENGTHS {
            let input = self.doubles(3, len);
            let mut device_input = self.device.buffer(len)?;
            stream.write(&input, device_input.view_mut())?;
            for launch in launches::<ReduceSum>(len) {
                let prepared = ReduceSum::prepare(self.device, self.images, launch)?;
                fill_nan(&stream, &mut output)?;
                let partials = workspace.partials_mut();
                stream.write(&vec![f64::NAN; partials.len()], partials)?;
                let target = output.view_mut().range(0..1)?;
                stream.launch(&prepared, workspace.args(device_input.view(), target))?;
                let expected = [reduce_sum(&input, &launch)];
                check.compare(Case { len, launch }, &expected, &stream.read_vec(output.view())?);
            }
        }
        Ok(())
    }

    fn tracking_error(&self, check: &mut KernelCheck) -> Result<()> {
        let stream = self.device.stream()?;
        for frames in FRAMES {
            let len = frames * SAMPLES;
            let input = self.doubles(4, frames * FRAME_LEN);
            let mut expected = vec![0.0; len];
            tracking_error(&input, &mut expected);
            let mut device_input = self.device.buffer(input.len())?;
            stream.write(&input, device_input.view_mut())?;
            let mut errors = self.device.buffer(len + GUARD)?;
            for launch in launches::<TrackingError>(len) {
                let prepared = TrackingError::prepare(self.device, self.images, launch)?;
                fill_nan(&stream, &mut errors)?;
                let target = errors.view_mut().range(0..len)?;
                let args = TrackingErrorArgs { frames: device_input.view(), errors: target };
                stream.launch(&prepared, args)?;
                check.compare(Case { len, launch }, &expected, &stream.read_vec(errors.view())?);
            }
        }
        Ok(())
    }

    /// A check for each quantity of the network, by one of its kernels.
    fn evolve<K: Tunable>(&self, program: fn(Launch) -> Program) -> Vec<KernelCheck> {
        let checks = TOLERANCES
            .named()
            .map(|(quantity, tolerance)| KernelCheck::new(K::SOURCE.name, quantity, tolerance));
        let mut checks = Vec::from(checks);
        for n in OSCILLATORS {
            let programs = launches::<K>(n).map(program);
            if let Err(error) = self.evolve_network(n, programs, &mut checks) {
                checks.iter_mut().for_each(|check| check.fail(error.clone().into()));
            }
        }
        checks
    }

    /// Two calls of every program, each from the state that the naive reference reached.
    fn evolve_network(
        &self,
        n: usize,
        programs: impl Iterator<Item = Program>,
        checks: &mut [KernelCheck],
    ) -> Result<()> {
        let mut states = vec![Network::initial(n, self.seed)?];
        let mut seen = Vec::<Observables>::new();
        for call in 0..2 {
            let mut next = states[call].clone();
            seen.push(naive::evolve(&mut next));
            states.push(next);
        }
        let stream = self.device.stream()?;
        let fitting = Program::fitting(self.device, self.images, states[0].parameters())?;
        for program in programs.chain([fitting]) {
            let launch = program.launch();
            let evolution = Evolution::with_program(self.device, self.images, &states[0], program);
            // A device with few multiprocessors cannot hold every launch of the space at once.
            let mut evolution = match evolution {
                Err(gpu_core::Error::Cooperative { .. }) => continue,
                other => other?,
            };
            for (pair, expected_seen) in states.windows(2).zip(&seen) {
                evolution.reset(&stream, &pair[0])?;
                evolution.poison(&stream)?;
                let actual_seen = evolution.call(&stream)?;
                let actual = evolution.network(&stream)?;
                let expected = (&pair[1], expected_seen);
                let differences = Differences::between(expected, (&actual, &actual_seen));
                for (check, (_, difference)) in checks.iter_mut().zip(differences.named()) {
                    check.note(Case { len: n, launch }, difference);
                }
            }
        }
        Ok(())
    }

    /// A check for each quantity of active inference.
    fn infer(&self) -> Vec<KernelCheck> {
        let checks = active_inference::TOLERANCES
            .named()
            .map(|(quantity, tolerance)| KernelCheck::new(Infer::SOURCE.name, quantity, tolerance));
        let mut checks = Vec::from(checks);
        if let Err(error) = self.infer_calls(&mut checks) {
            checks.iter_mut().for_each(|check| check.fail(error.clone().into()));
        }
        checks
    }

    /// The workload's first call and one of an agent in mid-life, on every launch of the space and on one that is small.
    fn infer_calls(&self, checks: &mut [KernelCheck]) -> Result<()> {
        let beginning = Agent::initial(self.seed);
        let mid_life = beginning.clone().with_mu(self.doubles(5, WINDOWS))?;
        // The frame of the random numbers is about to start over.
        let mid_life = mid_life.with_calls(u64::from(u32::MAX));
        let drawn = self.doubles(6, OBSERVATIONS);
        let around_one = std::array::from_fn(|i| 1.0 + 0.3 * drawn[i]);
        let calls = [(beginning, observations_alone()), (mid_life, around_one)];
        let expected: Vec<_> = calls
            .iter()
            .map(|(agent, observations)| {
                let mut agent = agent.clone();
                let outputs = active_inference::naive::infer(&mut agent, observations);
                (agent, outputs)
            })
            .collect();
        let stream = self.device.stream()?;
        let fitting = *Inference::new(self.device, self.images, &calls[0].0)?.prepared().launch();
        for launch in launches::<Infer>(WINDOWS).chain([fitting, Launch::linear(3, 64)]) {
            let inference = Inference::with_launch(self.device, self.images, &calls[0].0, launch);
            // A device with few multiprocessors cannot hold every launch of the space at once.
            let mut inference = match inference {
                Err(gpu_core::Error::Cooperative { .. }) => continue,
                other => other?,
            };
            for ((agent, observations), (expected, outputs)) in calls.iter().zip(&expected) {
                inference.reset(&stream, agent)?;
                inference.poison(&stream)?;
                let actual_outputs = Outputs::from(inference.call(&stream, observations)?);
                let actual = (&inference.agent(&stream)?, &actual_outputs);
                let differences =
                    active_inference::Differences::between((expected, outputs), actual);
                for (check, (_, difference)) in checks.iter_mut().zip(differences.named()) {
                    check.note(Case { len: WINDOWS, launch }, difference);
                }
            }
        }
        Ok(())
    }

    /// Normal numbers; `step` tells inputs apart.
    pub(crate) fn doubles(&self, step: u32, len: usize) -> Vec<f64> {
        let frame = u32::try_from(len).unwrap_or(u32::MAX);
        let mut numbers = vec![0.0; len];
        self.random.normals(Draw { stream: STREAM, step, frame }, &mut numbers);
        numbers
    }

    #[expect(clippy::cast_possible_truncation, reason = "any single near the double will do")]
    pub(crate) fn singles(&self, step: u32, len: usize) -> Vec<f32> {
        self.doubles(step, len).into_iter().map(|x| x as f32).collect()
    }
}

impl KernelCheck {
    pub(crate) fn new(kernel: &'static str, quantity: &'static str, tolerance: f64) -> Self {
        Self { kernel, quantity, cases: 0, worst: 0.0, tolerance, failure: None }
    }

    /// Counts a case whose output, followed by its guard, was read back as `actual`.
    pub(crate) fn compare<T: Pod + Into<f64>>(&mut self, case: Case, expected: &[T], actual: &[T]) {
        let (output, guard) = actual.split_at(expected.len());
        let pairs = expected.iter().zip(output);
        let worst = pairs.fold(0.0_f64, |worst, (&expected, &actual)| {
            let difference = (expected.into() - actual.into()).abs();
            if difference.is_nan() || difference > worst { difference } else { worst }
        });
        self.note(case, worst);
        if !guard.iter().all(|&element| element.into().is_nan()) {
            let (blocks, threads) = (case.launch.grid[0], case.launch.block[0]);
            self.fail(Failure::OutOfBounds { len: case.len, blocks, threads });
        }
    }

    /// Counts a case.
    pub(crate) fn note(&mut self, case: Case, difference: f64) {
        self.cases += 1;
        // NaN is never within a tolerance, and no later case makes it good.
        let is_within = difference <= self.tolerance;
        if difference.is_nan() || difference > self.worst {
            self.worst = difference;
        }
        if !is_within {
            let Case { len, launch } = case;
            let (blocks, threads) = (launch.grid[0], launch.block[0]);
            let tolerance = self.tolerance;
            self.fail(Failure::Deviation { len, blocks, threads, difference, tolerance });
        }
    }

    /// Keeps the first failure.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }
}

/// Every launch of the space of `K`, and the one that is taken without tuning.
pub(crate) fn launches<K: Tunable>(len: usize) -> impl Iterator<Item = Launch> + Clone {
    let space: LaunchSpace = K::SPACE;
    let points: Vec<Point> = space.points().collect();
    points.into_iter().map(move |point| K::launch_at(&point, len)).chain([K::launch_for(len)])
}

fn fill_nan(stream: &Stream, buffer: &mut DeviceBuffer<f64>) -> Result<()> {
    stream.write(&vec![f64::NAN; buffer.len()], buffer.view_mut())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: Case = Case { len: 2, launch: Launch::linear(3, 64) };

    fn noted(output: [f64; 3]) -> KernelCheck {
        let mut check = KernelCheck::new("saxpy", "y", 0.0);
        check.compare(CASE, &[1.0, 2.0], &output);
        check
    }

    #[test]
    fn equal_output_with_an_untouched_guard_passes() {
        let check = noted([1.0, 2.0, f64::NAN]);
        assert!(check.passed());
        assert_eq!((check.cases, check.worst.to_bits()), (1, 0));
    }

    #[test]
    fn a_wrong_element_a_poisoned_element_and_a_touched_guard_fail() {
        assert_eq!(noted([1.0, 2.5, f64::NAN]).worst.to_bits(), 0.5f64.to_bits());
        assert!(!noted([1.0, 2.5, f64::NAN]).passed());
        assert!(!noted([f64::NAN, 2.0, f64::NAN]).passed());
        let out_of_bounds = Failure::OutOfBounds { len: 2, blocks: 3, threads: 64 };
        assert_eq!(noted([1.0, 2.0, 0.0]).failure, Some(out_of_bounds));
    }

    #[test]
    fn the_first_failure_is_kept_and_the_worst_difference_too() {
        let mut check = KernelCheck::new("saxpy", "y", 0.1);
        for difference in [0.05, 0.5, 2.0, 1.0] {
            check.note(CASE, difference);
        }
        assert_eq!(check.cases, 4);
        assert_eq!(check.worst.to_bits(), 2.0f64.to_bits());
        let Some(Failure::Deviation { difference, .. }) = check.failure else {
            unreachable!("two cases deviate");
        };
        assert_eq!(difference.to_bits(), 0.5f64.to_bits());
    }
}
