//! Values over something, as data: the page draws them, and other programs can.
//!
//! Never says how it looks, and never holds more points than a reader can tell apart.
//!
//! ```
//! use slo_bench::chart::{Chart, Quantity};
//!
//! let (time, power) = (Quantity::new("time", "s"), Quantity::new("power", "W"));
//! let mut chart = Chart::new("triad: power", "host, not a GPU", time, power);
//! chart.line("drawn", [(0.2, Some(310.0)), (0.4, None), (0.6, Some(318.0))]);
//! chart.mark("limit", 700.0);
//! assert_eq!(chart.lines[0].values.len(), 3);
//! ```

use serde::{Deserialize, Serialize};

/// Points of a line, at most.
pub const POINTS_MAX: usize = 120;

/// Lines over one axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// On which device, in words.
    pub measured_on: String,
    /// What grows from left to right.
    pub x: Quantity,
    /// What grows from bottom to top.
    pub y: Quantity,
    /// Lines, in the order of their legend.
    pub lines: Vec<Line>,
    /// Heights that the lines are held against.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
}

/// What an axis measures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantity {
    /// Its name.
    pub name: String,
    /// Its unit; empty for a number.
    pub unit: String,
    /// How values lie on the axis.
    pub scale: Scale,
}

/// How values lie on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Equal differences are equally long.
    Linear,
    /// Equal ratios are equally long. Values that are not positive have no place.
    Logarithmic,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What it is.
    pub name: String,
    /// How many measured values each point is the mean of; the last may be of fewer.
    pub mean_of: usize,
    /// Points (x, y) to six significant digits; without y where nothing was told.
    pub values: Vec<(f64, Option<f64>)>,
}

/// A height that lines are held against, such as a threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// What it is.
    pub name: String,
    /// Where on the vertical axis.
    pub value: f64,
}

impl Quantity {
    /// On a linear axis.
    pub fn new(name: impl Into<String>, unit: impl Into<String>) -> Self {
        Self { name: name.into(), unit: unit.into(), scale: Scale::Linear }
    }

    /// The same on a logarithmic axis.
    pub fn logarithmic(self) -> Self {
        Self { scale: Scale::Logarithmic, ..self }
    }
}

impl Chart {
    /// A chart without lines.
    pub fn new(
        title: impl Into<String>,
        measured_on: impl Into<String>,
        x: Quantity,
        y: Quantity,
    ) -> Self {
        let (title, measured_on) = (title.into(), measured_on.into());
        Self { title, measured_on, x, y, lines: Vec::new(), marks: Vec::new() }
    }

    /// Adds a line of (x, y) in the order of x, unless nothing was told anywhere.
    ///
    /// More than [`POINTS_MAX`] values are cut into slices of equally many, the last of what is left, and each slice
    /// becomes its mean: a single extreme value is no longer seen, which [`Line::mean_of`] tells. A y that is not
    /// finite was not told.
    pub fn line(
        &mut self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = (f64, Option<f64>)>,
    ) {
        let values: Vec<_> = values.into_iter().filter(|(x, _)| x.is_finite()).collect();
        let mean_of = values.len().div_ceil(POINTS_MAX).max(1);
        let values: Vec<_> = values.chunks(mean_of).map(mean).collect();
        if values.iter().any(|(_, y)| y.is_some()) {
            self.lines.push(Line { name: name.into(), mean_of, values });
        }
    }

    /// Adds a height that the lines are held against, if it is finite.
    pub fn mark(&mut self, name: impl Into<String>, value: f64) {
        if value.is_finite() {
            self.marks.push(Mark { name: name.into(), value: rounded(value) });
        }
    }
}

