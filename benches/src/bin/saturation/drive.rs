//! A load, kept on the device for a while: back to back, or with pauses in between.
//!
//! Counts a round when it is seen to be done.

use std::time::Duration;

use gpu_core::{Clock, Event, Monitor, Stream, ThrottleReason};
use slo_bench::Section;
use slo_bench::cli::Session;
use slo_bench::saturation::{Progress, SaturationPromise, Trace, Work, watch};

use crate::load::Load;

/// How long, and how much of it, a load is on the device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Duty {
    pub(super) percent: u32,
    pub(super) lasting: Duration,
}

impl Duty {
    /// Without pauses, for as long as `promise` needs.
    pub(super) fn full(promise: &SaturationPromise) -> Self {
        Self::share(100, promise)
    }

    /// This share of the time, for as long as `promise` needs: a period more, since it begins with a reading.
    pub(super) fn share(percent: u32, promise: &SaturationPromise) -> Self {
        let seconds = u64::from(promise.warm_up_s) + u64::from(promise.seconds_min);
        Self { percent, lasting: Duration::from_secs(seconds) + promise.period() * 3 }
    }
}

/// A stretch of work and a pause.
const CYCLE: Duration = Duration::from_millis(50);

/// What runs rounds: a stream, and marks by which a round is seen to be done.
pub(super) struct Driver<'a> {
    clock: &'a Clock,
    pub(super) stream: Stream,
    marks: [Event; 2],
}

impl<'a> Driver<'a> {
    pub(super) fn new(session: &'a Session<'_>) -> gpu_core::Result<Self> {
        let device = session.device();
        let marks = [device.event()?, device.event()?];
        Ok(Self { clock: &session.clock, stream: device.stream()?, marks })
    }

    /// Rounds of `load` that were done; at least one.
    pub(super) fn drive(
        &self,
        load: &Load,
        duty: Duty,
        progress: &Progress,
    ) -> gpu_core::Result<u32> {
        let begin = self.clock.now();
        let elapsed = || self.clock.now().saturating_duration_since(begin);
        let (mut rounds, mut cycles) = (0, 0);
        loop {
            let until = match duty.percent {
                100.. => duty.lasting,
                percent => CYCLE * cycles + CYCLE * percent / 100,
            };
            rounds += self.stretch(load, progress, || elapsed() < until)?;
            cycles += 1;
            while duty.percent < 100 && elapsed() < CYCLE * cycles {
                std::hint::spin_loop();
            }
            if elapsed() >= duty.lasting {
                return Ok(rounds);
            }
        }
    }

    /// Rounds for as long as `goes_on`, of which the next is queued while one runs; at least one.
    fn stretch(
        &self,
        load: &Load,
        progress: &Progress,
        goes_on: impl Fn() -> bool,
    ) -> gpu_core::Result<u32> {
        let (mut queued, mut done) = (0, 0);
        loop {
            let mark = &self.marks[queued as usize % 2];
            self.stream.replay(&load.graph)?;
            self.stream.record(mark)?;
            queued += 1;
            let goes_on = goes_on();
            while done + 1 < queued || (!goes_on && done < queued) {
                self.marks[done as usize % 2].synchronize()?;
                progress.add(load.work);
                done += 1;
            }
            if !goes_on {
                return Ok(done);
            }
        }
    }

    /// Runs `load` and watches the device meanwhile; with what is wrong with its results, in words.
    pub(super) fn watched(
        &self,
        load: &mut Load,
        duty: Duty,
        monitor: &mut Monitor,
        period: Duration,
    ) -> gpu_core::Result<(Trace, Option<String>)> {
        let progress = Progress::default();
        let work = || self.drive(load, duty, &progress);
        let (rounds, trace) = watch(self.clock, period, monitor, &progress, work);
        let fault = load.fault(&self.stream, rounds?)?;
        Ok((trace, fault))
    }

    /// Bytes or operations a second at full duty, by `amount` of the work, after a warm-up of as long.
    pub(super) fn rate(
        &self,
        load: &Load,
        lasting: Duration,
        amount: fn(&Work) -> u64,
    ) -> gpu_core::Result<(f64, u32)> {
        let duty = Duty { percent: 100, lasting };
        let before = self.drive(load, duty, &Progress::default())?;
        let start = self.clock.now();
        let rounds = self.drive(load, duty, &Progress::default())?;
        let elapsed = self.clock.now().saturating_duration_since(start).as_secs_f64();
        let total = amount(&load.work) as f64 * f64::from(rounds);
        Ok((total / elapsed, before + rounds))
    }
}

/// Adds in which condition the device was while `what` ran.
pub(super) fn conditions(section: &mut Section, what: &str, trace: &Trace, measured_on: &str) {
    let samples = || trace.observations.iter().map(|seen| &seen.reading.sample);
    let count = trace.observations.len().max(1) as f64;
    let power = samples().map(|sample| sample.power_watts).sum::<f64>() / count;
    section.figure(format!("{what}: power, mean"), power, "W", measured_on);
    if let Some(energy) = trace.energy_j() {
        section.figure(format!("{what}: energy"), energy, "J", measured_on);
    }
    let clocks = samples().map(|sample| sample.sm_clock_mhz);
    if let (Some(least), Some(most)) = (clocks.clone().min(), clocks.max()) {
        section.figure(format!("{what}: SM clock, least"), least.into(), "MHz", measured_on);
        section.figure(format!("{what}: SM clock, most"), most.into(), "MHz", measured_on);
    }
    if let Some(most) = samples().map(|sample| sample.temperature_celsius).max() {
        section.figure(format!("{what}: temperature, most"), most.into(), "C", measured_on);
    }
    let mut reasons: Vec<ThrottleReason> =
        samples().flat_map(|sample| sample.throttle_reasons.iter().copied()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let is_slowed = reasons.iter().any(|reason| reason.is_slowdown());
    let words: Vec<_> = reasons.iter().map(ToString::to_string).collect();
    let words = if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
    let seen = format!("clocks were held back by {words}");
    section.check(format!("{what}: neither heat nor protection slowed it"), !is_slowed, seen);
}

/// Puts what was seen beside the report, as a table.
pub(super) fn keep(
    session: &Session<'_>,
    section: &mut Section,
    what: &str,
    table: &str,
) -> anyhow::Result<()> {
    let name = format!("saturation-{}.csv", what.replace(' ', "-"));
    std::fs::write(session.beside_report()?.join(&name), table)?;
    section.files.push(name);
    Ok(())
}
