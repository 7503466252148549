//! What the bounds promise, held against simulated runs.

use super::*;

/// Standard normal numbers.
fn normal(random: &mut fastrand::Rng) -> f64 {
    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}

/// Runs of `len` log ratios with median 0 whose neighbours correlate by `memory`.
fn run(random: &mut fastrand::Rng, len: usize, memory: f64) -> Vec<f64> {
    let mut value = normal(random) / (1.0 - memory * memory).sqrt();
    let step = |_| {
        value = memory * value + normal(random);
        value
    };
    (0..len).map(step).collect()
}

/// Shares of `trials` in which the truth, 0, does not lie below the lower bound, and not above the upper one.
fn coverage(trials: u32, mut draw: impl FnMut(&mut fastrand::Rng) -> Vec<f64>) -> [f64; 2] {
    let mut random = fastrand::Rng::with_seed(11);
    let mut covered = [0_u32; 2];
    for trial in 0..trials {
        let [lower, _, upper] = bounds(&draw(&mut random), trial.into());
        covered[0] += u32::from(lower <= 0.0);
        covered[1] += u32::from(upper >= 0.0);
    }
    covered.map(|count| f64::from(count) / f64::from(trials))
}

#[test]
fn the_truth_lies_within_each_bound_as_often_as_it_says() {
    let independent = coverage(1000, |random| run(random, 100, 0.0));
    let lasting = coverage(1000, |random| run(random, 200, 0.3));
    let skewed = |random: &mut fastrand::Rng| {
        (0..100).map(|_| -(1.0 - random.f64()).ln() - std::f64::consts::LN_2).collect()
    };
    let skewed = coverage(1000, skewed);
    println!("coverage: independent {independent:?}, lasting {lasting:?}, skewed {skewed:?}");
    for covered in [independent, lasting, skewed].into_iter().flatten() {
        assert!((0.93..=0.97).contains(&covered), "{independent:?} {lasting:?} {skewed:?}");
    }
}

/// Times of `count` configurations that are all exactly twice as fast as the baseline: how often a claim of more comes
/// out, if the fastest in the search is judged by new times, and if it is judged by those of the search.
fn false_claims(trials: u32, count: usize) -> [f64; 2] {
    let mut random = fastrand::Rng::with_seed(5);
    let mut claims = [0_u32; 2];
    for trial in 0..trials {
        let side = |random: &mut fastrand::Rng, us: f64| us * (0.05 * normal(random)).exp();
        let search: Vec<Vec<f64>> =
            (0..count).map(|_| (0..20).map(|_| side(&mut random, 1.0)).collect()).collect();
        let middle = |times: &Vec<f64>| {
            let mut sorted = times.clone();
            sorted.sort_by(f64::total_cmp);
            f64::midpoint(sorted[9], sorted[10])
        };
        let winner = search.iter().min_by(|a, b| middle(a).total_cmp(&middle(b))).unwrap();
        let pair = |random: &mut fastrand::Rng| [side(random, 2.0), side(random, 1.0)];
        let fresh: Vec<_> = (0..100).map(|_| pair(&mut random)).collect();
        let stale: Vec<_> = winner.iter().map(|&us| [side(&mut random, 2.0), us]).collect();
        for (claims, blocks) in claims.iter_mut().zip([fresh, stale]) {
            *claims += u32::from(Gain::of(&blocks, trial.into()).unwrap().lower > 2.0);
        }
    }
    claims.map(|count| f64::from(count) / f64::from(trials))
}

#[test]
fn new_times_do_not_flatter_the_luckiest_of_many_equals() {
    let [fresh, stale] = false_claims(1000, 144);
    println!("false claims from new times {fresh}, from those of the search {stale}");
    assert!(fresh <= RISK, "{fresh} of the claims from new times are false");
    assert!(stale > 3.0 * RISK, "the search's own times show no bias to guard against: {stale}");
}

#[test]
fn a_clear_gain_is_claimed_and_a_clear_loss_is_not() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut claims = |ratio: f64| {
        let claimed = |seed| {
            let noise = |_| [ratio * (0.1 * normal(&mut random)).exp(), 1.0];
            let blocks: Vec<_> = (0..100).map(noise).collect();
            Gain::of(&blocks, seed).unwrap().lower > 2.0
        };
        (0..100).map(claimed).filter(|&claimed| claimed).count()
    };
    assert!(claims(2.1) >= 90, "of 100 gains of 2.1 at a noise of 10 %");
    assert_eq!(claims(1.9), 0);
}

#[test]
fn the_same_blocks_and_seed_give_the_same_bounds() {
    let blocks: Vec<_> = (1..=100_u8).map(|i| [f64::from(i % 7) + 2.0, 1.0]).collect();
    assert_eq!(Gain::of(&blocks, 1), Gain::of(&blocks, 1));
}

#[test]
fn drift_that_meets_both_sides_is_no_spread() {
    let blocks: Vec<_> = (1..=100_u8).map(|i| [3.0 * f64::from(i), f64::from(i)]).collect();
    let Gain { ratio, lower, upper } = Gain::of(&blocks, 1).unwrap();
    assert!([ratio, lower, upper].iter().all(|value| (value - 3.0).abs() < 1e-12));
}

#[test]
fn too_few_blocks_and_times_of_nothing_have_no_gain() {
    assert_eq!(Gain::of(&[[2.0, 1.0]; 7], 0), None);
    assert!(Gain::of(&[[2.0, 1.0]; 8], 0).is_some());
    let mut blocks = [[2.0, 1.0]; 8];
    blocks[3][1] = 0.0;
    assert_eq!(Gain::of(&blocks, 0), None);
}

#[test]
fn a_stretch_is_the_cube_root_rounded_up() {
    for (len, expected) in [(8, 2), (27, 3), (28, 4), (100, 5), (200, 6)] {
        assert_eq!(stretch(len), expected, "{len}");
    }
}

#[test]
fn a_bound_is_rounded_to_its_own_side() {
    let gain = Gain { ratio: 2.2, lower: 2.0999, upper: 2.3001 };
    assert_eq!(gain.to_string(), "2.20 times as fast, at least 2.09, at most 2.31");
}
