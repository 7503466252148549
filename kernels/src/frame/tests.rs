//! Oracles of the frame: phases computed by hand, what errors leave behind, and agreement of the two versions.

use super::optimised::{Action, act, couple};
use super::*;
use crate::active_inference::OBSERVATIONS;
use crate::information::{CHANNELS, History};
use crate::philox::{Draw, Philox};
use crate::synchronisation::Banks;
use crate::thermodynamic::{Network, State};

type Framer = fn(&mut System, &[f64]) -> Result<Outputs, Error>;

const FRAMERS: [(&str, Framer); 2] =
    [("naive", naive::frame as Framer), ("optimised", optimised::frame as Framer)];

fn assert_near(what: &str, expected: f64, actual: f64, within: f64) {
    assert!((expected - actual).abs() <= within, "{what}: {actual} is not {expected}");
}

/// Values around a half, so that every channel spikes at random, and targets as wide.
fn noise(frame: u32) -> Vec<f64> {
    let mut numbers = vec![0.0; FRAME_LEN];
    Philox::new(7).normals(Draw { stream: 64, step: 0, frame }, &mut numbers);
    numbers.iter_mut().for_each(|number| *number += 0.5);
    numbers
}

#[test]
fn the_formula_is_the_one_that_the_workload_defines() {
    let frame = formula(-3);
    for (i, place) in [(0, -3.0), (3, 0.0), (899, 896.0_f64)] {
        assert_near("value", (0.015 * place).cos() + 0.5, frame[i], 1e-15);
        assert_near("target", 0.5 + 0.3 * (0.025 * place).sin(), frame[SAMPLES + i], 1e-15);
    }
}

#[test]
fn the_history_begins_with_the_128_frames_before_the_first_oldest_first() {
    let system = System::initial(1);
    for channel in 0..CHANNELS {
        for moment in 0..128 {
            let place = 90.0 * f64::from(u32::try_from(channel).unwrap())
                + f64::from(u32::try_from(moment).unwrap())
                - 128.0;
            let expected = (0.015 * place).cos() > 0.0;
            assert_eq!(system.history().is_spike(channel, moment), expected, "{channel} {moment}");
        }
    }
}

#[test]
fn a_frame_pushes_the_value_of_every_channels_window() {
    let mut input = vec![0.0; FRAME_LEN];
    // Exactly a half is not above it, and only the channel's own window counts.
    (input[90], input[180], input[271], input[810]) = (0.5, 0.500_001, 1.0, 7.0);
    for (name, frame) in FRAMERS {
        let mut system = System::initial(1);
        frame(&mut system, &input).unwrap();
        for channel in 0..CHANNELS {
            let is_spike = system.history().is_spike(channel, 127);
            assert_eq!(is_spike, [2, 9].contains(&channel), "{name} {channel}");
        }
    }
}

#[test]
fn couplings_are_drawn_to_what_flows_from_the_columns_channel_to_the_rows() {
    let before: Vec<f64> =
        (0..900 * 900_u32).map(|place| f64::from(place % 97) / 50.0 - 0.2).collect();
    let mut entropies = [[0.0; CHANNELS]; CHANNELS];
    entropies[2][7] = 0.5;
    entropies[3][0] = 0.25;
    let mut shares = [[0.0; CHANNELS]; CHANNELS];
    (shares[2][7], shares[3][0]) = (1.0, 0.5);
    let mut after = vec![f64::NAN; before.len()];
    couple(&before, &shares, &mut after);
    let mut slow = before.clone();
    naive::couple(&mut slow, &entropies, 0.5);
    for (name, after) in [("optimised", after), ("naive", slow)] {
        for (row, column, drawn) in
            [(180, 630, 0.1), (269, 719, 0.1), (270, 0, 0.05), (179, 630, 0.0), (180, 629, 0.0)]
        {
            let place = row * 900 + column;
            let expected = (0.9 * before[place] + drawn).clamp(0.0, 1.0);
            assert_near(name, expected, after[place], 1e-15);
        }
        assert!((0..900).all(|i| after[i * 901].to_bits() == 0), "{name}: the diagonal");
        assert!(after.iter().all(|coupling| (0.0..=1.0).contains(coupling)), "{name}");
        assert!(after.contains(&1.0), "{name}: nothing was clamped");
    }
}

