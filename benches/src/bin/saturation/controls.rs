//! Loads of which it is known beforehand whether they saturate the device: a test of the judgement, not of the device.

use slo_bench::Section;
use slo_bench::cli::Gauge;
use slo_bench::saturation::Control;

use crate::Options;

/// Every control, judged.
pub(super) fn section(options: &Options, gauge: &mut Gauge<'_>) -> anyhow::Result<Section> {
    let mut section = Section::new("controls");
    for control in &Control::ALL {
        let seconds =
            if control.saturates { options.seconds_busy() } else { options.seconds_short() };
        gauge.control(&mut section, control, seconds)?;
    }
    let count = Control::ALL.len();
    Ok(section.close(match gauge.blindness() {
        None => format!("{count} loads judged as they should be"),
        Some(reason) => format!("{count} loads are right, and not judged: {reason}"),
    }))
}
