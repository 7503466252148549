//! One call of the thermodynamic evolution at its own size.

use std::collections::HashMap;

use gpu_core::{Device, KernelImages, LaunchSpace, Point, Stream};
use kernel_tuner::{Mismatch, Ready, Subject};
use kernels::Tunable as _;
use kernels::thermodynamic::{
    Evolution, Evolve, EvolveResident, Network, Observables, Program, compare, naive,
};

use super::super::roofline::{Precision, Work};
use super::super::trial::Trial;
use super::launches::deviation;
use crate::workload::Reference;

/// A network on a device, evolved by [`EvolveResident`], or by [`Evolve`] at the baseline.
#[derive(Debug)]
pub(super) struct Evolving {
    name: String,
    device: Device,
    images: KernelImages,
    evolutions: HashMap<Point, Evolution>,
    /// What ran last.
    latest: Option<Point>,
    before: Network,
    after: Network,
    seen: Observables,
}

/// Oscillators of the workload.
const N: usize = 900;

/// The program that a point stands for: those of the baseline's kernel have threads.
fn program(point: &Point) -> Program {
    match point.value("threads") {
        Some(_) => Program::Streaming(Evolve::launch_at(point, N)),
        None => Program::Resident(EvolveResident::launch_at(point, N)),
    }
}

/// A state, the one that a call makes of it, and what the call sees.
fn drawn(seed: u64) -> gpu_core::Result<(Network, Network, Observables)> {
    let before = Network::initial(N, seed)?;
    let mut after = before.clone();
    let seen = naive::evolve(&mut after);
    Ok((before, after, seen))
}

impl Evolving {
    pub(super) fn new(device: &Device, images: &KernelImages) -> gpu_core::Result<Self> {
        let (before, after, seen) = drawn(0)?;
        Ok(Self {
            name: format!("evolve_resident of {N}"),
            device: device.clone(),
            images: images.clone(),
            evolutions: HashMap::new(),
            latest: None,
            before,
            after,
            seen,
        })
    }

    fn at(&mut self, point: &Point) -> &mut Evolution {
        self.evolutions.get_mut(point).expect("the point was prepared")
    }
}

impl Subject for Evolving {
    fn name(&self) -> &str {
        &self.name
    }

    fn space(&self) -> LaunchSpace {
        EvolveResident::SPACE
    }

    fn baseline(&self) -> Point {
        let is_generic =
            |point: &Point| point.value("threads") == Some(128) && point.value("rows") == Some(1);
        Evolve::SPACE.points().find(is_generic).expect("the space has 128 threads with a row")
    }

    fn prepare(&mut self, point: &Point) -> gpu_core::Result<Ready> {
        let program = program(point);
        if !self.evolutions.contains_key(point) {
            let evolution =
                Evolution::with_program(&self.device, &self.images, &self.before, program)?;
            self.evolutions.insert(point.clone(), evolution);
        }
        Ok(Ready { launch: program.launch(), attributes: None })
    }

    fn enqueue(&mut self, point: &Point, stream: &Stream) -> gpu_core::Result<()> {
        if self.latest.as_ref() != Some(point) {
            self.latest = Some(point.clone());
        }
        self.at(point).enqueue(stream)
    }

    fn poison(&mut self, stream: &Stream) -> gpu_core::Result<()> {
        for evolution in self.evolutions.values_mut() {
            evolution.reset(stream, &self.before)?;
            evolution.poison(stream)?;
        }
        Ok(())
    }

    fn verify(&mut self, stream: &Stream) -> gpu_core::Result<Result<(), Mismatch>> {
        let latest = self.latest.clone().unwrap_or_else(|| self.baseline());
        let evolution = self.at(&latest);
        let (network, seen) = (evolution.network(stream)?, evolution.seen(stream)?);
        let compared = compare((&self.after, &self.seen), (&network, &seen));
        Ok(compared.map(|_| ()).map_err(|found| deviation(&found)))
    }
}

impl Trial for Evolving {
    fn redraw(&mut self, stream: &Stream, seed: u64) -> gpu_core::Result<()> {
        (self.before, self.after, self.seen) = drawn(seed)?;
        self.poison(stream)
    }

    fn baseline_words(&self) -> &'static str {
        "the kernel that reads the matrix in every step, a row to a warp, blocks of 128"
    }

    fn work(&self) -> Work {
        let counted = Reference::Thermodynamic.work(N);
        Work { bytes: counted.bytes, flops: counted.operations, precision: Precision::Double }
    }
}