#[test]
fn where_nothing_flows_couplings_only_fade() {
    let input = vec![0.0; FRAME_LEN];
    for (name, frame) in FRAMERS {
        let initial = System::initial(4);
        let still = History::default();
        let (network, agent) = (initial.network().clone(), initial.agent().clone());
        let mut system = System::new(still, network, agent, initial.banks().clone()).unwrap();
        let outputs = frame(&mut system, &input).unwrap();
        assert_eq!(outputs.metrics.te_max.to_bits(), 0, "{name}");
        let couplings = system.network().state().coupling.iter();
        for (before, after) in initial.network().state().coupling.iter().zip(couplings) {
            assert_near(name, 0.9 * before, *after, 1e-15);
        }
    }
}

#[test]
fn targets_correct_the_action_and_the_mean_and_predictions_are_of_the_corrected_mean() {
    let mu: Vec<f64> = (0..900).map(|i| 0.01 * f64::from(i)).collect();
    let u = vec![-2.0; 900];
    let targets = vec![3.0; 900];
    let Action { control, mu: corrected, prediction } = act(&mu, &u, &targets);
    for i in 0..900 {
        assert_near("control", -2.0 + 0.7 * (3.0 - mu[i]), control[i], 1e-14);
        assert_near("mean", mu[i] + 0.1 * control[i], corrected[i], 1e-14);
    }
    assert_near("first", corrected[0] + 0.3 * corrected[1] + 1.0, prediction[0], 1e-14);
    let last = 0.3 * (corrected[296] + corrected[298]) + corrected[297] + 1.0;
    assert_near("last", last, prediction[99], 1e-14);
    assert_eq!(prediction.len(), OBSERVATIONS);
}

#[test]
fn the_outputs_of_a_frame_fit_together() {
    let input = formula(0);
    for (name, frame) in FRAMERS {
        let before = System::initial(3);
        let mut system = before.clone();
        let Outputs { control, prediction, metrics } = frame(&mut system, &input).unwrap();
        let gain = system.agent().parameters().gains[metrics.policy];
        for i in 0..SAMPLES {
            // c = -g m + 0.7 (target - m) and mu = m + 0.1 c, where m is the mean that inference left.
            let inferred = system.agent().mu()[i] - 0.1 * control[i];
            let expected = -gain * inferred + 0.7 * (input[SAMPLES + i] - inferred);
            assert_near(name, expected, control[i], 1e-13);
        }
        let mu = system.agent().mu();
        assert_near(name, mu[3] + 0.3 * (mu[2] + mu[4]) + 1.0, prediction[1], 1e-14);
        let flow = crate::information::naive::flow(system.history());
        assert_near(name, flow.max(), metrics.te_max, 1e-13);
        let information = crate::information::naive::channel_information(mu);
        assert_near(name, information, metrics.information, 1e-12);
        assert_eq!((system.network().steps_done(), system.agent().calls()), (10, 1));
        // The agent saw the network's new angles: a call by hand on them gives the same energies.
        let mut agent = before.agent().clone();
        let seen = std::array::from_fn(|i| 1.0 + system.network().theta()[i].cos() / 30.0);
        let acted = crate::active_inference::naive::infer(&mut agent, &seen);
        for (expected, actual) in acted.free_energy.iter().zip(metrics.free_energy) {
            assert_near(name, *expected, actual, 1e-9);
        }
    }
}

