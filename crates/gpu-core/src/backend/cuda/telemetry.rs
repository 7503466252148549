//! What the management library (NVML) tells of a device. Needs no context and changes no setting.

use std::sync::OnceLock;

use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};

use crate::error::{Error, ErrorKind, Result};
use crate::telemetry::TelemetrySample;

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
    let Some(library) = library() else { return Ok(None) };
    let found = library.device_by_uuid(dashed(uuid)).or_else(|_| {
        // The driver and this library may disagree on the unique id, as for a slice of a device.
        library.device_by_pci_bus_id(pci_bus_id)
    });
    match found.and_then(|device| read(&device)) {
        Ok(sample) => Ok(Some(sample)),
        Err(error) if is_untold(&error) => Ok(None),
        Err(error) => {
            let kind = match error {
                NvmlError::GpuLost | NvmlError::ResetRequired => ErrorKind::Poisoned,
                _ => ErrorKind::Transient,
            };
            Err(Error::Telemetry { reason: error.to_string(), kind })
        }
    }
}

fn read(device: &Device<'_>) -> Result<TelemetrySample, NvmlError> {
    let busy = device.utilization_rates()?;
    Ok(TelemetrySample {
        sm_clock_mhz: device.clock_info(Clock::SM)?,
        memory_clock_mhz: device.clock_info(Clock::Memory)?,
        power_watts: f64::from(device.power_usage()?) / 1e3,
        temperature_celsius: device.temperature(TemperatureSensor::Gpu)?,
        gpu_busy_percent: busy.gpu,
        memory_busy_percent: busy.memory,
        throttle_reasons: device
            .current_throttle_reasons()?
            .iter_names()
            .map(|(name, _)| name.to_owned())
            .collect(),
    })
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
    fn what_is_not_told_is_no_error() {
        assert!(is_untold(&NvmlError::NotSupported));
        assert!(!is_untold(&NvmlError::GpuLost));
        assert!(!is_untold(&NvmlError::Timeout));
    }
}
