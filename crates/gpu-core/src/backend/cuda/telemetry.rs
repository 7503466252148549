//! What the management library (NVML) tells of a device. Needs no context and changes no setting.

use std::sync::OnceLock;

use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{Clock, PerformancePolicy, TemperatureSensor};
use nvml_wrapper::enums::gpm::GpmMetricId;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::gpm::{GpmSample, gpm_metrics_get};
use nvml_wrapper::{Device, Nvml};

use crate::error::{Error, ErrorKind, Result};
use crate::telemetry::{Activity, Metric, Reading, TelemetrySample, ThrottleReason};

/// The library, opened by the first call and kept; `None` where it is missing or does not start.
fn library() -> Option<&'static Nvml> {
    static OPENED: OnceLock<Option<Nvml>> = OnceLock::new();
    OPENED.get_or_init(|| Nvml::init().ok()).as_ref()
}

/// The driver's release, such as `580.159.04`.
pub(super) fn driver_release() -> Option<String> {
    library()?.sys_driver_version().ok()
}

/// One reading of the device with this unique id, or at this place on the bus; `None` where the library is missing,
/// or does not know the device, or does not tell a figure of it (in a container or on a slice of a device).
pub(super) fn sample(uuid: &str, pci_bus_id: &str) -> Result<Option<TelemetrySample>> {
    told(find(uuid, pci_bus_id).and_then(|device| device.as_ref().map(read).transpose()))
}

/// The device, where the library is there.
fn find(uuid: &str, pci_bus_id: &str) -> Result<Option<Device<'static>>, NvmlError> {
    let Some(library) = library() else { return Ok(None) };
    let found = library.device_by_uuid(dashed(uuid)).or_else(|_| {
        // The driver and this library may disagree on the unique id, as for a slice of a device.
        library.device_by_pci_bus_id(pci_bus_id)
    });
    found.map(Some)
}

