//! Latencies counted in buckets, as a report keeps them: enough to draw, merge and compare runs later.
//!
//! A bucket is at most 0.1 % wide; what a contract says is never judged by it.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

use super::{Bucket, HISTOGRAM_NS_MAX};

/// Significant decimal digits that a bucket keeps.
const DIGITS: u8 = 3;

/// Counts of latencies in nanoseconds, from 1 ns to an hour.
///
/// In JSON it is one string, HdrHistogram's compressed V2 encoding in base64, which the HdrHistogram libraries of other
/// languages decode. There are 33,792 buckets, so that even with a sample in each it is some tens of kilobytes; runs of
/// 100,000 samples take two to four.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyHistogram {
    counts: Histogram<u64>,
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        let counts = Histogram::new_with_bounds(1, HISTOGRAM_NS_MAX, DIGITS);
        Self { counts: counts.expect("the bounds are constants that the histogram accepts") }
    }
}

impl LatencyHistogram {
    /// Counts one more latency; one over an hour counts as an hour.
    #[inline]
    pub fn record(&mut self, latency_ns: u64) {
        self.counts.saturating_record(latency_ns);
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.counts.add(&other.counts).expect("all histograms have the same bounds");
    }

    /// Latencies counted.
    pub fn len(&self) -> u64 {
        self.counts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The mean of the buckets' middles in whole nanoseconds; `None` without a sample.
    pub fn mean_ns(&self) -> Option<u64> {
        let each = self.buckets().map(|(edges, count)| {
            u128::from(u64::midpoint(*edges.start(), *edges.end())) * u128::from(count)
        });
        let mean = each.sum::<u128>().checked_div(u128::from(self.len()));
        mean.and_then(|mean| u64::try_from(mean).ok())
    }

    /// Counts by powers of two of a microsecond, empty ends left out.
    pub(super) fn by_powers_of_two(&self) -> Vec<Bucket> {
        let steps = self.counts.iter_log(1000, 2.0);
        let all = steps.map(|step| Bucket {
            up_to_ns: step.value_iterated_to(),
            count: step.count_since_last_iteration(),
        });
        all.skip_while(|bucket| bucket.count == 0).collect()
    }

    /// The bucket that holds the sample of each of `ranks`, from 1 and ascending; a rank beyond the last gives the last.
    pub fn at_ranks(&self, ranks: &[u64]) -> Vec<RangeInclusive<u64>> {
        let mut below = 0;
        let mut buckets = self.counts.iter_recorded().map(|step| {
            below += step.count_since_last_iteration();
            (below, self.edges(step.value_iterated_to()))
        });
        let mut current = (0, 0..=0);
        let at = |&rank: &u64| {
            while current.0 < rank {
                let Some(next) = buckets.next() else { break };
                current = next;
            }
            current.1.clone()
        };
        ranks.iter().map(at).collect()
    }

    /// Every bucket with a sample and its count, ascending.
    pub fn buckets(&self) -> impl Iterator<Item = (RangeInclusive<u64>, u64)> + '_ {
        let recorded = self.counts.iter_recorded();
        recorded
            .map(|step| (self.edges(step.value_iterated_to()), step.count_since_last_iteration()))
    }

    /// As HdrHistogram's libraries know it.
    pub(super) fn counts(&self) -> &Histogram<u64> {
        &self.counts
    }

    fn edges(&self, value: u64) -> RangeInclusive<u64> {
        self.counts.lowest_equivalent(value)..=self.counts.highest_equivalent(value)
    }
}

impl Serialize for LatencyHistogram {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        let written = V2DeflateSerializer::new().serialize(&self.counts, &mut bytes);
        written.expect("a histogram of these bounds fits its format, and memory takes it");
        serializer.serialize_str(&BASE64.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for LatencyHistogram {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let refused = |reason: String| {
            serde::de::Error::custom(format!("not a histogram of latencies: {reason}"))
        };
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64.decode(text).map_err(|error| refused(error.to_string()))?;
        let counts: Histogram<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|error| refused(error.to_string()))?;
        let expected = Self::default().counts;
        let bounds = |counts: &Histogram<u64>| (counts.low(), counts.high(), counts.sigfig());
        if bounds(&counts) != bounds(&expected) {
            return Err(refused("its bounds are others than those of reports".to_owned()));
        }
        Ok(Self { counts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(samples: impl IntoIterator<Item = u64>) -> LatencyHistogram {
        let mut histogram = LatencyHistogram::default();
        samples.into_iter().for_each(|sample| histogram.record(sample));
        histogram
    }

    #[test]
    fn a_histogram_is_one_string_and_comes_back_from_it() {
        let histogram = histogram([0, 1, 2047, 2048, 123_456_789, HISTOGRAM_NS_MAX, u64::MAX]);
        let text = serde_json::to_string(&histogram).unwrap();
        assert!(text.starts_with("\"HISTFA"), "{text}");
        assert_eq!(serde_json::from_str::<LatencyHistogram>(&text).unwrap(), histogram);
    }

    #[test]
    fn the_encoding_is_small_for_a_run_and_bounded_for_any() {
        let run = histogram((0..100_000).map(|i| 30_000 + i * i % 9_973));
        let size = |histogram: &LatencyHistogram| serde_json::to_string(histogram).unwrap().len();
        assert!(size(&run) < 4_096, "{}", size(&run));
        let mut full = LatencyHistogram::default();
        let (mut value, mut buckets) = (1, 0);
        while value < HISTOGRAM_NS_MAX {
            full.record(value);
            value = full.edges(value).end() + 1;
            buckets += 1;
        }
        assert!(buckets <= 33_792, "{buckets}");
        assert!(size(&full) < 100_000, "{}", size(&full));
    }

    #[test]
    fn a_rank_finds_the_bucket_of_its_sample() {
        let histogram = histogram((1..=1000).map(|i| i * 100));
        let found = histogram.at_ranks(&[1, 500, 990, 1000, 5000]);
        for (edges, value) in found.iter().zip([100, 50_000, 99_000, 100_000, 100_000]) {
            assert!(edges.contains(&value), "{value} in {edges:?}");
            assert!((edges.end() - edges.start()) as f64 <= value as f64 / 1000.0, "{edges:?}");
        }
        assert_eq!(histogram.buckets().map(|(_, count)| count).sum::<u64>(), 1000);
    }

    #[test]
    fn what_is_no_histogram_of_ours_is_refused_in_words() {
        let other = Histogram::<u64>::new_with_bounds(1, 1_000, 2).unwrap();
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&other, &mut bytes).unwrap();
        for (text, words) in [
            ("not base64!".to_owned(), "not a histogram of latencies"),
            ("HISTFAAA".to_owned(), "not a histogram of latencies"),
            (BASE64.encode(bytes), "its bounds are others"),
        ] {
            let json = serde_json::to_string(&text).unwrap();
            let error = serde_json::from_str::<LatencyHistogram>(&json).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
