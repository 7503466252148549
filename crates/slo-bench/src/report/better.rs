//! Which way a figure is better, by its unit.
//!
//! Never guesses: a unit that may mean either has no direction.

/// The direction of improvement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Times.
    Smaller,
    /// Rates and speed-ups.
    Larger,
}

impl Better {
    /// That of `unit`; `None` for counts, shares and units that are not known.
    pub fn of(unit: &str) -> Option<Self> {
        match unit {
            time if nanoseconds(time).is_some() => Some(Self::Smaller),
            "Hz" | "x" => Some(Self::Larger),
            rate if rate.ends_with("/s") => Some(Self::Larger),
            _ => None,
        }
    }
}

/// How many nanoseconds a unit of time is; `None` for other units.
pub(crate) fn nanoseconds(unit: &str) -> Option<f64> {
    match unit {
        "ns" => Some(1.0),
        "us" => Some(1e3),
        "ms" => Some(1e6),
        "s" => Some(1e9),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_shrink_rates_grow_and_counts_have_no_direction() {
        assert_eq!(["us", "ms"].map(Better::of), [Some(Better::Smaller); 2]);
        assert_eq!(["GB/s", "frames/s", "x"].map(Better::of), [Some(Better::Larger); 3]);
        assert_eq!(["threads", "of 1", ""].map(Better::of), [None; 3]);
    }
}
