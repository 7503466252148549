//! How far two results are apart, and whether that is tolerated: shared by the comparisons of the workloads.

use std::f64::consts::TAU;

/// A quantity that differs by more than is tolerated, or is not a number.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{quantity} differs by {difference:e}, more than {tolerance:e}")]
pub struct Deviation {
    /// What differs.
    pub quantity: &'static str,
    /// By how much.
    pub difference: f64,
    /// How much is tolerated.
    pub tolerance: f64,
}

/// Refuses the first difference beyond its tolerance; both lists name the same quantities in the same order.
pub(crate) fn within<const N: usize>(
    differences: [(&'static str, f64); N],
    tolerances: [(&'static str, f64); N],
) -> Result<(), Deviation> {
    for ((quantity, difference), (_, tolerance)) in differences.into_iter().zip(tolerances) {
        // A difference that is not a number is not within anything.
        let is_within = difference <= tolerance;
        if !is_within {
            return Err(Deviation { quantity, difference, tolerance });
        }
    }
    Ok(())
}

/// The larger of two differences; NaN if either is.
pub(crate) fn worse(one: f64, other: f64) -> f64 {
    if other.is_nan() || other > one { other } else { one }
}

/// The worst difference of two slices; NaN if one is or if the lengths differ.
pub(crate) fn worst(expected: &[f64], actual: &[f64], difference: impl Fn(f64, f64) -> f64) -> f64 {
    if expected.len() != actual.len() {
        return f64::NAN;
    }
    let pairs = expected.iter().zip(actual);
    pairs.map(|(&expected, &actual)| difference(expected, actual)).fold(0.0, worse)
}

/// The distance of two angles in [0, 2 pi).
pub(crate) fn around_the_circle(expected: f64, actual: f64) -> f64 {
    let distance = (expected - actual).abs();
    distance.min((TAU - distance).abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_that_is_not_a_number_is_the_worst_wherever_it_stands() {
        for place in 0..3 {
            let mut actual = [1.0, 5.0, 2.0];
            actual[place] = f64::NAN;
            assert!(worst(&[1.0; 3], &actual, |one, other| (one - other).abs()).is_nan());
        }
        assert!(worst(&[1.0], &[1.0, 1.0], |_, _| 0.0).is_nan(), "lengths that differ");
    }

    #[test]
    fn the_first_quantity_beyond_its_tolerance_is_named() {
        let tolerances = [("a", 0.1), ("b", 0.0)];
        assert_eq!(within([("a", 0.1), ("b", 0.0)], tolerances), Ok(()));
        let deviation = within([("a", 0.0), ("b", 0.5)], tolerances).unwrap_err();
        assert_eq!(deviation.to_string(), "b differs by 5e-1, more than 0e0");
        assert_eq!(within([("a", f64::NAN), ("b", 0.0)], tolerances).unwrap_err().quantity, "a");
    }
}
