//! Oracles of the references: closed forms, hand-computed models, and what statistics predict.

use std::f64::consts::TAU;
use std::sync::Arc;

use super::optimised::Model;
use super::*;
use crate::philox::Philox;

type Caller = fn(&mut Agent, &[f64; OBSERVATIONS]) -> Outputs;

const CALLERS: [(&str, Caller); 2] =
    [("naive", naive::infer as Caller), ("optimised", optimised::infer as Caller)];

/// |row of J|^2, but for row 0.
const ROW_SQUARED: f64 = 1.0 + 2.0 * 0.09;

fn assert_near(what: &str, expected: f64, actual: f64, within: f64) {
    assert!((expected - actual).abs() <= within, "{what}: {actual} is not {expected}");
}

fn normals(step: u32, len: usize) -> Vec<f64> {
    let mut numbers = vec![0.0; len];
    Philox::new(77).normals(Draw { stream: 64, step, frame: 0 }, &mut numbers);
    numbers
}

/// Observations around 1, which is what a mean of 0 predicts.
fn observations(step: u32) -> [f64; OBSERVATIONS] {
    let normals = normals(step, OBSERVATIONS);
    std::array::from_fn(|i| 1.0 + 0.4 * normals[i])
}

fn model(agent: &Agent, calls: u64) -> Model<'_> {
    Model {
        parameters: *agent.parameters(),
        folded: agent.coupling().folded(),
        seed: agent.seed(),
        calls,
    }
}

/// Nothing random and nothing driven: constants under which a horizon can be computed by hand.
fn still() -> Parameters {
    Parameters { diffusion: 0.0, mode_variance: 0.0, ..Parameters::default() }
}

#[test]
fn the_coupling_is_a_bell_around_each_window_with_rows_that_sum_to_two() {
    let coupling = Coupling::of_neighbours();
    let weight = |window: usize, other: usize| coupling.dense()[window * WINDOWS + other];
    for window in 0..WINDOWS {
        let sum: f64 = (0..WINDOWS).map(|other| weight(window, other)).sum();
        assert_near("row", 2.0, sum, 1e-12);
        // Symmetric up to the scale of its row, which the diagonal shows: exp(0) = 1.
        for other in 0..WINDOWS {
            let (there, back) = (weight(window, other), weight(other, window));
            let (here, away) = (weight(window, window), weight(other, other));
            assert_near("pair", there * away, back * here, 1e-15);
        }
    }
    // Along a row of the grid, across a corner, and from one end of the grid to the other.
    let centre = 15 * SIDE + 15;
    let share = |other: usize| weight(centre, other) / weight(centre, centre);
    assert_near("beside", (-1.0_f64 / 8.0).exp(), share(centre + 1), 1e-15);
    assert_near("below and two aside", (-5.0_f64 / 8.0).exp(), share(centre + SIDE - 2), 1e-15);
    assert_near("end of the row", (-225.0_f64 / 8.0).exp(), share(15 * SIDE), 1e-15);
}

#[test]
fn folding_the_coupling_changes_no_product_with_a_drive_that_modes_share() {
    let coupling = Coupling::of_neighbours();
    let modes = normals(1, MODES);
    for window in [0, 1, 29, 30, 449, 898, 899] {
        let row = &coupling.dense()[window * WINDOWS..(window + 1) * WINDOWS];
        let whole: f64 = row.iter().enumerate().map(|(other, w)| w * modes[other / 9]).sum();
        let folded = &coupling.folded()[window * MODES..(window + 1) * MODES];
        let short: f64 = folded.iter().zip(&modes).map(|(w, mode)| w * mode).sum();
        assert_near("product", whole, short, 1e-13);
    }
    assert!(Coupling::new(vec![0.0; 899]).is_err());
}

