//! The versions of W1, each started from one agent.

use gpu_core::Stream;
use kernels::active_inference::{
    Agent, Inference, Outputs, TOLERANCES, compare, naive, observations_alone, optimised,
};

use super::{SEED, Versions, worst_share};
use crate::cli::Session;

pub(super) struct ActiveInference {
    inference: Inference,
    stream: Stream,
}

impl ActiveInference {
    pub(super) fn new(session: &Session<'_>) -> anyhow::Result<(Self, Agent)> {
        let agent = Agent::initial(SEED);
        let inference = Inference::new(session.device(), &session.images, &agent)?;
        Ok((Self { inference, stream: session.device().stream()? }, agent))
    }
}

impl Versions for ActiveInference {
    type State = Agent;
    type Outputs = Outputs;

    fn advance(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn naive(&self, agent: &mut Agent) -> anyhow::Result<Outputs> {
        Ok(naive::infer(agent, &observations_alone()))
    }

    fn optimised(&self, agent: &mut Agent) -> anyhow::Result<Outputs> {
        Ok(optimised::infer(agent, &observations_alone()))
    }

    fn device(&mut self, agent: &mut Agent) -> anyhow::Result<Outputs> {
        self.inference.reset(&self.stream, agent)?;
        let outputs = self.inference.call(&self.stream, &observations_alone())?.into();
        *agent = self.inference.agent(&self.stream)?;
        Ok(outputs)
    }

    fn compare(expected: (&Agent, &Outputs), actual: (&Agent, &Outputs)) -> Result<f64, String> {
        let differences = compare(expected, actual).map_err(|deviation| deviation.to_string())?;
        Ok(worst_share(differences.named(), TOLERANCES.named()))
    }
}
