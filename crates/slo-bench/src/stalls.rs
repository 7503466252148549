//! What the machine takes from a thread that never waits: interrupts, other threads, other guests.
//!
//! A thread that polls for a device and is away when the device is done is late by what is left of its absence. Gil Tene's
//! jHiccup sees absences by sleeping; here a thread reads the clock without pause, as one that polls does. Never says
//! who took the time, and never measures beside the work: that thread would be another one.

use std::time::Duration;

use gpu_core::{Clock, Device};

use crate::contract::Contract;
use crate::report::{Run, Section, label};
use crate::statistics::Quantile;

/// The shortest absence that counts: reading the clock and one interrupt of an idle machine take less.
const ABSENCE_MIN: Duration = Duration::from_micros(5);

/// When a thread was away, and for how long it was watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stalls {
    watched: Duration,
    absences: Vec<Duration>,
}

impl Stalls {
    /// Reads `clock` without pause for as long as `lasting`. Without end on a clock that stands still.
    pub fn watch(clock: &Clock, lasting: Duration) -> Self {
        let start = clock.now();
        let readings = std::iter::repeat_with(|| clock.now().saturating_duration_since(start));
        Self::between(readings, lasting)
    }

    /// Absences between `readings` of a clock that began at zero, up to the first one at `lasting` or later.
    fn between(readings: impl Iterator<Item = Duration>, lasting: Duration) -> Self {
        let mut stalls = Self::default();
        for reading in readings {
            let absence = reading.saturating_sub(stalls.watched);
            if absence >= ABSENCE_MIN {
                stalls.absences.push(absence);
            }
            stalls.watched = reading;
            if reading >= lasting {
                break;
            }
        }
        stalls
    }

