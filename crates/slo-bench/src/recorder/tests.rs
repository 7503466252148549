//! Percentiles of samples made by hand, and limits counted exactly.

use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use proptest::prelude::*;

use super::*;

fn recorder(samples: impl IntoIterator<Item = u64>, expected: u64) -> Recorder {
    let mut recorder = Recorder::new(&[], expected);
    samples.into_iter().for_each(|sample| recorder.record(sample));
    recorder
}

#[test]
fn percentiles_are_samples_by_nearest_rank() {
    // 1..=1000 in a scrambled order: the k-th smallest is k.
    let recorder = recorder((0..1000).map(|i| (i * 617) % 1000 + 1), 1000);
    let values = recorder.quantiles(&Quantile::ALL);
    assert_eq!(values, [Some(500), Some(900), Some(990), Some(999), Some(1000)]);
    assert!(recorder.is_exact());
}

#[test]
fn ranks_round_up_and_never_interpolate() {
    let recorder = recorder([10, 20, 30, 40, 1000, 60, 70, 80, 90, 100, 110], 11);
    // ceil(0.5 * 11) = 6 and ceil(0.9 * 11) = 10.
    assert_eq!(recorder.quantile(Quantile::P50), Some(70));
    assert_eq!(recorder.quantile(Quantile::P90), Some(110));
    assert_eq!(recorder.quantile(Quantile::MAX), Some(1000));
    assert_eq!(Quantile::P99.rank(100_000), 99_000);
    assert_eq!(Quantile::P999.rank(100_001), 99_901);
}

#[test]
fn a_percentile_that_the_samples_cannot_support_is_absent() {
    let values = recorder(1..=99, 99).quantiles(&Quantile::ALL);
    assert_eq!(values, [Some(50), Some(90), None, None, Some(99)]);
    assert_eq!(recorder(1..=100, 100).quantile(Quantile::P99), Some(99));
    assert_eq!(recorder([7], 1).quantile(Quantile::P50), None);
    assert_eq!(recorder([7], 1).quantile(Quantile::MAX), Some(7));
    assert_eq!(recorder([], 1).quantile(Quantile::MAX), None);
}

#[test]
fn samples_at_the_limit_are_counted_as_over_it() {
    let mut recorder = Recorder::new(&[100, 200], 4);
    [99, 100, 200, 201].into_iter().for_each(|sample| recorder.record(sample));
    assert_eq!(recorder.over_counts(), [3, 2]);
}

#[test]
fn samples_beyond_the_kept_ones_fall_back_to_the_histogram_which_rounds_up() {
    let mut recorder = Recorder::keeping(&[500_000], 1000, 10);
    (1..=1000).for_each(|i| recorder.record(i * 1000));
    assert!(!recorder.is_exact());
    let p99 = recorder.quantile(Quantile::P99).unwrap();
    assert!((990_000..=991_000).contains(&p99), "{p99}");
    assert_eq!(recorder.quantile(Quantile::MAX), Some(1_000_000));
    assert_eq!(recorder.over_counts(), [501]);
    assert!(recorder.summary().method.contains("histogram"));
    let mut whole = LatencyHistogram::default();
    (1..=1000).for_each(|i| whole.record(i * 1000));
    assert_eq!(recorder.summary().histogram, whole);
    recorder.merge(Recorder::keeping(&[500_000], 1, 1));
    let mut other = Recorder::keeping(&[500_000], 2, 1);
    [1, 2].into_iter().for_each(|ns| other.record(ns));
    recorder.merge(other);
    [1, 2].into_iter().for_each(|ns| whole.record(ns));
    assert_eq!(recorder.summary().histogram, whole, "kept or not, here or there, each counts once");
}

#[test]
fn a_summary_counts_every_sample_once() {
    let summary = recorder([900, 1500, 1500, 70_000, u64::MAX], 5).summary();
    assert_eq!(summary.samples, 5);
    assert_eq!(summary.distribution.iter().map(|bucket| bucket.count).sum::<u64>(), 5);
    assert_eq!(summary.max_ns, Some(u64::MAX));
    assert_eq!(summary.p99_ns, None);
}

#[test]
fn intervals_lie_around_their_percentile_and_end_where_samples_do() {
    // 1..=100,000 in a scrambled order: the k-th smallest is k, and slow ones do not come together.
    let summary = recorder((0..100_000).map(|i| (i * 61_803) % 100_000 + 1), 100_000).summary();
    let p99 = &summary.intervals[2];
    assert_eq!((p99.quantile.as_str(), p99.effective_samples), ("p99", 100_000));
    assert_eq!((p99.lower_ns, p99.upper_ns), (Some(98_938), Some(99_062)));
    let few = recorder((0..1_000).map(|i| (i * 617) % 1_000 + 1), 1_000).summary();
    let p999 = &few.intervals[3];
    assert_eq!((p999.lower_ns, p999.upper_ns), (Some(997), None));
    assert_eq!(recorder(1..=99, 99).summary().intervals.len(), 2, "p99 is not supported");
}

