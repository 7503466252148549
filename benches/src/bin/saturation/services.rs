//! The workloads, more and more of each side by side: how many a device carries. Shown, not judged: contracts judge.

use slo_bench::chart::{Chart, Quantity};
use slo_bench::cli::{Carried, Gauge, Serving, Session, Subject};
use slo_bench::saturation::{Channel, Demand, SaturationPromise, warm_up_s};
use slo_bench::{Formula, Quantile, Reference, SaturationTerms, Section, Verdict};

use crate::Options;

/// Services side by side.
const COUNTS: [u32; 4] = [1, 2, 4, 8];

/// What a number of services came to.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reading {
    workload: &'static str,
    services: u32,
    rate_hz: f64,
    p99_ms: Option<f64>,
    busy_percent: Option<f64>,
}

pub(super) fn section(
    options: &Options,
    session: &Session<'_>,
    gauge: &mut Gauge<'_>,
) -> anyhow::Result<Section> {
    let mut section = Section::new("services");
    let seconds = options.seconds_short();
    let promise =
        SaturationPromise::new(Demand::Multiprocessors).lasting(warm_up_s(seconds), seconds);
    let mut readings = Vec::new();
    for workload in Reference::ALL {
        for services in COUNTS {
            let name = format!("{} by {services}", workload.name());
            let subject = Subject { workload, n: workload.n() };
            let terms = &SaturationTerms { services, promise, rate_hz_min: None };
            let serving = Serving { name: &name, subject, terms };
            let frames = &|| Ok(Box::new(Formula::unlimited()) as _);
            let (verdict, seen) = match gauge.services(&mut section, &serving, frames) {
                Ok(Ok(carried)) => {
                    readings.push(reading(workload.name(), services, &carried));
                    (as_shown(&carried.judged.verdict), carried.judged.evidence())
                }
                Ok(Err(unseen)) => (unseen, String::new()),
                // One of them is no reason to leave out the others.
                Err(error) => (Verdict::Fail, format!("{error:#}")),
            };
            section.check(format!("{name}: evidence is whole"), verdict, seen);
        }
    }
    let over_time = std::mem::take(&mut section.charts);
    charts(&readings, session.label()).into_iter().for_each(|chart| section.chart(chart));
    section.charts.extend(over_time);
    Ok(section.close(format!("{COUNTS:?} services of each workload; shown and not judged")))
}

fn reading(workload: &'static str, services: u32, carried: &Carried) -> Reading {
    let Carried { served, judged } = carried;
    let p99_ns = served.latency.quantile(Quantile::P99);
    let levels = judged.levels.iter();
    let busy = levels.filter(|level| level.channel == Channel::Multiprocessors);
    Reading {
        workload,
        services,
        rate_hz: served.rate_hz,
        p99_ms: p99_ns.map(|ns| ns as f64 / 1e6),
        busy_percent: busy.map(|level| level.mean).next(),
    }
}

/// What more services bring and what they cost, a line a workload.
fn charts(readings: &[Reading], label: &str) -> [Chart; 3] {
    type Of = fn(&Reading) -> Option<f64>;
    let rate: Of = |reading| Some(reading.rate_hz);
    let busy: Of = |reading| reading.busy_percent;
    let p99: Of = |reading| reading.p99_ms;
    [
        ("multiprocessors busy by number of services", Quantity::new("share", "%"), busy),
        ("iterations of all services together", Quantity::new("rate", "Hz").logarithmic(), rate),
        ("latency of one beside the others", Quantity::new("p99", "ms").logarithmic(), p99),
    ]
    .map(|(title, y, of)| {
        let mut chart = Chart::new(title, label, Quantity::new("services", ""), y);
        for workload in Reference::ALL.map(Reference::name) {
            let own = readings.iter().filter(|reading| reading.workload == workload);
            chart.line(workload, own.map(|reading| (reading.services.into(), of(reading))));
        }
        chart
    })
}

/// Nothing was promised of the level; only what says nothing at all is bad.
pub(super) fn as_shown(verdict: &Verdict) -> Verdict {
    match verdict {
        Verdict::Pass | Verdict::Fail => Verdict::Pass,
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_full_is_no_failure_and_one_that_nothing_tells_of_is() {
        assert_eq!(as_shown(&Verdict::Fail), Verdict::Pass);
        assert!(as_shown(&Verdict::invalid("hot")).is_bad());
    }

    #[test]
    fn each_workload_is_a_line_over_the_number_of_its_services() {
        let reading = |workload, services, busy_percent| Reading {
            workload,
            services,
            rate_hz: 100.0 * f64::from(services),
            p99_ms: Some(2.0),
            busy_percent,
        };
        let [one, other, _] = Reference::ALL.map(Reference::name);
        let readings = [reading(one, 1, None), reading(one, 2, None), reading(other, 1, Some(9.0))];
        let [busy, rate, p99] = charts(&readings, "here");
        let names = |chart: &Chart| -> Vec<String> {
            chart.lines.iter().map(|line| line.name.clone()).collect()
        };
        assert_eq!(names(&busy), [other], "nothing told how busy the first one kept the device");
        assert_eq!((names(&rate), names(&p99)), (vec![one.into(), other.into()], names(&rate)));
        assert_eq!(rate.lines[0].values, [(1.0, Some(100.0)), (2.0, Some(200.0))]);
    }
}