    /// Both watches as one.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.watched += other.watched;
        self.absences.extend(&other.absences);
        self
    }

    /// Share of the time that the thread was away, in 0..1.
    pub fn away(&self) -> f64 {
        self.share(self.absences.iter().sum())
    }

    /// Absences of `length` or longer a second.
    pub fn rate_hz(&self, length: Duration) -> f64 {
        let count = self.absences.iter().filter(|&&absence| absence >= length).count();
        match self.watched {
            Duration::ZERO => 0.0,
            watched => count as f64 / watched.as_secs_f64(),
        }
    }

    /// The longest absence.
    pub fn longest(&self) -> Duration {
        self.absences.iter().copied().max().unwrap_or_default()
    }

    /// Share of calls that absences alone take to `limit` or beyond, in 0..1, if each call takes `call` without them and
    /// polls for its end all the while; `None` for calls that are beyond it by themselves.
    ///
    /// An absence of length `a` that begins when `t` of the call is done ends it at `t + a`. It is over the limit from
    /// `t >= limit - a` on and until `t = call`: for `min(call, a - (limit - call))` of its possible beginnings.
    /// Back to back, calls leave no time between them, so that these stretches over the time watched are the share of calls
    /// times the share of their time.
    pub fn share_over(&self, call: Duration, limit: Duration) -> Option<f64> {
        let slack = limit.checked_sub(call)?;
        let stretch = |absence: &Duration| absence.saturating_sub(slack).min(call);
        Some(self.share(self.absences.iter().map(stretch).sum()))
    }

    /// Adds to `section` what was seen beside `run`, and what that alone does to its calls by the limits of `contract`.
    pub fn add_figures(&self, section: &mut Section, contract: &Contract, run: &Run) {
        /// A stall that is worth a name: several times what an interrupt takes.
        const LONG: Duration = Duration::from_micros(20);
        let (name, host) = (&contract.name, label(&Device::host()));
        let mut add = |words: &str, value, unit| {
            section.figure(format!("{name}: {words}"), value, unit, &host);
        };
        add("time taken from a thread that only reads the clock", 100.0 * self.away(), "%");
        add("stalls of 20 us or longer", self.rate_hz(LONG), "a second");
        // In an open loop, a latency from the intended start has waiting in it.
        let alone = run.service.as_ref().unwrap_or(&run.latency);
        let Some(call) = alone.p50_ns.map(Duration::from_nanos) else { return };
        let calculated = format!("calculated for {}", run.measured_on);
        for limit in contract.limits.iter().filter(|limit| limit.quantile != Quantile::MAX) {
            let over = self.share_over(call, Duration::from_nanos(limit.limit_ns()));
            let Some(share) = over else { continue };
            let words =
                format!("{name}: calls that such stalls alone take over {} ms", limit.limit_ms);
            section.figure(words, 100.0 * share, "%", &calculated);
        }
    }

    fn share(&self, part: Duration) -> f64 {
        match self.watched {
            Duration::ZERO => 0.0,
            watched => part.as_secs_f64() / watched.as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    /// A second of readings a microsecond apart, with absences of these lengths in it.
    fn watched(absences: &[u64]) -> Stalls {
        let mut at = 0;
        let mut readings: Vec<_> = absences
            .iter()
            .flat_map(|absence| {
                at += 1 + absence;
                [us(at - absence), us(at)]
            })
            .collect();
        readings.extend((at + 1..=1_000_000).map(us));
        Stalls::between(readings.into_iter(), us(1_000_000))
    }

    #[test]
    fn only_what_is_longer_than_a_reading_is_an_absence() {
        let stalls = watched(&[2, 4, 5, 30, 1000]);
        assert_eq!(stalls.longest(), us(1000));
        assert_eq!(
            [5, 30, 31, 1001].map(|length| stalls.rate_hz(us(length))),
            [3.0, 2.0, 1.0, 0.0]
        );
        assert!((stalls.away() - 1035e-6).abs() < 1e-12, "{}", stalls.away());
    }

    #[test]
    fn a_watch_ends_with_the_first_reading_that_is_late_enough() {
        let readings = [us(1), us(99), us(140), us(1000)];
        let stalls = Stalls::between(readings.into_iter(), us(100));
        assert_eq!((stalls.watched, stalls.longest()), (us(140), us(98)));
    }

    #[test]
    fn two_watches_together_last_as_long_as_both() {
        let both = watched(&[30]).and(&watched(&[50, 60]));
        assert_eq!(both.rate_hz(us(20)), 1.5);
        assert_eq!(both.longest(), us(60));
    }

    #[test]
    fn an_absence_is_over_the_limit_if_it_ends_a_call_too_late() {
        // One absence of 30 us a second: it has to begin in the last 10 us of a call of 40 to end it at 60 or later.
        let one = watched(&[30]);
        let share = |call, limit| one.share_over(us(call), us(limit));
        let tenth = share(40, 60).unwrap();
        assert!((tenth - 10e-6).abs() < 1e-12, "{tenth}");
        assert_eq!(share(40, 71), Some(0.0), "even at the very end it is over in time");
        assert_eq!(share(61, 60), None, "such calls are late by themselves");
        // Longer than call and slack together: wherever it begins.
        let long = watched(&[500]);
        assert!((long.share_over(us(40), us(60)).unwrap() - 40e-6).abs() < 1e-12);
    }

    #[test]
    fn calls_that_meet_absences_anywhere_are_late_as_often_as_calculated() {
        // Calls of 37 us back to back, absences of 31 us at random distances of 1 ms in the mean: at equal ones they
        // would fall into step with the calls.
        let [call, absence, period, limit] = [37_013, 31_007, 1_000_000, 60_011];
        let (mut now, mut next, mut late, mut calls) = (0, period, 0, 0u32);
        let mut random = 1u64;
        while calls < 1_000_000 {
            let done = now + call;
            // An absence that begins with the end of a call belongs to the next one.
            let end = if next < done { done.max(next + absence) } else { done };
            if next < done {
                // Knuth's linear congruential generator (MMIX); its upper half is random enough.
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                next += period / 2 + (random >> 32) * period / (1 << 32);
            }
            late += u32::from(end - now >= limit);
            calls += 1;
            now = end;
        }
        let ns = Duration::from_nanos;
        let stalls = Stalls { watched: ns(period), absences: vec![ns(absence)] };
        let (seen, told) =
            (f64::from(late) / f64::from(calls), stalls.share_over(ns(call), ns(limit)).unwrap());
        assert!((seen / told - 1.0).abs() < 0.03, "{seen} of {told}");
    }
}
