//! Section `kernels`: every kernel against its reference, and the versions of the thermodynamic evolution against each other.
//!
//! Tolerances are those of `kernels`; nothing here widens them.

use gpu_core::BackendKind;
use kernels::conformance::{KernelCheck, check_all};
use kernels::thermodynamic::{
    Deviation, Differences, Evolution, Network, Observables, compare, naive, optimised,
};
use slo_bench::Section;

use super::Amount;
use crate::program::setup::Setup;

const SEED: u64 = 42;
/// Oscillators of the workload.
const N: usize = 900;

pub(super) fn section(setup: &Setup<'_>, amount: &Amount) -> anyhow::Result<Section> {
    let mut section = Section::new("kernels");
    // One step for each kernel, then one for each call of the evolution.
    let kernels = kernels::SOURCES.len() as u64;
    let bar = setup.terminal.progress("kernels", kernels + u64::from(amount.calls));
    let mut cases = 0;
    let mut done = String::new();
    for check in check_all(setup.device(), &setup.images, SEED) {
        if done != check.kernel {
            bar.inc(1);
            check.kernel.clone_into(&mut done);
        }
        cases += check.cases;
        add(&mut section, &check);
    }
    let evolved = evolve(setup, amount.calls, || bar.inc(1));
    bar.finish_and_clear();
    evolved?.report(&mut section, setup.label());
    let detail = format!(
        "{cases} comparisons of {kernels} kernels on {}, then {} calls of the evolution at n = {N} in every version",
        setup.device().backend(),
        amount.calls
    );
    Ok(section.close(detail))
}

fn add(section: &mut Section, check: &KernelCheck) {
    let KernelCheck { kernel, quantity, cases, worst, tolerance, failure } = check;
    let seen = match failure {
        None => format!("worst difference {worst:.1e} over {cases} cases, {tolerance:.0e} allowed"),
        Some(failure) => failure.to_string(),
    };
    section.check(format!("{kernel}: {quantity}"), check.passed(), seen);
}

/// What comparing call by call, each from the naive version's state, has shown.
#[derive(Default)]
struct Evolved {
    calls: u32,
    optimised: Compared,
    device: Compared,
    device_is_host: bool,
}

#[derive(Default)]
struct Compared {
    /// The largest share of its tolerance that any quantity took.
    worst: f64,
    deviation: Option<(u32, Deviation)>,
}

impl Compared {
    fn take(
        &mut self,
        call: u32,
        expected: (&Network, &Observables),
        actual: (&Network, &Observables),
    ) {
        match compare(expected, actual) {
            Ok(differences) => self.worst = self.worst.max(share(&differences)),
            Err(deviation) => {
                self.deviation.get_or_insert((call, deviation));
            }
        }
    }

    fn seen(&self, calls: u32) -> String {
        match &self.deviation {
            Some((call, deviation)) => format!("call {call}: {deviation}"),
            None => format!(
                "{calls} calls at n = {N}, the largest difference takes {:.1e} of its tolerance",
                self.worst
            ),
        }
    }
}

fn share(differences: &Differences) -> f64 {
    let tolerances = kernels::thermodynamic::TOLERANCES.named();
    let pairs = differences.named().into_iter().zip(tolerances);
    pairs.fold(0.0, |worst, ((_, difference), (_, tolerance))| worst.max(difference / tolerance))
}

impl Evolved {
    fn report(self, section: &mut Section, device: &str) {
        let name = "evolution: optimised equals naive, call by call";
        let Self { calls, optimised, device: on_device, device_is_host } = self;
        section.check(name, optimised.deviation.is_none(), optimised.seen(calls));
        let note =
            if device_is_host { " (the optimised version in place of the kernel)" } else { "" };
        let name = format!("evolution: {device}{note} equals naive, call by call");
        section.check(name, on_device.deviation.is_none(), on_device.seen(calls));
    }
}

fn evolve(setup: &Setup<'_>, calls: u32, mut progress: impl FnMut()) -> anyhow::Result<Evolved> {
    let mut network = Network::initial(N, SEED)?;
    let mut evolution = Evolution::new(setup.device(), &setup.images, &network)?;
    let stream = setup.device().stream()?;
    let device_is_host = setup.device().backend() != BackendKind::Cuda;
    let mut evolved = Evolved { calls, device_is_host, ..Evolved::default() };
    for call in 0..calls {
        let mut fast = network.clone();
        evolution.reset(&stream, &network)?;
        let expected = naive::evolve(&mut network);
        let observed = optimised::evolve(&mut fast);
        evolved.optimised.take(call, (&network, &expected), (&fast, &observed));
        let observed = evolution.call(&stream)?;
        let actual = evolution.network(&stream)?;
        evolved.device.take(call, (&network, &expected), (&actual, &observed));
        progress();
    }
    Ok(evolved)
}
