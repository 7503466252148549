//! Every state against every event, as a table.

use std::fmt::Write;

use super::*;

/// Two failures within 10 s open for 1 s, doubling to 4 s; two probes within 5 s.
fn config() -> BreakerConfig {
    BreakerConfig {
        failures: 2,
        window: Duration::from_secs(10),
        open: Duration::from_secs(1),
        open_max: Duration::from_secs(4),
        probes: 2,
        probe_timeout: Duration::from_secs(5),
    }
}

const TRANSIENT: Outcome = Outcome::Failure(ErrorKind::Transient);

/// A machine in some state, the moment, a permit of that state and one from before it.
struct Case {
    state: State,
    now: Instant,
    current: Generation,
    late: Generation,
}

impl Case {
    fn closed(now: Instant) -> Self {
        let mut state = State::new(&config());
        let current = state.admit(now, &config()).unwrap();
        Self { state, now, current, late: Generation(u64::MAX) }
    }

    fn closed_after_one_failure(now: Instant) -> Self {
        let mut case = Self::closed(now);
        case.report(TRANSIENT);
        case
    }

    fn open(now: Instant) -> Self {
        let mut case = Self::closed_after_one_failure(now);
        case.report(TRANSIENT);
        Self { late: case.current, ..case }
    }

    fn open_and_due(now: Instant) -> Self {
        let case = Self::open(now);
        Self { now: now + Duration::from_secs(1), ..case }
    }

    fn half_open(now: Instant) -> Self {
        let mut case = Self::open_and_due(now);
        case.current = case.state.admit(case.now, &config()).unwrap();
        case
    }

    fn half_open_and_full(now: Instant) -> Self {
        let mut case = Self::half_open(now);
        case.state.admit(case.now, &config()).unwrap();
        case
    }

    fn half_open_with_one_success(now: Instant) -> Self {
        let mut case = Self::half_open_and_full(now);
        case.report(Outcome::Success);
        case
    }

    fn half_open_and_overdue(now: Instant) -> Self {
        let case = Self::half_open_and_full(now);
        Self { now: case.now + Duration::from_secs(5), ..case }
    }

    fn lost(now: Instant) -> Self {
        let mut case = Self::closed(now);
        case.report(Outcome::Failure(ErrorKind::Poisoned));
        Self { late: case.current, ..case }
    }

    fn report(&mut self, outcome: Outcome) {
        self.state.report(self.current, outcome, self.now, &config());
    }

    /// What an event does: the answer to a call, and the state afterwards.
    fn after(mut self, event: Event) -> String {
        let (now, config) = (self.now, config());
        let answer = match event {
            Event::Call => match self.state.admit(now, &config) {
                Ok(_) => "admitted, ".to_owned(),
                Err(Refusal::Open { retry_in }) => format!("retry in {retry_in:?}, "),
                Err(Refusal::Probing { probes }) => format!("{probes} probing, "),
                Err(Refusal::Lost) => "refused, ".to_owned(),
            },
            Event::Ends(outcome) => {
                self.state.report(self.current, outcome, now, &config);
                String::new()
            }
            Event::EndsLate(outcome) => {
                self.state.report(self.late, outcome, now, &config);
                String::new()
            }
        };
        format!("{answer}{}", describe(&self.state, now))
    }
}

#[derive(Clone, Copy)]
enum Event {
    Call,
    Ends(Outcome),
    EndsLate(Outcome),
}

fn describe(state: &State, now: Instant) -> String {
    match state.stage {
        Stage::Closed => format!("closed {}/2", state.failures.len()),
        Stage::Open { until } => format!("open {:?}", until - now),
        Stage::HalfOpen { admitted, succeeded, .. } => format!("half-open {succeeded}/{admitted}"),
        Stage::Lost => "lost".to_owned(),
    }
}

/// Brings a machine into a state.
type Build = fn(Instant) -> Case;

const CASES: [(&str, Build); 9] = [
    ("closed", Case::closed),
    ("closed, 1 failure", Case::closed_after_one_failure),
    ("open", Case::open),
    ("open, due", Case::open_and_due),
    ("half-open", Case::half_open),
    ("half-open, full", Case::half_open_and_full),
    ("half-open, 1 success", Case::half_open_with_one_success),
    ("half-open, overdue", Case::half_open_and_overdue),
    ("lost", Case::lost),
];