/// The mean of a slice of at least one point, by what was told of it.
fn mean(slice: &[(f64, Option<f64>)]) -> (f64, Option<f64>) {
    let of = |values: &[f64]| rounded(values.iter().sum::<f64>() / values.len() as f64);
    let x: Vec<_> = slice.iter().map(|(x, _)| *x).collect();
    let y: Vec<_> = slice.iter().filter_map(|(_, y)| y.filter(|y| y.is_finite())).collect();
    (of(&x), (!y.is_empty()).then(|| of(&y)))
}

/// To six significant digits: more would only fill the report.
fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(count: u32, y: impl Fn(u32) -> Option<f64>) -> Chart {
        let mut chart =
            Chart::new("power", "here", Quantity::new("time", "s"), Quantity::new("power", "W"));
        chart.line("drawn", (0..count).map(|i| (f64::from(i), y(i))));
        chart
    }

    #[test]
    fn a_long_line_becomes_means_of_equal_slices_and_loses_none_at_its_end() {
        let values = |count: u32| chart(count, |i| Some(f64::from(i))).lines.remove(0);
        let most = u32::try_from(POINTS_MAX).unwrap();
        let whole = values(most);
        assert_eq!((whole.mean_of, whole.values.len()), (1, POINTS_MAX));
        // 301 values: 100 slices of three, and the last one alone.
        let sliced = values(301);
        assert_eq!((sliced.mean_of, sliced.values.len()), (3, 101));
        assert_eq!(sliced.values[0], (1.0, Some(1.0)), "the mean of 0, 1 and 2");
        assert_eq!(sliced.values[100], (300.0, Some(300.0)));
        for count in [1, most - 1, most + 1, 10_007] {
            let line = values(count);
            assert!(line.values.len() <= POINTS_MAX, "{count}");
            let points = line.values.len() as f64;
            let counted = points * line.mean_of as f64;
            assert!(counted >= f64::from(count) && counted < f64::from(count) + points, "{count}");
        }
    }

    #[test]
    fn one_extreme_value_among_many_is_told_as_a_part_of_a_mean() {
        let spike = chart(240, |i| Some(if i == 100 { 500.0 } else { 100.0 })).lines.remove(0);
        assert_eq!(spike.mean_of, 2);
        let most = spike.values.iter().filter_map(|(_, y)| *y).fold(0.0, f64::max);
        assert_eq!(most.to_bits(), 300f64.to_bits());
    }

    #[test]
    fn what_was_not_told_is_a_gap_and_no_zero() {
        let gaps = chart(4, |i| [Some(1.0), None, Some(f64::NAN), Some(4.0)][i as usize]);
        let told: Vec<_> = gaps.lines[0].values.iter().map(|(_, y)| *y).collect();
        assert_eq!(told, [Some(1.0), None, None, Some(4.0)]);
        let text = serde_json::to_string(&gaps).unwrap();
        assert_eq!(serde_json::from_str::<Chart>(&text).unwrap(), gaps, "{text}");
        // A slice is the mean of what was told in it, and a gap where nothing was.
        let sliced = chart(240, |i| (i % 4 == 0).then_some(8.0)).lines.remove(0);
        assert_eq!(sliced.values[..2], [(0.5, Some(8.0)), (2.5, None)]);
        assert!(chart(50, |_| None).lines.is_empty(), "nothing was told: no line");
    }

    #[test]
    fn a_height_that_is_nowhere_is_left_out_and_the_chart_can_be_read_back() {
        let mut chart = chart(1, |_| Some(1.0));
        [f64::NAN, f64::INFINITY, 2.0].into_iter().for_each(|value| chart.mark("limit", value));
        assert_eq!(chart.marks, [Mark { name: "limit".to_owned(), value: 2.0 }]);
        let text = serde_json::to_string(&chart).unwrap();
        assert_eq!(serde_json::from_str::<Chart>(&text).unwrap(), chart, "{text}");
    }

    #[test]
    fn values_are_short() {
        let third = chart(1, |_| Some(100.0 / 3.0));
        assert_eq!(serde_json::to_string(&third.lines[0].values).unwrap(), "[[0.0,33.3333]]");
    }
}
