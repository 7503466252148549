//! Oracles of the references: hand-computed networks, identities, and what statistical physics predicts.

use std::f64::consts::{FRAC_PI_2, TAU};

use super::*;
use crate::philox::Philox;

/// A network without noise, whose numbers can be computed by hand.
fn frictionless(theta: &[f64], omega: &[f64], coupling: &[f64]) -> Network {
    let n = theta.len();
    let parameters = Parameters { n, steps: 1, friction: 0.0, dt: 0.1, ..Parameters::default() };
    let state = State {
        theta: theta.to_vec(),
        v: vec![0.0; n],
        omega: omega.to_vec(),
        coupling: coupling.to_vec(),
    };
    Network::new(parameters, state, 0).unwrap()
}

type Evolver = fn(&mut Network) -> Observables;

const EVOLVERS: [(&str, Evolver); 2] =
    [("naive", naive::evolve as Evolver), ("optimised", optimised::evolve as Evolver)];

fn assert_close(what: &str, expected: &[f64], actual: &[f64]) {
    for (expected, actual) in expected.iter().zip(actual) {
        assert!((expected - actual).abs() < 1e-15, "{what}: {actual} is not {expected}");
    }
}

#[test]
fn two_oscillators_a_quarter_turn_apart_move_as_computed_by_hand() {
    for (name, evolve) in EVOLVERS {
        let mut network = frictionless(&[0.0, FRAC_PI_2], &[1.0, 2.0], &[0.0, 0.5, 0.25, 0.0]);
        let seen = evolve(&mut network);
        // F = (1 + 1/2 * 1/2 * 1, 2 - 1/2 * 1/4 * 1), over dt = 0.1.
        assert_close(name, &[0.125, 0.1875], network.v());
        assert_close(name, &[0.0125, FRAC_PI_2 + 0.01875], network.theta());
        let kinetic = 0.5 * (0.125 * 0.125 + 0.1875 * 0.1875);
        let interaction = 0.25 * 0.75 * 0.00625_f64.sin();
        let order = (0.5 * (FRAC_PI_2 + 0.00625)).cos();
        assert_close(name, &[kinetic, interaction], &[seen.kinetic, seen.interaction]);
        assert_close(name, &[order, 0.0, 0.0], &[seen.order, seen.heat, seen.entropy]);
        assert_eq!(network.steps_done(), 1);
    }
}

#[test]
fn three_oscillators_feel_their_own_row_of_the_coupling() {
    // Angles 0, 90 and 180 degrees: the sines of the differences are 1, 0 and -1 between neighbours.
    let theta = [0.0, FRAC_PI_2, 2.0 * FRAC_PI_2];
    let coupling = [0.0, 0.2, 0.4, 0.6, 0.0, 0.8, 1.0, 0.5, 0.0];
    for (name, evolve) in EVOLVERS {
        let mut network = frictionless(&theta, &[0.0; 3], &coupling);
        evolve(&mut network);
        let pull = [0.2, -0.6 + 0.8, -0.5];
        let expected = pull.map(|pull| 0.5 * pull * 0.1);
        assert_close(name, &expected, network.v());
    }
}

#[test]
fn a_lone_oscillator_only_falls_towards_the_noise() {
    let parameters = Parameters { n: 1, steps: 1, ..Parameters::default() };
    for (name, evolve) in EVOLVERS {
        let state = State { theta: vec![1.0], v: vec![2.0], omega: vec![0.5], coupling: vec![0.0] };
        let mut network = Network::new(parameters, state, 7).unwrap().with_steps_done(23);
        let seen = evolve(&mut network);
        let mut noise = [0.0];
        let draw = Draw { stream: 5, step: 3, frame: 2 };
        Philox::new(7).normals(draw, &mut noise);
        // sqrt(2 gamma T / dt) = sqrt 200, sqrt(2 gamma T dt) = sqrt 2e-4.
        let v = 2.0 + (0.5 - 0.2 + 200f64.sqrt() * noise[0]) * 1e-3;
        let heat = -0.5 * (2.0 + v) * (-0.2e-3 + 2e-4f64.sqrt() * noise[0]);
        assert_close(name, &[v, 1.0 + v * 1e-3], &[network.v()[0], network.theta()[0]]);
        assert_close(name, &[heat, 1.0], &[seen.heat, seen.order]);
    }
}

#[test]
fn every_angle_wraps_into_one_turn() {
    let below = TAU.next_down();
    for angle in [0.0, -0.0, 1.0, below, TAU, -1e-300, -1e-17, -1.0, -TAU, 3.0 * TAU, -50.0, 1e4] {
        for angle in [angle, angle.next_up(), angle.next_down()] {
            let wrapped = wrap(angle);
            assert!((0.0..TAU).contains(&wrapped), "{angle:e} wraps to {wrapped:e}");
            let distance = (wrapped - angle).rem_euclid(TAU);
            let distance = distance.min(TAU - distance);
            assert!(distance <= angle.abs().max(1.0) * 4.0 * f64::EPSILON, "{angle:e}");
        }
    }
    assert_eq!(wrap(1.25).to_bits(), 1.25f64.to_bits());
}

#[test]
fn the_initial_network_is_the_one_that_the_workload_defines() {
    let network = Network::initial(5, 42).unwrap();
    let random = Philox::new(42);
    let numbers = |fill: fn(Philox, Draw, &mut [f64]), stream, step| {
        let mut out = [0.0; 5];
        fill(random, Draw { stream, step, frame: 0 }, &mut out);
        out
    };
    let (uniforms, normals) = (Philox::uniforms, Philox::normals);
    assert_eq!(network.theta(), numbers(uniforms, 1, 0).map(|u| TAU * u));
    assert_eq!(network.v(), numbers(normals, 2, 0));
    let State { omega, coupling, .. } = network.state();
    assert_close("omega", &numbers(normals, 3, 0).map(|z| 1.0 + 0.1 * z), omega);
    for (row, step) in coupling.chunks(5).zip(0..) {
        let mut expected = numbers(uniforms, 4, step);
        expected[step as usize] = 0.0;
        assert_eq!(row, expected);
    }
}

