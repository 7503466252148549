//! Where and with what a report was made.

use gpu_core::{BackendKind, Device};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The device under test, as its driver describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// `cuda`, `host` or `host-simulated`.
    pub backend: String,
    /// The device in words that go with every figure.
    pub label: String,
    /// Every property the driver tells.
    pub properties: Value,
    /// Clocks, power and utilisation before the run; null where nothing tells them.
    pub telemetry_before: Value,
    /// The same after the run.
    pub telemetry_after: Value,
}

/// The program that made a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its version.
    pub version: String,
    /// The commit it was built from, or `unknown`.
    pub commit: String,
    /// What it was asked to do.
    pub arguments: Vec<String>,
}

impl Machine {
    /// Describes `device` now; [`finish`](Self::finish) adds what the run left behind.
    pub fn observe(device: &Device) -> Self {
        Self {
            backend: device.backend().to_string(),
            label: label(device),
            properties: value(device.properties()),
            telemetry_before: telemetry(device),
            telemetry_after: Value::Null,
        }
    }

    /// Reads clocks, power and utilisation again.
    pub fn finish(&mut self, device: &Device) {
        self.telemetry_after = telemetry(device);
    }
}

/// The device in words that go with every figure: a host says that it is no GPU.
pub(crate) fn label(device: &Device) -> String {
    let properties = device.properties();
    let name = &properties.name;
    match properties.backend {
        BackendKind::Cuda => format!("cuda:{} ({name})", properties.ordinal),
        BackendKind::Host => format!("host, not a GPU ({name})"),
        BackendKind::HostSimulated => format!("simulated on the host, not a GPU ({name})"),
    }
}

/// What the management library says, or its refusal, which is worth keeping too.
fn telemetry(device: &Device) -> Value {
    match device.telemetry() {
        Ok(Some(sample)) => value(&sample),
        Ok(None) => Value::Null,
        Err(error) => Value::String(error.to_string()),
    }
}

fn value(described: &impl Serialize) -> Value {
    serde_json::to_value(described).expect("descriptions hold strings, numbers and lists only")
}
