//! What a device tells of itself while it works: clocks, power, utilisation, and what its counters counted.
//!
//! Reads only; never changes a setting.

use serde::{Deserialize, Serialize};

use crate::backend::RawMonitor;
use crate::error::Result;

/// One reading of the management library (NVML).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TelemetrySample {
    /// Clock of the multiprocessors, in MHz.
    pub sm_clock_mhz: u32,
    /// Clock of the memory, in MHz.
    pub memory_clock_mhz: u32,
    /// Power drawn, in watts.
    pub power_watts: f64,
    /// Energy drawn since the driver was loaded, in millijoules; absent on devices that do not count it.
    pub energy_mj: Option<u64>,
    /// For how long heat has held clocks back since the driver was loaded, in nanoseconds; absent on devices that do not
    /// count it.
    pub heat_slowed_ns: Option<u64>,
    /// Temperature of the chip, in degrees Celsius.
    pub temperature_celsius: u32,
    /// Share of the last sampling period with at least one kernel resident, in percent. Not a share of a peak.
    pub gpu_busy_percent: u32,
    /// Share of the last sampling period in which memory was accessed, in percent. Not a share of a peak.
    pub memory_busy_percent: u32,
    /// Why clocks are held back; empty if they are not.
    pub throttle_reasons: Vec<ThrottleReason>,
}

impl TelemetrySample {
    /// What slowed the device down at this moment or at `earlier`, or in between as far as the device counts it.
    pub fn slowed_since(&self, earlier: &Self) -> Vec<ThrottleReason> {
        let seen = earlier.throttle_reasons.iter().chain(&self.throttle_reasons).copied();
        let mut reasons: Vec<_> = seen.filter(|reason| reason.is_slowdown()).collect();
        if self.heat_slowed_ns > earlier.heat_slowed_ns && earlier.heat_slowed_ns.is_some() {
            reasons.push(ThrottleReason::ThermalSlowdown);
        }
        reasons.sort_unstable();
        reasons.dedup();
        reasons
    }
}

/// Why clocks are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ThrottleReason {
    /// Nothing runs.
    Idle,
    /// The clocks that were set for applications.
    ApplicationClocks,
    /// The clocks that were set for displays.
    DisplayClocks,
    /// Another device of the same group is slower.
    SyncBoost,
    /// The driver keeps to the power limit.
    PowerCap,
    /// The driver cools chip or memory.
    ThermalSlowdown,
    /// The chip cools itself and halves its clocks or worse.
    HardwareThermalSlowdown,
    /// The power supply asked for less.
    PowerBrake,
    /// The chip halves its clocks or worse, for heat or power.
    HardwareSlowdown,
}

impl ThrottleReason {
    /// Whether the device is slower than it is built to be: by heat, or by its own protection.
    /// A power limit is part of how it is built.
    pub fn is_slowdown(self) -> bool {
        match self {
            Self::ThermalSlowdown
            | Self::HardwareThermalSlowdown
            | Self::PowerBrake
            | Self::HardwareSlowdown => true,
            Self::Idle
            | Self::ApplicationClocks
            | Self::DisplayClocks
            | Self::SyncBoost
            | Self::PowerCap => false,
        }
    }
}

impl std::fmt::Display for ThrottleReason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Idle => "idle",
            Self::ApplicationClocks => "application clocks",
            Self::DisplayClocks => "display clocks",
            Self::SyncBoost => "sync boost",
            Self::PowerCap => "power cap",
            Self::ThermalSlowdown => "thermal slowdown",
            Self::HardwareThermalSlowdown => "hardware thermal slowdown",
            Self::PowerBrake => "power brake",
            Self::HardwareSlowdown => "hardware slowdown",
        })
    }
}

/// A figure, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Metric {
    /// The figure.
    Told(f64),
    /// The device does not tell it.
    Untold {
        /// Why not.
        reason: String,
    },
}

impl Metric {
    /// The figure, if there is one.
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Told(value) => Some(*value),
            Self::Untold { .. } => None,
        }
    }

    /// Why there is no figure.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Told(_) => None,
            Self::Untold { reason } => Some(reason),
        }
    }
}

