//! W1, the active inference step, as something to measure: on a device, or as one of its two processor versions.
//!
//! Computes nothing itself: `kernels::active_inference` does.

use gpu_core::{Device, ErrorKind, Event, KernelImages, PinnedBuffer, Stream};
use kernels::active_inference::{
    Agent, ITERATIONS, Inference, OBSERVATIONS, OUTPUTS, Outputs, POLICIES, WINDOWS, naive,
    observations_alone, optimised,
};

use super::{Output, Phase, Reference, Variant, Workload, WorkloadConfig};
use crate::error::{Error, Result};

/// The one phase of a call, beside its input.
const PHASE: &str = "active inference";

/// One call of the agent an iteration, its belief kept between calls.
#[derive(Debug)]
pub struct ActiveInference {
    variant: Variant,
    observations: [f64; OBSERVATIONS],
    /// Calls that were made or refused.
    calls: u64,
    version: Version,
}

#[derive(Debug)]
enum Version {
    Processor(Box<OnProcessor>),
    Device(Box<OnDevice>),
}

#[derive(Debug)]
struct OnProcessor {
    agent: Agent,
    /// What the last call put out; `None` if it was refused.
    outputs: Option<Outputs>,
}

#[derive(Debug)]
struct OnDevice {
    inference: Inference,
    stream: Stream,
    /// Before the upload, after it, after the kernel, and after the download.
    events: [Event; 4],
    /// Where calls with events between their parts upload from.
    input: PinnedBuffer<f64>,
    /// Where they download to.
    results: PinnedBuffer<f64>,
    latest: Latest,
}

/// Where the results of the last call are.
#[derive(Clone, Copy, Debug)]
enum Latest {
    Nowhere,
    Called,
    Timed,
}

impl ActiveInference {
    /// The agent at its beginning, observing o_i = sin(0.01 i) + 0.5 in every call.
    ///
    /// # Errors
    /// [`Error::WorkloadSize`] if `config.n` is not 900; if the kernel's image is missing or stale, memory runs out, or the device fails.
    pub fn new(config: &WorkloadConfig<'_>) -> Result<Self> {
        let WorkloadConfig { variant, n, seed, device, images } = *config;
        Reference::ActiveInference.check_n(n)?;
        let agent = Agent::initial(seed);
        let version = match variant {
            Variant::Naive | Variant::Optimised => {
                Version::Processor(Box::new(OnProcessor { agent, outputs: None }))
            }
            Variant::Device => Version::Device(Box::new(OnDevice::new(device, images, &agent)?)),
        };
        Ok(Self { variant, observations: observations_alone(), calls: 0, version })
    }

    /// Gives the agent other observations from the next call on, such as those of a live sensor.
    ///
    /// # Errors
    /// [`Error::Frame`] if they are not 100 finite numbers; the agent keeps those it has.
    pub fn observe(&mut self, observations: &[f64]) -> Result<()> {
        let refuse = |reason: String| self.refusal("input", reason);
        let observations: &[f64; OBSERVATIONS] = observations.try_into().map_err(|_| {
            refuse(format!("{} observations, {OBSERVATIONS} are due", observations.len()))
        })?;
        if let Some(index) = observations.iter().position(|value| !value.is_finite()) {
            return Err(refuse(format!("observation {index} is {}", observations[index])));
        }
        self.observations = *observations;
        Ok(())
    }

    fn refusal(&self, phase: &str, reason: String) -> Error {
        let (workload, frame) = (self.name(), self.calls);
        Error::Frame { workload, frame, phase: phase.to_owned(), reason }
    }

    /// A refusal of the kernels' by what it is about; anything else is the device's.
    fn failure(&self, error: gpu_core::Error) -> Error {
        if error.kind() == ErrorKind::Invalid {
            self.refusal(PHASE, error.to_string())
        } else {
            error.into()
        }
    }
}

