//! What a call tells about the network beside its state.

/// How many observables there are.
pub const OBSERVABLES: usize = 5;

const BINS: usize = 64;
const BINS_FROM: f64 = -8.0;
const BINS_PER_UNIT: f64 = 4.0;

/// What a call tells about the network, at its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observables {
    /// 1/2 sum v^2.
    pub kinetic: f64,
    /// -(K / 2) sum C_ij cos(theta_j - theta_i).
    pub interaction: f64,
    /// |sum e^(i theta)| / n: 1 when all angles are equal.
    pub order: f64,
    /// What the bath took up during the call; negative when it gave.
    pub heat: f64,
    /// -sum p ln p of the velocities' histogram: 64 equal bins of v / sqrt(T) on [-8, 8), the outer ones taking the rest.
    pub entropy: f64,
}

impl Observables {
    /// In the order of the device's output.
    pub(crate) fn from_device([kinetic, interaction, order, heat, entropy]: [f64; 5]) -> Self {
        Self { kinetic, interaction, order, heat, entropy }
    }

    /// In the order of the device's output.
    pub(crate) fn to_device(self) -> [f64; OBSERVABLES] {
        [self.kinetic, self.interaction, self.order, self.heat, self.entropy]
    }

    /// Kinetic and interaction energy together.
    pub fn energy(&self) -> f64 {
        self.kinetic + self.interaction
    }
}

/// Entropy of the velocities' histogram.
pub(super) fn entropy(v: &[f64], temperature: f64) -> f64 {
    let thermal_speed = temperature.sqrt();
    let mut histogram = [0_u32; BINS];
    for speed in v {
        let place = ((speed / thermal_speed - BINS_FROM) * BINS_PER_UNIT).floor();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the place is clamped to the bins"
        )]
        let bin = place.clamp(0.0, (BINS - 1) as f64) as usize;
        histogram[bin] += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "a network has fewer than 2^53 oscillators")]
    let count = v.len() as f64;
    let share = |&count_in_bin: &u32| f64::from(count_in_bin) / count;
    let occupied = histogram.iter().map(share).filter(|&p| p > 0.0);
    occupied.fold(0.0, |sum, p| sum - p * p.ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entropy_of_evenly_filled_bins_is_the_logarithm_of_their_number() {
        let ln2 = 2f64.ln();
        assert_eq!(entropy(&[0.1; 7], 1.0).to_bits(), 0f64.to_bits());
        assert!((entropy(&[0.1, 0.3], 1.0) - ln2).abs() < 1e-15);
        let centres: Vec<f64> = (0..64).map(|bin| -8.0 + 0.25 * (f64::from(bin) + 0.5)).collect();
        assert!((entropy(&centres, 1.0) - 64f64.ln()).abs() < 1e-14);
        // Three quarters in one bin: 2 ln 2 - 3/4 ln 3.
        let expected = 2.0 * ln2 - 0.75 * 3f64.ln();
        assert!((entropy(&[0.0, 0.0, 0.0, 1.0], 1.0) - expected).abs() < 1e-15);
    }

    #[test]
    fn the_outer_bins_take_the_rest() {
        assert_eq!(entropy(&[-1e300, -8.0, -7.76], 1.0).to_bits(), 0f64.to_bits());
        assert_eq!(entropy(&[1e300, 8.0, 7.75], 1.0).to_bits(), 0f64.to_bits());
        assert!(entropy(&[7.74, 7.75], 1.0) > 0.5);
        assert!(entropy(&[-7.76, -7.75], 1.0) > 0.5);
    }

    #[test]
    fn the_bins_are_as_wide_as_the_bath_is_hot() {
        assert!(entropy(&[0.1, 0.3], 1.0) > 0.5);
        assert_eq!(entropy(&[0.1, 0.3], 4.0).to_bits(), 0f64.to_bits());
    }
}
