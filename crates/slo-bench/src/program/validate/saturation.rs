//! Section `saturation`: the judgement of saturation on a load that only looks busy and on one that is.
//!
//! Says nothing of what a device can do: it tries what says so.

use slo_bench::Section;
use slo_bench::cli::Gauge;
use slo_bench::saturation::Control;

use super::Amount;
use crate::program::setup::Setup;

pub(super) fn section(setup: &Setup<'_>, amount: &Amount) -> anyhow::Result<Section> {
    let mut section = Section::new("saturation");
    let Some(mut gauge) = Gauge::open(&setup.session, &mut section)? else {
        return Ok(section.close(""));
    };
    for control in [Control::ONE_BLOCK_SPIN, Control::STREAMING_TRIAD] {
        gauge.control(&mut section, &control, amount.saturation_s)?;
    }
    let detail = match gauge.blindness() {
        None => "a spin of one block is told from a streaming triad".to_owned(),
        Some(reason) => format!("the loads are right, and not judged: {reason}"),
    };
    Ok(section.close(detail))
}