impl OnProcessor {
    /// One call; its results must be finite, or the agent stays as it is.
    fn step(
        &mut self,
        variant: Variant,
        observations: &[f64; OBSERVATIONS],
    ) -> Result<(), &'static str> {
        let infer = if variant == Variant::Naive { naive::infer } else { optimised::infer };
        let before = self.agent.clone();
        let outputs = infer(&mut self.agent, observations);
        let Outputs { mu, free_energy, g, u, .. } = &outputs;
        let all = [mu.as_slice(), free_energy, g, u];
        if all.iter().any(|values| values.iter().any(|value| !value.is_finite())) {
            self.agent = before;
            self.outputs = None;
            return Err("its results are not finite");
        }
        self.outputs = Some(outputs);
        Ok(())
    }
}

impl OnDevice {
    fn new(device: &Device, images: &KernelImages, agent: &Agent) -> Result<Self> {
        let event = || device.timed_event();
        Ok(Self {
            inference: Inference::new(device, images, agent)?,
            stream: device.stream()?,
            events: [event()?, event()?, event()?, event()?],
            input: device.pinned(OBSERVATIONS)?,
            results: device.pinned(OUTPUTS)?,
            latest: Latest::Nowhere,
        })
    }

    fn step(&mut self, observations: &[f64; OBSERVATIONS]) -> gpu_core::Result<()> {
        self.latest = Latest::Nowhere;
        self.inference.call(&self.stream, observations)?;
        self.latest = Latest::Called;
        Ok(())
    }

    /// One call with events between its parts.
    fn step_marked(&mut self, observations: &[f64; OBSERVATIONS]) -> gpu_core::Result<()> {
        let Self { inference, stream, events, input, results, latest } = self;
        let [start, uploaded, computed, downloaded] = &*events;
        input.copy_from_slice(observations);
        stream.record(start)?;
        stream.scope(|scope| {
            scope.upload(input, inference.observations_mut())?;
            scope.stream().record(uploaded)?;
            inference.enqueue(scope.stream())?;
            scope.stream().record(computed)?;
            scope.download(inference.outputs(), results)?;
            scope.stream().record(downloaded)
        })?;
        *latest = Latest::Timed;
        Ok(())
    }

    /// The parts of the last such call.
    fn phases(&self) -> gpu_core::Result<Vec<Phase>> {
        let [start, uploaded, computed, downloaded] = &self.events;
        Ok(vec![
            Phase::new("upload", uploaded.elapsed_since(start)?),
            Phase::new("kernel", computed.elapsed_since(uploaded)?),
            Phase::new("download", downloaded.elapsed_since(computed)?),
        ])
    }

