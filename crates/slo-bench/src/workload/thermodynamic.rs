//! W2, the thermodynamic evolution, as something to measure: on a device, or as one of its two processor versions.
//!
//! Computes nothing itself: `kernels::thermodynamic` does.

use gpu_core::{Device, Event, KernelImages, PinnedBuffer, Stream};
use kernels::thermodynamic::{Evolution, Network, Observables, naive, optimised};

use super::{Phase, Workload};
use crate::error::{Error, Result};

/// Its name in contracts and reports.
const NAME: &str = "thermodynamic";
/// The seed of the initial state and of the noise, as in every comparison of this workload.
const SEED: u64 = 42;

/// Which version of the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// The equations loop by loop on one thread.
    Naive,
    /// The same results on all cores.
    Optimised,
    /// The kernels; on the host backend, the optimised version in their place.
    Device,
}

/// Ten steps of the network a call, its state kept between calls.
#[derive(Debug)]
pub struct Thermodynamic {
    n: usize,
    /// What the last call observed; `None` before the first.
    seen: Option<Observables>,
    version: Version,
}

#[derive(Debug)]
enum Version {
    Naive(Network),
    Optimised(Network),
    Device(Box<OnDevice>),
}

#[derive(Debug)]
struct OnDevice {
    evolution: Evolution,
    stream: Stream,
    /// Before the kernel, after it, and after the downloads.
    events: [Event; 3],
    /// Where calls with events between their parts download to.
    results: PinnedBuffer<f64>,
}

impl Thermodynamic {
    /// The network of `n` oscillators at its beginning. Only [`Variant::Device`] uses the device.
    ///
    /// # Errors
    /// If `n` is 0, the kernel's image is missing or stale, memory runs out, or the device fails.
    pub fn new(variant: Variant, n: usize, device: &Device, images: &KernelImages) -> Result<Self> {
        let network = Network::initial(n, SEED)?;
        let version = match variant {
            Variant::Naive => Version::Naive(network),
            Variant::Optimised => Version::Optimised(network),
            Variant::Device => Version::Device(Box::new(OnDevice::new(device, images, &network)?)),
        };
        Ok(Self { n, seen: None, version })
    }
}

impl OnDevice {
    fn new(device: &Device, images: &KernelImages, network: &Network) -> Result<Self> {
        let evolution = Evolution::new(device, images, network)?;
        let results = device.pinned(evolution.outputs().len())?;
        Ok(Self {
            evolution,
            stream: device.stream()?,
            events: [device.timed_event()?, device.timed_event()?, device.timed_event()?],
            results,
        })
    }

    /// One call with events between its parts.
    fn phases(&mut self) -> gpu_core::Result<Vec<Phase>> {
        let Self { evolution, stream, events, results } = self;
        let [start, computed, downloaded] = &*events;
        stream.record(start)?;
        evolution.enqueue(stream)?;
        stream.record(computed)?;
        stream.scope(|scope| {
            scope.download(evolution.outputs(), results)?;
            scope.stream().record(downloaded)
        })?;
        Ok(vec![
            Phase { name: "kernel", elapsed: computed.elapsed_since(start)? },
            Phase { name: "download", elapsed: downloaded.elapsed_since(computed)? },
        ])
    }
}

impl Workload for Thermodynamic {
    fn name(&self) -> String {
        let version = match &self.version {
            Version::Naive(_) => "naive",
            Version::Optimised(_) => "optimised",
            Version::Device(_) => "device",
        };
        format!("{NAME}, {version}")
    }

    fn n(&self) -> usize {
        self.n
    }

    fn step(&mut self) -> Result<()> {
        self.seen = Some(match &mut self.version {
            Version::Naive(network) => naive::evolve(network),
            Version::Optimised(network) => optimised::evolve(network),
            Version::Device(device) => device.evolution.call(&device.stream)?,
        });
        Ok(())
    }

    fn check(&self) -> Result<()> {
        let (theta, v) = match &self.version {
            Version::Naive(network) | Version::Optimised(network) => (network.theta(), network.v()),
            Version::Device(device) => device.evolution.downloaded(),
        };
        finite("theta", theta)?;
        finite("v", v)?;
        let Some(Observables { kinetic, interaction, order, heat, entropy }) = self.seen else {
            return Ok(());
        };
        finite(
            "kinetic, interaction, order, heat, entropy",
            &[kinetic, interaction, order, heat, entropy],
        )
    }

    fn phases(&mut self) -> Result<Vec<Phase>> {
        match &mut self.version {
            Version::Naive(_) | Version::Optimised(_) => Ok(Vec::new()),
            Version::Device(device) => Ok(device.phases()?),
        }
    }
}

fn finite(output: &'static str, values: &[f64]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => {
            Err(Error::OutputValue { workload: NAME, output, index, value: values[index] })
        }
    }
}

#[cfg(test)]
mod tests {
    use kernels::thermodynamic::{Parameters, State};

    use super::*;

    fn workload(variant: Variant) -> Thermodynamic {
        Thermodynamic::new(variant, 40, &Device::host(), &KernelImages::at("nowhere")).unwrap()
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
        plain.step().unwrap();
        let names: Vec<_> = timed.phases().unwrap().iter().map(|phase| phase.name).collect();
        assert_eq!(names, ["kernel", "download"]);
        plain.step().unwrap();
        timed.step().unwrap();
        assert_eq!(plain.seen, timed.seen);
        assert!(workload(Variant::Naive).phases().unwrap().is_empty());
    }

    /// The message for a network with these two angles and velocities.
    fn refusal(theta: [f64; 2], v: [f64; 2]) -> String {
        let parameters = Parameters { n: 2, ..Parameters::default() };
        let state =
            State { theta: theta.into(), v: v.into(), omega: vec![1.0; 2], coupling: vec![0.0; 4] };
        let network = Network::new(parameters, state, SEED).unwrap();
        let workload = Thermodynamic { n: 2, seen: None, version: Version::Naive(network) };
        workload.check().unwrap_err().to_string()
    }

    #[test]
    fn an_output_that_is_not_finite_is_named() {
        let message = refusal([0.0; 2], [0.0, f64::INFINITY]);
        assert_eq!(message, "workload `thermodynamic`: v is inf at index 1");
        let message = refusal([f64::NAN, 0.0], [0.0; 2]);
        assert_eq!(message, "workload `thermodynamic`: theta is NaN at index 0");
        let mut workload = workload(Variant::Naive);
        workload.step().unwrap();
        workload.seen = workload.seen.map(|seen| Observables { heat: f64::NAN, ..seen });
        let message = workload.check().unwrap_err().to_string();
        assert!(message.contains("heat, entropy is NaN at index 3"), "{message}");
    }
}
