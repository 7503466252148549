//! Simulated devices: honest ones, lying ones, and those that look busy.

use std::sync::mpsc;
use std::time::Duration;

use gpu_core::{Activity, Clock, Metric, Reading, TelemetrySample, ThrottleReason};

use super::*;
use crate::verdict::Verdict;

/// Bytes a second of the simulated device, at best and in theory.
const CEILING: Ceiling =
    Ceiling { bytes_per_s: 3.0e12, operations_per_s: 60.0e12, bytes_per_s_peak: Some(3.35e12) };

/// What a simulated device tells, in percent.
#[derive(Clone, Copy, Debug)]
struct Tells {
    gpu: u32,
    memory: u32,
    sm: f64,
    dram: f64,
    fp32: f64,
    /// Of the ceilings of bytes and of operations.
    counted: f64,
}

/// What a simulated device tells at each second.
type Story = fn(f64) -> Tells;

/// A triad on buffers that no cache holds.
const TRIAD: Tells =
    Tells { gpu: 100, memory: 95, sm: 99.0, dram: 86.0, fp32: 4.0, counted: 100.0 };
/// A product of large matrices.
const GEMM: Tells = Tells { gpu: 100, memory: 30, sm: 95.0, dram: 15.0, fp32: 62.0, counted: 61.0 };

#[derive(Clone, Debug)]
struct Simulated {
    seconds: u32,
    has_counters: bool,
    tells: Story,
    reasons: fn(f64) -> Vec<ThrottleReason>,
    /// Readings that are lost, in seconds.
    lost: std::ops::Range<f64>,
    demand: Demand,
}

fn simulated(tells: Story) -> Simulated {
    let reasons = |_| Vec::new();
    let demand = Demand::Memory;
    Simulated { seconds: 75, has_counters: true, tells, reasons, lost: 0.0..0.0, demand }
}

impl Simulated {
    fn trace(&self) -> Trace {
        let period = SaturationPromise::new(self.demand).period();
        let mut work = Work::default();
        let mut observations = Vec::new();
        for tick in 0..=self.seconds * 5 {
            let at = period * tick;
            let seconds = at.as_secs_f64();
            let told = (self.tells)(seconds);
            if tick > 0 {
                let share = told.counted / 100.0 * period.as_secs_f64();
                work.bytes += whole(CEILING.bytes_per_s * share);
                work.operations += whole(CEILING.operations_per_s * share);
            }
            if !self.lost.contains(&seconds) {
                let reading = self.reading(told, (self.reasons)(seconds));
                observations.push(Observation { at, reading, work });
            }
        }
        Trace { observations, period, failure: None }
    }

    fn reading(&self, told: Tells, throttle_reasons: Vec<ThrottleReason>) -> Reading {
        let sample = TelemetrySample {
            sm_clock_mhz: 1980,
            memory_clock_mhz: 2619,
            power_watts: 500.0,
            energy_mj: Some(0),
            heat_slowed_ns: None,
            temperature_celsius: 60,
            gpu_busy_percent: told.gpu,
            memory_busy_percent: told.memory,
            throttle_reasons,
        };
        let untold = Activity::untold("older than Hopper");
        let activity = if self.has_counters {
            Activity {
                sm_percent: Metric::Told(told.sm),
                dram_percent: Metric::Told(told.dram),
                fp32_percent: Metric::Told(told.fp32),
                ..untold
            }
        } else {
            untold
        };
        Reading { sample, activity }
    }