#[test]
fn naive_and_optimised_agree_call_by_call() {
    for (n, calls) in [(1, 2), (2, 2), (7, 3), (900, 3), (1024, 2)] {
        let mut expected = Network::initial(n, 42).unwrap();
        for call in 0..calls {
            // The chaos between calls is not what is compared: both start from the same state.
            let mut actual = expected.clone();
            let slow = naive::evolve(&mut expected);
            let fast = optimised::evolve(&mut actual);
            let agreement = compare((&expected, &slow), (&actual, &fast));
            assert!(agreement.is_ok(), "n {n}, call {call}: {agreement:?}");
            assert_eq!(actual.steps_done(), 10 * (call + 1));
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut network = Network::initial(333, 9).unwrap();
        let seen = pool.install(|| optimised::evolve(&mut network));
        (network, seen)
    };
    assert_eq!(run(1), run(2));
    assert_eq!(run(1), run(5));
}

#[test]
fn impossible_networks_are_refused_in_one_line() {
    let state = || State { theta: vec![0.0], v: vec![0.0], omega: vec![0.0], coupling: vec![0.0] };
    let parameters = Parameters { n: 1, ..Parameters::default() };
    let refused = |parameters, state| Network::new(parameters, state, 0).unwrap_err().to_string();
    let cases = [
        (Network::initial(0, 1).unwrap_err().to_string(), "between 1 and"),
        (refused(Parameters { dt: 0.0, ..parameters }, state()), "time step"),
        (refused(Parameters { dt: f64::NAN, ..parameters }, state()), "time step"),
        (refused(Parameters { temperature: -1.0, ..parameters }, state()), "temperature"),
        (refused(Parameters { friction: -0.1, ..parameters }, state()), "friction"),
        (refused(Parameters { coupling: f64::INFINITY, ..parameters }, state()), "coupling"),
        (refused(parameters, State { v: vec![], ..state() }), "v of the network has 0 elements"),
        (
            refused(parameters, State { coupling: vec![0.0; 2], ..state() }),
            "coupling of the network",
        ),
    ];
    for (message, part) in cases {
        assert!(message.contains(part), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

/// The network of the physics test: symmetric coupling divided by n, every oscillator driven by `drive`.
fn symmetric(drive: f64, steps: u32, seed: u64) -> Network {
    let parameters = Parameters { steps, ..Parameters::EQUILIBRIUM };
    let n = parameters.n;
    let mut state = Network::initial(n, seed).unwrap().state().clone();
    state.omega.fill(drive);
    let drawn = state.coupling.clone();
    let size = f64::from(u32::try_from(n).unwrap());
    for i in 0..n {
        for j in 0..n {
            state.coupling[i * n + j] = drawn[i.min(j) * n + i.max(j)] / size;
        }
    }
    Network::new(parameters, state, seed).unwrap()
}

#[test]
fn in_equilibrium_every_velocity_carries_its_share_of_the_temperature() {
    let mut network = symmetric(0.0, 10, 1);
    for _ in 0..100 {
        optimised::evolve(&mut network);
    }
    // 1000 samples a tenth of a relaxation time apart: about 256 * 50 independent ones, a standard error of 0.0125.
    let samples = 1000;
    let kinetic: f64 = (0..samples).map(|_| optimised::evolve(&mut network).kinetic).sum();
    let mean_square = 2.0 * kinetic / f64::from(samples) / 256.0;
    assert!((mean_square - 1.0).abs() <= 0.05, "<v^2> / T = {mean_square}");
}

#[test]
fn a_driven_network_heats_its_bath_and_its_energy_closes() {
    // Kinetic energy changes by (F dt) (v_old + v_new) / 2 exactly, of which -gamma v and the noise are -heat and omega is
    // work. The interaction energy changes by -f d + d H d / 2 with d = v_new dt, f the pull and |H| <= 2 K max_i sum_j C_ij
    // <= 2 K. What is left is f (v_old - v_new) dt / 2 + d H d / 2, and with |f_i| <= K at most
    // K dt sum(|v_new - v_old| / 2 + v_new^2 dt): of first order in dt, and it holds for every single step.
    let mut network = symmetric(1.0, 1, 2);
    let Parameters { coupling, dt, .. } = *network.parameters();
    let mut energy = optimised::evolve(&mut network).energy();
    let (mut heat, mut residual) = (0.0, 0.0);
    let steps = 2000;
    for step in 0..steps {
        let before = network.v().to_vec();
        let seen = optimised::evolve(&mut network);
        let pairs = || before.iter().zip(network.v());
        let work: f64 = pairs().map(|(old, new)| 0.5 * (old + new) * dt).sum();
        let left = seen.energy() - energy - work + seen.heat;
        let bound: f64 =
            pairs().map(|(old, new)| 0.5 * (new - old).abs() + new * new * dt).sum::<f64>()
                * coupling
                * dt;
        assert!(left.abs() <= bound, "step {step}: {left} > {bound}");
        energy = seen.energy();
        heat += seen.heat;
        residual += left;
    }
    // The drive does work at about n omega^2 / gamma = 256 a unit of time, all of which becomes heat.
    let rate = heat / (f64::from(steps) * dt);
    assert!(rate > 0.0, "mean heat rate {rate}");
    assert!(residual.abs() <= 0.01 * heat, "energy does not close: {residual} of {heat}");
}
