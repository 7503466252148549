//! Oracles: sequences counted by hand, channels whose information is known, and limits.

use std::f64::consts::LN_2;

use super::*;
use crate::philox::{Draw, Philox};

type Flows = fn(&History) -> Flow;
type Information = fn(&[f64]) -> f64;

const FLOWS: [(&str, Flows); 2] =
    [("naive", naive::flow as Flows), ("optimised", optimised::flow as Flows)];

const INFORMATIONS: [(&str, Information); 2] = [
    ("naive", naive::channel_information as Information),
    ("optimised", optimised::channel_information as Information),
];

fn assert_near(what: &str, expected: f64, actual: f64, within: f64) {
    assert!((expected - actual).abs() <= within, "{what}: {actual} is not {expected}");
}

/// Bits that are 1 with the given probability.
fn bits(step: u32, probability: f64) -> u128 {
    let mut uniforms = [0.0; MOMENTS];
    Philox::new(5).uniforms(Draw { stream: 64, step, frame: 0 }, &mut uniforms);
    uniforms.iter().rev().fold(0, |bits, &uniform| bits << 1 | u128::from(uniform < probability))
}

/// A history of random channels, of which channel 1 repeats channel 0 a moment later.
fn repeated() -> History {
    let mut channels: [u128; CHANNELS] =
        std::array::from_fn(|c| bits(u32::try_from(c).unwrap(), 0.5));
    channels[1] = channels[0] << 1;
    History::from_bits(channels)
}

#[test]
fn a_moment_is_pushed_in_at_the_end_and_the_oldest_falls_out() {
    let mut history = History::default();
    for moment in 0..130_usize {
        history.push(std::array::from_fn(|channel| moment % (channel + 2) == 0));
    }
    // Moments 0 and 1 are forgotten.
    for moment in 0..MOMENTS {
        for channel in 0..CHANNELS {
            let expected = (moment + 2) % (channel + 2) == 0;
            assert_eq!(history.is_spike(channel, moment), expected, "{channel} {moment}");
        }
    }
    assert_eq!(History::from_words(&history.words()), history);
}

#[test]
fn a_sequence_that_was_counted_by_hand_has_its_histogram_and_its_entropy() {
    // Source 1 1 0 1 and then nothing, target 0 1 1 0 1 and then nothing, oldest first: the target follows.
    // (y', y, x): moment 0 (1, 0, 1), 1 (1, 1, 1), 2 (0, 1, 0), 3 (1, 0, 1), 4 (0, 1, 0), then 122 times (0, 0, 0).
    let mut channels = [0; CHANNELS];
    channels[3] = 0b01011;
    channels[7] = 0b10110;
    // Each cell has its quotient: p p(y) / (p(y, x) p(y', y)), with the target's present 1 three times and 0 124 times.
    let by_hand = (2.0 * (2.0 * 124.0 / (2.0 * 2.0_f64)).log2()
        + (3.0_f64 / (1.0 * 1.0)).log2()
        + 2.0 * (2.0 * 3.0 / (2.0 * 2.0_f64)).log2()
        + 122.0 * (122.0 * 124.0 / (122.0 * 122.0_f64)).log2())
        / 127.0;
    for (name, flow) in FLOWS {
        let flow = flow(&History::from_bits(channels));
        assert_eq!(flow.counts[7][3], [122, 0, 2, 0, 0, 2, 0, 1], "{name}");
        assert_near(name, by_hand, flow.entropies[7][3], 1e-15);
        // Backwards: (1, 1, 0), (0, 1, 1), (1, 0, 1), (0, 1, 0), (0, 0, 1), then 122 times (0, 0, 0).
        assert_eq!(flow.counts[3][7], [122, 1, 1, 1, 0, 1, 1, 0], "{name}");
    }
}

#[test]
fn what_repeats_a_fair_coin_a_moment_later_learns_nearly_a_bit_and_nothing_flows_back() {
    for (name, flow) in FLOWS {
        let flow = flow(&repeated());
        let (forth, back) = (flow.entropies[1][0], flow.entropies[0][1]);
        assert!(forth > 0.95 && forth <= 1.0, "{name}: {forth}");
        // What is left of independent bits is their bias, 2 of 2 degrees of freedom: 2 / (2 N ln 2) bits in the mean.
        assert!(back > 0.0 && back < 10.0 / (127.0 * LN_2), "{name}: {back}");
        assert_eq!(flow.max().to_bits(), forth.to_bits(), "{name}");
        assert_eq!(flow.shares()[1][0].to_bits(), 1f64.to_bits(), "{name}");
    }
}

#[test]
fn a_repeated_biased_coin_carries_its_entropy() {
    // Of a source without memory, TE is the entropy of its bits: here H(0.2) = 0.722 bits, within sampling.
    let mut channels = [0; CHANNELS];
    channels[0] = bits(20, 0.2);
    channels[1] = channels[0] << 1;
    let share = f64::from((channels[0] & u128::MAX >> 1).count_ones()) / 127.0;
    let entropy = -share * share.log2() - (1.0 - share) * (1.0 - share).log2();
    for (name, flow) in FLOWS {
        let flow = flow(&History::from_bits(channels));
        assert_near(name, entropy, flow.entropies[1][0], 0.03);
    }
}