#[test]
fn the_first_call_of_a_mean_of_zero_has_a_closed_form() {
    // From 0 a triple's mean stays a multiple c of its row of J, and every step multiplies the distance of c from its end
    // precision (o - 1) / curvature by 1 - rate curvature, with curvature = 1/10 + precision |row|^2.
    let observations = observations(2);
    for (name, infer) in CALLERS {
        let mut agent = Agent::initial(5);
        let Parameters { precision, rate, .. } = *agent.parameters();
        let outputs = infer(&mut agent, &observations);
        let base = 900.0 * (0.001 - 1.0 + 1000f64.ln()) + 100.0 * (TAU / precision).ln();
        let mut energies = [base; ITERATIONS + 1];
        for (i, observation) in observations.iter().enumerate() {
            let row_squared = if i == 0 { 1.09 } else { ROW_SQUARED };
            let curvature = 0.1 + precision * row_squared;
            let end = precision * (observation - 1.0) / curvature;
            let multiple = |steps: i32| end * (1.0 - (1.0 - rate * curvature).powi(steps));
            for (steps, energy) in (0..).zip(&mut energies) {
                let c = multiple(steps);
                let residual = observation - 1.0 - row_squared * c;
                *energy += 0.1 * row_squared * c * c + precision * residual * residual;
            }
            let c = multiple(10);
            assert_near(name, c, outputs.mu[3 * i], 1e-13);
            assert_near(name, 0.3 * c, outputs.mu[3 * i + 1], 1e-13);
            if i > 0 {
                assert_near(name, 0.3 * c, outputs.mu[3 * i - 1], 1e-13);
            }
        }
        assert!(outputs.mu[299..].iter().all(|&mu| mu == 0.0), "{name}");
        for (energy, actual) in energies.iter().zip(outputs.free_energy) {
            assert_near(name, 0.5 * energy, actual, 1e-9);
        }
        assert_eq!((agent.mu(), agent.calls()), (&*outputs.mu, 1));
    }
}

#[test]
fn a_step_of_inference_goes_down_the_gradient_of_the_free_energy() {
    let observations = observations(3);
    let agent = Agent::initial(1).with_mu(normals(4, WINDOWS)).unwrap();
    let mut after = agent.clone();
    naive::descend(&mut after, &observations);
    let energy_at = |window: usize, by: f64| {
        let mut mu = agent.mu().to_vec();
        mu[window] += by;
        naive::free_energy(&agent.clone().with_mu(mu).unwrap(), &observations)
    };
    for window in [0, 1, 2, 3, 4, 5, 150, 296, 297, 298, 299, 450, 899] {
        // The free energy is a parabola, so the central difference is exact but for rounding, about 1e-12 / 1e-3.
        let slope = (energy_at(window, 1e-3) - energy_at(window, -1e-3)) / 2e-3;
        let step = after.mu()[window] - agent.mu()[window];
        assert_near("step", -agent.parameters().rate * slope, step, 1e-9);
    }
}

#[test]
fn the_free_energy_never_rises_however_long_it_falls() {
    let mut agent = Agent::initial(1).with_mu(normals(5, WINDOWS)).unwrap();
    let observations = observations(6);
    let mut energy = naive::free_energy(&agent, &observations);
    for _ in 0..300 {
        naive::descend(&mut agent, &observations);
        let next = naive::free_energy(&agent, &observations);
        assert!(next <= energy * (1.0 + 1e-9), "{next} follows {energy}");
        energy = next;
    }
}

