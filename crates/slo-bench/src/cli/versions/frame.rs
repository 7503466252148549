//! The versions of W3, each started from one system and given the same frame.

use gpu_core::Stream;
use kernels::frame::{Engine, Outputs, System, TOLERANCES, compare, naive, optimised};

use super::{SEED, Versions, worst_share};
use crate::cli::Session;
use crate::frames::{FRAME_LEN, FrameSource};

pub(super) struct Frame {
    engine: Engine,
    stream: Stream,
    source: Box<dyn FrameSource>,
    input: Vec<f64>,
}

impl Frame {
    pub(super) fn new(
        session: &Session<'_>,
        source: Box<dyn FrameSource>,
    ) -> anyhow::Result<(Self, System)> {
        let system = System::initial(SEED);
        let versions = Self {
            engine: Engine::new(session.device(), &session.images, &system)?,
            stream: session.device().stream()?,
            source,
            input: vec![0.0; FRAME_LEN],
        };
        Ok((versions, system))
    }
}

impl Versions for Frame {
    type State = System;
    type Outputs = Outputs;

    fn advance(&mut self) -> anyhow::Result<()> {
        self.source.fill(&mut self.input)?;
        Ok(())
    }

    fn naive(&self, system: &mut System) -> anyhow::Result<Outputs> {
        Ok(naive::frame(system, &self.input)?)
    }

    fn optimised(&self, system: &mut System) -> anyhow::Result<Outputs> {
        Ok(optimised::frame(system, &self.input)?)
    }

    fn device(&mut self, system: &mut System) -> anyhow::Result<Outputs> {
        self.engine.reset(&self.stream, system)?;
        let outputs = self.engine.call(&self.stream, &self.input)?.into();
        *system = self.engine.system(&self.stream)?;
        Ok(outputs)
    }

    fn compare(
        (expected_system, expected): (&System, &Outputs),
        (actual_system, actual): (&System, &Outputs),
    ) -> Result<f64, String> {
        let expected = (expected_system, expected.as_ref());
        let differences = compare(expected, (actual_system, actual.as_ref()))
            .map_err(|deviation| deviation.to_string())?;
        Ok(worst_share(differences.named(), TOLERANCES.named()))
    }
}
