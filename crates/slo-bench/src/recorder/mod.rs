//! Latencies as they were: every sample in order, exact counters; and a histogram for the eye, counted when it is asked for.
//!
//! One recorder a thread; [`Recorder::merge`] adds them up without loss. Percentiles are nearest-rank: the k-th smallest
//! sample with k = ceil(p N). Never interpolates, and never reports a percentile that the samples cannot support.

mod histogram;
mod laps;
mod log;
mod summary;
#[cfg(test)]
mod tests;

pub use histogram::LatencyHistogram;
pub(crate) use laps::LAPS;
pub use laps::Lap;
pub use log::{LogInterval, write_hgrm, write_hlog};
pub use summary::{Bucket, Interval, Latency, Point};

use crate::statistics::{Indicator, Quantile, effective_samples};

/// Samples that are kept as they are: 32 MiB of them. Beyond, percentiles are the histogram's, rounded up by at most 0.1 %.
const KEPT_MAX: u64 = 4 << 20;

/// Samples that leave a bit for each limit: 16 MiB of them. Beyond, samples count as dependent as those before.
const BITS_MAX: u64 = 1 << 27;

/// Longest latency that the histogram tells apart, in nanoseconds: an hour.
const HISTOGRAM_NS_MAX: u64 = 3_600_000_000_000;

/// Collects latencies in nanoseconds. Allocates when it is made and not when it records.
#[derive(Clone, Debug)]
pub struct Recorder {
    own: Series,
    kept_max: usize,
    /// What was merged in: their samples stand in orders of their own.
    merged: Vec<Series>,
    /// The samples that were not kept.
    beyond: LatencyHistogram,
    limits_ns: Vec<u64>,
    over_counts: Vec<u64>,
    len: u64,
    max_ns: u64,
    sum_ns: u128,
}

/// Samples of one thread in the order in which they came.
#[derive(Clone, Debug)]
struct Series {
    /// The first ones.
    kept: Vec<u64>,
    /// For each limit, which ones were not below it.
    over: Vec<Indicator>,
}

impl Recorder {
    /// For about `expected` samples, counting exactly how many are not below each of `limits_ns`.
    pub fn new(limits_ns: &[u64], expected: u64) -> Self {
        Self::keeping(limits_ns, expected, expected.clamp(1, KEPT_MAX))
    }

    fn keeping(limits_ns: &[u64], expected: u64, kept_max: u64) -> Self {
        let kept_max = usize::try_from(kept_max).expect("at most KEPT_MAX");
        let bits = expected.clamp(1, BITS_MAX);
        Self {
            own: Series {
                kept: touched(kept_max),
                over: limits_ns.iter().map(|_| Indicator::with_capacity(bits)).collect(),
            },
            kept_max,
            merged: Vec::new(),
            beyond: LatencyHistogram::default(),
            limits_ns: limits_ns.to_vec(),
            over_counts: vec![0; limits_ns.len()],
            len: 0,
            max_ns: 0,
            sum_ns: 0,
        }
    }

    /// Takes one sample.
    #[inline]
    pub fn record(&mut self, latency_ns: u64) {
        if self.own.kept.len() < self.kept_max {
            self.own.kept.push(latency_ns);
        } else {
            self.beyond.record(latency_ns);
        }
        let counters = self.over_counts.iter_mut().zip(&mut self.own.over);
        for (limit, (count, indicator)) in self.limits_ns.iter().zip(counters) {
            let is_over = latency_ns >= *limit;
            *count += u64::from(is_over);
            indicator.push(is_over);
        }
        self.len += 1;
        self.max_ns = self.max_ns.max(latency_ns);
        self.sum_ns += u128::from(latency_ns);
    }

