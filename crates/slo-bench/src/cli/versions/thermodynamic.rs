//! The versions of W2, each started from one network.

use gpu_core::Stream;
use kernels::thermodynamic::{
    Evolution, Network, Observables, TOLERANCES, compare, naive, optimised,
};

use super::{SEED, Versions, worst_share};
use crate::cli::Session;

pub(super) struct Thermodynamic {
    evolution: Evolution,
    stream: Stream,
}

impl Thermodynamic {
    pub(super) fn new(session: &Session<'_>, n: usize) -> anyhow::Result<(Self, Network)> {
        let network = Network::initial(n, SEED)?;
        let evolution = Evolution::new(session.device(), &session.images, &network)?;
        Ok((Self { evolution, stream: session.device().stream()? }, network))
    }
}

impl Versions for Thermodynamic {
    type State = Network;
    type Outputs = Observables;

    fn advance(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn naive(&self, network: &mut Network) -> anyhow::Result<Observables> {
        Ok(naive::evolve(network))
    }

    fn optimised(&self, network: &mut Network) -> anyhow::Result<Observables> {
        Ok(optimised::evolve(network))
    }

    fn device(&mut self, network: &mut Network) -> anyhow::Result<Observables> {
        self.evolution.reset(&self.stream, network)?;
        let observables = self.evolution.call(&self.stream)?;
        *network = self.evolution.network(&self.stream)?;
        Ok(observables)
    }

    fn compare(
        expected: (&Network, &Observables),
        actual: (&Network, &Observables),
    ) -> Result<f64, String> {
        let differences = compare(expected, actual).map_err(|deviation| deviation.to_string())?;
        Ok(worst_share(differences.named(), TOLERANCES.named()))
    }
}
