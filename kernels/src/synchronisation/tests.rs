//! Oracles: banks whose steps can be computed by hand, symmetries, and limits.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use super::*;
use crate::philox::{Draw, Philox};

type Stepper = fn(&mut Banks, &[f64], &[f64]) -> f64;

const STEPPERS: [(&str, Stepper); 2] =
    [("naive", naive::synchronise as Stepper), ("optimised", optimised::synchronise as Stepper)];

fn assert_near(what: &str, expected: f64, actual: f64, within: f64) {
    assert!((expected - actual).abs() <= within, "{what}: {actual} is not {expected}");
}

fn uniforms(step: u32, len: usize) -> Vec<f64> {
    let mut numbers = vec![0.0; len];
    Philox::new(2).uniforms(Draw { stream: 64, step, frame: 0 }, &mut numbers);
    numbers
}

#[test]
fn the_initial_banks_are_those_that_the_workload_defines() {
    let banks = Banks::initial(5, 42);
    for step in [0, 1] {
        let numbers = |stream| {
            let mut out = [0.0; 5];
            Philox::new(42).uniforms(Draw { stream, step, frame: 0 }, &mut out);
            out
        };
        let bank = if step == 0 { 0..5 } else { 5..10 };
        assert_eq!(banks.phases()[bank.clone()], numbers(8).map(|uniform| TAU * uniform));
        assert_eq!(banks.frequencies()[bank], numbers(9).map(|uniform| 1.0 + 0.1 * uniform));
    }
    assert!(Banks::new(vec![0.0; 3], vec![0.0; 3]).is_err());
    assert!(Banks::new(vec![0.0; 4], vec![0.0; 2]).is_err());
}

#[test]
fn a_lone_pair_of_phases_only_feels_its_drives_and_each_other() {
    // A phase alone is its own mean, so nothing pulls it but the other bank: three steps by hand.
    for (name, synchronise) in STEPPERS {
        let mut banks = Banks::new(vec![1.0, 2.5], vec![0.7, 0.3]).unwrap();
        let coherence = synchronise(&mut banks, &[4.0], &[FRAC_PI_2]);
        let (mut phi, mut psi) = (1.0, 2.5_f64);
        for _ in 0..3 {
            let pull = f64::sin(psi - phi);
            (phi, psi) = (phi + 0.01 * (0.7 + 0.4 + pull), psi + 0.01 * (0.3 + 0.1 - pull));
        }
        assert_near(name, phi, banks.phases()[0], 1e-15);
        assert_near(name, psi, banks.phases()[1], 1e-15);
        assert_near(name, 1.0, coherence, 1e-15);
    }
}

#[test]
fn two_phases_a_right_angle_apart_pull_each_other_as_computed_by_hand() {
    // Phases 0 and 90 degrees: the mean is (1, i) / 2, so R sin(Phi - 0) = 1/2 and R sin(Phi - 90) = -1/2. The other
    // bank is equal, so nothing pulls across, and what pulls closes the gap symmetrically, step by step.
    for (name, synchronise) in STEPPERS {
        let phases = vec![0.0, FRAC_PI_2, 0.0, FRAC_PI_2];
        let mut banks = Banks::new(phases, vec![1.0; 4]).unwrap();
        let coherence = synchronise(&mut banks, &[0.0; 2], &[0.0; 2]);
        let (mut first, mut second) = (0.0, FRAC_PI_2);
        for _ in 0..3 {
            let closing = 5.0 * f64::sin(second - first) / 2.0;
            (first, second) = (first + 0.01 * (1.0 + closing), second + 0.01 * (1.0 - closing));
        }
        for (expected, actual) in [first, second, first, second].into_iter().zip(banks.phases()) {
            assert_near(name, expected, *actual, 1e-15);
        }
        assert_near(name, 1.0, coherence, 1e-15);
    }
}

#[test]
fn banks_that_stand_a_quarter_apart_everywhere_are_coherent_and_evenly_spread_ones_are_not() {
    for (name, synchronise) in STEPPERS {
        // All of a bank alike: coherent whatever the angle between the banks.
        let mut banks =
            Banks::new([vec![0.0; 8], vec![FRAC_PI_2; 8]].concat(), vec![0.0; 16]).unwrap();
        assert_near(name, 1.0, synchronise(&mut banks, &[0.0; 8], &[0.0; 8]), 1e-15);
        // One bank on the spot, the other all around the circle: |mean| of what pulls together is still small.
        let around = (0..8).map(|i| TAU * f64::from(i) / 8.0);
        let mut banks = Banks::new(around.chain([0.0; 8]).collect(), vec![0.0; 16]).unwrap();
        let coherence = synchronise(&mut banks, &[0.0; 8], &[0.0; 8]);
        assert!(coherence < 0.05, "{name}: {coherence}");
    }
}

#[test]
fn turning_everything_turns_the_result_and_leaves_the_coherence() {
    let (mu, theta) = (uniforms(0, 50), uniforms(1, 50));
    for (name, synchronise) in STEPPERS {
        let mut banks = Banks::initial(50, 3);
        let phases = banks.phases().iter().map(|phase| phase + 1.25).collect();
        let mut turned = Banks::new(phases, banks.frequencies().to_vec()).unwrap();
        let coherence = synchronise(&mut banks, &mu, &theta);
        assert_near(name, coherence, synchronise(&mut turned, &mu, &theta), 1e-13);
        for (phase, turned) in banks.phases().iter().zip(turned.phases()) {
            let apart = (turned - phase - 1.25 + PI).rem_euclid(TAU) - PI;
            assert_near(name, 0.0, apart, 1e-13);
        }
    }
}

#[test]
fn phases_stay_within_a_turn_and_pull_together_in_the_long_run() {
    for (name, synchronise) in STEPPERS {
        let mut banks = Banks::initial(40, 9);
        let first = synchronise(&mut banks, &[0.0; 40], &[0.0; 40]);
        let mut last = first;
        for _ in 0..300 {
            last = synchronise(&mut banks, &[0.0; 40], &[0.0; 40]);
            assert!(banks.phases().iter().all(|phase| (0.0..TAU).contains(phase)), "{name}");
        }
        // The pull of 5 is far above the spread of the frequencies, 0.1.
        assert!(first < 0.5 && last > 0.99, "{name}: from {first} to {last}");
    }
}

#[test]
fn naive_and_optimised_agree_and_the_number_of_threads_changes_no_bit() {
    let (mu, theta) = (uniforms(2, 900), uniforms(3, 900));
    let mut slow = Banks::initial(900, 1);
    for _ in 0..5 {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut banks = slow.clone();
            let coherence = pool.install(|| optimised::synchronise(&mut banks, &mu, &theta));
            (banks, coherence)
        };
        let (fast, coherence) = run(1);
        assert_eq!((fast.clone(), coherence), run(3));
        assert_near("coherence", naive::synchronise(&mut slow, &mu, &theta), coherence, 1e-12);
        for (slow, fast) in slow.phases().iter().zip(fast.phases()) {
            assert_near("phase", 0.0, (slow - fast + PI).rem_euclid(TAU) - PI, 1e-12);
        }
    }
}
