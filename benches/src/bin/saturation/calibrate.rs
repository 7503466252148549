//! What NVML and the counters read at known shares of a streaming triad: the curve that says what their figures mean.

use slo_bench::cli::{Gauge, Seen, Session, Watched};
use slo_bench::saturation::{Demand, LoadName, SaturationPromise};
use slo_bench::{Section, Verdict};

/// Seconds of each level that are left out, and that count.
const SECONDS: [u32; 2] = [2, 4];

pub(super) fn section(session: &Session<'_>, gauge: &mut Gauge<'_>) -> anyhow::Result<Section> {
    let mut section = Section::new("calibration");
    if let Some(reason) = gauge.blindness() {
        section.check("the curve is drawn", Verdict::skipped(reason), "");
        return Ok(section.close(""));
    }
    let promise = SaturationPromise::new(Demand::Memory).lasting(SECONDS[0], SECONDS[1]);
    let mut table = "duty_percent,evidence,percent\n".to_owned();
    for percent in (10..=100).step_by(10) {
        let what = format!("triad at {percent} % duty");
        let Watched { fault, seen } = gauge.watch(LoadName::StreamingTriad, percent, &promise)?;
        let mut kinds = 0;
        if let Ok(Seen { judged, .. }) = seen {
            judged.add_figures(&mut section, &what, session.label());
            for level in &judged.levels {
                table += &format!("{percent},\"{}\",{:.2}\n", level.channel, level.mean);
            }
            kinds = judged.levels.len();
        }
        let is_whole = fault.is_none() && kinds > 0;
        let seen = fault.unwrap_or_else(|| format!("{kinds} kinds of evidence"));
        section.check(format!("{what}: results are right and evidence is whole"), is_whole, seen);
    }
    gauge.keep(&mut section, "calibration", &table)?;
    Ok(section.close("ten levels of duty"))
}
