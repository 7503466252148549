//! Percentiles of equal stretches of a run, in the order of time: what a machine wandered by while it was measured.
//!
//! Costs nothing while latencies are recorded: the samples that are kept are cut afterwards.

use serde::{Deserialize, Serialize};

use super::Recorder;
use crate::statistics::Quantile;

/// Laps of a run.
pub(crate) const LAPS: usize = 10;

/// Fewest samples of a lap; with fewer, a run has no laps.
const SAMPLES_MIN: usize = 100;

/// Percentiles of the samples of one lap. One that the samples cannot support is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lap {
    /// The median.
    pub p50_ns: Option<u64>,
    /// Nine of ten.
    pub p90_ns: Option<u64>,
    /// All but one of a hundred.
    pub p99_ns: Option<u64>,
    /// All but one of a thousand.
    pub p999_ns: Option<u64>,
}

impl Lap {
    fn of(mut samples: Vec<u64>) -> Self {
        samples.sort_unstable();
        let len = samples.len() as u64;
        let [p50_ns, p90_ns, p99_ns, p999_ns] =
            [Quantile::P50, Quantile::P90, Quantile::P99, Quantile::P999].map(|quantile| {
                let index = usize::try_from(quantile.rank(len).checked_sub(1)?).ok()?;
                samples.get(index).copied().filter(|_| quantile.is_supported_by(len))
            });
        Self { p50_ns, p90_ns, p99_ns, p999_ns }
    }

    /// The percentile at `quantile`; `None` for another than these four.
    pub(crate) fn at(&self, quantile: Quantile) -> Option<u64> {
        match quantile {
            Quantile::P50 => self.p50_ns,
            Quantile::P90 => self.p90_ns,
            Quantile::P99 => self.p99_ns,
            Quantile::P999 => self.p999_ns,
            _ => None,
        }
    }
}

impl Recorder {
    /// The laps of the samples that were kept; none if those are too few. What was merged in ran at the same time, so
    /// that a lap has its stretch of every series.
    pub(super) fn laps(&self) -> Vec<Lap> {
        let kept: usize = self.series().map(|series| series.kept.len()).sum();
        if kept < LAPS * SAMPLES_MIN {
            return Vec::new();
        }
        let stretch = |kept: &[u64], lap: usize| -> Vec<u64> {
            kept[kept.len() * lap / LAPS..kept.len() * (lap + 1) / LAPS].to_vec()
        };
        let lap = |lap| Lap::of(self.series().flat_map(|s| stretch(&s.kept, lap)).collect());
        (0..LAPS).map(lap).collect()
    }
}