#[test]
fn a_still_horizon_is_what_a_hand_computes() {
    // Without noise and drive, every step takes g mu away and keeps A = 0.99^100 of the rest, so x = f mu; the variance
    // keeps B = 0.98^100.
    let (kept, kept_of_variance) = (0.99_f64.powi(100), 0.98_f64.powi(100));
    for (name, infer) in CALLERS {
        let mut agent = Agent::initial(3).with_parameters(still()).unwrap();
        let outputs = infer(&mut agent, &observations(7));
        let squares: f64 = (0..OBSERVATIONS).map(|i| seen(&outputs.mu, i).powi(2)).sum();
        for (policy, gain) in [0.95, 1.0, 1.2, 0.85, 1.1].into_iter().enumerate() {
            let (mut factor, mut variance, mut sum) = (1.0, 0.01, 0.0);
            for _ in 0..3 {
                factor = (factor - gain) * kept;
                variance *= kept_of_variance;
                let ambiguity = (99.0 * ROW_SQUARED + 1.09) * variance + 100.0 / 56.786;
                sum += factor * factor * squares + ambiguity - 450.0 * (10.0 / variance).ln();
            }
            assert_near(name, sum / 3.0, outputs.g[policy], 1e-9);
            let foreseen = &agent.foreseen()[policy * WINDOWS..][..WINDOWS];
            for (x, mu) in foreseen.iter().zip(&outputs.mu) {
                assert_near(name, factor * mu, *x, 1e-14);
            }
        }
        // The smallest gain overshoots the least.
        assert_eq!(outputs.policy, 3, "{name}");
        assert!(outputs.u.iter().zip(&outputs.mu).all(|(u, mu)| *u == -0.85 * mu), "{name}");
    }
}

#[test]
fn a_window_is_pushed_by_the_modes_of_the_windows_that_it_is_coupled_to() {
    // Window 5 feels window 17 of mode 1, window 800 feels 899 of mode 99, window 6 feels 0 of mode 0.
    let pairs = [(5, 17, 1.0), (800, 899, 0.5), (6, 0, 2.0)];
    let mut dense = vec![0.0; WINDOWS * WINDOWS];
    for (window, other, weight) in pairs {
        dense[window * WINDOWS + other] = weight;
    }
    let coupling = Arc::new(Coupling::new(dense).unwrap());
    let parameters = Parameters { diffusion: 0.0, ..Parameters::default() };
    let (seed, calls) = (11, 6);
    for (name, infer) in CALLERS {
        let agent = Agent::new(Arc::clone(&coupling), seed).with_calls(calls);
        let mut agent = agent.with_parameters(parameters).unwrap();
        infer(&mut agent, &[1.0; OBSERVATIONS]);
        for policy in 0..5_u32 {
            let mut modes = [0.0; MODES];
            let mut pushed = [0.0; 3];
            for h in 0..3 {
                let mut drawn = [0.0; MODES];
                let draw = Draw { stream: 6, step: 3 * policy + h, frame: 6 };
                Philox::new(seed).normals(draw, &mut drawn);
                for (mode, normal) in modes.iter_mut().zip(drawn) {
                    let spread = (0.25 * (1.0 - (-0.2_f64).exp())).sqrt();
                    *mode = *mode * (-0.1_f64).exp() + spread * normal;
                }
                let drives = [
                    modes[1] + 0.3 * modes[0] + 0.3 * modes[2],
                    modes[99] + 0.3 * modes[98],
                    modes[0] + 0.3 * modes[1],
                ];
                for ((x, drive), (_, _, weight)) in pushed.iter_mut().zip(drives).zip(pairs) {
                    for _ in 0..100 {
                        *x += (-*x + weight * drive.sin()) * 0.01;
                    }
                }
            }
            let foreseen = &agent.foreseen()[policy as usize * WINDOWS..][..WINDOWS];
            for ((window, _, _), expected) in pairs.into_iter().zip(pushed) {
                assert_near(name, expected, foreseen[window], 1e-13);
            }
            assert_eq!(foreseen.iter().filter(|x| **x != 0.0).count(), 3, "{name}");
        }
    }
}

