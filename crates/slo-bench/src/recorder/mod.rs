//! Latencies as they were: every sample, exact counters, a histogram for the eye.
//!
//! Percentiles are nearest-rank: the k-th smallest sample with k = ceil(p N). Never interpolates, and never
//! reports a percentile that the samples cannot support.

#[cfg(test)]
mod tests;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::statistics::Quantile;

/// Samples that are kept as they are: 32 MiB of them. Beyond, percentiles are the histogram's, rounded up by at most 0.1 %.
const KEPT_MAX: usize = 4 << 20;

/// Longest latency that the histogram tells apart, in nanoseconds: an hour.
const HISTOGRAM_NS_MAX: u64 = 3_600_000_000_000;

/// Collects latencies in nanoseconds. Allocates when it is made and not when it records.
#[derive(Clone, Debug)]
pub struct Recorder {
    kept: Vec<u64>,
    kept_max: usize,
    histogram: Histogram<u64>,
    limits_ns: Vec<u64>,
    over_counts: Vec<u64>,
    len: u64,
    max_ns: u64,
    sum_ns: u128,
}

impl Recorder {
    /// For about `expected` samples, counting exactly how many are not below each of `limits_ns`.
    pub fn new(limits_ns: &[u64], expected: u64) -> Self {
        let kept_max = usize::try_from(expected).unwrap_or(KEPT_MAX).clamp(1, KEPT_MAX);
        Self::keeping(limits_ns, kept_max)
    }

    fn keeping(limits_ns: &[u64], kept_max: usize) -> Self {
        let histogram = Histogram::new_with_bounds(1, HISTOGRAM_NS_MAX, 3);
        Self {
            kept: Vec::with_capacity(kept_max),
            kept_max,
            histogram: histogram.expect("the bounds are constants that the histogram accepts"),
            limits_ns: limits_ns.to_vec(),
            over_counts: vec![0; limits_ns.len()],
            len: 0,
            max_ns: 0,
            sum_ns: 0,
        }
    }

    /// Takes one sample.
    pub fn record(&mut self, latency_ns: u64) {
        if self.kept.len() < self.kept_max {
            self.kept.push(latency_ns);
        }
        self.histogram.saturating_record(latency_ns);
        for (limit, count) in self.limits_ns.iter().zip(&mut self.over_counts) {
            *count += u64::from(latency_ns >= *limit);
        }
        self.len += 1;
        self.max_ns = self.max_ns.max(latency_ns);
        self.sum_ns += u128::from(latency_ns);
    }

    /// Samples so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// For each limit, in the order given, the samples that are not below it.
    pub fn over_counts(&self) -> &[u64] {
        &self.over_counts
    }

    /// The nearest-rank quantile in nanoseconds; `None` if there are too few samples to tell.
    pub fn quantile(&self, quantile: Quantile) -> Option<u64> {
        self.quantiles(&[quantile])[0]
    }

    /// Several quantiles for one sort.
    pub fn quantiles(&self, quantiles: &[Quantile]) -> Vec<Option<u64>> {
        let mut sorted = if self.is_exact() { self.kept.clone() } else { Vec::new() };
        sorted.sort_unstable();
        let value = |quantile: Quantile| match quantile {
            Quantile::MAX => self.max_ns,
            _ if self.is_exact() => nearest_rank(&sorted, quantile),
            _ => self.histogram.value_at_quantile(quantile.share()),
        };
        let supported = |quantile: &Quantile| quantile.is_supported_by(self.len);
        quantiles.iter().map(|&q| supported(&q).then(|| value(q))).collect()
    }

    /// Whether every sample was kept, so that quantiles are samples and not edges of buckets.
    pub fn is_exact(&self) -> bool {
        usize::try_from(self.len).is_ok_and(|len| len == self.kept.len())
    }

    /// What a report shows of it.
    pub fn summary(&self) -> Latency {
        let values = self.quantiles(&Quantile::ALL);
        let [p50, p90, p99, p999, max] = [0, 1, 2, 3, 4].map(|index| values[index]);
        let mean = self.sum_ns.checked_div(u128::from(self.len));
        Latency {
            samples: self.len,
            method: if self.is_exact() {
                "nearest rank"
            } else {
                "nearest rank of a histogram, rounded up by at most 0.1 %"
            }
            .to_owned(),
            mean_ns: mean.and_then(|mean| u64::try_from(mean).ok()),
            p50_ns: p50,
            p90_ns: p90,
            p99_ns: p99,
            p999_ns: p999,
            max_ns: max,
            distribution: self.distribution(),
        }
    }

    /// Counts by powers of two of a microsecond, empty ends left out.
    fn distribution(&self) -> Vec<Bucket> {
        let steps = self.histogram.iter_log(1000, 2.0);
        let all = steps.map(|step| Bucket {
            up_to_ns: step.value_iterated_to(),
            count: step.count_since_last_iteration(),
        });
        all.skip_while(|bucket| bucket.count == 0).collect()
    }
}

/// The quantile of sorted samples.
fn nearest_rank(sorted: &[u64], quantile: Quantile) -> u64 {
    let rank = quantile.rank(sorted.len() as u64).max(1);
    let index = usize::try_from(rank - 1).expect("a rank is at most the number of samples");
    sorted[index]
}

/// Latencies of one run, summed up. A percentile that the samples cannot support is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Counts by powers of two.
    pub distribution: Vec<Bucket>,
}

/// Samples in one range of latencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Upper edge, within it.
    pub up_to_ns: u64,
    /// Samples between the edge below and this one.
    pub count: u64,
}