#[test]
fn naive_and_optimised_agree_frame_by_frame() {
    let mut expected = System::initial(42);
    for frame in 0..6 {
        let input = if frame < 3 { formula(frame.into()).to_vec() } else { noise(frame) };
        // The chaos between frames is not what is compared: both start from the same state.
        let mut actual = expected.clone();
        let slow = naive::frame(&mut expected, &input).unwrap();
        let fast = optimised::frame(&mut actual, &input).unwrap();
        let agreement = compare((&expected, slow.as_ref()), (&actual, fast.as_ref()));
        assert!(agreement.is_ok(), "frame {frame}: {agreement:?}");
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut system = System::initial(9);
        let outputs = pool.install(|| optimised::frame(&mut system, &noise(0))).unwrap();
        (system, outputs)
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn bad_frames_are_refused_by_number_and_place_and_change_nothing() {
    let good = formula(0);
    for (name, frame) in FRAMERS {
        let mut system = System::initial(2).with_frames_offered(6);
        let before = system.clone();
        let refusals = [
            (vec![], "frame 6 has 0 numbers; a frame is 1800: 900 values, then their 900 targets"),
            (vec![0.0; 1801], "frame 7 has 1801 numbers"),
            (with(&good, 0, f64::NAN), "frame 8: number 0 is not finite"),
            (with(&good, 1799, f64::INFINITY), "frame 9: number 1799 is not finite"),
        ];
        for (input, message) in refusals {
            let error = frame(&mut system, &input).unwrap_err();
            assert!(error.to_string().starts_with(message), "{name}: {error}");
            assert_eq!(error.kind(), gpu_core::ErrorKind::Invalid);
            assert!(system == before, "{name}: {message}");
        }
        let mut twin = before;
        assert_eq!(frame(&mut system, &good).unwrap(), frame(&mut twin, &good).unwrap());
        assert!(system == twin, "{name}");
    }
}

fn with(frame: &[f64], place: usize, number: f64) -> Vec<f64> {
    let mut frame = frame.to_vec();
    frame[place] = number;
    frame
}

/// Systems in which a phase overflows, by the phase.
fn overflowing() -> [(Phase, System); 3] {
    let system = |network, agent, banks| {
        System::new(*System::initial(1).history(), network, agent, banks).unwrap()
    };
    let initial = System::initial(1);
    let (network, agent, banks) = (initial.network(), initial.agent(), initial.banks());
    let state = State { v: vec![1e200; 900], ..network.state().clone() };
    let hot = Network::new(*network.parameters(), state, 1).unwrap();
    let far = agent.clone().with_mu(vec![1e200; 900]).unwrap();
    let lost = Banks::new(vec![f64::NAN; 1800], banks.frequencies().to_vec()).unwrap();
    [
        (Phase::Thermodynamic, system(hot, agent.clone(), banks.clone())),
        (Phase::ActiveInference, system(network.clone(), far, banks.clone())),
        (Phase::Synchronisation, system(network.clone(), agent.clone(), lost)),
    ]
}

#[test]
fn a_frame_that_overflows_names_the_phase_and_changes_nothing() {
    for (name, frame) in FRAMERS {
        for (phase, system) in overflowing() {
            let mut after = system.clone();
            let error = frame(&mut after, &formula(0)).unwrap_err();
            assert_eq!(error, Error::Output { frame: 0, phase }, "{name}");
            let message = error.to_string();
            assert!(message.contains(&phase.to_string()), "{message}");
            if phase != Phase::Synchronisation {
                assert!(after == system, "{name}: {phase}");
            }
            assert_eq!(after.history(), system.history(), "{name}: {phase}");
            assert_eq!(after.network(), system.network(), "{name}: {phase}");
            assert_eq!(after.agent(), system.agent(), "{name}: {phase}");
        }
    }
}

/// Spoils one output.
type Spoil = fn(&mut Outputs, f64);

#[test]
fn every_output_that_is_not_finite_is_found_with_its_phase() {
    let outputs = optimised::frame(&mut System::initial(1), &formula(0)).unwrap();
    let spoils: [(Phase, Spoil); 14] = [
        (Phase::InformationFlow, |outputs, bad| outputs.metrics.te_max = bad),
        (Phase::Thermodynamic, |outputs, bad| outputs.metrics.network.kinetic = bad),
        (Phase::Thermodynamic, |outputs, bad| outputs.metrics.network.interaction = bad),
        (Phase::Thermodynamic, |outputs, bad| outputs.metrics.network.order = bad),
        (Phase::Thermodynamic, |outputs, bad| outputs.metrics.network.heat = bad),
        (Phase::Thermodynamic, |outputs, bad| outputs.metrics.network.entropy = bad),
        (Phase::ActiveInference, |outputs, bad| outputs.metrics.free_energy[10] = bad),
        (Phase::ActiveInference, |outputs, bad| outputs.metrics.g[4] = bad),
        (Phase::Control, |outputs, bad| outputs.control[899] = bad),
        (Phase::Control, |outputs, bad| outputs.prediction[99] = bad),
        (Phase::Synchronisation, |outputs, bad| outputs.metrics.coherence = bad),
        (Phase::Synchronisation, |outputs, bad| outputs.metrics.information = bad),
        // The first phase is named, whatever it spoils after itself.
        (Phase::Thermodynamic, |outputs, bad| {
            (outputs.metrics.network.heat, outputs.metrics.coherence) = (bad, bad);
        }),
        (Phase::ActiveInference, |outputs, bad| {
            (outputs.metrics.g[0], outputs.control[0]) = (bad, bad);
        }),
    ];
    assert!(outputs.as_ref().check(5).is_ok());
    for (phase, spoil) in spoils {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut spoilt = outputs.clone();
            spoil(&mut spoilt, bad);
            let error = spoilt.as_ref().check(5).unwrap_err();
            assert_eq!(error, Error::Output { frame: 5, phase }, "{bad}");
        }
    }
}

/// Changes one quantity by so much.
type Change = fn(&mut System, &mut Outputs, f64);

#[test]
fn every_quantity_is_held_to_its_own_tolerance() {
    let mut system = System::initial(1);
    let outputs = optimised::frame(&mut system, &formula(0)).unwrap();
    let same = compare((&system, outputs.as_ref()), (&system, outputs.as_ref())).unwrap();
    assert!(same.named().iter().all(|&(_, difference)| difference == 0.0));
    let changes: [(&str, Change); 15] = [
        ("history", |system, _, _| system.history.push([true; CHANNELS])),
        ("largest transfer entropy", |_, outputs, by| outputs.metrics.te_max += by),
        ("coupling", |system, _, by| system.network.state.coupling[809_998] += by),
        ("theta", |system, _, by| system.network.state.theta[899] += by),
        ("v", |system, _, by| system.network.state.v[0] += by),
        ("observables of the network", |_, outputs, by| outputs.metrics.network.heat += by),
        ("free energy", |_, outputs, by| outputs.metrics.free_energy[0] += by),
        ("expected free energy", |_, outputs, by| outputs.metrics.g[4] += by),
        ("policy", |_, outputs, _| outputs.metrics.policy = (outputs.metrics.policy + 1) % 5),
        ("control", |_, outputs, by| outputs.control[899] += by),
        ("mean", |system, _, by| system.agent.mu[899] += by),
        ("prediction", |_, outputs, by| outputs.prediction[0] += by),
        ("phases of the banks", |system, _, by| system.banks.phases[1799] += by),
        ("coherence", |_, outputs, by| outputs.metrics.coherence += by),
        ("information", |_, outputs, by| outputs.metrics.information += by),
    ];
    for ((quantity, change), (_, tolerance)) in changes.into_iter().zip(TOLERANCES.named()) {
        let changed = |by| {
            let (mut other, mut seen) = (system.clone(), outputs.clone());
            change(&mut other, &mut seen, by);
            compare((&system, outputs.as_ref()), (&other, seen.as_ref()))
        };
        assert_eq!(changed(1.1 * tolerance).unwrap_err().quantity, quantity);
        if tolerance > 0.0 {
            assert!(changed(0.9 * tolerance).is_ok(), "{quantity}");
            assert_eq!(changed(f64::NAN).unwrap_err().quantity, quantity);
        }
    }
}
