//! What a device tells of itself while it works: clocks, power, utilisation.
//!
//! Reads only; never changes a setting.

/// One reading of the management library (NVML).
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct TelemetrySample {
    /// Clock of the multiprocessors, in MHz.
    pub sm_clock_mhz: u32,
    /// Clock of the memory, in MHz.
    pub memory_clock_mhz: u32,
    /// Power drawn, in watts.
    pub power_watts: f64,
    /// Temperature of the chip, in degrees Celsius.
    pub temperature_celsius: u32,
    /// Share of the last sampling period with at least one kernel resident, in percent. Not a share of a peak.
    pub gpu_busy_percent: u32,
    /// Share of the last sampling period in which memory was accessed, in percent. Not a share of a peak.
    pub memory_busy_percent: u32,
    /// Why clocks are held back, as the library names the reasons; empty if they are not.
    pub throttle_reasons: Vec<String>,
}
