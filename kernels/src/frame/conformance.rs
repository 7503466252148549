//! Whether a device computes frames as the naive reference does, by every launch of their kernels.

use gpu_core::{Device, KernelImages, Launch, Result};

use super::compare::apart;
use super::naive::observe;
use super::{
    Act, Differences, Engine, Launches, Observable, Outputs, Perceive, SAMPLES, System, TOLERANCES,
    formula, naive,
};
use crate::conformance::{Case, KernelCheck, launches};
use crate::deviation::worst;
use crate::information::{self, Flow, History};
use crate::philox::{Draw, Philox};
use crate::source::Tunable;

/// What is checked beside the [`Differences`], with its tolerance.
const HISTOGRAMS: (&str, f64) = ("histograms", 0.0);
const ENTROPIES: (&str, f64) = ("transfer entropies", 1e-12);
const OBSERVATIONS: (&str, f64) = ("observations", 1e-12);

/// Stream of the random inputs, apart from those of the workloads.
const STREAM: u32 = 65;

/// A frame to be computed, and what it must become.
struct Expected {
    before: System,
    input: Vec<f64>,
    after: System,
    outputs: Outputs,
    flow: Flow,
}

/// A check for each quantity of a frame.
pub(crate) fn check(device: &Device, images: &KernelImages, seed: u64) -> Vec<KernelCheck> {
    let mut checks: Vec<_> = [
        (Perceive::SOURCE.name, HISTOGRAMS),
        (Perceive::SOURCE.name, ENTROPIES),
        (Observable::SOURCE.name, OBSERVATIONS),
    ]
    .into_iter()
    .chain(TOLERANCES.named().map(|quantity| (kernel_of(quantity.0), quantity)))
    .map(|(kernel, (quantity, tolerance))| KernelCheck::new(kernel, quantity, tolerance))
    .collect();
    if let Err(error) = run(device, images, seed, &mut checks) {
        checks.iter_mut().for_each(|check| check.fail(error.clone().into()));
    }
    checks
}

/// The last kernel that a quantity of a whole frame comes from. What network and agent put out has gone through it as well.
fn kernel_of(quantity: &'static str) -> &'static str {
    match quantity {
        "history" | "largest transfer entropy" | "coupling" => Perceive::SOURCE.name,
        _ => Act::SOURCE.name,
    }
}

/// How the kernel of that name is launched.
fn launch_of(kernel: &'static str, launches: &Launches) -> Launch {
    match kernel {
        "perceive" => launches.perceive,
        "observable" => launches.observable,
        _ => launches.act,
    }
}

/// A frame of the formula and two drawn ones, whose channels have a past of spikes.
fn expected_frames(seed: u64) -> Result<Vec<Expected>, super::Error> {
    let drawn = |step, scale: f64| {
        let mut numbers = vec![0.0; 2 * SAMPLES];
        Philox::new(seed).normals(Draw { stream: STREAM, step, frame: 0 }, &mut numbers);
        numbers.iter_mut().for_each(|number| *number = 0.5 + scale * *number);
        numbers
    };
    let spiking = History::from_bits(std::array::from_fn(|channel| {
        let channel = u32::try_from(channel).expect("a history has few channels");
        let words = Philox::new(seed).words([channel, 0, 0, STREAM]);
        words.into_iter().fold(0, |bits, word| bits << 32 | u128::from(word))
    }));
    let mut system = System::initial(seed);
    let mut frames = Vec::new();
    for (step, input) in [formula(0).to_vec(), drawn(0, 1.0), drawn(1, 3.0)].into_iter().enumerate()
    {
        if step == 1 {
            let (network, agent) = (system.network().clone(), system.agent().clone());
            system = System::new(spiking, network, agent, system.banks().clone())?;
        }
        let before = system.clone();
        let outputs = naive::frame(&mut system, &input)?;
        let flow = information::naive::flow(system.history());
        frames.push(Expected { before, input, after: system.clone(), outputs, flow });
    }
    Ok(frames)
}

/// Every frame on every launch of the kernels of this folder; network and agent have checks of their own.
fn run(
    device: &Device,
    images: &KernelImages,
    seed: u64,
    checks: &mut [KernelCheck],
) -> Result<(), super::Error> {
    let frames = expected_frames(seed)?;
    let system = &frames[0].before;
    let fitting = Launches::fitting(device, images, system.network().parameters())?;
    // Every launch of every kernel comes once, beside some launch of the others.
    let all = launches::<Perceive>(SAMPLES)
        .chain([Launch::linear(3, 32)])
        .zip(launches::<Observable>(SAMPLES).cycle())
        .zip(launches::<Act>(SAMPLES).cycle())
        .map(|((perceive, observable), act)| Launches { perceive, observable, act, ..fitting })
        .chain([fitting]);
    let stream = device.stream()?;
    for launches in all {
        let mut engine = Engine::with_launches(device, images, system, launches)?;
        for expected in &frames {
            engine.reset(&stream, &expected.before)?;
            engine.poison(&stream)?;
            let outputs = Outputs::from(engine.call(&stream, &expected.input)?);
            let after = (&expected.after, expected.outputs.as_ref());
            let actual = engine.system(&stream)?;
            let differences = Differences::between(after, (&actual, outputs.as_ref()));
            let flow = engine.flow(&stream)?;
            let observations = stream.read_vec(engine.observations())?;
            let own = [
                histograms_apart(&expected.flow, &flow),
                worst(expected.flow.entropies.as_flattened(), flow.entropies.as_flattened(), apart),
                worst(&observe(expected.after.network().theta()), &observations, apart),
            ];
            let all = own.into_iter().chain(differences.named().map(|(_, difference)| difference));
            for (check, difference) in checks.iter_mut().zip(all) {
                let launch = launch_of(check.kernel, &launches);
                check.note(Case { len: SAMPLES, launch }, difference);
            }
        }
    }
    Ok(())
}

/// Cells of all histograms that are not the same.
fn histograms_apart(expected: &Flow, actual: &Flow) -> f64 {
    let cells = |flow: &Flow| flow.counts.as_flattened().as_flattened().to_vec();
    let pairs = cells(expected).into_iter().zip(cells(actual));
    pairs.map(|(one, other)| if one == other { 0.0 } else { 1.0 }).sum()
}