#[test]
fn a_mode_in_the_long_run_keeps_its_variance() {
    let parameters = Parameters::default();
    let (kept, noise) = (parameters.mode_kept(), parameters.mode_noise());
    assert_near("one step", 0.25, kept * kept * 0.25 + noise * noise, 1e-15);
    // From 0 the variance after t steps is 1/4 (1 - e^(-2 lambda t)), a drive away from the ends has 1.18 times that, and
    // the square of the sine of a normal number of variance v has the mean (1 - e^(-2 v)) / 2.
    let agent = Agent::initial(9);
    let calls = 100;
    let mut squares = [0.0; HORIZON];
    for call in 0..calls {
        let sines = model(&agent, call).sines();
        for (column, sines) in sines.chunks_exact(MODES).enumerate() {
            squares[column % HORIZON] += sines[1..99].iter().map(|sine| sine * sine).sum::<f64>();
        }
    }
    for (t, square) in (1..).zip(squares) {
        let variance = 0.25 * (1.0 - (-0.2 * f64::from(t)).exp()) * ROW_SQUARED;
        let expected = 0.5 * (1.0 - (-2.0 * variance).exp());
        // sin^2 is at most x^2, whose deviation is sqrt(2) v. Neighbours share modes: with correlations r1 = 0.6 / 1.18 and
        // r2 = 0.09 / 1.18 the sum of 49,000 squares varies like 49,000 / (1 + 2 r1^2 + 2 r2^2) independent ones.
        let deviation = 2f64.sqrt() * variance * (1.53_f64 / 49_000.0).sqrt();
        assert_near("sine", expected, square / 49_000.0, 5.0 * deviation);
    }
}

#[test]
fn the_weighted_noise_has_the_moments_of_its_weights() {
    let agent = Agent::initial(21);
    let noise: Vec<f64> = (0..3).flat_map(|call| model(&agent, call).noise()).collect();
    // 2 D dt times the geometric sum of 0.99^(2k), k = 0..99.
    let variance = 2e-4 * (1.0 - 0.99_f64.powi(200)) / (1.0 - 0.99_f64.powi(2));
    let size = count(3) * count(COLUMNS * WINDOWS);
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / size;
    // Five standard errors: sqrt(variance / size), sqrt(2 / size) and 1 / sqrt(size).
    let first = mean(&mut noise.iter().copied());
    assert_near("mean", 0.0, first, 5.0 * (variance / size).sqrt());
    let second = mean(&mut noise.iter().map(|x| x * x)) / variance;
    assert_near("variance", 1.0, second, 5.0 * (2.0 / size).sqrt());
    // Neighbouring windows, and the same window in the next column, have nothing in common.
    for apart in [1, WINDOWS] {
        let pairs = noise.iter().zip(noise.iter().cycle().skip(apart));
        let both = mean(&mut pairs.map(|(x, y)| x * y)) / variance;
        assert_near("correlation", 0.0, both, 5.0 / size.sqrt());
    }
}

#[test]
fn the_weighted_noise_is_the_recurrence_taken_step_by_step() {
    let agent = Agent::initial(8);
    let noise = model(&agent, 4).noise();
    for column in [0, 7, 14] {
        let mut x = vec![0.0; WINDOWS];
        for substep in 0..100 {
            let mut drawn = vec![0.0; WINDOWS];
            let step = u32::try_from(column).unwrap() * 100 + substep;
            Philox::new(8).normals(Draw { stream: 7, step, frame: 4 }, &mut drawn);
            for (x, normal) in x.iter_mut().zip(drawn) {
                *x += -*x * 0.01 + (2.0 * 0.01 * 0.01_f64).sqrt() * normal;
            }
        }
        for (expected, actual) in x.iter().zip(&noise[column * WINDOWS..]) {
            assert_near("noise", *expected, *actual, 1e-15);
        }
    }
}

