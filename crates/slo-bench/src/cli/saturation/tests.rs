//! Loads and services on the host under a sensor that plays a GPU: what of a report follows from what was seen.

use std::time::Duration;

use clap::Parser as _;
use gpu_core::{Activity, Clock, Metric, Reading, TelemetrySample};

use super::*;
use crate::Formula;
use crate::cli::{OutputArgs, PlaceArgs, Terminal};
use crate::contract::SaturationTerms;
use crate::saturation::{Demand, Work};
use crate::workload::Reference;

/// A device that is as busy as can be, and too hot at some seconds. A reading takes a period, and nothing else takes time.
#[derive(Debug)]
struct Player {
    clock: Clock,
    period: Duration,
    played: Duration,
    hot: std::ops::Range<u64>,
}

impl Sensor for Player {
    fn read(&mut self) -> gpu_core::Result<Reading> {
        let is_hot = self.hot.contains(&self.played.as_secs());
        self.played += self.period;
        self.clock.advance(self.period);
        Ok(reading(is_hot))
    }
}

fn reading(is_hot: bool) -> Reading {
    let sample = TelemetrySample {
        sm_clock_mhz: 1980,
        memory_clock_mhz: 2619,
        power_watts: 500.0,
        energy_mj: None,
        temperature_celsius: 60,
        gpu_busy_percent: 100,
        memory_busy_percent: 95,
        heat_slowed_ns: None,
        throttle_reasons: is_hot
            .then_some(ThrottleReason::HardwareThermalSlowdown)
            .into_iter()
            .collect(),
    };
    let activity = Activity {
        sm_percent: Metric::Told(95.0),
        dram_percent: Metric::Told(90.0),
        fp32_percent: Metric::Told(60.0),
        ..Activity::untold("not played")
    };
    Reading { sample, activity }
}

