//! Comparisons of simulated runs: alarms that are false, changes that are found, and what is refused.

use fastrand::Rng;
use gpu_core::ThrottleReason;

use super::*;
use crate::load::Load;
use crate::recorder::{Latency, Recorder};

/// How samples of a simulated service depend on each other.
#[derive(Clone, Copy, Debug)]
enum Service {
    Independent,
    /// Slow ones come in bursts of this mean length.
    Bursty(f64),
}

impl Service {
    /// Latencies around 100 us with a spread of 10 % and one slow sample in 50, all times `factor`.
    fn latency(self, samples: u64, factor: f64, rng: &mut Rng) -> Latency {
        let mut recorder = Recorder::new(&[], samples);
        let burst = match self {
            Self::Independent => 1.0 / (1.0 - 0.02),
            Self::Bursty(length) => length,
        };
        let mut is_slow = false;
        for _ in 0..samples {
            // Bursts end with chance 1 / length, and begin so that one sample in 50 is slow.
            let (begin, end) = (0.02 / (0.98 * burst), 1.0 / burst);
            is_slow = if is_slow { rng.f64() >= end } else { rng.f64() < begin };
            let spread: f64 = (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
            let slow = if is_slow { 1.5 + rng.f64() } else { 1.0 };
            let ns = 100_000.0 * (1.0 + 0.1 * spread) * slow * factor;
            let latency = std::time::Duration::from_secs_f64(ns.max(1.0) * 1e-9);
            recorder.record(u64::from(latency.subsec_nanos()));
        }
        recorder.summary()
    }
}

fn run(latency: Latency) -> Run {
    Run {
        name: "frame, device".to_owned(),
        n: 900,
        measured_on: "host".to_owned(),
        load: Load::Closed,
        warm_up: 3,
        is_settled: true,
        slowed_by: Vec::new(),
        rate_hz: 1.0,
        cold_ns: 1,
        latency,
        service: None,
        slip: None,
        attribution: None,
        contract: None,
        contract_file: None,
        clauses: Vec::new(),
    }
}

pub(super) fn sections(latency: Latency) -> Vec<Section> {
    let mut section = Section::new("frame");
    section.runs.push(run(latency));
    vec![section]
}

fn outcomes(base: &[Section], head: &[Section]) -> Vec<Outcome> {
    let compared = compare(&[(base, head)], &Tolerance::default()).unwrap();
    compared.rows.into_iter().map(|row| row.outcome).collect()
}

#[test]
fn runs_of_one_service_raise_an_alarm_at_most_once_in_twenty() {
    const COMPARISONS: u64 = 100;
    for service in [Service::Independent, Service::Bursty(10.0)] {
        let mut alarms = 0;
        for seed in 0..COMPARISONS {
            let mut rng = Rng::with_seed(seed);
            let [base, head] = [(); 2].map(|()| sections(service.latency(10_000, 1.0, &mut rng)));
            let is_alarm = |outcome: &Outcome| matches!(outcome, Outcome::Worse | Outcome::Better);
            alarms += u64::from(outcomes(&base, &head).iter().any(is_alarm));
        }
        assert!(alarms <= COMPARISONS / 20, "{service:?}: {alarms} of {COMPARISONS}");
    }
}

#[test]
fn a_service_that_is_three_percent_slower_is_found_and_one_percent_is_not_called_a_change() {
    const RUNS: u64 = 20;
    for service in [Service::Independent, Service::Bursty(10.0)] {
        // Of slower, a little slower and faster services, those that came to what they are.
        let mut right = [0; 3];
        for seed in 0..RUNS {
            let mut rng = Rng::with_seed(seed);
            let mut taken = |factor| sections(service.latency(40_000, factor, &mut rng));
            let base = taken(1.0);
            let expected = [(1.03, Outcome::Worse), (1.01, Outcome::Same), (0.9, Outcome::Better)];
            for (count, (factor, outcome)) in right.iter_mut().zip(expected) {
                *count += u64::from(outcomes(&base, &taken(factor))[0] == outcome);
            }
        }
        assert!(right.iter().all(|&count| count >= RUNS - 1), "{service:?}: {right:?} of {RUNS}");
    }
}

#[test]
fn a_change_below_the_floor_does_not_matter_however_sure_it_is() {
    let exact = |ns: u64| {
        let mut recorder = Recorder::new(&[], 10_000);
        (0..10_000).for_each(|i| recorder.record(ns + i % 7));
        sections(recorder.summary())
    };
    // 4 % of 10 us is less than what a timer resolves; of 100 us it is not.
    assert_eq!(outcomes(&exact(10_000), &exact(10_400))[0], Outcome::Same);
    assert_eq!(outcomes(&exact(100_000), &exact(104_000))[0], Outcome::Worse);
}

#[test]
fn a_percentile_that_one_side_cannot_bound_is_undecided() {
    let mut rng = Rng::with_seed(1);
    let few = sections(Service::Independent.latency(100, 1.0, &mut rng));
    let many = sections(Service::Independent.latency(10_000, 1.0, &mut rng));
    let outcomes = outcomes(&few, &many);
    assert!(outcomes[2..].iter().all(|o| matches!(o, Outcome::Undecided { .. })), "{outcomes:?}");
    let mut unsettled = many.clone();
    unsettled[0].runs[0].is_settled = false;
    let compared = compare(&[(&many, &unsettled)], &Tolerance::default()).unwrap();
    assert!(matches!(compared.verdict(), Verdict::Inconclusive { .. }));
    assert!(compared.rows[0].words().contains("ratio 1.000"), "{}", compared.rows[0].words());
    let mut slowed = many.clone();
    slowed[0].runs[0].slowed_by = vec![ThrottleReason::PowerBrake];
    let compared_hot = compare(&[(&slowed, &many)], &Tolerance::default()).unwrap();
    assert!(matches!(compared_hot.verdict(), Verdict::Inconclusive { .. }));
    let section = compared.section("baseline", "host");
    assert!(matches!(section.verdict, Verdict::Inconclusive { .. }), "{:?}", section.verdict);
}

#[test]
fn pairs_taken_in_turn_show_what_varies_between_them() {
    let mut rng = Rng::with_seed(2);
    let mut taken = |factor| sections(Service::Independent.latency(10_000, factor, &mut rng));
    let alternating: Vec<_> =
        [1.12, 0.96, 1.10, 0.97].map(|factor| (taken(1.0), taken(factor))).into();
    let steady: Vec<_> = [1.06, 1.05, 1.06, 1.05].map(|factor| (taken(1.0), taken(factor))).into();
    let median = |pairs: &[(Vec<Section>, Vec<Section>)]| {
        let pairs: Vec<_> = pairs.iter().map(|(base, head)| (&base[..], &head[..])).collect();
        compare(&pairs, &Tolerance::default()).unwrap().rows.swap_remove(0)
    };
    assert!(matches!(median(&alternating).outcome, Outcome::Undecided { .. }));
    assert_eq!(median(&steady).outcome, Outcome::Worse);
    assert_eq!(
        outcomes(&alternating[0].0, &alternating[0].1)[0],
        Outcome::Worse,
        "one pair misleads"
    );
}

#[test]
fn one_pair_says_what_it_does_not_see() {
    let mut rng = Rng::with_seed(4);
    let taken = sections(Service::Independent.latency(1_000, 1.0, &mut rng));
    let pair = (&taken[..], &taken[..]);
    let compared = |pairs: &[_]| compare(pairs, &Tolerance::default()).unwrap();
    let words = "one pair: what changes from run to run is not seen; give several";
    let one = compared(&[pair]);
    assert_eq!(one.caveat, Some(words));
    let said = |compared: Comparison| {
        let checks = compared.section("baseline", "host").checks;
        checks.iter().any(|check| check.verdict == Verdict::skipped(words))
    };
    assert!(said(one));
    let two = compared(&[pair, pair]);
    assert_eq!(two.caveat, None);
    assert!(!said(two));
    let held =
        |bases: &[Side<'_>]| compare_with_bases(bases, &taken, &Tolerance::default()).unwrap();
    assert_eq!(held(&[&taken]).caveat, Some(words));
    assert_eq!(held(&[&taken, &taken]).caveat, None);
}

#[test]
fn one_head_held_against_several_bases_is_a_prediction() {
    let times = [10.0_f64, 10.3, 9.8, 10.1, 9.9];
    let row = |names: &[&str], time: f64| {
        let with = |time: f64| {
            let mut section = Section::new("pipeline");
            names.iter().for_each(|&name| section.figure(name, time, "ms", "host"));
            vec![section]
        };
        let bases = times.map(with);
        let bases: Vec<_> = bases.iter().map(|base| &base[..]).collect();
        let held = compare_with_bases(&bases, &with(time), &Tolerance::default()).unwrap();
        held.rows.into_iter().next().unwrap()
    };
    let mean = times.map(f64::ln).iter().sum::<f64>() / 5.0;
    let squares: f64 = times.iter().map(|time| (time.ln() - mean).powi(2)).sum();
    let at = 11.2_f64.ln() - mean;
    // Student's quantiles for four degrees of freedom: half of 5 %, and half of that where two figures are judged.
    for (names, student) in [(&["span"][..], 2.776_445), (&["span", "rest"], 3.495_406)] {
        // A sixth run varies as the five did, and their mean is not known exactly either.
        let reach = student * (squares / 4.0).sqrt() * 1.2_f64.sqrt();
        let later = row(names, 11.2);
        let ends = [later.lower.unwrap(), later.ratio, later.upper.unwrap()].map(f64::ln);
        for (end, expected) in ends.into_iter().zip([at - reach, at, at + reach]) {
            assert!((end - expected).abs() < 1e-6, "{ends:?}, not {expected}");
        }
        assert_eq!(later.outcome, Outcome::Worse);
    }
    assert!(matches!(row(&["span"], 10.4).outcome, Outcome::Undecided { .. }), "runs differ so");
}

#[test]
fn a_head_held_against_equal_bases_is_as_uncertain_as_itself() {
    let mut rng = Rng::with_seed(5);
    let mut taken = || sections(Service::Independent.latency(10_000, 1.0, &mut rng));
    let (base, head) = (taken(), taken());
    let held = |bases: &[Side<'_>]| {
        let held = compare_with_bases(bases, &head, &Tolerance::default()).unwrap();
        held.rows[0].clone()
    };
    assert_eq!(held(&[&base[..]; 8]).words(), held(&[&base]).words(), "one base is not eight");
}

#[test]
fn a_figure_is_judged_by_several_pairs_in_the_direction_of_its_unit() {
    let with = |rate: f64, time: f64| {
        let mut section = Section::new("pipeline");
        section.figure("throughput", rate, "GB/s", "host");
        section.figure("span", time, "ms", "host");
        section.figure("block", 128.0, "threads", "host");
        vec![section]
    };
    let (base, head) = (with(50.0, 10.0), with(40.0, 8.0));
    let one = compare(&[(&base, &head)], &Tolerance::default()).unwrap();
    assert_eq!(one.rows.len(), 2, "threads have no direction");
    assert!(one.rows.iter().all(|row| matches!(row.outcome, Outcome::Undecided { .. })));
    let later = with(40.1, 8.01);
    let all = [(&base[..], &head[..]), (&base, &later), (&base, &head)];
    let judged = compare(&all, &Tolerance::default()).unwrap();
    assert_eq!(judged.rows[0].outcome, Outcome::Worse, "a lower rate");
    assert_eq!(judged.rows[1].outcome, Outcome::Better, "a shorter time");
    assert_eq!(judged.verdict(), Verdict::Fail);
    assert_eq!(judged.summary(), "1 worse, 1 better, 0 same, 0 undecided");
}

#[test]
fn a_time_in_ticks_needs_a_change_that_a_timer_resolves() {
    let outcome = |base: f64, head: f64, unit: &str| {
        let with = |value: f64| {
            let mut section = Section::new("pipeline");
            section.figure("phase", value, unit, "host");
            vec![section]
        };
        let (base, head) = (with(base), with(head));
        let bases = [&base[..]; 3];
        compare_with_bases(&bases, &head, &Tolerance::default()).unwrap().rows[0].outcome.clone()
    };
    // 160 ns more than three equal bases are 4 %, and less than the floor of 500 ns.
    assert_eq!(outcome(0.003_90, 0.004_06, "ms"), Outcome::Same);
    assert_eq!(outcome(3.90, 4.06, "us"), Outcome::Same);
    assert_eq!(outcome(0.003_90, 0.004_50, "ms"), Outcome::Worse);
    assert_eq!(outcome(3.90, 3.70, "GB/s"), Outcome::Worse, "no time");
}

#[test]
fn what_cannot_be_compared_is_refused_by_name() {
    let mut rng = Rng::with_seed(3);
    let base = sections(Service::Independent.latency(100, 1.0, &mut rng));
    let changed = |change: fn(&mut Run)| {
        let mut head = base.clone();
        change(&mut head[0].runs[0]);
        compare(&[(&base, &head)], &Tolerance::default()).map_err(|error| error.to_string())
    };
    let message = changed(|run| run.n = 1024).unwrap_err();
    assert!(message.contains("another n of `frame / frame, device`: 900 and 1024"), "{message}");
    let message = changed(|run| run.load = Load::Constant { rate_hz: 5.0 }).unwrap_err();
    assert!(message.contains("closed loop and 5 Hz, constant"), "{message}");
    let message = changed(|run| run.name = "other".to_owned()).unwrap_err();
    assert!(message.contains("no run and no figure is on both sides"), "{message}");
    let machine = Machine::observe(&gpu_core::Device::host());
    machine.must_equal(&machine.clone()).unwrap();
    let mut other = machine.clone();
    other.properties["name"] = "another".into();
    let message = machine.must_equal(&other).unwrap_err().to_string();
    assert!(message.contains("another device") && message.contains("\"another\""), "{message}");
    let cuda = Machine { backend: "cuda".to_owned(), ..machine.clone() };
    let message = machine.must_equal(&cuda).unwrap_err().to_string();
    assert!(message.contains("another backend: host and cuda"), "{message}");
    other = machine.clone();
    other.properties["driver_release"] = "580.1".into();
    assert!(machine.must_equal(&other).unwrap_err().to_string().contains("another driver: "));
}