#[test]
fn nothing_flows_from_to_or_between_constant_channels_not_even_rounding() {
    let mut channels = [0; CHANNELS];
    channels[1] = u128::MAX;
    channels[2] = bits(30, 0.5);
    for (name, flow) in FLOWS {
        let flow = flow(&History::from_bits(channels));
        for constant in [0, 1, 3] {
            for other in 0..CHANNELS {
                assert_near(name, 0.0, flow.entropies[constant][other], 1e-16);
                assert_near(name, 0.0, flow.entropies[other][constant], 1e-16);
            }
        }
    }
    let still = optimised::flow(&History::default());
    assert_eq!(still.max().to_bits(), 0f64.to_bits());
    assert_eq!(still.shares(), [[0.0; CHANNELS]; CHANNELS]);
}

#[test]
fn the_entropies_are_those_of_a_chain_of_conditional_entropies() {
    // TE = H(y' | y) - H(y' | y, x), computed from entropies of marginal histograms.
    let plogp = |count: u32| f64::from(count) * f64::from(count.max(1)).log2();
    for (name, flow) in FLOWS {
        let flow = flow(&repeated());
        for (target, source) in [(2, 5), (1, 0), (9, 4)] {
            let n = flow.counts[target][source];
            let own: f64 =
                [n[0] + n[1], n[2] + n[3], n[4] + n[5], n[6] + n[7]].map(plogp).iter().sum();
            let now: f64 =
                [n[0] + n[1] + n[4] + n[5], n[2] + n[3] + n[6] + n[7]].map(plogp).iter().sum();
            let both: f64 = (0..4).map(|cell| plogp(n[cell] + n[cell + 4])).sum();
            let all: f64 = n.map(plogp).iter().sum();
            let expected = (all + now - own - both) / 127.0;
            assert_near(name, expected, flow.entropies[target][source], 1e-13);
        }
    }
}

#[test]
fn naive_and_optimised_count_alike_and_agree_to_the_last_digits() {
    for probability in [0.02, 0.5, 0.9] {
        let channels = std::array::from_fn(|c| bits(40 + u32::try_from(c).unwrap(), probability));
        let history = History::from_bits(channels);
        let (slow, fast) = (naive::flow(&history), optimised::flow(&history));
        assert_eq!(slow.counts, fast.counts);
        for (slow, fast) in slow.entropies.iter().flatten().zip(fast.entropies.iter().flatten()) {
            assert_near("transfer entropy", *slow, *fast, 1e-12);
        }
    }
}

/// H(row) of n symbols, in bits.
fn row(n: f64) -> f64 {
    -0.9 * 0.9f64.log2() - 0.1 * (0.1 / (n - 1.0)).log2()
}

#[test]
fn a_uniform_source_comes_out_uniform() {
    for (name, information) in INFORMATIONS {
        for n in [2, 10, 900] {
            let size = f64::from(u32::try_from(n).unwrap());
            // Whatever all mu are.
            for mu in [0.0, -3.0, 1e4] {
                assert_near(name, size.log2() - row(size), information(&vec![mu; n]), 1e-12);
            }
        }
        // The binary symmetric channel: 1 - H(0.1) = 0.531 bits.
        assert_near(name, 0.531_004_406_410_718_8, information(&[0.0, 0.0]), 1e-14);
    }
}

#[test]
fn a_certain_source_tells_nothing() {
    let mut mu = vec![0.0; 900];
    mu[17] = 800.0;
    for (name, information) in INFORMATIONS {
        assert_near(name, 0.0, information(&mu), 1e-12);
    }
}

#[test]
fn two_symbols_have_the_information_computed_by_hand() {
    // softmax(ln 3, 0) = (3/4, 1/4); out come 0.9 * 0.75 + 0.1 * 0.25 = 0.7 and 0.3.
    let expected = -0.7 * 0.7f64.log2() - 0.3 * 0.3f64.log2() - row(2.0);
    for (name, information) in INFORMATIONS {
        assert_near(name, expected, information(&[3f64.ln(), 0.0]), 1e-14);
    }
}

#[test]
fn both_agree_on_any_source_and_a_source_that_is_not_a_number_shows() {
    let mut mu = vec![0.0; 900];
    Philox::new(3).normals(Draw { stream: 64, step: 0, frame: 1 }, &mut mu);
    assert_near(
        "information",
        naive::channel_information(&mu),
        optimised::channel_information(&mu),
        1e-12,
    );
    for bad in [f64::NAN, f64::INFINITY] {
        mu[899] = bad;
        for (name, information) in INFORMATIONS {
            assert!(information(&mu).is_nan(), "{name}: {bad}");
        }
    }
}
