//! What a run reports of itself.

use std::time::Duration;

use gpu_core::{BackendKind, Clock, Device};
use memory_pipeline::{Config, Error, Lane, MemoryOptimizer, PipelineReport, Timing};

use crate::kernels::{Mixer, numbers};

const BATCH_LEN: usize = 32;

fn reported(device: &Device, batches: usize) -> PipelineReport {
    timed(device, batches, Timing::EVERY)
}

fn timed(device: &Device, batches: usize, timing: Timing) -> PipelineReport {
    let config = Config { timing, ..Config::new(BATCH_LEN) };
    let mut pipeline = MemoryOptimizer::new(device, Mixer::new(device), config).unwrap();
    let input = numbers(batches * BATCH_LEN);
    pipeline.pipeline_execute(&input, &mut vec![0; input.len()]).unwrap()
}

#[test]
fn the_host_never_reports_an_overlap() {
    let report = reported(&Device::host(), 12);
    assert_eq!(report.backend, BackendKind::Host);
    assert!(report.overlap.serial_ns <= report.span_ns as f64, "{report:?}");
    // A clock may be too coarse for a span.
    assert!(report.overlap.speedup.is_none_or(|speedup| speedup <= 1.0));
    assert_eq!(report.overlap.efficiency.is_some(), report.span_ns > 0);
    // Simulated intervals cover each other's work, so they are not taken for a measurement.
    let report = reported(&Device::host_simulated(1), 12);
    assert_eq!(report.backend, BackendKind::HostSimulated);
    assert_eq!((report.overlap.efficiency, report.overlap.speedup), (None, None));
}

#[test]
fn spans_follow_the_journey_and_the_lanes_are_in_order() {
    for seed in 0..40 {
        let report = reported(&Device::host_simulated(seed), 12);
        assert_eq!((report.batches, report.timeline.len()), (12, 36));
        for spans in report.timeline.chunks(3) {
            assert_eq!([spans[0].lane, spans[1].lane, spans[2].lane], Lane::ALL);
            assert!(spans[0].end_ns <= spans[1].start_ns, "seed {seed}: {spans:?}");
            assert!(spans[1].end_ns <= spans[2].start_ns, "seed {seed}: {spans:?}");
        }
        for (place, lane) in Lane::ALL.into_iter().enumerate() {
            let of_lane: Vec<_> = report.timeline.iter().skip(place).step_by(3).collect();
            assert!(of_lane.iter().all(|span| span.lane == lane));
            assert!(of_lane.windows(2).all(|two| two[0].end_ns <= two[1].start_ns), "seed {seed}");
            let busy: u64 = of_lane.iter().map(|span| span.end_ns - span.start_ns).sum();
            let [up, compute, down] =
                [report.busy.upload_ns, report.busy.compute_ns, report.busy.download_ns];
            assert_eq!(busy, [up, compute, down][place], "seed {seed}");
        }
        let last = report.timeline.iter().map(|span| span.end_ns).max();
        assert_eq!(last, Some(report.span_ns), "seed {seed}");
    }
}

#[test]
fn a_second_run_counts_its_own_time_only() {
    let device = Device::host();
    let mut pipeline =
        MemoryOptimizer::new(&device, Mixer::new(&device), Config::new(BATCH_LEN)).unwrap();
    for _ in 0..2 {
        let input = numbers(3 * BATCH_LEN);
        let report = pipeline.pipeline_execute(&input, &mut vec![0; input.len()]).unwrap();
        assert_eq!(report.timeline[0].batch, 0);
        // The first event follows the origin at once: a second run that kept the first one's origin would start late.
        let (first, span) = (report.timeline[0].start_ns, report.span_ns);
        assert!(first < span || span == 0, "{report:?}");
        assert_eq!(report.batches, 3);
    }
}

#[test]
fn wall_time_runs_from_the_first_submit_to_the_last_completion() {
    let clock = Clock::manual();
    let device = Device::host();
    let mut pipeline = MemoryOptimizer::new(&device, Mixer::new(&device), Config::new(2))
        .unwrap()
        .with_clock(clock.clone());
    clock.advance(Duration::from_millis(100));
    // A second run, an hour later, counts from its own first submit.
    for _ in 0..2 {
        let mut left = 4;
        let fill = |buffer: &mut [u32]| {
            clock.advance(Duration::from_millis(10));
            left -= 1;
            Ok::<_, Error>(if left > 0 { buffer.len() } else { 0 })
        };
        let consume = |_, _: &[u64]| {
            clock.advance(Duration::from_millis(1));
            Ok(())
        };
        let report = pipeline.run(fill, consume).unwrap();
        // Three fills after the first submit, and two results read before the last completion.
        assert_eq!(report.wall_ns, 32_000_000);
        clock.advance(Duration::from_secs(3600));
    }
}

#[test]
fn the_timed_batches_speak_for_a_span_and_an_untimed_run_has_none() {
    let device = Device::host();
    let report = timed(&device, 40, Timing::SAMPLED);
    assert_eq!((report.batches, report.timed_batches, report.span_batches), (40, 7, 33));
    let batches: Vec<_> = report.timeline.iter().step_by(3).map(|span| span.batch).collect();
    assert_eq!(batches, [0, 1, 2, 4, 8, 16, 32]);
    assert_eq!((report.overlap.efficiency, report.bubbles), (None, None));

    let report = timed(&device, 40, Timing::Off);
    assert_eq!((report.batches, report.timed_batches, report.span_ns), (40, 0, 0));
    assert_eq!((report.overlap.efficiency, report.bubbles), (None, None));
    assert!(report.timeline.is_empty());
}

#[test]
fn bubbles_are_what_the_lanes_did_not_work() {
    let report = reported(&Device::host(), 5);
    let bubbles = report.bubbles.unwrap();
    let lanes = [bubbles.upload_ns, bubbles.compute_ns, bubbles.download_ns];
    for (place, bubble_ns) in lanes.into_iter().enumerate() {
        let of_lane: Vec<_> = report.timeline.iter().skip(place).step_by(3).collect();
        let pairs = of_lane.windows(2);
        let gaps: u64 = pairs.map(|two| two[1].start_ns - two[0].end_ns).sum();
        assert_eq!(bubble_ns, gaps, "{report:?}");
    }
}

#[test]
fn the_timeline_can_be_looked_at() {
    let report = reported(&Device::host(), 5);
    assert!(report.svg().contains("5 of 5 batches on host<"));
    let trace: serde_json::Value = serde_json::from_str(&report.chrome_trace()).unwrap();
    // The process, and for each lane a name and a place; then the spans.
    assert_eq!(trace["traceEvents"].as_array().unwrap().len(), 1 + 2 * 3 + 3 * 5);
}

#[test]
fn a_report_is_data() {
    let report = reported(&Device::host(), 2);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["backend"], serde_json::to_value(BackendKind::Host).unwrap());
    assert_eq!(json["bytes_up"], 2 * 32 * 4);
    assert_eq!(json["bytes_down"], 2 * 32 * 8);
    assert_eq!(json["timeline"][5]["lane"], "download");
    assert_eq!(json["overlap"]["efficiency"].as_f64(), report.overlap.efficiency);
}

#[test]
fn an_empty_run_reports_nothing_rather_than_a_figure() {
    let report = reported(&Device::host(), 0);
    assert_eq!((report.batches, report.wall_ns, report.span_ns), (0, 0, 0));
    assert_eq!((report.overlap.efficiency, report.overlap.speedup), (None, None));
    assert!(report.timeline.is_empty());
}