#[test]
fn naive_and_optimised_agree_call_by_call() {
    let other = Parameters {
        precision: 20.0,
        prior_variance: 4.0,
        variance: 0.05,
        rate: 0.02,
        mode_rate: 0.3,
        mode_variance: 0.5,
        friction: 2.0,
        diffusion: 0.03,
        dt: 0.02,
        gains: [0.5, 0.2, -0.4, 1.5, 0.9],
    };
    let beginning = Agent::initial(42);
    let on_the_way = Agent::initial(7).with_mu(normals(8, WINDOWS)).unwrap();
    let late = on_the_way.with_calls(u64::from(u32::MAX)).with_parameters(other).unwrap();
    for (mut expected, calls) in [(beginning, 3), (late, 2)] {
        for call in 0..calls {
            let observations =
                if call == 0 { observations_alone() } else { observations(9 + call) };
            let mut actual = expected.clone();
            let slow = naive::infer(&mut expected, &observations);
            let fast = optimised::infer(&mut actual, &observations);
            let agreement = compare((&expected, &slow), (&actual, &fast));
            assert!(agreement.is_ok(), "call {call}: {agreement:?}");
            assert_eq!(actual.calls(), expected.calls());
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut agent = Agent::initial(9);
        let outputs = pool.install(|| optimised::infer(&mut agent, &observations(12)));
        (outputs, agent)
    };
    let expected = run(1);
    assert_eq!(run(2), expected);
    assert_eq!(run(5), expected);
}

#[test]
fn the_first_of_the_best_policies_is_chosen() {
    assert_eq!(best(&[2.0, 1.0, 3.0, 1.0, 1.5]), 1);
    assert_eq!(best(&[-1.0; 5]), 0);
    assert_eq!(best(&[5.0, 4.0, 3.0, 2.0, 1.0]), 4);
}

#[test]
fn a_rise_is_relative_and_a_fall_is_none() {
    let outputs =
        |free_energy| Outputs { mu: vec![], free_energy, g: [0.0; 5], policy: 0, u: vec![] };
    let mut energies: [f64; 11] = std::array::from_fn(|step| 100.0 - count(step));
    assert_eq!(outputs(energies).rise().to_bits(), 0f64.to_bits());
    energies[4] = energies[3] * 1.25;
    assert_near("rise", 0.25, outputs(energies).rise(), 1e-15);
    assert!(outputs(energies.map(|energy| -energy)).rise() > 0.0);
    energies[7] = f64::NAN;
    assert!(outputs(energies).rise().is_nan());
}

#[test]
fn the_block_of_outputs_holds_every_output() {
    let mut agent = Agent::initial(2);
    let mut outputs = optimised::infer(&mut agent, &observations(13));
    for policy in 0..POLICIES {
        outputs.policy = policy;
        let mut block = [f64::NAN; OUTPUTS];
        outputs.write(&mut block);
        assert!(block.iter().all(|number| number.is_finite()));
        assert_eq!(Outputs::from(OutputsRef::read(&block)), outputs);
    }
}

#[test]
fn impossible_models_are_refused_in_one_line() {
    type Change = fn(&mut Parameters);
    let changes: [(Change, &str); 11] = [
        (|p| p.precision = 0.0, "precision"),
        (|p| p.prior_variance = f64::NAN, "variance of the prior"),
        (|p| p.variance = -1.0, "variance of the belief"),
        (|p| p.rate = 0.0, "rate of inference"),
        (|p| p.rate = 0.03, "rate of inference"),
        (|p| p.mode_rate = -0.1, "rate of the modes"),
        (|p| p.mode_variance = f64::INFINITY, "variance of the modes"),
        (|p| p.friction = 0.0, "friction"),
        (|p| p.diffusion = -0.1, "diffusion"),
        (|p| p.dt = 0.5, "time of a substep"),
        (|p| p.gains[4] = f64::NAN, "gains"),
    ];
    for (change, part) in changes {
        let mut parameters = Parameters::default();
        change(&mut parameters);
        let error = Agent::initial(0).with_parameters(parameters).unwrap_err().to_string();
        assert!(error.contains(part) && !error.contains('\n'), "{error}");
    }
    let error = Agent::initial(0).with_mu(vec![0.0; 899]).unwrap_err();
    assert_eq!(error.to_string(), "the mean of the agent has 899 elements, 900 are needed");
}
