//! The two text formats of HdrHistogram: the interval log (`.hlog`) and the percentile distribution (`.hgrm`).
//!
//! Both hold the histogram's buckets, in which a latency is rounded by at most 0.1 %; a contract is never judged by them.

use std::io::{Result, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};

use super::LatencyHistogram;

/// Latencies of one stretch of time.
#[derive(Clone, Copy, Debug)]
pub struct LogInterval<'a> {
    /// Which of several histories it belongs to, such as a workload: any text, of which commas and white space become `_`.
    pub tag: &'a str,
    /// When it began, from the start of the log.
    pub start: Duration,
    /// How long it was.
    pub length: Duration,
    /// What was recorded in it.
    pub histogram: &'a LatencyHistogram,
}

/// Writes an interval log of format 1.3: values in nanoseconds, each interval's maximum in milliseconds, times absolute.
///
/// # Errors
/// What `out` fails with.
pub fn write_hlog(
    out: &mut impl Write,
    started: SystemTime,
    intervals: &[LogInterval<'_>],
) -> Result<()> {
    let since_epoch = started.duration_since(UNIX_EPOCH).unwrap_or_default();
    writeln!(out, "#[Histogram log format version 1.3]")?;
    writeln!(out, "#[StartTime: {:.3} (seconds since epoch)]", since_epoch.as_secs_f64())?;
    let columns =
        ["StartTimestamp", "Interval_Length", "Interval_Max", "Interval_Compressed_Histogram"];
    writeln!(out, "{}", columns.map(|name| format!("\"{name}\"")).join(","))?;
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    let mut log = builder.with_max_value_divisor(1e6).begin_log_with(out, &mut serializer)?;
    for LogInterval { tag, start, length, histogram } in intervals {
        let tag = tag.replace([',', ' ', '\t', '\n', '\r'], "_");
        let (tag, start) = (Tag::new(&tag), since_epoch + *start);
        log.write_histogram(histogram.counts(), start, *length, tag).map_err(
            |error| match error {
                IntervalLogWriterError::IoError(error) => error,
                IntervalLogWriterError::SerializeError(error) => std::io::Error::other(error),
            },
        )?;
    }
    Ok(())
}

/// Writes the distribution as plotters of `.hgrm` files read it, in milliseconds, five steps for each halving of what is above.
///
/// # Errors
/// What `out` fails with.
pub fn write_hgrm(out: &mut impl Write, histogram: &LatencyHistogram) -> Result<()> {
    const STEPS_PER_HALVING: u32 = 5;
    const NS_PER_MS: f64 = 1e6;
    let histogram = histogram.counts();
    let heads = ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"];
    writeln!(out, "{:>12} {:>14} {:>10} {:>14}\n", heads[0], heads[1], heads[2], heads[3])?;
    let mut below = 0;
    for step in histogram.iter_quantiles(STEPS_PER_HALVING) {
        below += step.count_since_last_iteration();
        let (value, share) =
            (step.value_iterated_to() as f64 / NS_PER_MS, step.quantile_iterated_to());
        write!(out, "{value:12.6} {share:2.12} {below:10}")?;
        if share < 1.0 {
            write!(out, " {:14.2}", 1.0 / (1.0 - share))?;
        }
        writeln!(out)?;
    }
    let (mean, deviation) = (histogram.mean() / NS_PER_MS, histogram.stdev() / NS_PER_MS);
    writeln!(out, "#[Mean    = {mean:12.6}, StdDeviation   = {deviation:12.6}]")?;
    let (max, count) = (histogram.max() as f64 / NS_PER_MS, histogram.len());
    writeln!(out, "#[Max     = {max:12.6}, Total count    = {count:12}]")?;
    // Three significant digits take 2048 sub-buckets.
    writeln!(out, "#[Buckets = {:12}, SubBuckets     = {:12}]", histogram.buckets(), 2048)
}