    /// Adds the samples of `other`, as if this one had recorded them too; the order of merges does not matter.
    ///
    /// # Panics
    /// If the two count for different limits.
    pub fn merge(&mut self, other: Self) {
        assert_eq!(self.limits_ns, other.limits_ns, "recorders of one run count for one contract");
        self.beyond.merge(&other.beyond);
        for (count, more) in self.over_counts.iter_mut().zip(&other.over_counts) {
            *count += more;
        }
        self.merged.push(other.own);
        self.merged.extend(other.merged);
        self.len += other.len;
        self.max_ns = self.max_ns.max(other.max_ns);
        self.sum_ns += other.sum_ns;
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

    /// How many independent samples these are worth for counting those over the limit of that index.
    ///
    /// # Panics
    /// If there are not so many limits.
    pub fn effective_samples(&self, limit: usize) -> u64 {
        let series: Vec<_> = self.series().map(|series| &series.over[limit]).collect();
        self.worth(&series)
    }

    /// What all samples are worth if they depend on each other as these do.
    fn worth(&self, series: &[&Indicator]) -> u64 {
        let seen: u64 = series.iter().map(|indicator| indicator.len()).sum();
        let scaled = u128::from(effective_samples(series)) * u128::from(self.len);
        let scaled = scaled.checked_div(u128::from(seen)).unwrap_or_default();
        u64::try_from(scaled).expect("samples are worth at most themselves")
    }

    /// The nearest-rank quantile in nanoseconds; `None` if there are too few samples to tell.
    pub fn quantile(&self, quantile: Quantile) -> Option<u64> {
        self.quantiles(&[quantile])[0]
    }

    /// Several quantiles for one sort.
    pub fn quantiles(&self, quantiles: &[Quantile]) -> Vec<Option<u64>> {
        let ranked = self.ranked();
        quantiles.iter().map(|&quantile| ranked.quantile(quantile)).collect()
    }

    /// Whether every sample was kept, so that quantiles are samples and not edges of buckets.
    pub fn is_exact(&self) -> bool {
        let kept: usize = self.series().map(|series| series.kept.len()).sum();
        usize::try_from(self.len).is_ok_and(|len| len == kept)
    }

    /// The mean in nanoseconds; `None` without a sample.
    pub fn mean_ns(&self) -> Option<u64> {
        let mean = self.sum_ns.checked_div(u128::from(self.len));
        mean.and_then(|mean| u64::try_from(mean).ok())
    }

    /// All latencies together.
    pub(crate) fn total_ns(&self) -> u128 {
        self.sum_ns
    }

    /// Every sample, counted in buckets.
    fn histogram(&self) -> LatencyHistogram {
        let mut histogram = self.beyond.clone();
        let kept = self.series().flat_map(|series| &series.kept);
        kept.for_each(|&latency_ns| histogram.record(latency_ns));
        histogram
    }

    fn series(&self) -> impl Iterator<Item = &Series> {
        std::iter::once(&self.own).chain(&self.merged)
    }

    fn ranked(&self) -> Ranked<'_> {
        if !self.is_exact() {
            return Ranked { recorder: self, samples: Samples::Counted(self.histogram()) };
        }
        let kept: Vec<_> = self.series().map(|series| series.kept.as_slice()).collect();
        let mut sorted = kept.concat();
        sorted.sort_unstable();
        Ranked { recorder: self, samples: Samples::Sorted(sorted) }
    }
}

/// Room for `len` numbers, every page of which is there already: otherwise recording would wait for pages one by one.
fn touched(len: usize) -> Vec<u64> {
    let mut room = vec![u64::MAX; len];
    room.clear();
    room
}

/// Samples by rank.
struct Ranked<'a> {
    recorder: &'a Recorder,
    samples: Samples,
}

/// Samples in their order, or in buckets where not all were kept.
enum Samples {
    Sorted(Vec<u64>),
    Counted(LatencyHistogram),
}

impl Ranked<'_> {
    /// The sample of that rank, from 1, or the edge of its bucket on the side of `end`.
    fn at(&self, rank: u64, end: End) -> u64 {
        let histogram = match &self.samples {
            Samples::Sorted(sorted) => {
                let index = usize::try_from(rank - 1);
                return sorted[index.expect("a rank is at most the number of samples")];
            }
            Samples::Counted(histogram) => histogram,
        };
        let bucket = histogram.at_ranks(&[rank]).swap_remove(0);
        match end {
            End::Lower => *bucket.start(),
            End::Upper => (*bucket.end()).min(self.recorder.max_ns),
        }
    }

    fn quantile(&self, quantile: Quantile) -> Option<u64> {
        let Recorder { len, max_ns, .. } = *self.recorder;
        let value = || match quantile {
            Quantile::MAX => max_ns,
            _ => self.at(quantile.rank(len), End::Upper),
        };
        quantile.is_supported_by(len).then(value)
    }
}

/// Which side of a bucket of the histogram stands for it.
#[derive(Clone, Copy, Debug)]
enum End {
    Lower,
    Upper,
}