const EVENTS: [(&str, Event); 10] = [
    ("call", Event::Call),
    ("success", Event::Ends(Outcome::Success)),
    ("transient", Event::Ends(TRANSIENT)),
    ("exhausted", Event::Ends(Outcome::Failure(ErrorKind::Exhausted))),
    ("invalid", Event::Ends(Outcome::Failure(ErrorKind::Invalid))),
    ("unavailable", Event::Ends(Outcome::Failure(ErrorKind::Unavailable))),
    ("released", Event::Ends(Outcome::Released)),
    ("poisoned", Event::Ends(Outcome::Failure(ErrorKind::Poisoned))),
    ("late success", Event::EndsLate(Outcome::Success)),
    ("late transient", Event::EndsLate(TRANSIENT)),
];

fn table() -> String {
    let mut text = String::new();
    let start = gpu_core::Clock::manual().now();
    for (state, build) in CASES {
        for (name, event) in EVENTS {
            let after = build(start).after(event);
            writeln!(text, "{state:<21}| {name:<15}| {after}").unwrap();
        }
    }
    text
}

#[test]
fn every_event_does_to_every_state_what_the_table_says() {
    let expected = include_str!("table.txt");
    let actual = table();
    for (actual, expected) in actual.lines().zip(expected.lines()) {
        assert_eq!(actual, expected);
    }
    assert_eq!(actual.lines().count(), expected.lines().count());
}

#[test]
fn a_lost_device_stays_lost_whatever_happens() {
    let start = gpu_core::Clock::manual().now();
    for (name, event) in EVENTS {
        let after = Case::lost(start).after(event);
        assert!(after.ends_with("lost"), "{name}: {after}");
    }
    let mut case = Case::lost(start);
    let later = start + Duration::from_secs(1 << 30);
    assert_eq!(case.state.admit(later, &config()), Err(Refusal::Lost));
}

#[test]
fn a_lost_device_is_believed_from_a_late_call_too() {
    let start = gpu_core::Clock::manual().now();
    let after =
        Case::half_open(start).after(Event::EndsLate(Outcome::Failure(ErrorKind::Poisoned)));
    assert_eq!(after, "lost");
}

#[test]
fn failures_older_than_the_window_do_not_count() {
    let start = gpu_core::Clock::manual().now();
    let mut case = Case::closed_after_one_failure(start);
    case.now += Duration::from_millis(10_001);
    case.report(TRANSIENT);
    assert_eq!(case.state.phase(), Phase::Closed);
    case.now += Duration::from_secs(10);
    case.report(TRANSIENT);
    assert_eq!(case.state.phase(), Phase::Open);
}

#[test]
fn openings_double_while_recoveries_fail_and_start_over_after_one_succeeds() {
    let start = gpu_core::Clock::manual().now();
    let mut case = Case::open(start);
    let mut waits = Vec::new();
    for _ in 0..4 {
        let Stage::Open { until } = case.state.stage else { panic!("not open") };
        waits.push((until - case.now).as_secs());
        case.now = until;
        case.current = case.state.admit(case.now, &config()).unwrap();
        case.report(TRANSIENT);
    }
    assert_eq!(waits, [1, 2, 4, 4]);

    let Stage::Open { until } = case.state.stage else { panic!("not open") };
    case.now = until;
    for _ in 0..2 {
        case.current = case.state.admit(case.now, &config()).unwrap();
        case.report(Outcome::Success);
    }
    assert_eq!(case.state.phase(), Phase::Closed);
    case.current = case.state.admit(case.now, &config()).unwrap();
    case.report(TRANSIENT);
    case.report(TRANSIENT);
    assert_eq!(describe(&case.state, case.now), "open 1s");
    case.now += Duration::from_secs(1);
    case.current = case.state.admit(case.now, &config()).unwrap();
    case.report(TRANSIENT);
    assert_eq!(describe(&case.state, case.now), "open 2s");
}
