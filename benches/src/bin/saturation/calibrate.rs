//! What NVML and the counters read at known shares of a streaming triad: the curve that says what their figures mean.

use gpu_core::Monitor;
use slo_bench::Section;
use slo_bench::cli::Session;
use slo_bench::saturation::{Ceiling, Demand, SaturationPromise, judge};

use crate::drive::{Driver, Duty, keep};
use crate::{load, unmonitored};

/// Seconds of each level that are left out, and that count.
const SECONDS: [u32; 2] = [2, 4];

pub(super) fn section(
    session: &Session<'_>,
    monitor: Option<&mut Monitor>,
    ceiling: &Ceiling,
) -> anyhow::Result<Section> {
    let mut section = Section::new("calibration");
    let Some(monitor) = monitor else {
        section.check("the curve is drawn", unmonitored(session), "");
        return Ok(section.close(""));
    };
    let driver = Driver::new(session)?;
    let promise = SaturationPromise::new(Demand::Memory).lasting(SECONDS[0], SECONDS[1]);
    let mut table = "duty_percent,evidence,percent\n".to_owned();
    for percent in (10..=100).step_by(10) {
        let mut load = load::streaming_triad(session, &driver.stream)?;
        let duty = Duty::share(percent, &promise);
        let (trace, fault) = driver.watched(&mut load, duty, monitor, promise.period())?;
        let judged = judge(&trace, &promise, Some(ceiling));
        let what = format!("triad at {percent} % duty");
        judged.add_figures(&mut section, &what, session.label());
        for level in &judged.levels {
            table += &format!("{percent},\"{}\",{:.2}\n", level.channel, level.mean);
        }
        let (is_whole, seen) = match fault {
            Some(fault) => (false, fault),
            None => {
                (!judged.levels.is_empty(), format!("{} kinds of evidence", judged.levels.len()))
            }
        };
        section.check(format!("{what}: results are right and evidence is whole"), is_whole, seen);
    }
    keep(session, &mut section, "calibration", &table)?;
    Ok(section.close("ten levels of duty"))
}
