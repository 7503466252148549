//! Tuning spaces: the choices that a kernel leaves open, as data.
//!
//! A kernel declares its space, a tuner walks it; neither knows the other.

/// One choice and the values it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// What is chosen, such as `threads`.
    pub name: &'static str,
    /// The values it may take.
    pub values: &'static [u32],
}

/// The cartesian product of some axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaunchSpace {
    axes: &'static [Axis],
}

/// One value for every axis of a space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Point {
    values: Vec<(&'static str, u32)>,
}

impl LaunchSpace {
    /// The product of `axes`.
    pub const fn new(axes: &'static [Axis]) -> Self {
        Self { axes }
    }

    /// The axes, slowest first.
    pub fn axes(&self) -> &'static [Axis] {
        self.axes
    }

    /// Points in the space.
    pub fn len(&self) -> usize {
        self.axes.iter().map(|axis| axis.values.len()).product()
    }

    /// Whether an axis has no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Point `index` in row-major order, the last axis fastest; `None` past the end.
    pub fn point(&self, index: usize) -> Option<Point> {
        if index >= self.len() {
            return None;
        }
        let mut rest = index;
        let mut values: Vec<_> = self.axes.iter().map(|axis| (axis.name, 0)).collect();
        for (slot, axis) in values.iter_mut().zip(self.axes).rev() {
            slot.1 = axis.values[rest % axis.values.len()];
            rest /= axis.values.len();
        }
        Some(Point { values })
    }

    /// Every point once, in a fixed order.
    pub fn points(&self) -> impl Iterator<Item = Point> + '_ {
        (0..self.len()).filter_map(|index| self.point(index))
    }
}

impl Point {
    /// Each axis and the value chosen for it, slowest axis first.
    pub fn values(&self) -> &[(&'static str, u32)] {
        &self.values
    }

    /// The value chosen for the axis `name`.
    pub fn value(&self, name: &str) -> Option<u32> {
        self.values.iter().find(|(axis, _)| *axis == name).map(|&(_, value)| value)
    }
}

impl std::fmt::Display for Point {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (name, value)) in self.values.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(formatter, "{separator}{name} {value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: LaunchSpace = LaunchSpace::new(&[
        Axis { name: "threads", values: &[64, 128] },
        Axis { name: "items", values: &[1, 2, 4] },
    ]);

    #[test]
    fn every_point_comes_once_and_the_last_axis_runs_fastest() {
        let all: Vec<_> = SPACE.points().map(|point| point.to_string()).collect();
        assert_eq!(all.len(), SPACE.len());
        assert_eq!(all[0], "threads 64, items 1");
        assert_eq!(all[1], "threads 64, items 2");
        assert_eq!(all[5], "threads 128, items 4");
        assert_eq!(SPACE.point(6), None);
        assert_eq!(SPACE.point(4).unwrap().value("items"), Some(2));
    }
}
