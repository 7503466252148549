//! Percentiles of samples made by hand, and limits counted exactly.

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
    let mut recorder = Recorder::keeping(&[500_000], 10);
    (1..=1000).for_each(|i| recorder.record(i * 1000));
    assert!(!recorder.is_exact());
    let p99 = recorder.quantile(Quantile::P99).unwrap();
    assert!((990_000..=991_000).contains(&p99), "{p99}");
    assert_eq!(recorder.quantile(Quantile::MAX), Some(1_000_000));
    assert_eq!(recorder.over_counts(), [501]);
    assert!(recorder.summary().method.contains("histogram"));
}

#[test]
fn a_summary_counts_every_sample_once() {
    let summary = recorder([900, 1500, 1500, 70_000, u64::MAX], 5).summary();
    assert_eq!(summary.samples, 5);
    assert_eq!(summary.distribution.iter().map(|bucket| bucket.count).sum::<u64>(), 5);
    assert_eq!(summary.max_ns, Some(u64::MAX));
    assert_eq!(summary.p99_ns, None);
}