#[test]
fn samples_in_bursts_are_worth_less_and_say_so() {
    let mut bursty = Recorder::new(&[500], 100_000);
    (0..100_000u64)
        .for_each(|i| bursty.record(if (i / 20).is_multiple_of(100) { 900 } else { 100 }));
    assert_eq!(bursty.over_counts(), [1000]);
    let worth = bursty.effective_samples(0);
    assert!((1_000..10_000).contains(&worth), "{worth}");
}

#[test]
fn more_samples_than_expected_take_no_more_memory() {
    let mut recorder = Recorder::new(&[5, 7], 200);
    let room = recorder.own.kept.capacity();
    (0..400).for_each(|i| recorder.record(i));
    assert_eq!((recorder.own.kept.len(), recorder.own.kept.capacity()), (200, room));
    assert_eq!(recorder.over_counts(), [395, 393]);
}

/// What must not depend on the order of merges.
fn essence(recorder: &Recorder) -> (Latency, Vec<u64>, Vec<u64>) {
    let worth = (0..recorder.limits_ns.len()).map(|limit| recorder.effective_samples(limit));
    (recorder.summary(), recorder.over_counts.clone(), worth.collect())
}

fn merged(parts: &[&Recorder]) -> Recorder {
    let mut all = parts[0].clone();
    parts[1..].iter().for_each(|&part| all.merge(part.clone()));
    all
}

proptest! {
    #[test]
    fn merging_is_exact_whatever_its_order(
        parts in prop::collection::vec(prop::collection::vec(1..5_000u64, 0..300), 3),
        room in 1..600u64,
    ) {
        let recorders: Vec<_> = parts
            .iter()
            .map(|samples| {
                let mut recorder = Recorder::keeping(&[2_500, 4_900], 300, room);
                samples.iter().for_each(|&sample| recorder.record(sample));
                recorder
            })
            .collect();
        let [a, b, c] = [&recorders[0], &recorders[1], &recorders[2]];
        let expected = essence(&merged(&[a, b, c]));
        prop_assert_eq!(&essence(&merged(&[c, a, b])), &expected);
        prop_assert_eq!(&essence(&merged(&[a, &merged(&[b, c])])), &expected);
        // As if one had seen them all.
        let all: Vec<u64> = parts.concat();
        prop_assert_eq!(expected.0.samples, all.len() as u64);
        prop_assert_eq!(expected.0.max_ns, all.iter().copied().max());
        prop_assert_eq!(&expected.1, &[2_500, 4_900].map(|limit| all.iter().filter(|&&ns| ns >= limit).count() as u64));
        let alone = recorder(all, 1_000);
        if merged(&[a, b, c]).is_exact() {
            prop_assert_eq!(expected.0.p50_ns, alone.quantile(Quantile::P50));
        }
        prop_assert_eq!(expected.0.distribution, alone.summary().distribution);
    }
}

#[test]
fn laps_are_equal_stretches_in_the_order_of_time() {
    // Each tenth of the run is 1 us slower than the one before.
    let summary =
        recorder((0..10_000).map(|i| 1_000 * (1 + i / 1_000) + i % 1_000), 10_000).summary();
    let [laps] = &summary.laps[..] else { panic!("{} nodes", summary.laps.len()) };
    let medians: Vec<_> = laps.iter().map(|lap| lap.p50_ns).collect();
    assert_eq!(medians, (1..=10).map(|us| Some(1_000 * us + 499)).collect::<Vec<_>>());
    assert_eq!((laps[0].p99_ns, laps[0].p999_ns), (Some(1_989), Some(1_998)));
    let short = recorder(0..1_000, 1_000).summary();
    assert_eq!((short.laps[0][9].p99_ns, short.laps[0][9].p999_ns), (Some(998), None));
    assert!(recorder(0..999, 999).summary().laps.is_empty(), "too few samples");
}

#[test]
fn laps_of_what_ran_at_the_same_time_are_pooled_and_those_of_nodes_stay_apart() {
    let one = recorder((0..10_000).map(|i| 1 + i / 1_000), 10_000);
    let mut both = one.clone();
    both.merge(recorder((0..10_000).map(|i| 1 + i / 1_000), 10_000));
    assert_eq!(both.summary().laps, one.summary().laps);
    let merged = one.summary().merge(&both.summary());
    assert_eq!(merged.laps, [one.summary().laps, both.summary().laps].concat());
    let few = recorder(0..10, 10).summary();
    assert!(merged.merge(&few).laps.is_empty() && few.merge(&merged).laps.is_empty());
}

