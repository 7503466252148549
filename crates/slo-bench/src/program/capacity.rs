//! The highest Poisson rate at which a workload keeps its contract.
//!
//! Never extrapolates: a rate that is told was measured, with as many samples as the contract asks for.

use slo_bench::chart::{Chart, Quantity};
use slo_bench::cli::{SEED, Timing, time};
use slo_bench::{
    Capacity, CapacityPlan, Contract, Counted, Evidence, Load, MeasurePlan, Run, Section, Verdict,
    capacity, number,
};

use super::setup::Setup;

/// Searches from half the rate that a closed loop came to, and adds every run and what was found to `section`.
pub(super) fn add(
    setup: &Setup<'_>,
    section: &mut Section,
    timing: &Timing<'_>,
    probes: u32,
    closed_p50_ns: u64,
) -> anyhow::Result<()> {
    let Some(contract) = timing.contract else {
        return Ok(());
    };
    let seed = match contract.load {
        Load::Poisson { seed, .. } => seed,
        Load::Closed | Load::Constant { .. } => SEED,
    };
    let runs_before = section.runs.len();
    let start_hz = 0.5e9 / closed_p50_ns.max(1) as f64;
    let found = capacity(&CapacityPlan { start_hz, probes }, |rate_hz| {
        let load = Load::Poisson { rate_hz, seed };
        // What is promised of a rate is promised at that rate only.
        let held = Contract { load, throughput_hz_min: None, ..contract.clone() };
        let plan = MeasurePlan { load, phase_passes: 0, ..timing.plan };
        let timing = Timing { plan, contract: Some(&held), ..*timing };
        let timed = time(&setup.session, section, &timing, setup.frames.endless()?)?;
        anyhow::Ok(Verdict::all(timed.clauses.iter().map(|clause| &clause.verdict)))
    })?;
    let (verdict, seen) = words(&found);
    section.check(format!("{}: a Poisson rate that holds", contract.name), verdict, seen);
    let seen_at = percentiles(&section.runs[runs_before..]);
    let drawn = chart(&contract.name, seen_at, setup.session.label());
    section.chart(drawn);
    if let Some(holds_hz) = found.holds_hz {
        let name = format!("{}: highest Poisson rate tried that holds", contract.name);
        section.figure(name, holds_hz, "Hz", setup.session.label());
    }
    Ok(())
}

/// What was measured of each percentile that is limited, at each Poisson rate.
fn percentiles(runs: &[Run]) -> Vec<(f64, &Counted)> {
    let counted = runs.iter().flat_map(|run| {
        run.clauses.iter().filter_map(|clause| match (run.load, &clause.evidence) {
            (Load::Poisson { rate_hz, .. }, Evidence::Percentile(counted)) => {
                Some((rate_hz, counted))
            }
            _ => None,
        })
    });
    counted.collect()
}

/// Percentiles by the rate, each a line with its limit.
fn chart(contract: &str, mut seen: Vec<(f64, &Counted)>, label: &str) -> Chart {
    let rate = Quantity::new("offered rate", "Hz").logarithmic();
    let latency = Quantity::new("latency", "ms").logarithmic();
    let title = format!("{contract}: percentiles by Poisson rate");
    let mut chart = Chart::new(title, label, rate, latency);
    let mut limits: Vec<(&str, f64)> = Vec::new();
    for (_, counted) in &seen {
        if limits.iter().all(|(quantile, _)| *quantile != counted.quantile) {
            limits.push((&counted.quantile, counted.limit_ms));
        }
    }
    // The search jumps between rates.
    seen.sort_by(|(one, _), (two, _)| one.total_cmp(two));
    for (quantile, limit_ms) in limits {
        let of = seen.iter().filter(|(_, counted)| counted.quantile == quantile);
        chart.line(quantile, of.map(|(rate_hz, counted)| (*rate_hz, counted.measured_ms)));
        chart.mark(format!("limit of {quantile}"), limit_ms);
    }
    chart
}

fn words(found: &Capacity) -> (Verdict, String) {
    let each = found.probes.iter().map(|probe| {
        let rate = number(probe.rate_hz);
        format!("{rate} Hz {}", probe.verdict)
    });
    let each = each.collect::<Vec<_>>().join(", ");
    match (found.holds_hz, found.breaks_hz) {
        (Some(holds), Some(breaks)) => {
            let (holds, breaks) = (number(holds), number(breaks));
            (Verdict::Pass, format!("between {holds} and {breaks} Hz: {each}"))
        }
        (Some(holds), None) => {
            (Verdict::Pass, format!("{} Hz and more, none broke: {each}", number(holds)))
        }
        (None, _) => (Verdict::inconclusive(format!("none that was tried: {each}")), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_told_with_every_rate_that_was_tried() {
        let search = |capacity_hz, probes| {
            let plan = CapacityPlan { start_hz: 100.0, probes };
            words(&capacity(&plan, |rate| anyhow::Ok((rate <= capacity_hz).into())).unwrap())
        };
        let (verdict, seen) = search(150.0, 3);
        assert_eq!(verdict, Verdict::Pass);
        assert_eq!(seen, "between 141.42 and 200 Hz: 100 Hz PASS, 200 Hz FAIL, 141.42 Hz PASS");
        let (verdict, seen) = search(1e9, 1);
        assert_eq!(
            (verdict, seen.as_str()),
            (Verdict::Pass, "100 Hz and more, none broke: 100 Hz PASS")
        );
        let (verdict, _) = search(0.0, 2);
        assert_eq!(verdict, Verdict::inconclusive("none that was tried: 100 Hz FAIL, 50 Hz FAIL"));
    }

    #[test]
    fn a_percentile_is_a_line_in_the_order_of_rates_with_its_limit() {
        let counted = |quantile: &str, limit_ms, measured_ms| Counted {
            quantile: quantile.to_owned(),
            limit_ms,
            measured_ms,
            confidence: 0.95,
            asked: 100,
            samples: 100,
            effective_samples: 100,
            over_count: 0,
            over_count_max: None,
            if_independent: Verdict::Pass,
        };
        let p50 = |measured_ms| counted("p50", 5.0, Some(measured_ms));
        let seen = [(100.0, p50(1.0)), (200.0, p50(9.0)), (150.0, p50(2.0))];
        let untold = (150.0, counted("p99", 8.0, None));
        let told = (200.0, counted("p99", 8.0, Some(70.0)));
        let all = seen.iter().chain([&untold, &told]).map(|(rate, counted)| (*rate, counted));
        let chart = chart("small", all.collect(), "here");
        let names: Vec<_> = chart.lines.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(names, ["p50", "p99"]);
        let p50 = [(100.0, Some(1.0)), (150.0, Some(2.0)), (200.0, Some(9.0))];
        assert_eq!(chart.lines[0].values, p50);
        assert_eq!(chart.lines[1].values, [(150.0, None), (200.0, Some(70.0))]);
        let marks: Vec<_> = chart.marks.iter().map(|mark| (&*mark.name, mark.value)).collect();
        assert_eq!(marks, [("limit of p50", 5.0), ("limit of p99", 8.0)]);
    }
}