    fn outputs(&self, visit: &mut dyn FnMut(Output<'_>)) {
        match self.latest {
            Latest::Nowhere => {}
            Latest::Called => {
                let seen = self.inference.downloaded();
                show(visit, [seen.mu, seen.u, seen.free_energy, seen.g], seen.policy);
            }
            Latest::Timed => {
                // The block's order: mean, action, free energies, G and the policy as a whole number.
                let (mu, rest) = self.results.split_at(WINDOWS);
                let (u, rest) = rest.split_at(WINDOWS);
                let (free_energy, rest) = rest.split_at(ITERATIONS + 1);
                let (g, policy) = rest.split_at(POLICIES);
                let policy = (0_u32..).zip(0..POLICIES).find(|(p, _)| f64::from(*p) == policy[0]);
                let policy = policy.map_or(POLICIES, |(_, policy)| policy);
                show(visit, [mu, u, free_energy, g], policy);
            }
        }
    }
}

fn show(visit: &mut dyn FnMut(Output<'_>), [mu, u, free_energy, g]: [&[f64]; 4], policy: usize) {
    visit(Output::many("mu", mu));
    visit(Output::many("u", u));
    visit(Output::many("free_energy", free_energy));
    visit(Output::many("g", g));
    visit(Output::choice("policy", policy));
}

impl Workload for ActiveInference {
    fn name(&self) -> String {
        format!("{}, {}", Reference::ActiveInference.name(), self.variant.name())
    }

    fn n(&self) -> usize {
        WINDOWS
    }

    fn step(&mut self) -> Result<()> {
        let done = match &mut self.version {
            Version::Processor(processor) => {
                let done = processor.step(self.variant, &self.observations);
                done.map_err(|reason| self.refusal(PHASE, reason.to_owned()))
            }
            Version::Device(device) => {
                let done = device.step(&self.observations);
                done.map_err(|error| self.failure(error))
            }
        };
        self.calls += 1;
        done
    }

    fn outputs(&self, visit: &mut dyn FnMut(Output<'_>)) {
        match &self.version {
            Version::Processor(processor) => {
                if let Some(Outputs { mu, free_energy, g, policy, u }) = &processor.outputs {
                    show(visit, [mu, u, free_energy, g], *policy);
                }
            }
            Version::Device(device) => device.outputs(visit),
        }
    }

    fn step_marked(&mut self) -> Result<()> {
        let Version::Device(device) = &mut self.version else { return self.step() };
        let done = device.step_marked(&self.observations);
        self.calls += 1;
        Ok(done?)
    }

    fn phases(&self) -> Result<Vec<Phase>> {
        let Version::Device(device) = &self.version else { return Ok(Vec::new()) };
        Ok(device.phases()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(variant: Variant) -> ActiveInference {
        let (device, images) = (Device::host(), KernelImages::at("nowhere"));
        let config = WorkloadConfig { variant, n: 900, seed: 42, device: &device, images: &images };
        ActiveInference::new(&config).unwrap()
    }

    fn seen(workload: &ActiveInference) -> Vec<String> {
        let mut all = Vec::new();
        workload.outputs(&mut |output| all.push(format!("{output:?}")));
        all
    }

    #[test]
    fn a_call_with_events_is_a_call_like_any_other() {
        let (mut plain, mut timed) = (workload(Variant::Device), workload(Variant::Device));
        assert!(seen(&plain).is_empty(), "nothing was put out before the first call");
        plain.step().unwrap();
        timed.step_marked().unwrap();
        let names: Vec<_> =
            timed.phases().unwrap().iter().map(|phase| phase.name.clone()).collect();
        assert_eq!(names, ["upload", "kernel", "download"]);
        assert_eq!(seen(&plain), seen(&timed));
        assert_eq!(seen(&plain).len(), 5);
        plain.step().unwrap();
        timed.step().unwrap();
        assert_eq!(seen(&plain), seen(&timed));
        assert!(workload(Variant::Optimised).phases().unwrap().is_empty());
    }

    #[test]
    fn bad_observations_are_refused_by_number_and_leave_no_trace() {
        let (mut plain, mut disturbed) = (workload(Variant::Device), workload(Variant::Device));
        plain.step().unwrap();
        disturbed.step().unwrap();
        for bad in [f64::NAN, f64::NEG_INFINITY] {
            let mut observations = observations_alone();
            observations[17] = bad;
            let message = disturbed.observe(&observations).unwrap_err().to_string();
            let expected = format!("frame 1, phase `input`: observation 17 is {bad}");
            assert!(message.contains(&expected), "{message}");
        }
        let message = disturbed.observe(&[0.0; 99]).unwrap_err().to_string();
        assert!(message.contains("99 observations, 100 are due"), "{message}");
        plain.step().unwrap();
        disturbed.step().unwrap();
        assert_eq!(seen(&plain), seen(&disturbed));
    }

    #[test]
    fn a_call_whose_results_are_not_finite_names_its_phase_and_leaves_the_last_good_state() {
        for variant in [Variant::Naive, Variant::Optimised, Variant::Device] {
            let (mut plain, mut disturbed) = (workload(variant), workload(variant));
            plain.step().unwrap();
            disturbed.step().unwrap();
            disturbed.observe(&[1e300; OBSERVATIONS]).unwrap();
            let message = disturbed.step().unwrap_err().to_string();
            assert!(message.contains("frame 1, phase `active inference`"), "{message}");
            assert!(seen(&disturbed).is_empty(), "a refused call puts out nothing");
            disturbed.observe(&observations_alone()).unwrap();
            plain.step().unwrap();
            disturbed.step().unwrap();
            assert_eq!(seen(&plain), seen(&disturbed));
        }
    }

    #[test]
    fn another_size_is_refused() {
        let (device, images) = (Device::host(), KernelImages::at("nowhere"));
        let (variant, n) = (Variant::Naive, 1024);
        let config = WorkloadConfig { variant, n, seed: 42, device: &device, images: &images };
        let message = ActiveInference::new(&config).unwrap_err().to_string();
        assert_eq!(message, "workload `active-inference` has n = 900, not 1024");
    }
}
