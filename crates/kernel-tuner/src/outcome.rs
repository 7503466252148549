//! What a tuning run found, as it is reported and kept.
//!
//! Every time is a measurement and says on which device and backend it was taken.

use std::collections::BTreeMap;

use gpu_core::{BackendKind, DeviceProperties, Launch, LaunchSpace, Point};
use serde::{Deserialize, Serialize};

use crate::measure::Measured;
use crate::subject::Mismatch;

/// Where something was measured.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DeviceLabel {
    /// Where work runs. Times of a host backend are the processor's wall time.
    pub backend: BackendKind,
    /// The product's name.
    pub name: String,
    /// Unique id of the device; empty on the host.
    pub uuid: String,
    /// Driver version as CUDA counts it; absent on the host.
    pub driver_version: Option<u32>,
}

impl From<&DeviceProperties> for DeviceLabel {
    fn from(device: &DeviceProperties) -> Self {
        Self {
            backend: device.backend,
            name: device.name.clone(),
            uuid: device.uuid.clone(),
            driver_version: device.driver_version,
        }
    }
}

/// One value for every axis of a space, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Choice {
    values: BTreeMap<String, u32>,
}

impl Choice {
    /// The value of the axis `name`.
    pub fn value(&self, name: &str) -> Option<u32> {
        self.values.get(name).copied()
    }

    /// The point of `space` with these values; `None` if the space has changed.
    pub fn find_in(&self, space: &LaunchSpace) -> Option<Point> {
        space.points().find(|point| Self::from(point) == *self)
    }
}

impl From<&Point> for Choice {
    fn from(point: &Point) -> Self {
        let values = point.values().iter().map(|&(name, value)| (name.to_owned(), value));
        Self { values: values.collect() }
    }
}

impl std::fmt::Display for Choice {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (name, value)) in self.values.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(formatter, "{separator}{name} {value}")?;
        }
        Ok(())
    }
}

/// One configuration and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandidateOutcome {
    /// The configuration.
    pub point: Choice,
    /// Its shape, if it could be launched.
    pub launch: Option<Launch>,
    /// Its theoretical occupancy, 0 to 1, where device and kernel tell enough to calculate it.
    pub occupancy: Option<f64>,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// It is right and was timed.
    Timed {
        /// How long it takes.
        time: Measured,
    },
    /// It cannot be launched.
    Refused {
        /// Why not.
        reason: String,
    },
    /// It could be launched, but queueing or running it failed.
    Failed {
        /// With what.
        reason: String,
    },
    /// Its result is wrong. It is never chosen, however fast.
    Wrong {
        /// How.
        mismatch: Mismatch,
    },
}

/// Candidates by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Right and timed.
    pub timed: usize,
    /// Could not be launched.
    pub refused: usize,
    /// Failed when queued or run.
    pub failed: usize,
    /// Gave a wrong result.
    pub wrong: usize,
}

impl Counts {
    /// Counts `candidates`.
    pub fn of(candidates: &[CandidateOutcome]) -> Self {
        let mut counts = Self::default();
        for candidate in candidates {
            *match candidate.outcome {
                Outcome::Timed { .. } => &mut counts.timed,
                Outcome::Refused { .. } => &mut counts.refused,
                Outcome::Failed { .. } => &mut counts.failed,
                Outcome::Wrong { .. } => &mut counts.wrong,
            } += 1;
        }
        counts
    }
}

/// How much faster the best configuration is than the baseline, both measured side by side.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speedup {
    /// Baseline's median over the best's.
    pub ratio: f64,
    /// The ratio of the near ends of the two intervals: at least this much.
    pub low: f64,
    /// The ratio of the far ends: at most this much.
    pub high: f64,
}

impl Speedup {
    /// `None` if the best is too short for the timer.
    pub(crate) fn between(baseline: &Measured, best: &Measured) -> Option<Self> {
        (best.low_us > 0.0).then(|| Self {
            ratio: baseline.median_us / best.median_us,
            low: baseline.low_us / best.high_us,
            high: baseline.high_us / best.low_us,
        })
    }
}

/// What the comparison with the baseline says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The best configuration is faster: the intervals are apart. It is chosen.
    Faster,
    /// The intervals overlap, or the timer cannot tell. The baseline is kept.
    Indistinguishable,
    /// Side by side, the best configuration is slower after all. The baseline is kept.
    Slower,
    /// The best configuration is the baseline itself.
    BaselineIsBest,
}

impl Verdict {
    pub(crate) fn of(speedup: Option<Speedup>) -> Self {
        match speedup {
            Some(speedup) if speedup.low > 1.0 => Self::Faster,
            Some(speedup) if speedup.high < 1.0 => Self::Slower,
            _ => Self::Indistinguishable,
        }
    }
}

/// The result of a tuning run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// What was tuned.
    pub subject: String,
    /// How its space was walked.
    pub search: String,
    /// Where it was measured.
    pub device: DeviceLabel,
    /// The configuration to use: the best one if the verdict is [`Verdict::Faster`], else the baseline.
    pub point: Choice,
    /// Its shape.
    pub launch: Launch,
    /// What it was compared with.
    pub baseline: Choice,
    /// The baseline's time, measured in turn with the best; where the two are one, its time in the search.
    pub baseline_time: Measured,
    /// The fastest configuration whose result is right.
    pub best: Choice,
    /// Its time, measured in turn with the baseline; where the two are one, its time in the search.
    pub best_time: Measured,
    /// Baseline over best; absent if they are one, or too short for the timer.
    pub speedup: Option<Speedup>,
    /// What follows from it.
    pub verdict: Verdict,
    /// Candidates by what became of them.
    pub counts: Counts,
    /// Each candidate, in the order of the search.
    pub candidates: Vec<CandidateOutcome>,
}
