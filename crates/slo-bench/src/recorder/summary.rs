//! What a report shows of a recorder.

use serde::{Deserialize, Serialize};

use super::{End, Lap, LatencyHistogram, Ranked, Recorder};
use crate::statistics::{Indicator, Quantile, rank_interval};

/// The confidence of every interval in a report.
const CONFIDENCE: f64 = 0.95;

/// How percentiles are found where not every sample is at hand.
const BY_HISTOGRAM: &str = "nearest rank of a histogram, rounded up by at most 0.1 %";

/// Latencies of one run, summed up. A percentile that the samples cannot support is absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Samples.
    pub samples: u64,
    /// How percentiles were found.
    pub method: String,
    /// The mean.
    pub mean_ns: Option<u64>,
    /// The median.
    pub p50_ns: Option<u64>,
    /// Nine of ten.
    pub p90_ns: Option<u64>,
    /// All but one of a hundred.
    pub p99_ns: Option<u64>,
    /// All but one of a thousand.
    pub p999_ns: Option<u64>,
    /// The largest.
    pub max_ns: Option<u64>,
    /// Where percentiles of all iterations lie, not only of these samples.
    pub intervals: Vec<Interval>,
    /// Counts by powers of two.
    pub distribution: Vec<Bucket>,
    /// Counts to 0.1 %.
    pub histogram: LatencyHistogram,
    /// The laps of each node in the order of time: ten equal stretches of its samples. Empty where one has too few
    /// samples, and in a report from before there were laps.
    #[serde(default)]
    pub laps: Vec<Vec<Lap>>,
}

/// A two-sided confidence interval of one percentile, between two of the samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Such as `p99`.
    pub quantile: String,
    /// How often intervals found this way contain the percentile, in 0..1.
    pub confidence: f64,
    /// `None` if no sample is surely below it.
    pub lower_ns: Option<u64>,
    /// `None` if no sample is surely above it: never the largest in its place.
    pub upper_ns: Option<u64>,
    /// How many independent samples the samples are worth for this percentile.
    pub effective_samples: u64,
}

/// Samples in one range of latencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Upper edge, within it.
    pub up_to_ns: u64,
    /// Samples between the edge below and this one.
    pub count: u64,
}

/// One percentile of a latency.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    /// Such as `p99`; `max` for the largest.
    pub name: &'static str,
    /// What it is among the samples.
    pub ns: Option<u64>,
    /// Where it is among all iterations.
    pub interval: Option<&'a Interval>,
}

impl Latency {
    /// The percentiles that a report shows, ascending, and the largest.
    pub fn points(&self) -> [Point<'_>; 5] {
        let Self { p50_ns, p90_ns, p99_ns, p999_ns, max_ns, .. } = *self;
        let named = [
            ("p50", p50_ns),
            ("p90", p90_ns),
            ("p99", p99_ns),
            ("p99.9", p999_ns),
            ("max", max_ns),
        ];
        named.map(|(name, ns)| {
            let interval = self.intervals.iter().find(|interval| interval.quantile == name);
            Point { name, ns, interval }
        })
    }
}

impl Latency {
    /// Both together, whatever the order: percentiles are those of the histograms.
    ///
    /// Samples of different runs count as independent of each other.
    pub fn merge(&self, other: &Self) -> Self {
        let mut histogram = self.histogram.clone();
        histogram.merge(&other.histogram);
        let samples = self.samples + other.samples;
        let max_ns = self.max_ns.max(other.max_ns);
        let quantile = |quantile: Quantile| {
            let bucket = histogram.at_ranks(&[quantile.rank(samples)]).swap_remove(0);
            let most = max_ns.filter(|_| quantile.is_supported_by(samples))?;
            Some(most.min(*bucket.end()))
        };
        let inner = [Quantile::P50, Quantile::P90, Quantile::P99, Quantile::P999];
        let [p50_ns, p90_ns, p99_ns, p999_ns] = inner.map(quantile);
        let intervals = inner.into_iter().filter_map(|quantile| {
            let name = quantile.to_string();
            let both =
                [self, other].map(|latency| latency.intervals.iter().find(|i| i.quantile == name));
            let effective = both.iter().flatten().map(|interval| interval.effective_samples).sum();
            let ranks = rank_interval(samples, effective, quantile, CONFIDENCE);
            let at = |rank: u64| histogram.at_ranks(&[rank]).swap_remove(0);
            (effective > 0 && quantile.is_supported_by(samples)).then(|| Interval {
                quantile: name,
                confidence: CONFIDENCE,
                lower_ns: ranks.lower.map(|rank| *at(rank).start()),
                upper_ns: ranks.upper.map(|rank| *at(rank).end()),
                effective_samples: effective,
            })
        });
        Self {
            samples,
            method: BY_HISTOGRAM.to_owned(),
            mean_ns: histogram.mean_ns(),
            p50_ns,
            p90_ns,
            p99_ns,
            p999_ns,
            max_ns,
            intervals: intervals.collect(),
            distribution: histogram.by_powers_of_two(),
            histogram: histogram.clone(),
            laps: match self.laps.is_empty() || other.laps.is_empty() {
                // A node whose laps are not known may have wandered by anything.
                true => Vec::new(),
                false => [self.laps.as_slice(), &other.laps].concat(),
            },
        }
    }
}

impl Recorder {
    /// What a report shows of it.
    pub fn summary(&self) -> Latency {
        let ranked = self.ranked();
        let [p50, p90, p99, p999, max] = Quantile::ALL.map(|quantile| ranked.quantile(quantile));
        let inner = Quantile::ALL.into_iter().filter(|&quantile| quantile != Quantile::MAX);
        let histogram = self.histogram();
        Latency {
            samples: self.len,
            method: if self.is_exact() { "nearest rank" } else { BY_HISTOGRAM }.to_owned(),
            mean_ns: self.mean_ns(),
            p50_ns: p50,
            p90_ns: p90,
            p99_ns: p99,
            p999_ns: p999,
            max_ns: max,
            intervals: inner.filter_map(|quantile| self.interval(&ranked, quantile)).collect(),
            distribution: histogram.by_powers_of_two(),
            histogram,
            laps: Some(self.laps()).filter(|laps| !laps.is_empty()).into_iter().collect(),
        }
    }

    /// The interval of a percentile that the samples support.
    fn interval(&self, ranked: &Ranked<'_>, quantile: Quantile) -> Option<Interval> {
        let value = ranked.quantile(quantile)?;
        let above = self.series().map(|series| Indicator::of(&series.kept, |ns| ns > value));
        let above: Vec<_> = above.collect();
        let effective = self.worth(&above.iter().collect::<Vec<_>>());
        let ranks = rank_interval(self.len, effective, quantile, CONFIDENCE);
        Some(Interval {
            quantile: quantile.to_string(),
            confidence: CONFIDENCE,
            lower_ns: ranks.lower.map(|rank| ranked.at(rank, End::Lower)),
            upper_ns: ranks.upper.map(|rank| ranked.at(rank, End::Upper)),
            effective_samples: effective,
        })
    }
}
