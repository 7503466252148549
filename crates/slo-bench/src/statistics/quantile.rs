//! A place in sorted samples, by nearest rank.

/// A place in the sorted samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantile {
    /// Share of the samples at or below it, in millionths.
    ppm: u32,
}

const PPM_ALL: u32 = 1_000_000;

impl Quantile {
    /// The median.
    pub const P50: Self = Self { ppm: 500_000 };
    /// Nine of ten.
    pub const P90: Self = Self { ppm: 900_000 };
    /// All but one of a hundred.
    pub const P99: Self = Self { ppm: 990_000 };
    /// All but one of a thousand.
    pub const P999: Self = Self { ppm: 999_000 };
    /// The largest.
    pub const MAX: Self = Self { ppm: PPM_ALL };

    /// What reports show, ascending.
    pub const ALL: [Self; 5] = [Self::P50, Self::P90, Self::P99, Self::P999, Self::MAX];

    /// Which of `samples` sorted ones it is, from 1; 0 if there are none.
    pub fn rank(self, samples: u64) -> u64 {
        let scaled = u128::from(samples) * u128::from(self.ppm);
        let rank = scaled.div_ceil(u128::from(PPM_ALL));
        u64::try_from(rank).expect("a rank is at most the number of samples")
    }

    /// Whether that many samples tell it from the largest one. The largest needs only itself.
    pub fn is_supported_by(self, samples: u64) -> bool {
        samples >= self.samples_min()
    }

    /// Fewest samples of which at least one lies above it.
    pub fn samples_min(self) -> u64 {
        match PPM_ALL - self.ppm {
            0 => 1,
            above => u64::from(PPM_ALL.div_ceil(above)),
        }
    }

    /// Share of the samples at or below it, in 0..=1.
    pub fn share(self) -> f64 {
        f64::from(self.ppm) / f64::from(PPM_ALL)
    }

    /// Share of the samples above it, in 0..=1.
    pub fn share_above(self) -> f64 {
        f64::from(PPM_ALL - self.ppm) / f64::from(PPM_ALL)
    }
}

impl std::fmt::Display for Quantile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::MAX => formatter.write_str("max"),
            Self { ppm } => write!(formatter, "p{}", f64::from(ppm) / 1e4),
        }
    }
}