#[test]
fn a_latency_from_before_there_were_laps_has_none() {
    let summary = recorder(1..=1_000, 1_000).summary();
    let mut json = serde_json::to_value(&summary).unwrap();
    assert_eq!(serde_json::from_value::<Latency>(json.clone()).unwrap(), summary);
    json.as_object_mut().unwrap().remove("laps");
    assert!(serde_json::from_value::<Latency>(json).unwrap().laps.is_empty());
}

#[test]
fn an_interval_log_reads_back_as_it_was_written() {
    let first = recorder((1..=1000).map(|i| i * 1000), 1000);
    let second = recorder([7_000_000], 1);
    let interval = |histogram, start_s| LogInterval {
        tag: "frame, device",
        start: Duration::from_secs(start_s),
        length: Duration::from_secs(1),
        histogram,
    };
    let mut text = Vec::new();
    let started = UNIX_EPOCH + Duration::from_secs(951_782_400);
    write_hlog(
        &mut text,
        started,
        &[interval(&first.histogram(), 0), interval(&second.histogram(), 1)],
    )
    .unwrap();
    let text = String::from_utf8(text).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "#[Histogram log format version 1.3]");
    assert_eq!(lines[1], "#[StartTime: 951782400.000 (seconds since epoch)]");
    assert!(lines[2].starts_with("\"StartTimestamp\",\"Interval_Length\""), "{}", lines[2]);
    let rows = &lines[4..];
    assert!(
        rows[0].starts_with("Tag=frame__device,951782400.000,1.000,1.000,HISTFAAAA"),
        "{}",
        rows[0]
    );
    assert!(rows[1].starts_with("Tag=frame__device,951782401.000,1.000,7.0"), "{}", rows[1]);
    // The crate's own reader takes the column names for an interval: they are left out for it.
    let body = rows.join("\n") + "\n";
    let mut read: Vec<LatencyHistogram> = Vec::new();
    for entry in IntervalLogIterator::new(body.as_bytes()) {
        if let LogEntry::Interval(interval) = entry.unwrap() {
            let encoded = serde_json::Value::from(interval.encoded_histogram());
            read.push(serde_json::from_value(encoded).unwrap());
        }
    }
    assert_eq!(read, [first.histogram(), second.histogram()]);
}

#[test]
fn a_distribution_has_the_columns_that_plotters_read() {
    let mut text = Vec::new();
    write_hgrm(&mut text, &recorder((1..=1000).map(|i| i * 1000), 1000).histogram()).unwrap();
    let text = String::from_utf8(text).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next().unwrap(), "       Value     Percentile TotalCount 1/(1-Percentile)");
    assert_eq!(lines.next().unwrap(), "");
    let rows: Vec<_> = lines.by_ref().take_while(|line| !line.starts_with('#')).collect();
    assert_eq!(rows[0], "    0.001000 0.000000000000          1           1.00");
    let median = rows.iter().find(|row| row.contains(" 0.500000000000 ")).unwrap();
    assert_eq!(median.split_whitespace().collect::<Vec<_>>()[2..], ["500", "2.00"]);
    let last: Vec<_> = rows.last().unwrap().split_whitespace().collect();
    assert_eq!(last[1..], ["1.000000000000", "1000"]);
    assert!(text.contains("Total count    =         1000]"), "{text}");
}

#[test]
fn intervals_of_latencies_that_stay_for_a_while_cover_their_percentile() {
    // A latency stays for five iterations on average, then another is drawn from 0..1,000,000: p99 is 990,000.
    const RUNS: u32 = 400;
    let mut random = fastrand::Rng::with_seed(31);
    let mut covered = 0;
    for _ in 0..RUNS {
        let mut recorder = Recorder::new(&[], 20_000);
        let mut latency = random.u64(1..1_000_000);
        for _ in 0..20_000 {
            if random.u32(0..5) == 0 {
                latency = random.u64(1..1_000_000);
            }
            recorder.record(latency);
        }
        let p99 = &recorder.summary().intervals[2];
        let is_above = p99.upper_ns.is_none_or(|upper| upper > 990_000);
        covered += u32::from(is_above && p99.lower_ns.is_none_or(|lower| lower <= 990_000));
    }
    let share = f64::from(covered) / f64::from(RUNS);
    assert!((0.93..=0.97).contains(&share), "{share}");
}
