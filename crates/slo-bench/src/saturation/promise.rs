//! What saturation is promised: thresholds as data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::level::Channel;

/// What the work asks a device for, which says what it has to be held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Demand {
    /// Memory bandwidth.
    Memory,
    /// Arithmetic: memory may idle, the pipes of the multiprocessors may not.
    Arithmetic,
    /// The time of multiprocessors, and no more: work that waits for itself and lives in caches. Says nothing by itself about
    /// work: one warp on each of them that waits would do. Who promises it of services promises a rate of finished and checked
    /// iterations beside it.
    Multiprocessors,
}

impl Demand {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Memory, Self::Arithmetic, Self::Multiprocessors];

    /// Its name in contracts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Arithmetic => "arithmetic",
            Self::Multiprocessors => "multiprocessors",
        }
    }
}

impl std::fmt::Display for Demand {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Seconds that are left out before so many are judged: clocks climb, and NVML tells of up to a second before.
pub fn warm_up_s(seconds: u32) -> u32 {
    match seconds {
        0..10 => 2,
        10..60 => 3,
        60.. => 10,
    }
}

/// How busy a device has to be, and for how long. Shares are in percent and have to be exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaturationPromise {
    /// What the work asks for: of the shares below, [`Demand::Memory`] takes both memory shares,
    /// [`Demand::Arithmetic`] the pipes' share in their place, [`Demand::Multiprocessors`] neither.
    pub demand: Demand,
    /// NVML: time with a kernel resident.
    pub gpu_busy_percent: f64,
    /// NVML: time in which memory was accessed.
    pub memory_busy_percent: f64,
    /// Counters: multiprocessors with a warp.
    pub sm_percent: f64,
    /// Counters: bandwidth of memory, of the theoretical. Also for counted bytes, of the measured ceiling, where there
    /// are no counters.
    pub dram_percent: f64,
    /// Counters: the busiest of the tensor and floating-point pipes. Also for counted operations, of the measured ceiling,
    /// where there are no counters. One warp on each scheduler, each waiting for the last result, reads 25 %.
    pub pipe_percent: f64,
    /// Most points that two tiers may differ by.
    pub disagreement_points_max: f64,
    /// What is left out at the beginning, in seconds.
    pub warm_up_s: u32,
    /// Fewest seconds after it.
    pub seconds_min: u32,
    /// Time from one reading to the next, in milliseconds; at least 100.
    pub period_ms: u32,
}

impl SaturationPromise {
    /// More than 80 % of the device and 60 % of its memory, or 40 % of its pipes, for 60 s after 10 s.
    pub fn new(demand: Demand) -> Self {
        Self {
            demand,
            gpu_busy_percent: 80.0,
            memory_busy_percent: 60.0,
            sm_percent: 80.0,
            dram_percent: 60.0,
            pipe_percent: 40.0,
            disagreement_points_max: 15.0,
            warm_up_s: 10,
            seconds_min: 60,
            period_ms: 200,
        }
    }

    /// The same for `seconds` after a warm-up of `warm_up_s`.
    pub fn lasting(mut self, warm_up_s: u32, seconds: u32) -> Self {
        self.warm_up_s = warm_up_s;
        self.seconds_min = seconds;
        self
    }

    /// What has to exceed what: the promise in words, and in substance. `None` if the channels that a device `has` are none
    /// of substance.
    pub(super) fn thresholds(&self, has: impl Fn(Channel) -> bool) -> Option<Vec<(Channel, f64)>> {
        let mut all = vec![(Channel::GpuBusy, self.gpu_busy_percent)];
        let counter = match self.demand {
            Demand::Memory => {
                all.push((Channel::MemoryBusy, self.memory_busy_percent));
                Some((Channel::Bandwidth, self.dram_percent))
            }
            Demand::Arithmetic => Some((Channel::Pipes, self.pipe_percent)),
            Demand::Multiprocessors => None,
        };
        match counter {
            _ if has(Channel::Multiprocessors) && counter.is_none_or(|(of, _)| has(of)) => {
                all.push((Channel::Multiprocessors, self.sm_percent));
                all.extend(counter);
            }
            Some((_, threshold)) if has(Channel::Counted) => {
                all.push((Channel::Counted, threshold));
            }
            _ => return None,
        }
        Some(all)
    }

    /// What is left out at the beginning.
    pub fn warm_up(&self) -> Duration {
        Duration::from_secs(self.warm_up_s.into())
    }

    /// How long work has to be watched: a few periods more than what counts, since it begins with a reading.
    pub fn watched(&self) -> Duration {
        let counts = Duration::from_secs(self.seconds_min.into());
        self.warm_up() + counts + self.period() * 3
    }

    /// Time from one reading to the next.
    pub fn period(&self) -> Duration {
        /// Counters tell little about less.
        const PERIOD_MS_MIN: u32 = 100;
        Duration::from_millis(self.period_ms.max(PERIOD_MS_MIN).into())
    }
}

/// As a device with counters is held against it.
impl std::fmt::Display for SaturationPromise {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (channel, threshold) in self.thresholds(|_| true).into_iter().flatten() {
            write!(formatter, "{channel} > {threshold} %, ")?;
        }
        write!(formatter, "{} s", self.seconds_min)
    }
}
