//! Philox4x32-10 on the host, and the uniform and normal numbers made of its words; `philox.cuh` is the same for devices.
//!
//! A counter-based generator has no state: number i of a draw is a function of the seed and of where it is drawn, so
//! any thread can make it alone. Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC'11).
//! Normal numbers are by the transform of Box and Muller (1958).

use std::f64::consts::TAU;

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// 2^-53, the step between uniform numbers.
const UNIT: f64 = f64::EPSILON / 2.0;

/// A generator: a seed and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Philox {
    key: [u32; 2],
}

/// Where numbers are drawn: draws that differ in any field are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// What the numbers are for.
    pub stream: u32,
    /// The step within a frame.
    pub step: u32,
    /// The frame; 0 for initial values.
    pub frame: u32,
}

impl Philox {
    /// The generator with this seed.
    #[expect(clippy::cast_possible_truncation, reason = "the halves of the seed are the key")]
    pub const fn new(seed: u64) -> Self {
        Self { key: [seed as u32, (seed >> 32) as u32] }
    }

    /// The four words at `counter`.
    pub fn words(self, counter: [u32; 4]) -> [u32; 4] {
        let [mut w0, mut w1, mut w2, mut w3] = counter;
        let [mut k0, mut k1] = self.key;
        for _ in 0..ROUNDS {
            let (high0, low0) = wide_product(MULTIPLIERS[0], w0);
            let (high1, low1) = wide_product(MULTIPLIERS[1], w2);
            (w0, w1, w2, w3) = (high1 ^ w1 ^ k0, low1, high0 ^ w3 ^ k1, low0);
            k0 = k0.wrapping_add(WEYL[0]);
            k1 = k1.wrapping_add(WEYL[1]);
        }
        [w0, w1, w2, w3]
    }

    /// Fills `out` with uniform numbers on [0, 1), from number 0 of the draw on.
    pub fn uniforms(self, draw: Draw, out: &mut [f64]) {
        self.fill(draw, out, |[a, b]| [a, b]);
    }

    /// Fills `out` with normal numbers of mean 0 and variance 1, from number 0 of the draw on.
    pub fn normals(self, draw: Draw, out: &mut [f64]) {
        self.fill(draw, out, |[a, b]| {
            let radius = (-2.0 * (1.0 - a).ln()).sqrt();
            let (sine, cosine) = (TAU * b).sin_cos();
            [radius * cosine, radius * sine]
        });
    }

    /// Numbers 2j and 2j + 1 come from the words at index j.
    fn fill(self, draw: Draw, out: &mut [f64], transform: impl Fn([f64; 2]) -> [f64; 2]) {
        for (index, pair) in (0_u32..).zip(out.chunks_mut(2)) {
            let words = self.words([index, draw.step, draw.frame, draw.stream]);
            let numbers = transform(uniform_pair(words));
            pair.copy_from_slice(&numbers[..pair.len()]);
        }
    }
}

/// High and low word of a product.
#[expect(clippy::cast_possible_truncation, reason = "the halves of the product are wanted")]
fn wide_product(a: u32, b: u32) -> (u32, u32) {
    let product = u64::from(a) * u64::from(b);
    ((product >> 32) as u32, product as u32)
}

/// The upper 53 bits of each half of the words.
fn uniform_pair([w0, w1, w2, w3]: [u32; 4]) -> [f64; 2] {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double")]
    [(w0, w1), (w2, w3)].map(|(low, high)| {
        let bits = (u64::from(high) << 32 | u64::from(low)) >> 11;
        bits as f64 * UNIT
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAW: Draw = Draw { stream: 64, step: 3, frame: 7 };

    #[test]
    fn the_words_are_those_of_random123() {
        // The three vectors that its authors publish for ten rounds.
        let all = u32::MAX;
        let vectors = [
            (0, [0; 4], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            (u64::MAX, [all; 4], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                0x299f_31d0_a409_3822,
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (seed, counter, words) in vectors {
            assert_eq!(Philox::new(seed).words(counter), words, "seed {seed:x}");
        }
    }

    #[test]
    fn uniforms_take_the_upper_bits_of_both_halves() {
        let expected = [
            f64::from(0xe169_c58d_u32) * 2f64.powi(-32)
                + f64::from(0x6627_e8d5_u32 >> 11) * 2f64.powi(-53),
            f64::from(0x9b00_dbd8_u32) * 2f64.powi(-32)
                + f64::from(0xbc57_ac4c_u32 >> 11) * 2f64.powi(-53),
        ];
        let mut numbers = [0.0; 2];
        Philox::new(0).uniforms(Draw { stream: 0, step: 0, frame: 0 }, &mut numbers);
        assert_eq!(numbers, expected);
    }

    #[test]
    fn normals_undo_to_the_uniforms_they_came_from() {
        let mut uniforms = [0.0; 64];
        let mut normals = [0.0; 64];
        Philox::new(11).uniforms(DRAW, &mut uniforms);
        Philox::new(11).normals(DRAW, &mut normals);
        for (uniform, normal) in uniforms.chunks(2).zip(normals.chunks(2)) {
            let radius_squared = normal[0] * normal[0] + normal[1] * normal[1];
            let angle = normal[1].atan2(normal[0]).rem_euclid(TAU);
            assert!((1.0 - (-radius_squared / 2.0).exp() - uniform[0]).abs() < 1e-14);
            assert!((angle / TAU - uniform[1]).abs() < 1e-14);
        }
    }

    #[test]
    fn the_moments_are_those_of_the_distributions() {
        let count = 1 << 18;
        let mut numbers = vec![0.0; count];
        let mean = |numbers: &[f64], power: i32| {
            numbers.iter().map(|x| x.powi(power)).sum::<f64>()
                / f64::from(u32::try_from(count).unwrap())
        };
        // Five standard errors: sqrt(1/12), sqrt(4/45), 1, sqrt 2, sqrt 96, each over sqrt(count) = 512.
        Philox::new(5).uniforms(DRAW, &mut numbers);
        assert!((mean(&numbers, 1) - 1.0 / 2.0).abs() < 0.0029);
        assert!((mean(&numbers, 2) - 1.0 / 3.0).abs() < 0.0030);
        assert!(numbers.iter().all(|x| (0.0..1.0).contains(x)));
        Philox::new(5).normals(DRAW, &mut numbers);
        assert!(mean(&numbers, 1).abs() < 0.0098);
        assert!((mean(&numbers, 2) - 1.0).abs() < 0.0139);
        assert!((mean(&numbers, 4) - 3.0).abs() < 0.0957);
    }

    #[test]
    fn every_field_of_a_draw_and_the_seed_change_the_numbers() {
        let first = |seed, draw| {
            let mut number = [0.0];
            Philox::new(seed).uniforms(draw, &mut number);
            number[0].to_bits()
        };
        let others = [
            first(1, Draw { stream: 65, ..DRAW }),
            first(1, Draw { step: 4, ..DRAW }),
            first(1, Draw { frame: 8, ..DRAW }),
            first(2, DRAW),
            first(1 | 1 << 32, DRAW),
        ];
        assert!(!others.contains(&first(1, DRAW)));
    }

    #[test]
    fn an_odd_number_of_numbers_is_a_prefix_of_more() {
        let (mut odd, mut even) = ([0.0; 5], [0.0; 6]);
        Philox::new(9).normals(DRAW, &mut odd);
        Philox::new(9).normals(DRAW, &mut even);
        assert_eq!(odd, even[..5]);
    }
}
