//! An axis: where a value lies on the page, and the round values along it.

use crate::chart::Scale;

/// Values from `low` to `high` on `from..=to` of the page; on a logarithmic axis both are positive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    scale: Scale,
    pub(super) low: f64,
    pub(super) high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// Wide enough that one value alone has a place.
    pub(super) fn new(scale: Scale, [low, high]: [f64; 2], [from, to]: [f64; 2]) -> Self {
        let (low, high) = match scale {
            Scale::Logarithmic if high < low * 1.04 => (low * 0.98, high * 1.02),
            Scale::Linear if high <= low => {
                let beside = if low == 0.0 { 1.0 } else { low.abs() * 0.02 };
                (low - beside, high + beside)
            }
            _ => (low, high),
        };
        Self { scale, low, high, from, to }
    }

    /// A logarithmic axis.
    pub(super) fn logarithmic(low: f64, high: f64, ends: [f64; 2]) -> Self {
        Self::new(Scale::Logarithmic, [low, high], ends)
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        self.from + share * (self.to - self.from)
    }

    /// Two to eight round values within.
    pub(super) fn ticks(&self) -> Vec<f64> {
        const TICKS_MAX: usize = 7;
        let steps: &[f64] = match (self.scale, self.high / self.low) {
            (Scale::Linear, _) => return self.linear_ticks(),
            // Few powers of ten fit: equal distances instead.
            (_, ratio) if ratio < 8.0 => return self.linear_ticks(),
            (_, ratio) if ratio < 150.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let decades = (-12..=18).map(|decade| 10f64.powi(decade));
        let all = decades.flat_map(|decade| steps.iter().map(move |step| step * decade));
        let held: Vec<_> = all.filter(|&value| self.holds(value)).collect();
        held.iter().copied().step_by(held.len().div_ceil(TICKS_MAX).max(1)).collect()
    }

    fn linear_ticks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / 6.0;
        let unit = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|s| s * unit).find(|s| *s >= rough);
        let step = step.unwrap_or(rough);
        // Zero has no sign here.
        let first = (self.low / step).ceil() + 0.0;
        (0..8u32).map(|i| (first + f64::from(i)) * step).filter(|&v| self.holds(v)).collect()
    }

    pub(super) fn holds(&self, value: f64) -> bool {
        let slack = match self.scale {
            Scale::Linear => (self.high - self.low) * 1e-6,
            Scale::Logarithmic => value.abs() * 1e-6,
        };
        value >= self.low - slack && value <= self.high + slack
    }
}

/// A round value without what counting in binary left behind it; thousands and millions by letter.
pub(super) fn short(value: f64) -> String {
    let (value, letter) = match value.abs() {
        v if v >= 1e6 => (value / 1e6, "M"),
        v if v >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let clean: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    format!("{clean}{letter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDS: [f64; 2] = [0.0, 300.0];

    #[test]
    fn ticks_are_few_round_and_within() {
        let logarithmic =
            [[1.0, 1.03], [9.5e3, 3.2e5], [30e3, 36e3], [1.0, 1e9], [0.5, 1.2e5], [4.0, 30.0]];
        let linear = [[0.0, 104.0], [0.2, 70.0], [-3.0, 8.0], [5.0, 5.0], [0.0, 0.0], [1e-6, 2e-6]];
        let all = logarithmic.map(|ends| (Scale::Logarithmic, ends)).into_iter();
        for (scale, ends) in all.chain(linear.map(|ends| (Scale::Linear, ends))) {
            let axis = Axis::new(scale, ends, ENDS);
            let ticks = axis.ticks();
            assert!((2..=8).contains(&ticks.len()), "{ends:?}: {ticks:?}");
            assert!(ticks.is_sorted(), "{ticks:?}");
            let on_page = ticks.iter().map(|&tick| axis.at(tick));
            assert!(on_page.into_iter().all(|at| (-0.1..=300.1).contains(&at)), "{ends:?}");
        }
        let ticks = |scale, ends| Axis::new(scale, ends, ENDS).ticks();
        assert_eq!(ticks(Scale::Logarithmic, [9.5e3, 3.2e5]), [1e4, 2e4, 5e4, 1e5, 2e5]);
        assert_eq!(ticks(Scale::Linear, [0.0, 104.0]), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
    }

    #[test]
    fn equal_differences_or_equal_ratios_are_equally_long() {
        let at = |scale, value| Axis::new(scale, [1.0, 100.0], ENDS).at(value).round();
        assert_eq!([1.0, 10.0, 100.0].map(|v| at(Scale::Logarithmic, v)), [0.0, 150.0, 300.0]);
        assert_eq!([1.0, 50.5, 100.0].map(|v| at(Scale::Linear, v)), [0.0, 150.0, 300.0]);
    }

    #[test]
    fn labels_are_short() {
        let values = [0.5, 35.8, 20_000.0, 3e6, -0.2 + 0.1 + 0.1, -15_000.0, 0.1 + 0.2];
        assert_eq!(values.map(short), ["0.5", "35.8", "20k", "3M", "0", "-15k", "0.3"]);
    }
}