/// What the device's counters (GPM, from Hopper on) counted between two readings. Shares are in percent of all cycles
/// of all multiprocessors, or of the theoretical bandwidth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Activity {
    /// Multiprocessors with at least one warp.
    pub sm_percent: Metric,
    /// Resident warps, of the most there could be.
    pub occupancy_percent: Metric,
    /// Memory bandwidth.
    pub dram_percent: Metric,
    /// Tensor pipes at work.
    pub tensor_percent: Metric,
    /// Double-precision pipes at work.
    pub fp64_percent: Metric,
    /// Single-precision pipes at work.
    pub fp32_percent: Metric,
    /// Sent over PCIe by the device, in MiB/s.
    pub pcie_sent_mib_s: Metric,
    /// Received over PCIe by the device, in MiB/s.
    pub pcie_received_mib_s: Metric,
}

impl Activity {
    /// No figure at all, for this reason.
    pub fn untold(reason: &str) -> Self {
        let metric = || Metric::Untold { reason: reason.to_owned() };
        Self {
            sm_percent: metric(),
            occupancy_percent: metric(),
            dram_percent: metric(),
            tensor_percent: metric(),
            fp64_percent: metric(),
            fp32_percent: metric(),
            pcie_sent_mib_s: metric(),
            pcie_received_mib_s: metric(),
        }
    }
}

/// What a [`Monitor`] read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// The device at this moment.
    pub sample: TelemetrySample,
    /// The time since the reading before; untold in the first one.
    pub activity: Activity,
}

/// Reads a device again and again, and keeps the last state of its counters. Made by [`Device::monitor`](crate::Device::monitor).
///
/// Needs no context and may live on a thread of its own. Less than 100 ms between two readings tells little.
#[derive(Debug)]
pub struct Monitor {
    pub(crate) raw: RawMonitor,
}

impl Monitor {
    /// Reads the device now.
    ///
    /// # Errors
    /// What the management library says. A metric that it does not have is no error but [`Metric::Untold`].
    pub fn read(&mut self) -> Result<Reading> {
        self.raw.read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_and_protection_slow_a_device_down_and_a_power_limit_does_not() {
        assert!(ThrottleReason::ThermalSlowdown.is_slowdown());
        assert!(ThrottleReason::HardwareThermalSlowdown.is_slowdown());
        assert!(ThrottleReason::HardwareSlowdown.is_slowdown());
        assert!(ThrottleReason::PowerBrake.is_slowdown());
        assert!(!ThrottleReason::PowerCap.is_slowdown());
        assert!(!ThrottleReason::Idle.is_slowdown());
    }

    #[test]
    fn a_figure_that_is_not_told_says_why() {
        let activity = Activity::untold("older than Hopper");
        assert_eq!(activity.dram_percent.value(), None);
        assert_eq!(activity.dram_percent.reason(), Some("older than Hopper"));
        assert_eq!(Metric::Told(3.0).value(), Some(3.0));
    }

    fn sample(
        throttle_reasons: Vec<ThrottleReason>,
        heat_slowed_ns: Option<u64>,
    ) -> TelemetrySample {
        TelemetrySample {
            sm_clock_mhz: 1980,
            memory_clock_mhz: 2619,
            power_watts: 300.0,
            energy_mj: None,
            heat_slowed_ns,
            temperature_celsius: 50,
            gpu_busy_percent: 100,
            memory_busy_percent: 0,
            throttle_reasons,
        }
    }

    #[test]
    fn what_slowed_a_device_is_known_at_both_ends_and_in_between_where_it_is_counted() {
        use ThrottleReason::{HardwareSlowdown, Idle, PowerCap, ThermalSlowdown};
        let slowed = |before, after| {
            let [before, after]: [(_, _); 2] = [before, after];
            sample(after.0, after.1).slowed_since(&sample(before.0, before.1))
        };
        assert_eq!(slowed((vec![Idle], None), (vec![PowerCap], None)), []);
        assert_eq!(slowed((vec![HardwareSlowdown], None), (vec![], None)), [HardwareSlowdown]);
        assert_eq!(slowed((vec![], Some(7)), (vec![], Some(7))), []);
        assert_eq!(slowed((vec![], Some(7)), (vec![], Some(8))), [ThermalSlowdown]);
        assert_eq!(
            slowed((vec![], None), (vec![], Some(8))),
            [],
            "counted from when on is not known"
        );
        let hot = (vec![ThermalSlowdown], Some(8));
        assert_eq!(slowed((vec![], Some(7)), hot), [ThermalSlowdown], "once");
    }
}
