//! A load, kept on the device for a while: back to back, or with pauses in between.
//!
//! Counts a round when it is seen to be done.

use std::time::Duration;

use gpu_core::{Clock, Device, Event, KernelImages, Stream};

use super::load::{Load, LoadName};
use super::promise::SaturationPromise;
use super::trace::Trace;
use super::watch::{Progress, Sensor, watch};

/// How long, and how much of it, a load is on the device.
#[derive(Clone, Copy, Debug)]
pub struct Duty {
    percent: u32,
    lasting: Duration,
}

impl Duty {
    /// Without pauses, for so long.
    pub fn full(lasting: Duration) -> Self {
        Self { percent: 100, lasting }
    }

    /// This share of the time in percent, for as long as `promise` has to be watched.
    pub fn share(percent: u32, promise: &SaturationPromise) -> Self {
        Self { percent, lasting: promise.watched() }
    }
}

/// A stretch of work and a pause.
const CYCLE: Duration = Duration::from_millis(50);

/// What runs rounds of a load: a stream, and marks by which a round is seen to be done.
#[derive(Debug)]
pub struct Driver<'a> {
    device: &'a Device,
    images: &'a KernelImages,
    clock: &'a Clock,
    stream: Stream,
    marks: [Event; 2],
}

/// What a load came to at full duty.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// Bytes a second.
    pub bytes_per_s: f64,
    /// Floating-point operations a second.
    pub operations_per_s: f64,
    /// What is wrong with the results, in words.
    pub fault: Option<String>,
}

impl<'a> Driver<'a> {
    /// With a stream of its own on `device`.
    ///
    /// # Errors
    /// What the device says.
    pub fn new(
        device: &'a Device,
        images: &'a KernelImages,
        clock: &'a Clock,
    ) -> gpu_core::Result<Self> {
        let marks = [device.event()?, device.event()?];
        Ok(Self { device, images, clock, stream: device.stream()?, marks })
    }

    /// Keeps a load on the device for `duty` and reads `sensor` every `period` meanwhile; with what is wrong with its
    /// results, in words.
    ///
    /// # Errors
    /// If the load cannot be made, or what the device says.
    pub fn watched(
        &self,
        name: LoadName,
        duty: Duty,
        sensor: &mut dyn Sensor,
        period: Duration,
    ) -> gpu_core::Result<(Trace, Option<String>)> {
        let mut load = name.open(self.device, self.images, &self.stream)?;
        let progress = Progress::default();
        let work = || self.drive(&load, duty, &progress);
        let (rounds, trace) = watch(self.clock, period, sensor, &progress, work);
        let fault = load.fault(&self.stream, rounds?)?;
        Ok((trace, fault))
    }

    /// Runs a load at full duty, after a warm-up of as long.
    ///
    /// # Errors
    /// As for [`watched`](Self::watched).
    pub fn rate(&self, name: LoadName, lasting: Duration) -> gpu_core::Result<Rate> {
        let mut load = name.open(self.device, self.images, &self.stream)?;
        let (duty, unseen) = (Duty::full(lasting), Progress::default());
        let before = self.drive(&load, duty, &unseen)?;
        let start = self.clock.now();
        let rounds = self.drive(&load, duty, &unseen)?;
        let elapsed = self.clock.now().saturating_duration_since(start).as_secs_f64();
        let rate = |amount: u64| amount as f64 * f64::from(rounds) / elapsed;
        let (bytes_per_s, operations_per_s) = (rate(load.work.bytes), rate(load.work.operations));
        let fault = load.fault(&self.stream, before + rounds)?;
        Ok(Rate { bytes_per_s, operations_per_s, fault })
    }

    /// Rounds of `load` that were done; at least one.
    fn drive(&self, load: &Load, duty: Duty, progress: &Progress) -> gpu_core::Result<u32> {
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
}