#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What `look` says of a gauge on the host, where only the sensor moves the clock.
fn with_gauge<R>(hot: std::ops::Range<u64>, look: impl FnOnce(&mut Gauge<'_>) -> R) -> R {
    with_gauge_by(Clock::manual(), hot, look)
}

fn with_gauge_by<R>(
    clock: Clock,
    hot: std::ops::Range<u64>,
    look: impl FnOnce(&mut Gauge<'_>) -> R,
) -> R {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let args = Args::parse_from(["a", "--device", "host", "--out", out.to_str().unwrap()]);
    let terminal = Terminal::new(args.output.output());
    let mut session = Session::open(&args.place, &args.output, &[], &terminal).unwrap();
    session.clock = clock;
    let period = SaturationPromise::new(Demand::Memory).period();
    let player = Player { clock: session.clock.clone(), period, played: Duration::ZERO, hot };
    // Arithmetic as it is counted on a clock that is played means nothing: the counters are what is judged by.
    let ceiling = Ceiling { bytes_per_s: 1.0, operations_per_s: 1.0, bytes_per_s_peak: None };
    let sensor = Ok(Box::new(player) as Box<dyn Sensor>);
    look(&mut Gauge { session: &session, sensor, ceiling, kept: Vec::new() })
}

const FULL_SPIN: Control = Control {
    name: "spin",
    load: LoadName::FullSpin,
    duty_percent: 100,
    demand: Demand::Arithmetic,
    saturates: true,
};

fn verdicts(section: &Section) -> Vec<(&str, &Verdict)> {
    section.checks.iter().map(|check| (check.name.as_str(), &check.verdict)).collect()
}

#[test]
fn a_control_that_was_seen_is_told_with_figures_charts_and_a_table() {
    let mut section = Section::new("saturation");
    with_gauge(0..2, |gauge| gauge.control(&mut section, &FULL_SPIN, 5)).unwrap();
    // It is hot before anything counts, which is no reason to doubt what does.
    let expected = [
        ("spin: results are right", &Verdict::Pass),
        ("spin: neither heat nor protection slowed it", &Verdict::Pass),
        ("spin saturates the device", &Verdict::Pass),
    ];
    assert_eq!(verdicts(&section), expected, "{section:?}");
    assert_eq!(section.files, ["saturation-spin.csv"]);
    assert_eq!(section.charts.len(), 3);
    let figures: Vec<_> = section.figures.iter().map(|figure| &*figure.name).collect();
    assert!(figures.contains(&"spin: GPM multiprocessors"), "{figures:?}");
    assert!(figures.contains(&"spin: power, mean"), "{figures:?}");
}

#[test]
fn a_device_that_was_slowed_down_voids_what_was_seen_and_fails_nothing() {
    let mut section = Section::new("saturation");
    with_gauge(4..5, |gauge| gauge.control(&mut section, &FULL_SPIN, 5)).unwrap();
    let verdict = section.close("").verdict;
    assert!(matches!(&verdict, Verdict::Invalid { reason } if reason.contains("thermal")));
}

/// Without a warm-up, for which one iteration may be too long: whole seconds are played meanwhile.
fn services(rate_hz_min: f64) -> (Section, Carried) {
    let promise = SaturationPromise::new(Demand::Multiprocessors).lasting(0, 5);
    let terms = &SaturationTerms { services: 2, promise, rate_hz_min: Some(rate_hz_min) };
    let workload = Reference::ALL[0];
    let serving = Serving { name: "pair", subject: Subject { workload, n: workload.n() }, terms };
    let mut section = Section::new("saturation");
    let frames = &|| Ok(Box::new(Formula::unlimited()) as _);
    let carried = with_gauge(0..0, |gauge| gauge.services(&mut section, &serving, frames));
    (section, carried.unwrap().unwrap())
}

#[test]
fn services_are_held_against_their_rate_beside_how_busy_they_kept_the_device() {
    let (section, carried) = services(1e-9);
    assert_eq!((carried.judged.verdict, &*carried.judged.words), (Verdict::Pass, ""));
    assert!(section.figures.iter().any(|figure| figure.unit == "Hz"), "{:?}", section.figures);
    assert_eq!(section.files, ["saturation-pair.csv"]);
    let (_, carried) = services(1e12);
    assert_eq!(carried.judged.verdict, Verdict::Fail);
    assert!(carried.judged.words.contains("1000000000000 were promised"));
}

#[test]
fn what_cannot_be_seen_of_a_gpu_is_invalid_and_of_a_host_skipped() {
    let on_gpu = unseen(None);
    assert_eq!(on_gpu, Verdict::invalid("the management library tells nothing of this device"));
    let reason = "nothing tells how busy a host is: no driver";
    assert_eq!(unseen(Some("no driver")), Verdict::skipped(reason));
    let mut section = Section::new("saturation");
    // Without a sensor the load runs for a moment of real time.
    with_gauge_by(Clock::real(), 0..0, |gauge| {
        gauge.sensor = Err(on_gpu.clone());
        gauge.control(&mut section, &FULL_SPIN, 5)
    })
    .unwrap();
    let right = ("spin: results are right", &Verdict::Pass);
    assert_eq!(verdicts(&section), [right, ("spin saturates the device", &on_gpu)]);
}

#[test]
fn tables_whose_names_differ_in_case_or_punctuation_lie_side_by_side() {
    let mut section = Section::new("saturation");
    with_gauge(0..0, |gauge| {
        for name in ["Busy 1", "busy-1", "busy 1", "busy 1-2"] {
            gauge.keep(&mut section, name, name).unwrap();
        }
        let folder = gauge.session.beside_report().unwrap();
        assert_eq!(std::fs::read_to_string(folder.join(&section.files[0])).unwrap(), "Busy 1");
    });
    let expected = ["busy-1", "busy-1-2", "busy-1-3", "busy-1-2-2"];
    assert_eq!(section.files, expected.map(|stem| format!("saturation-{stem}.csv")));
}

#[test]
fn the_condition_of_a_device_is_told_of_what_counts() {
    let seen = |is_hot: &[bool]| {
        let at = |index| Duration::from_secs(u64::try_from(index).unwrap());
        let all = is_hot.iter().enumerate().map(|(index, &is_hot)| Observation {
            at: at(index),
            reading: reading(is_hot),
            work: Work::default(),
        });
        let mut section = Section::new("saturation");
        conditions(&mut section, "x", &all.collect::<Vec<_>>(), "here");
        section
    };
    assert_eq!(seen(&[]), Section::new("saturation"));
    let [cool, hot] = [seen(&[false, false]), seen(&[false, true])];
    assert_eq!(cool.checks[0].verdict, Verdict::Pass);
    let reason = hot.checks[0].verdict.reason().unwrap();
    assert!(reason.starts_with("clocks were held back by "), "{reason}");
    assert!(matches!(hot.checks[0].verdict, Verdict::Invalid { .. }));
    assert_eq!(cool.figures.len(), 4);
}
