//! What was seen of a device while it worked, cut into seconds.
//!
//! Never judges.

use std::fmt::Write as _;
use std::time::Duration;

use gpu_core::{Reading, ThrottleReason};

use super::level::{CHANNELS, Channel};
use super::promise::Demand;

/// Work that the algorithm had to do, counted by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Bytes to and from memory.
    pub bytes: u64,
    /// Floating-point operations.
    pub operations: u64,
}

/// What the device reaches at best, measured in the same run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ceiling {
    /// Bytes a second, read and written.
    pub bytes_per_s: f64,
    /// Single-precision operations a second.
    pub operations_per_s: f64,
    /// Theoretical bytes a second, to which the device's counters relate; absent where the driver does not tell.
    pub bytes_per_s_peak: Option<f64>,
}

/// A device at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Since the watch began.
    pub at: Duration,
    /// What the device told.
    pub reading: Reading,
    /// What was done since the watch began.
    pub work: Work,
}

/// A device while it worked.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// In the order of time.
    pub observations: Vec<Observation>,
    /// Time from one to the next, as it was meant to be.
    pub period: Duration,
    /// The first reading that failed, in words.
    pub failure: Option<String>,
}

/// The time between two observations.
struct Interval<'a> {
    before: &'a Observation,
    after: &'a Observation,
}

impl Trace {
    /// What was seen after the warm-up: the part that counts.
    pub fn after(&self, warm_up: Duration) -> &[Observation] {
        let first = self.observations.partition_point(|observation| observation.at < warm_up);
        &self.observations[first..]
    }

    /// Means of `channel` over each whole second of `observations`; a second in which it was not told is `None`.
    pub(super) fn seconds(
        observations: &[Observation],
        channel: Channel,
        demand: Demand,
        ceiling: Option<&Ceiling>,
    ) -> Vec<Option<f64>> {
        let (Some(first), Some(last)) = (observations.first(), observations.last()) else {
            return Vec::new();
        };
        let whole = usize::try_from((last.at - first.at).as_secs()).unwrap_or(usize::MAX);
        let mut sums = vec![(0.0, 0.0); whole];
        for interval in intervals(observations) {
            let Some(value) = interval.value(channel, demand, ceiling) else { continue };
            // An interval belongs to the second in which it ends; one that ends with a second, to that one.
            let end_ns = (interval.after.at - first.at).as_nanos();
            let second = usize::try_from((end_ns - 1) / 1_000_000_000).unwrap_or(usize::MAX);
            if let Some((sum, weight)) = sums.get_mut(second) {
                let seconds = interval.seconds();
                *sum += value * seconds;
                *weight += seconds;
            }
        }
        sums.into_iter().map(|(sum, weight)| (weight > 0.0).then(|| sum / weight)).collect()
    }

    /// Seconds since the watch began and `channel` in the time that ends there; `None` where it was not told.
    pub(super) fn values(
        &self,
        channel: Channel,
        demand: Demand,
        ceiling: Option<&Ceiling>,
    ) -> impl Iterator<Item = (f64, Option<f64>)> {
        intervals(&self.observations).map(move |interval| {
            (interval.after.at.as_secs_f64(), interval.value(channel, demand, ceiling))
        })
    }

    /// The longest time between two of `observations`.
    pub(super) fn gap_max(observations: &[Observation]) -> Duration {
        intervals(observations).map(|interval| interval.length()).max().unwrap_or_default()
    }

    /// Share of `observations` for which `holds` holds of a reason that held clocks back, in percent.
    pub(super) fn held_back_percent(
        observations: &[Observation],
        holds: impl Fn(ThrottleReason) -> bool,
    ) -> f64 {
        let held = |observation: &&Observation| {
            observation.reading.sample.throttle_reasons.iter().any(|&reason| holds(reason))
        };
        let count = observations.iter().filter(held).count();
        100.0 * count as f64 / observations.len().max(1) as f64
    }

    /// Energy drawn, in joules, by the device's own counter; absent on devices that have none.
    pub fn energy_j(&self) -> Option<f64> {
        let energy = |observation: &Observation| observation.reading.sample.energy_mj;
        let (first, last) = (self.observations.first()?, self.observations.last()?);
        let millijoules = energy(last)?.checked_sub(energy(first)?)?;
        Some(Duration::from_millis(millijoules).as_secs_f64())
    }

    /// A line an observation, as comma-separated values: all three tiers beside clocks and power. What was not told is empty.
    pub fn to_csv(&self, demand: Demand, ceiling: Option<&Ceiling>) -> String {
        let mut text = "seconds".to_owned();
        for channel in CHANNELS {
            text += &format!(",{}", channel.key());
        }
        text += ",sm_clock_mhz,power_watts,temperature_celsius,held_back_by\n";
        for interval in intervals(&self.observations) {
            let sample = &interval.after.reading.sample;
            let _ = write!(text, "{:.3}", interval.after.at.as_secs_f64());
            for channel in CHANNELS {
                let value = interval.value(channel, demand, ceiling);
                let _ = write!(text, ",{}", value.map_or_else(String::new, |v| format!("{v:.2}")));
            }
            let reasons = sample.throttle_reasons.iter().map(ToString::to_string);
            let _ = writeln!(
                text,
                ",{},{:.1},{},{}",
                sample.sm_clock_mhz,
                sample.power_watts,
                sample.temperature_celsius,
                reasons.collect::<Vec<_>>().join(" + ")
            );
        }
        text
    }
}

fn intervals(observations: &[Observation]) -> impl Iterator<Item = Interval<'_>> {
    let pairs = observations.windows(2).map(|pair| Interval { before: &pair[0], after: &pair[1] });
    pairs.filter(|interval| interval.length() > Duration::ZERO)
}

impl Interval<'_> {
    fn length(&self) -> Duration {
        self.after.at.saturating_sub(self.before.at)
    }

    fn seconds(&self) -> f64 {
        self.length().as_secs_f64()
    }

    /// In percent.
    fn value(&self, channel: Channel, demand: Demand, ceiling: Option<&Ceiling>) -> Option<f64> {
        let Reading { sample, activity } = &self.after.reading;
        match channel {
            Channel::GpuBusy => Some(sample.gpu_busy_percent.into()),
            Channel::MemoryBusy => Some(sample.memory_busy_percent.into()),
            Channel::Multiprocessors => activity.sm_percent.value(),
            Channel::Bandwidth => activity.dram_percent.value(),
            Channel::Attainable => {
                let ceiling = ceiling?;
                let scale = ceiling.bytes_per_s_peak? / ceiling.bytes_per_s;
                activity.dram_percent.value().map(|percent| percent * scale)
            }
            Channel::Pipes => {
                let pipes =
                    [&activity.tensor_percent, &activity.fp64_percent, &activity.fp32_percent];
                pipes.into_iter().filter_map(gpu_core::Metric::value).reduce(f64::max)
            }
            Channel::Counted => {
                let (before, after, most) = match demand {
                    Demand::Memory | Demand::Multiprocessors => {
                        (self.before.work.bytes, self.after.work.bytes, ceiling?.bytes_per_s)
                    }
                    Demand::Arithmetic => (
                        self.before.work.operations,
                        self.after.work.operations,
                        ceiling?.operations_per_s,
                    ),
                };
                Some(100.0 * after.saturating_sub(before) as f64 / self.seconds() / most)
            }
        }
    }
}
