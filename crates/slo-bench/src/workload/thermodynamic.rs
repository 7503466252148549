//! W2, the thermodynamic evolution, as something to measure: on a device, or as one of its two processor versions.
//!
//! Computes nothing itself: `kernels::thermodynamic` does.

use gpu_core::{Device, Event, KernelImages, Stream};
use kernels::thermodynamic::{Evolution, Network, Observables, naive, optimised};

use super::{Output, Phase, Reference, Variant, Workload, WorkloadConfig};
use crate::error::Result;

/// Ten steps of the network a call, its state kept between calls.
#[derive(Debug)]
pub struct Thermodynamic {
    n: usize,
    variant: Variant,
    /// What the last call observed; `None` before the first.
    seen: Option<Observables>,
    version: Version,
}

#[derive(Debug)]
enum Version {
    Processor(Network),
    Device(Box<OnDevice>),
}

#[derive(Debug)]
struct OnDevice {
    evolution: Evolution,
    stream: Stream,
    /// Before the kernel and after it.
    events: [Event; 2],
}

impl Thermodynamic {
    /// The network of `config.n` oscillators at its beginning.
    ///
    /// # Errors
    /// If `n` is 0 or too large, the kernel's image is missing or stale, memory runs out, or the device fails.
    pub fn new(config: &WorkloadConfig<'_>) -> Result<Self> {
        let WorkloadConfig { variant, n, seed, device, images } = *config;
        Reference::Thermodynamic.check_n(n)?;
        let network = Network::initial(n, seed)?;
        let version = match variant {
            Variant::Naive | Variant::Optimised => Version::Processor(network),
            Variant::Device => Version::Device(Box::new(OnDevice::new(device, images, &network)?)),
        };
        Ok(Self { n, variant, seen: None, version })
    }

    /// Angles and velocities after the last call.
    fn state(&self) -> (&[f64], &[f64]) {
        match &self.version {
            Version::Processor(network) => (network.theta(), network.v()),
            Version::Device(device) => device.evolution.downloaded(),
        }
    }
}

impl OnDevice {
    fn new(device: &Device, images: &KernelImages, network: &Network) -> Result<Self> {
        Ok(Self {
            evolution: Evolution::new(device, images, network)?,
            stream: device.stream()?,
            events: [device.timed_event()?, device.timed_event()?],
        })
    }

    fn step(&mut self) -> gpu_core::Result<Observables> {
        self.evolution.call(&self.stream)
    }

    /// One call with events around its kernel, which writes the results to the host itself.
    fn step_marked(&mut self) -> gpu_core::Result<Observables> {
        let [before, after] = &self.events;
        self.evolution.call_marked(&self.stream, [before, after])
    }
}

impl Workload for Thermodynamic {
    fn name(&self) -> String {
        format!("{}, {}", Reference::Thermodynamic.name(), self.variant.name())
    }

    fn n(&self) -> usize {
        self.n
    }

    fn step(&mut self) -> Result<()> {
        self.seen = Some(match &mut self.version {
            Version::Processor(network) if self.variant == Variant::Naive => naive::evolve(network),
            Version::Processor(network) => optimised::evolve(network),
            Version::Device(device) => device.step()?,
        });
        Ok(())
    }

    fn outputs(&self, visit: &mut dyn FnMut(Output<'_>)) {
        let Some(seen) = self.seen else { return };
        let (theta, v) = self.state();
        visit(Output::many("theta", theta));
        visit(Output::many("v", v));
        visit(Output::one("kinetic", seen.kinetic));
        visit(Output::one("interaction", seen.interaction));
        visit(Output::one("order", seen.order));
        visit(Output::one("heat", seen.heat));
        visit(Output::one("entropy", seen.entropy));
    }

    fn step_marked(&mut self) -> Result<()> {
        let Version::Device(device) = &mut self.version else { return self.step() };
        self.seen = Some(device.step_marked()?);
        Ok(())
    }

    fn phases(&self) -> Result<Vec<Phase>> {
        let Version::Device(device) = &self.version else { return Ok(Vec::new()) };
        let [before, after] = &device.events;
        Ok(vec![Phase::new("kernel", after.elapsed_since(before)?)])
    }
}

#[cfg(test)]
mod tests {
    use kernels::thermodynamic::{Parameters, State};

    use super::*;

    const SEED: u64 = 42;

    fn workload(variant: Variant) -> Thermodynamic {
        let (device, images) = (Device::host(), KernelImages::at("nowhere"));
        let config =
            WorkloadConfig { variant, n: 40, seed: SEED, device: &device, images: &images };
        Thermodynamic::new(&config).unwrap()
    }

    #[test]
    fn the_three_versions_observe_the_same_call_after_call() {
        let mut all = [Variant::Naive, Variant::Optimised, Variant::Device].map(workload);
        for _ in 0..3 {
            all.iter_mut().for_each(|version| version.step().unwrap());
            all.iter().for_each(|version| version.check().unwrap());
            let [naive, optimised, device] =
                all.each_ref().map(|version| version.seen.unwrap().heat);
            assert!((naive - optimised).abs() <= 1e-9 * naive.abs(), "{naive} {optimised}");
            assert!((naive - device).abs() <= 1e-9 * naive.abs(), "{naive} {device}");
        }
    }

    #[test]
    fn a_call_with_events_is_a_call_like_any_other() {
        let (mut plain, mut timed) = (workload(Variant::Device), workload(Variant::Device));
        let seen = |workload: &Thermodynamic| {
            let mut all = Vec::new();
            workload.outputs(&mut |output| all.push(format!("{output:?}")));
            all
        };
        for _ in 0..2 {
            plain.step().unwrap();
            timed.step_marked().unwrap();
            let names: Vec<_> =
                timed.phases().unwrap().iter().map(|phase| phase.name.clone()).collect();
            assert_eq!(names, ["kernel"]);
            assert_eq!(seen(&plain), seen(&timed));
            plain.step().unwrap();
            timed.step().unwrap();
            assert_eq!(seen(&plain), seen(&timed));
        }
        assert!(workload(Variant::Naive).phases().unwrap().is_empty());
    }

    /// The message for a network with these two angles and velocities.
    fn refusal(theta: [f64; 2], v: [f64; 2]) -> String {
        let parameters = Parameters { n: 2, ..Parameters::default() };
        let state =
            State { theta: theta.into(), v: v.into(), omega: vec![1.0; 2], coupling: vec![0.0; 4] };
        let network = Network::new(parameters, state, SEED).unwrap();
        let mut workload = workload(Variant::Naive);
        workload.version = Version::Processor(network);
        workload.seen = Some(Observables {
            kinetic: 0.0,
            interaction: 0.0,
            order: 0.0,
            heat: 0.0,
            entropy: 0.0,
        });
        workload.check().unwrap_err().to_string()
    }

    #[test]
    fn an_output_that_is_not_finite_is_named() {
        let message = refusal([0.0; 2], [0.0, f64::INFINITY]);
        assert_eq!(message, "workload `thermodynamic, naive`: v is inf at index 1");
        let message = refusal([f64::NAN, 0.0], [0.0; 2]);
        assert_eq!(message, "workload `thermodynamic, naive`: theta is NaN at index 0");
        let mut workload = workload(Variant::Naive);
        assert!(workload.check().is_ok(), "there is nothing to refuse before the first call");
        workload.step().unwrap();
        workload.seen = workload.seen.map(|seen| Observables { heat: f64::NAN, ..seen });
        let message = workload.check().unwrap_err().to_string();
        assert!(message.contains("heat is NaN at index 0"), "{message}");
    }
}