/// What was asked for, or nothing where the library has no answer.
fn told<T>(answer: Result<Option<T>, NvmlError>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(error) if is_untold(&error) => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

fn failed(error: &NvmlError) -> Error {
    let kind = match error {
        NvmlError::GpuLost | NvmlError::ResetRequired => ErrorKind::Poisoned,
        _ => ErrorKind::Transient,
    };
    Error::Telemetry { reason: error.to_string(), kind }
}

fn read(device: &Device<'_>) -> Result<TelemetrySample, NvmlError> {
    let busy = device.utilization_rates()?;
    Ok(TelemetrySample {
        sm_clock_mhz: device.clock_info(Clock::SM)?,
        memory_clock_mhz: device.clock_info(Clock::Memory)?,
        power_watts: f64::from(device.power_usage()?) / 1e3,
        energy_mj: device.total_energy_consumption().ok(),
        heat_slowed_ns: device
            .violation_status(PerformancePolicy::Thermal)
            .ok()
            .map(|seen| seen.violation_time),
        temperature_celsius: device.temperature(TemperatureSensor::Gpu)?,
        gpu_busy_percent: busy.gpu,
        memory_busy_percent: busy.memory,
        throttle_reasons: reasons(device.current_throttle_reasons()?),
    })
}

fn reasons(held_by: ThrottleReasons) -> Vec<ThrottleReason> {
    const WORDS: [(ThrottleReasons, ThrottleReason); 9] = [
        (ThrottleReasons::GPU_IDLE, ThrottleReason::Idle),
        (ThrottleReasons::APPLICATIONS_CLOCKS_SETTING, ThrottleReason::ApplicationClocks),
        (ThrottleReasons::DISPLAY_CLOCK_SETTING, ThrottleReason::DisplayClocks),
        (ThrottleReasons::SYNC_BOOST, ThrottleReason::SyncBoost),
        (ThrottleReasons::SW_POWER_CAP, ThrottleReason::PowerCap),
        (ThrottleReasons::SW_THERMAL_SLOWDOWN, ThrottleReason::ThermalSlowdown),
        (ThrottleReasons::HW_THERMAL_SLOWDOWN, ThrottleReason::HardwareThermalSlowdown),
        (ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN, ThrottleReason::PowerBrake),
        (ThrottleReasons::HW_SLOWDOWN, ThrottleReason::HardwareSlowdown),
    ];
    let held = WORDS.into_iter().filter(|(flag, _)| held_by.contains(*flag));
    held.map(|(_, reason)| reason).collect()
}

/// A device that is read again and again, and its counters at the last reading.
#[derive(Debug)]
pub(crate) struct Monitor {
    device: Device<'static>,
    library: &'static Nvml,
    counters: Counters,
}

#[derive(Debug)]
enum Counters {
    /// The device has them; what they were.
    Counting(Option<GpmSample<'static>>),
    /// Why it has none.
    Missing(String),
}

impl Monitor {
    /// `None` where nothing can be told of the device with this unique id, or at this place on the bus.
    pub(super) fn open(uuid: &str, pci_bus_id: &str) -> Result<Option<Self>> {
        let (Some(library), Some(device)) = (library(), told(find(uuid, pci_bus_id))?) else {
            return Ok(None);
        };
        if told(read(&device).map(Some))?.is_none() {
            return Ok(None);
        }
        let counters = match device.gpm_support() {
            Ok(true) => Counters::Counting(None),
            Ok(false) => Counters::Missing("the device has no performance monitor".to_owned()),
            Err(error) => Counters::Missing(error.to_string()),
        };
        Ok(Some(Self { device, library, counters }))
    }

    pub(crate) fn read(&mut self) -> Result<Reading> {
        let sample = read(&self.device).map_err(|error| failed(&error))?;
        let activity = match &mut self.counters {
            Counters::Missing(reason) => Activity::untold(reason),
            Counters::Counting(before) => match self.device.gpm_sample() {
                Ok(now) => {
                    let activity = before.as_ref().map_or_else(
                        || Activity::untold("there is no reading before the first"),
                        |before| between(self.library, before, &now),
                    );
                    *before = Some(now);
                    activity
                }
                // The next interval would be another one than its reader thinks.
                Err(error) => {
                    *before = None;
                    Activity::untold(&error.to_string())
                }
            },
        };
        Ok(Reading { sample, activity })
    }
}

/// What was counted from one state of the counters to the next.
fn between(library: &Nvml, before: &GpmSample<'_>, now: &GpmSample<'_>) -> Activity {
    const METRICS: [GpmMetricId; 8] = [
        GpmMetricId::SmUtil,
        GpmMetricId::SmOccupancy,
        GpmMetricId::DramBwUtil,
        GpmMetricId::AnyTensorUtil,
        GpmMetricId::Fp64Util,
        GpmMetricId::Fp32Util,
        GpmMetricId::PcieTxPerSec,
        GpmMetricId::PcieRxPerSec,
    ];
    let metrics = match gpm_metrics_get(library, before, now, &METRICS) {
        Ok(metrics) => metrics,
        Err(error) => return Activity::untold(&error.to_string()),
    };
    let mut metrics = metrics.into_iter();
    let mut next = || match metrics.next() {
        Some(Ok(metric)) if metric.value.is_finite() => Metric::Told(metric.value),
        Some(Ok(metric)) => Metric::Untold { reason: format!("the library says {}", metric.value) },
        Some(Err(error)) => Metric::Untold { reason: error.to_string() },
        None => Metric::Untold { reason: "the library left it out".to_owned() },
    };
    Activity {
        sm_percent: next(),
        occupancy_percent: next(),
        dram_percent: next(),
        tensor_percent: next(),
        fp64_percent: next(),
        fp32_percent: next(),
        pcie_sent_mib_s: next(),
        pcie_received_mib_s: next(),
    }
}

/// Whether the library says that it has no answer, as opposed to failing to give it.
fn is_untold(error: &NvmlError) -> bool {
    matches!(
        error,
        NvmlError::NotFound
            | NvmlError::NotSupported
            | NvmlError::NoPermission
            | NvmlError::InvalidArg
            | NvmlError::FunctionNotFound
            | NvmlError::FailedToLoadSymbol(_)
    )
}

/// A unique id as this library writes it: `GPU-` and five groups of digits.
fn dashed(uuid: &str) -> String {
    let mut text = "GPU-".to_owned();
    for (index, digit) in uuid.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unique_id_is_written_in_five_groups() {
        assert_eq!(
            dashed("0123456789abcdef0123456789abcdef"),
            "GPU-01234567-89ab-cdef-0123-456789abcdef"
        );
    }

    #[test]
    fn every_reason_that_the_library_names_has_a_word() {
        assert_eq!(reasons(ThrottleReasons::all()).len(), 9);
        assert_eq!(reasons(ThrottleReasons::NONE), []);
        let held_by = ThrottleReasons::SW_POWER_CAP | ThrottleReasons::HW_SLOWDOWN;
        let words = [ThrottleReason::PowerCap, ThrottleReason::HardwareSlowdown];
        assert_eq!(reasons(held_by), words);
    }

    #[test]
    fn what_is_not_told_is_no_error() {
        assert!(is_untold(&NvmlError::NotSupported));
        assert!(!is_untold(&NvmlError::GpuLost));
        assert!(!is_untold(&NvmlError::Timeout));
    }
}
