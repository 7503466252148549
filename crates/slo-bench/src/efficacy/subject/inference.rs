//! One call of active inference at its own size.

use std::collections::HashMap;

use gpu_core::{Device, KernelImages, LaunchSpace, Point, Stream};
use kernel_tuner::{Mismatch, Ready, Subject};
use kernels::Tunable as _;
use kernels::active_inference::{
    Agent, Infer, Inference, Outputs, WINDOWS, compare, naive, observations_alone,
};

use super::super::roofline::{Precision, Work};
use super::super::trial::Trial;
use super::launches::deviation;
use crate::workload::Reference;

/// An agent on a device, called by [`Infer`].
#[derive(Debug)]
pub(super) struct Inferring {
    device: Device,
    images: KernelImages,
    inferences: HashMap<Point, Inference>,
    /// What ran last.
    latest: Option<Point>,
    before: Agent,
    after: Agent,
    outputs: Outputs,
}

/// An agent, what a call makes of it, and what the call puts out.
fn drawn(seed: u64) -> (Agent, Agent, Outputs) {
    let before = Agent::initial(seed);
    let mut after = before.clone();
    let outputs = naive::infer(&mut after, &observations_alone());
    (before, after, outputs)
}

impl Inferring {
    pub(super) fn new(device: &Device, images: &KernelImages) -> Self {
        let (before, after, outputs) = drawn(0);
        Self {
            device: device.clone(),
            images: images.clone(),
            inferences: HashMap::new(),
            latest: None,
            before,
            after,
            outputs,
        }
    }

    fn at(&mut self, point: &Point) -> &mut Inference {
        self.inferences.get_mut(point).expect("the point was prepared")
    }
}

impl Subject for Inferring {
    fn name(&self) -> &str {
        "infer of 900"
    }

    fn space(&self) -> LaunchSpace {
        Infer::SPACE
    }

    fn baseline(&self) -> Point {
        let is_generic = |point: &Point| {
            point.value("threads") == Some(128) && point.value("blocks") == Some(132)
        };
        Infer::SPACE.points().find(is_generic).expect("the space has 132 blocks of 128 threads")
    }

    fn prepare(&mut self, point: &Point) -> gpu_core::Result<Ready> {
        let launch = Infer::launch_at(point, WINDOWS);
        if !self.inferences.contains_key(point) {
            let inference =
                Inference::with_launch(&self.device, &self.images, &self.before, launch)?;
            self.inferences.insert(point.clone(), inference);
        }
        let attributes = self.at(point).prepared().attributes()?;
        Ok(Ready { launch, attributes })
    }

    fn enqueue(&mut self, point: &Point, stream: &Stream) -> gpu_core::Result<()> {
        if self.latest.as_ref() != Some(point) {
            self.latest = Some(point.clone());
        }
        self.at(point).enqueue(stream)
    }

    fn poison(&mut self, stream: &Stream) -> gpu_core::Result<()> {
        for inference in self.inferences.values_mut() {
            inference.reset(stream, &self.before)?;
            stream.write(&observations_alone(), inference.observations_mut())?;
            inference.poison(stream)?;
        }
        Ok(())
    }

    fn verify(&mut self, stream: &Stream) -> gpu_core::Result<Result<(), Mismatch>> {
        let latest = self.latest.clone().unwrap_or_else(|| self.baseline());
        let inference = self.at(&latest);
        let (agent, outputs) = (inference.agent(stream)?, inference.seen(stream)?);
        let compared = compare((&self.after, &self.outputs), (&agent, &outputs));
        Ok(compared.map(|_| ()).map_err(|found| deviation(&found)))
    }
}

impl Trial for Inferring {
    fn redraw(&mut self, stream: &Stream, seed: u64) -> gpu_core::Result<()> {
        (self.before, self.after, self.outputs) = drawn(seed);
        self.poison(stream)
    }

    fn baseline_words(&self) -> &'static str {
        "132 blocks of 128"
    }

    fn work(&self) -> Work {
        let counted = Reference::ActiveInference.work(WINDOWS);
        Work { bytes: counted.bytes, flops: counted.operations, precision: Precision::Double }
    }
}
