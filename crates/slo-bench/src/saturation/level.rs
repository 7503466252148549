//! One kind of evidence, held against its threshold second by second.

use serde::{Deserialize, Serialize};

/// A kind of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// T2, NVML: time with a kernel resident.
    GpuBusy,
    /// T2, NVML: time in which memory was accessed.
    MemoryBusy,
    /// T1, counters: multiprocessors with a warp.
    Multiprocessors,
    /// T1, counters: bandwidth of memory, of the theoretical.
    Bandwidth,
    /// T1, the same of the measured ceiling, so that it compares with counted bytes.
    Attainable,
    /// T1, counters: the busiest of the tensor and floating-point pipes.
    Pipes,
    /// T0: bytes or operations that the algorithm counts, of the measured ceiling.
    Counted,
}

/// All kinds of evidence, the least trustworthy first.
pub(super) const CHANNELS: [Channel; 7] = [
    Channel::GpuBusy,
    Channel::MemoryBusy,
    Channel::Multiprocessors,
    Channel::Bandwidth,
    Channel::Attainable,
    Channel::Pipes,
    Channel::Counted,
];

impl Channel {
    /// Its name in tables for machines.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::GpuBusy => "nvml_gpu_percent",
            Self::MemoryBusy => "nvml_memory_percent",
            Self::Multiprocessors => "gpm_sm_percent",
            Self::Bandwidth => "gpm_dram_percent",
            Self::Attainable => "gpm_dram_of_ceiling_percent",
            Self::Pipes => "gpm_pipe_percent",
            Self::Counted => "counted_percent",
        }
    }
}

impl std::fmt::Display for Channel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::GpuBusy => "NVML gpu",
            Self::MemoryBusy => "NVML memory",
            Self::Multiprocessors => "GPM multiprocessors",
            Self::Bandwidth => "GPM DRAM",
            Self::Attainable => "GPM DRAM of the ceiling",
            Self::Pipes => "GPM busiest pipe",
            Self::Counted => "counted, of the ceiling",
        })
    }
}

/// Evidence of one kind over whole seconds, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Of what kind.
    pub channel: Channel,
    /// What it has to exceed; absent where it is only shown.
    pub threshold: Option<f64>,
    /// Mean of all seconds.
    pub mean: f64,
    /// The lowest mean of five seconds in a row; of all of them where they are fewer.
    pub window_min: f64,
    /// Seconds above the threshold.
    pub seconds_above: usize,
    /// Seconds.
    pub seconds: usize,
}

impl Level {
    /// Of at least one second; `None` without.
    pub(super) fn of(channel: Channel, seconds: &[f64], threshold: Option<f64>) -> Option<Self> {
        /// Seconds that are averaged for the worst window.
        const WINDOW: usize = 5;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let windows = seconds.windows(WINDOW.min(seconds.len().max(1)));
        let window_min = windows.map(mean).reduce(f64::min)?;
        let above = |&&value: &&f64| threshold.is_some_and(|threshold| value > threshold);
        Some(Self {
            channel,
            threshold,
            mean: mean(seconds),
            window_min,
            seconds_above: seconds.iter().filter(above).count(),
            seconds: seconds.len(),
        })
    }

    /// Whether mean, worst window and at least 99 % of all seconds exceed the threshold. True without one.
    pub fn holds(&self) -> bool {
        self.threshold.is_none_or(|threshold| {
            self.mean > threshold
                && self.window_min > threshold
                && self.seconds_above * 100 >= self.seconds * 99
        })
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { channel, mean, window_min, seconds_above, seconds, .. } = self;
        write!(formatter, "{channel} {mean:.1} %")?;
        if let Some(threshold) = self.threshold {
            write!(
                formatter,
                " (worst 5 s {window_min:.1} %; {seconds_above} of {seconds} s above {threshold} %)"
            )?;
        }
        Ok(())
    }
}
