//! What NVML and the counters read at known shares of a streaming triad: the curve that says what their figures mean.

use slo_bench::chart::{Chart, Quantity};
use slo_bench::cli::{Gauge, Seen, Session, Watched};
use slo_bench::saturation::{Channel, Demand, Level, LoadName, Saturation, SaturationPromise};
use slo_bench::{Section, Verdict};

use crate::services::as_shown;

/// Seconds of each level that are left out, and that count.
const SECONDS: [u32; 2] = [2, 4];

/// A duty in percent, and all evidence at it.
type Reading = (u32, Vec<Level>);

pub(super) fn section(session: &Session<'_>, gauge: &mut Gauge<'_>) -> anyhow::Result<Section> {
    let mut section = Section::new("calibration");
    if let Some(unseen) = gauge.unseen() {
        section.check("the curve is drawn", unseen.clone(), "");
        return Ok(section.close(""));
    }
    let promise = SaturationPromise::new(Demand::Memory).lasting(SECONDS[0], SECONDS[1]);
    let mut curve: Vec<Reading> = Vec::new();
    for percent in (10..=100).step_by(10) {
        let what = format!("triad at {percent} % duty");
        let watched = gauge.watch(LoadName::StreamingTriad, percent, &promise)?;
        let (verdict, words, judged) = weighed(watched);
        if let Some(judged) = judged {
            judged.add_figures(&mut section, &what, session.label());
            curve.push((percent, judged.levels));
        }
        section.check(format!("{what}: results are right and evidence is whole"), verdict, words);
    }
    gauge.keep(&mut section, "calibration", &table(&curve))?;
    section.chart(chart(&curve, session.label()));
    Ok(section.close("ten levels of duty"))
}

/// What a level of duty comes to, in words, and what was told there if it is sound: a part of the curve.
fn weighed(Watched { fault, seen }: Watched) -> (Verdict, String, Option<Saturation>) {
    match (fault, seen) {
        (Some(fault), _) => (Verdict::Fail, fault, None),
        (None, Err(unseen)) => (unseen, String::new(), None),
        (None, Ok(Seen { judged, .. })) => match as_shown(&judged.verdict) {
            Verdict::Pass => {
                (Verdict::Pass, format!("{} kinds of evidence", judged.levels.len()), Some(judged))
            }
            void => (void, judged.evidence(), None),
        },
    }
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
    use slo_bench::saturation::Trace;

    use super::*;

    #[test]
    fn only_a_level_with_right_results_and_sound_evidence_is_part_of_the_curve() {
        let watched = |fault: Option<&str>, verdict| {
            let trace = Trace {
                observations: Vec::new(),
                period: std::time::Duration::from_millis(200),
                failure: None,
            };
            let (words, levels) = (String::new(), Vec::new());
            let judged =
                Saturation { verdict, words, is_hollow: false, levels, power_capped_percent: 0.0 };
            let seen = Ok(Seen { trace, judged });
            let (verdict, words, judged) = weighed(Watched { fault: fault.map(Into::into), seen });
            (verdict, words, judged.is_some())
        };
        let kinds = "0 kinds of evidence".to_owned();
        assert_eq!(watched(None, Verdict::Fail), (Verdict::Pass, kinds, true));
        let wrong = "element 3 is off".to_owned();
        assert_eq!(watched(Some(&wrong), Verdict::Pass), (Verdict::Fail, wrong.clone(), false));
        let hot = Verdict::invalid("hot");
        assert_eq!(watched(None, hot.clone()), (hot, String::new(), false));
    }

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