    fn judged(&self) -> Saturation {
        judge(&self.trace(), &SaturationPromise::new(self.demand), Some(&CEILING))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive and far below 2^53"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

#[test]
fn positive_controls_pass_with_counters_and_without() {
    for has_counters in [true, false] {
        let triad = Simulated { has_counters, ..simulated(|_| TRIAD) }.judged();
        assert_eq!((triad.verdict, triad.words.as_str()), (Verdict::Pass, ""));
        let gemm = Simulated { has_counters, demand: Demand::Arithmetic, ..simulated(|_| GEMM) };
        let gemm = gemm.judged();
        assert_eq!((gemm.verdict, gemm.words.as_str()), (Verdict::Pass, ""));
    }
}

#[test]
fn work_that_asks_for_multiprocessors_alone_may_leave_memory_and_pipes_idle() {
    let latency_bound: Story =
        |_| Tells { gpu: 100, memory: 2, sm: 92.0, dram: 1.0, fp32: 3.0, counted: 40.0 };
    let judged =
        |tells: Story| Simulated { demand: Demand::Multiprocessors, ..simulated(tells) }.judged();
    let busy = judged(latency_bound);
    assert_eq!((busy.verdict, busy.words.as_str()), (Verdict::Pass, ""));
    let of = |channel| busy.levels.iter().find(|level| level.channel == channel).unwrap();
    assert_eq!(of(Channel::Multiprocessors).threshold, Some(80.0));
    assert_eq!(of(Channel::Counted).threshold, None, "counted work is shown, not judged");
    // A few blocks that never end, and more of them that are not enough.
    let one =
        judged(|_| Tells { gpu: 100, memory: 0, sm: 0.8, dram: 0.0, fp32: 0.5, counted: 0.0 });
    assert!(one.is_hollow && one.verdict == Verdict::Fail, "{}", one.words);
    let some = judged(|_| Tells { gpu: 85, sm: 75.0, ..TRIAD });
    assert_eq!((some.is_hollow, some.verdict), (false, Verdict::Fail));
    assert!(some.words.starts_with("GPM multiprocessors 75.0 %"), "{}", some.words);
    // Their threshold is all that is asked of them: no other distance from NVML is.
    let lenient = |sm_percent| {
        let simulated = simulated(|_| Tells { gpu: 100, sm: 55.0, ..TRIAD });
        let demand = Demand::Multiprocessors;
        let promise = SaturationPromise { sm_percent, ..SaturationPromise::new(demand) };
        judge(&simulated.trace(), &promise, Some(&CEILING))
    };
    assert_eq!(lenient(50.0).verdict, Verdict::Pass, "{}", lenient(50.0).words);
    assert!(lenient(60.0).is_hollow, "{}", lenient(60.0).words);
    // Counted work shows nothing about multiprocessors.
    let demand = Demand::Multiprocessors;
    let blind = Simulated { has_counters: false, demand, ..simulated(latency_bound) }.judged();
    let reason = "there are no counters, and NVML alone shows nothing";
    assert_eq!(blind.verdict, Verdict::invalid(reason));
}

#[test]
fn negative_controls_fail_and_say_why() {
    let spin: Story =
        |_| Tells { gpu: 100, memory: 0, sm: 0.8, dram: 0.0, fp32: 0.5, counted: 0.0 };
    let strided: Story = |_| Tells { counted: 9.0, dram: 70.0, ..TRIAD };
    let resident: Story = |_| Tells { counted: 180.0, dram: 2.0, memory: 3, ..TRIAD };
    let half: Story =
        |_| Tells { gpu: 52, memory: 48, sm: 50.0, dram: 43.0, fp32: 2.0, counted: 50.0 };
    let cases = [
        ("one-block spin", spin, "HOLLOW: NVML gpu 100 %, GPM multiprocessors 1 %"),
        (
            "strided reads",
            strided,
            "HOLLOW: GPM DRAM of the ceiling 78 %, counted, of the ceiling 9 %",
        ),
        (
            "L2-resident triad",
            resident,
            "HOLLOW: counted, of the ceiling 180 %, GPM DRAM of the ceiling 2 %",
        ),
        ("half duty", half, "NVML gpu 52.0 % (worst 5 s 52.0 %; 0 of 65 s above 80 %)"),
    ];
    for (name, tells, words) in cases {
        let judged = simulated(tells).judged();
        assert_eq!(judged.verdict, Verdict::Fail, "{name}");
        assert!(judged.words.starts_with(words), "{name}: {}", judged.words);
        assert_eq!(judged.is_hollow, words.starts_with("HOLLOW"), "{name}");
        let blind = Simulated { has_counters: false, ..simulated(tells) }.judged();
        assert_eq!(blind.verdict, Verdict::Fail, "{name} without counters: {}", blind.words);
    }
    let spin = Simulated { demand: Demand::Arithmetic, ..simulated(spin) }.judged();
    assert!(spin.is_hollow && spin.verdict == Verdict::Fail);
    // One warp on every multiprocessor: their time is taken, and only pipes tell that little is done.
    let warps: Story =
        |_| Tells { gpu: 100, memory: 0, sm: 99.5, dram: 0.0, fp32: 6.0, counted: 6.0 };
    let judged = |demand| Simulated { demand, ..simulated(warps) }.judged();
    assert_eq!(judged(Demand::Multiprocessors).verdict, Verdict::Pass);
    let pipes = judged(Demand::Arithmetic);
    assert_eq!((pipes.verdict, pipes.is_hollow), (Verdict::Fail, false));
    assert!(pipes.words.starts_with("GPM busiest pipe 6.0 %"), "{}", pipes.words);
}

#[test]
fn a_lying_nvml_neither_passes_nor_hides() {
    // All that NVML says is what was promised; the counters know better.
    let lies = simulated(|_| Tells { sm: 60.0, dram: 30.0, counted: 34.0, ..TRIAD }).judged();
    assert!(lies.is_hollow && lies.verdict == Verdict::Fail);
    // Substance is there and NVML does not show it: the promise in words is broken, which is not hollow.
    let shy = simulated(|_| Tells { gpu: 70, ..TRIAD }).judged();
    assert_eq!((shy.is_hollow, shy.verdict), (false, Verdict::Fail));
    // Both clauses hold, but by stories that differ.
    let apart = simulated(|_| Tells { gpu: 100, sm: 84.0, ..TRIAD }).judged();
    assert_eq!((apart.is_hollow, apart.verdict), (true, Verdict::Fail));
    let near = simulated(|_| Tells { gpu: 100, sm: 86.0, ..TRIAD }).judged();
    assert_eq!(near.verdict, Verdict::Pass);
}

#[test]
fn more_bytes_than_memory_can_move_are_hollow_even_where_nothing_else_tells() {
    let blind = |tells: Story| Simulated { has_counters: false, ..simulated(tells) }.judged();
    let cached = blind(|_| Tells { counted: 120.0, memory: 100, ..TRIAD });
    assert!(cached.is_hollow && cached.words.contains("more than memory can move"));
    assert_eq!(blind(|_| Tells { counted: 110.0, ..TRIAD }).verdict, Verdict::Pass);
}

#[test]
fn one_second_in_a_minute_or_a_bad_window_is_enough_to_fail() {
    let dips: [(&str, Story); 3] = [
        ("a second", |at| {
            if (30.0..=31.0).contains(&at) { Tells { dram: 10.0, ..TRIAD } } else { TRIAD }
        }),
        ("the last second", |at| if at > 74.0 { Tells { dram: 10.0, ..TRIAD } } else { TRIAD }),
        ("ten seconds", |at| {
            if (30.0..40.0).contains(&at) { Tells { dram: 58.0, ..TRIAD } } else { TRIAD }
        }),
    ];
    for (name, tells) in dips {
        let judged = simulated(tells).judged();
        assert_eq!(judged.verdict, Verdict::Fail, "{name}");
        assert!(!judged.is_hollow && judged.words.contains("GPM DRAM"), "{name}: {}", judged.words);
    }
    let cold = |at| if at <= 10.0 { Tells { gpu: 0, dram: 0.0, ..TRIAD } } else { TRIAD };
    assert_eq!(simulated(cold).judged().verdict, Verdict::Pass, "warm-up does not count");
}

#[test]
fn a_level_at_its_threshold_is_not_above_it() {
    assert_eq!(simulated(|_| Tells { gpu: 80, ..TRIAD }).judged().verdict, Verdict::Fail);
    assert_eq!(simulated(|_| Tells { gpu: 81, ..TRIAD }).judged().verdict, Verdict::Pass);
}

#[test]
fn one_second_in_a_hundred_may_be_low() {
    let one_low = |low: f64| {
        let mut seconds = vec![90.0; 100];
        seconds[50] = low;
        Level::of(Channel::GpuBusy, &seconds, Some(80.0)).unwrap()
    };
    assert!(one_low(70.0).holds());
    assert!(!one_low(30.0).holds(), "its window is too low: (4 * 90 + 30) / 5 = 78");
    let mut two = vec![90.0; 100];
    (two[20], two[80]) = (70.0, 70.0);
    assert!(!Level::of(Channel::GpuBusy, &two, Some(80.0)).unwrap().holds());
}

#[test]
fn what_cannot_be_judged_is_neither_a_pass_nor_a_failure() {
    let short = Simulated { seconds: 69, ..simulated(|_| TRIAD) }.judged();
    assert_eq!(short.verdict, Verdict::inconclusive("59 s after a warm-up of 10 s, 60 are needed"));
    let gap = Simulated { lost: 40.1..40.5, ..simulated(|_| TRIAD) }.judged();
    assert_eq!(
        gap.verdict,
        Verdict::invalid("nothing was read for 600 ms, with a period of 200 ms")
    );
    let one_lost = Simulated { lost: 40.1..40.3, ..simulated(|_| TRIAD) }.judged();
    assert_eq!(one_lost.verdict, Verdict::Pass, "two periods may pass");
    let hot =
        |at| if at > 50.0 { vec![ThrottleReason::HardwareThermalSlowdown] } else { Vec::new() };
    let hot = Simulated { reasons: hot, ..simulated(|_| TRIAD) }.judged();
    assert!(matches!(&hot.verdict, Verdict::Invalid { reason } if reason.contains("thermal")));
    let mut counted = simulated(|_| TRIAD).trace();
    let heat = |trace: &mut Trace, from: f64, ns: u64| {
        let late = trace.observations.iter_mut().filter(|seen| seen.at.as_secs_f64() >= from);
        late.for_each(|seen| seen.reading.sample.heat_slowed_ns = Some(ns));
    };
    let promise = SaturationPromise::new(Demand::Memory);
    heat(&mut counted, 0.0, 7);
    assert_eq!(judge(&counted, &promise, Some(&CEILING)).verdict, Verdict::Pass, "of earlier days");
    heat(&mut counted, 50.0, 8);
    let slowed = judge(&counted, &promise, Some(&CEILING)).verdict;
    assert!(
        matches!(slowed, Verdict::Invalid { reason } if reason.contains("between two readings"))
    );
    let capped = Simulated { reasons: |_| vec![ThrottleReason::PowerCap], ..simulated(|_| TRIAD) };
    let capped = capped.judged();
    assert_eq!((capped.verdict, capped.power_capped_percent.round()), (Verdict::Pass, 100.0));
}

#[test]
fn nvml_alone_shows_nothing() {
    let blind = Simulated { has_counters: false, ..simulated(|_| TRIAD) };
    let judged = judge(&blind.trace(), &SaturationPromise::new(Demand::Memory), None);
    assert!(matches!(judged.verdict, Verdict::Invalid { .. }));
    let nothing = Trace {
        observations: Vec::new(),
        period: Duration::from_millis(200),
        failure: Some("lost".to_owned()),
    };
    let judged = judge(&nothing, &SaturationPromise::new(Demand::Memory), Some(&CEILING));
    assert_eq!(judged.verdict, Verdict::invalid("nothing was read: lost"));
}

#[test]
fn counters_that_come_and_go_are_no_evidence() {
    let simulated = simulated(|_| TRIAD);
    let mut trace = simulated.trace();
    for observation in &mut trace.observations[100..110] {
        observation.reading.activity = Activity::untold("busy");
    }
    let judged = judge(&trace, &SaturationPromise::new(Demand::Memory), Some(&CEILING));
    assert!(matches!(judged.verdict, Verdict::Invalid { .. }), "{:?}", judged.verdict);
}

#[test]
fn a_trace_as_a_table_has_a_line_an_interval_and_leaves_out_what_was_not_told() {
    let blind = Simulated { has_counters: false, seconds: 2, ..simulated(|_| TRIAD) };
    let table = blind.trace().to_csv(Demand::Memory, Some(&CEILING));
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 1 + 10);
    assert!(lines.iter().all(|line| line.split(',').count() == 12));
    assert_eq!(lines[1], "0.200,100.00,95.00,,,,,100.00,1980,500.0,60,");
}

#[test]
fn a_trace_is_drawn_in_percent_against_what_was_promised_with_power_and_clock_apart() {
    let charts = |simulated: &Simulated| {
        let promise = SaturationPromise::new(simulated.demand);
        simulated.trace().charts("triad", &promise, Some(&CEILING), "here")
    };
    let short = Simulated { seconds: 4, ..simulated(|_| TRIAD) };
    let [shares, power, clock] = charts(&short).try_into().unwrap();
    assert_eq!(shares.title, "triad: saturation, the first 10 s not judged");
    let lines: Vec<_> = shares.lines.iter().map(|line| (&*line.name, line.values[0])).collect();
    let expected = [
        ("NVML gpu", (0.2, Some(100.0))),
        ("NVML memory", (0.2, Some(95.0))),
        ("GPM multiprocessors", (0.2, Some(99.0))),
        ("GPM DRAM", (0.2, Some(86.0))),
        ("GPM DRAM of the ceiling", (0.2, Some(96.0333))),
        ("GPM busiest pipe", (0.2, Some(4.0))),
        ("counted, of the ceiling", (0.2, Some(100.0))),
    ];
    assert_eq!(lines, expected);
    let marks = |chart: &crate::chart::Chart| {
        let marks = chart.marks.iter().map(|mark| format!("{} {}", mark.name, mark.value));
        marks.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(
        marks(&shares),
        "promised NVML gpu 80, promised NVML memory 60, promised GPM multiprocessors 80, promised GPM DRAM 60"
    );
    assert_eq!((power.lines[0].values[20], &*power.y.unit), ((4.0, Some(500.0)), "W"));
    assert_eq!((clock.lines[0].values[20], &*clock.y.unit), ((4.0, Some(1980.0)), "MHz"));

    // Without counters, what was counted is held against their thresholds.
    let blind = Simulated { has_counters: false, demand: Demand::Arithmetic, ..short };
    let shares = &charts(&blind)[0];
    assert_eq!(shares.lines.len(), 3);
    assert_eq!(marks(shares), "promised NVML gpu 80, promised counted, of the ceiling 40");
    let nothing = Trace { observations: Vec::new(), ..blind.trace() };
    let promise = SaturationPromise::new(Demand::Memory);
    assert!(nothing.charts("triad", &promise, None, "here").is_empty());
}

/// Waits until somebody takes the number of each reading, and moves the clock by a period, so that the next one is due.
#[derive(Debug)]
struct Ticking {
    clock: Clock,
    readings: mpsc::SyncSender<u32>,
    count: u32,
    fails_at: u32,
}

impl Sensor for Ticking {
    fn read(&mut self) -> gpu_core::Result<Reading> {
        self.count += 1;
        self.clock.advance(Duration::from_millis(100));
        let _ = self.readings.send(self.count);
        if self.count == self.fails_at {
            return Err(gpu_core::Error::Telemetry {
                reason: "no answer".to_owned(),
                kind: gpu_core::ErrorKind::Transient,
            });
        }
        Ok(simulated(|_| TRIAD).reading(TRIAD, Vec::new()))
    }
}

#[test]
fn a_watch_reads_until_the_work_ends_and_leaves_out_readings_that_fail() {
    let clock = Clock::manual();
    let (readings, seen) = mpsc::sync_channel(0);
    let mut sensor = Ticking { clock: clock.clone(), readings, count: 0, fails_at: 3 };
    let progress = Progress::default();
    let period = Duration::from_millis(100);
    let ((), trace) = watch(&clock, period, &mut sensor, &progress, || {
        while seen.recv().unwrap() < 5 {}
        progress.add(Work { bytes: 7, operations: 1 });
        // The sixth reading may have begun before, the seventh has not.
        while seen.recv().unwrap() < 7 {}
        drop(seen);
    });
    assert_eq!(trace.failure.as_deref(), Some("telemetry failed: no answer"));
    let at: Vec<_> = trace.observations.iter().take(5).map(|seen| seen.at.as_millis()).collect();
    assert_eq!(at, [0, 100, 300, 400, 500]);
    assert_eq!(trace.observations.last().unwrap().work, Work { bytes: 7, operations: 1 });
}
