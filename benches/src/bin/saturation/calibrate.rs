//! What NVML and the counters read at known shares of a streaming triad: the curve that says what their figures mean.

use slo_bench::chart::{Chart, Quantity};
use slo_bench::cli::{Gauge, Seen, Session, Watched};
use slo_bench::saturation::{Channel, Demand, Level, LoadName, SaturationPromise};
use slo_bench::{Section, Verdict};

/// Seconds of each level that are left out, and that count.
const SECONDS: [u32; 2] = [2, 4];

/// A duty in percent, and all evidence at it.
type Reading = (u32, Vec<Level>);

pub(super) fn section(session: &Session<'_>, gauge: &mut Gauge<'_>) -> anyhow::Result<Section> {
    let mut section = Section::new("calibration");
    if let Some(reason) = gauge.blindness() {
        section.check("the curve is drawn", Verdict::skipped(reason), "");
        return Ok(section.close(""));
    }
    let promise = SaturationPromise::new(Demand::Memory).lasting(SECONDS[0], SECONDS[1]);
    let mut curve: Vec<Reading> = Vec::new();
    for percent in (10..=100).step_by(10) {
        let what = format!("triad at {percent} % duty");
        let Watched { fault, seen } = gauge.watch(LoadName::StreamingTriad, percent, &promise)?;
        let mut kinds = 0;
        if let Ok(Seen { judged, .. }) = seen {
            judged.add_figures(&mut section, &what, session.label());
            kinds = judged.levels.len();
            curve.push((percent, judged.levels));
        }
        let is_whole = fault.is_none() && kinds > 0;
        let seen = fault.unwrap_or_else(|| format!("{kinds} kinds of evidence"));
        section.check(format!("{what}: results are right and evidence is whole"), is_whole, seen);
    }
    gauge.keep(&mut section, "calibration", &table(&curve))?;
    section.chart(chart(&curve, session.label()));
    Ok(section.close("ten levels of duty"))
}

fn table(curve: &[Reading]) -> String {
    let rows = curve.iter().flat_map(|(percent, levels)| {
        levels
            .iter()
            .map(move |Level { channel, mean, .. }| format!("{percent},\"{channel}\",{mean:.2}\n"))
    });
    std::iter::once("duty_percent,evidence,percent\n".to_owned()).chain(rows).collect()
}

/// A line for each kind of evidence, with a gap where it was not told.
fn chart(curve: &[Reading], label: &str) -> Chart {
    let (duty, share) = (Quantity::new("duty", "%"), Quantity::new("share", "%"));
    let mut chart = Chart::new("evidence by duty of a streaming triad", label, duty, share);
    let mut channels: Vec<Channel> = Vec::new();
    for level in curve.iter().flat_map(|(_, levels)| levels) {
        if !channels.contains(&level.channel) {
            channels.push(level.channel);
        }
    }
    for channel in channels {
        let told = curve.iter().map(|(percent, levels)| {
            let level = levels.iter().find(|level| level.channel == channel);
            (f64::from(*percent), level.map(|level| level.mean))
        });
        chart.line(channel.to_string(), told);
    }
    chart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_evidence_is_a_line_over_duty() {
        let level = |channel, mean| Level {
            channel,
            threshold: None,
            mean,
            window_min: mean,
            seconds_above: 0,
            seconds: 4,
        };
        let curve = [
            (10, vec![level(Channel::GpuBusy, 12.0)]),
            (20, vec![level(Channel::GpuBusy, 21.0), level(Channel::Counted, 20.0)]),
        ];
        let chart = chart(&curve, "here");
        let names: Vec<_> = chart.lines.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(names, ["NVML gpu", "counted, of the ceiling"]);
        assert_eq!(chart.lines[0].values, [(10.0, Some(12.0)), (20.0, Some(21.0))]);
        assert_eq!(chart.lines[1].values, [(10.0, None), (20.0, Some(20.0))]);
        let rows =
            "10,\"NVML gpu\",12.00\n20,\"NVML gpu\",21.00\n20,\"counted, of the ceiling\",20.00\n";
        assert_eq!(table(&curve), format!("duty_percent,evidence,percent\n{rows}"));
    }
}
