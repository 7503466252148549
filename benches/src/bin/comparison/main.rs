//! Whether comparisons can be trusted: a workload beside itself is no change, and the same slowed is one.
//!
//! Never judges on a host: what is compared there is how busy its cores are with everything else.

mod slowed;
mod tally;
mod visits;

use std::process::ExitCode;

use benches::Question;
use gpu_core::BackendKind;
use slo_bench::cli::{SEED, Session, measured_on};
use slo_bench::{
    Formula, Load, MeasurePlan, Outcome, Quantile, Reference, Row, Section, Tolerance, Variant,
    Verdict, WarmUp, WorkloadConfig, number,
};

use tally::{COMPARISONS_AN_ALARM, Tally};
use visits::{PAIRS, Pair, Visits, compare_pairs};

const QUESTION: Question = Question {
    name: "comparison",
    asks: "Does the comparison cry wolf, and does it hear the wolf?",
    sources: &kernels::SOURCES,
};

/// Slowdowns that must be found, as shares of a step.
const SLOWDOWNS: [f64; 3] = [0.03, 0.05, 0.1];

/// What counts as a change where the default would not have it.
const SHARE_SMALL: f64 = 0.02;

#[derive(Clone, Copy, Debug, clap::Args)]
struct Options {
    /// The workload: active-inference, thermodynamic or frame
    #[arg(long, value_name = "NAME", default_value = "thermodynamic", value_parser = workload)]
    workload: Reference,
    /// Comparisons of the workload with itself; 20 unless given, 1 on the host
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    comparisons: Option<u64>,
    /// Samples of each of a comparison's sixteen visits; 10000 unless given, 8 on the host
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    iterations: Option<u64>,
}

fn main() -> ExitCode {
    QUESTION.answer(|options: &Options, session| {
        Ok(vec![
            session.section("itself", || itself(options, session)),
            session.section("slowdowns", || slowdowns(options, session)),
        ])
    })
}

fn workload(name: &str) -> Result<Reference, String> {
    Reference::find(name).map_err(|error| error.to_string())
}

/// The workload beside itself, by the tolerance that a user gets.
fn itself(options: &Options, session: &Session<'_>) -> anyhow::Result<Section> {
    let mut section = Section::new("itself");
    let count_default = if is_gpu(session) { 20 } else { 1 };
    let count = options.comparisons.unwrap_or(count_default);
    let mut visits = open(options, session)?;
    let (mut tally, mut single) = (Tally::default(), Tally::default());
    let bar = session.terminal.progress("comparing with itself", count);
    for _ in 0..count {
        let pairs = visits.pairs(0.0)?;
        tally.take(&compare_pairs(&pairs, &Tolerance::default())?);
        for pair in &pairs {
            single.take(&compare_pairs(std::slice::from_ref(pair), &Tolerance::default())?);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let seen = format!("{} of {count} comparisons call a change", tally.alarms);
    let name = format!("at most one comparison in {COMPARISONS_AN_ALARM} is a false alarm");
    section.check(name, judged(session, tally.is_borne(), &seen), &seen);
    tally.add_to(&mut section, &visits.measured_on);
    let name = format!("false alarms by one pair alone, of {}", single.comparisons);
    section.figure(name, single.alarms as f64, "comparisons", &visits.measured_on);
    let samples = visits.plan.iterations;
    Ok(section.close(format!("{seen}, each of {PAIRS} pairs of {samples} samples a side")))
}

/// The workload beside itself slowed by what a comparison must find.
fn slowdowns(options: &Options, session: &Session<'_>) -> anyhow::Result<Section> {
    let mut section = Section::new("slowdowns");
    let mut visits = open(options, session)?;
    let bar = session.terminal.progress("comparing with slower", SLOWDOWNS.len() as u64);
    for slowdown in SLOWDOWNS {
        let pairs = visits.pairs(slowdown)?;
        let base = &pairs[0].0.runs[0].latency;
        let tolerance = tolerance(slowdown, base.p50_ns.unwrap_or_default());
        let compared = compare_pairs(&pairs, &tolerance)?;
        let percent = number(slowdown * 100.0);
        let median = compared.rows.iter().find(|row| is_of(row, Quantile::P50));
        let found = median.is_some_and(|row| row.outcome == Outcome::Worse);
        let seen = match median {
            Some(row) => format!("{}: {}, {}", told(row), row.words(), words(&tolerance)),
            None => "there is no median".to_owned(),
        };
        let name = format!("{percent} % slower is found at p50");
        section.check(name, judged(session, found, &seen), &seen);
        let name = format!("{percent} % slower, found at p50 by one pair alone, of {PAIRS}");
        let found = found_alone(&pairs, &tolerance)?;
        section.figure(name, found as f64, "comparisons", &visits.measured_on);
        for row in &compared.rows {
            add_ratio(&mut section, &format!("{percent} % slower"), row, &visits.measured_on);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let samples = visits.plan.iterations;
    Ok(section.close(format!("each by {PAIRS} pairs of {samples} samples a side")))
}

/// How many of `pairs` find, each by itself, that the median became worse.
fn found_alone(pairs: &[Pair], tolerance: &Tolerance) -> anyhow::Result<usize> {
    let mut found = 0;
    for pair in pairs {
        let compared = compare_pairs(std::slice::from_ref(pair), tolerance)?;
        let is_found = |row: &Row| is_of(row, Quantile::P50) && row.outcome == Outcome::Worse;
        found += usize::from(compared.rows.iter().any(is_found));
    }
    Ok(found)
}

/// By what a slowdown of that share is judged: the default, or less where that would be as large as the slowdown itself
/// and half of all comparisons would rightly call it too small to matter.
fn tolerance(slowdown: f64, p50_ns: u64) -> Tolerance {
    let default = Tolerance::default();
    if slowdown > default.share {
        return default;
    }
    let floor_ns = default.floor_ns.min(p50_ns / 50);
    Tolerance { share: SHARE_SMALL, floor_ns, ..default }
}

/// What a row came to, or why it came to nothing.
fn told(row: &Row) -> String {
    match &row.outcome {
        Outcome::Undecided { reason } => reason.clone(),
        outcome => outcome.to_string(),
    }
}

fn words(tolerance: &Tolerance) -> String {
    let percent = number(tolerance.share * 100.0);
    format!("a change from {percent} % and {} ns on matters", tolerance.floor_ns)
}

fn is_of(row: &Row, quantile: Quantile) -> bool {
    row.name.ends_with(&format!(": {quantile}"))
}

/// Adds the ratio of a percentile and where it lies, as far as it has ends.
fn add_ratio(section: &mut Section, what: &str, row: &Row, label: &str) {
    let values = [
        ("ratio", Some(row.ratio).filter(|ratio| ratio.is_finite())),
        ("lower end of the ratio", row.lower),
        ("upper end of the ratio", row.upper),
    ];
    for (words, value) in values {
        if let Some(value) = value {
            section.figure(format!("{what}, {}: {words}", row.name), value, "of base", label);
        }
    }
}

/// The workload, and how it is measured where it runs.
fn open<'a>(options: &Options, session: &'a Session<'_>) -> anyhow::Result<Visits<'a>> {
    let (device, images) = (session.device(), &session.images);
    let (variant, warm_up, iterations) = match is_gpu(session) {
        true => (Variant::Device, WarmUp { window: 500, windows_max: 20 }, 10_000),
        // A few samples, for the way and not for the figures.
        false => (Variant::Optimised, WarmUp { window: 2, windows_max: 2 }, 8),
    };
    let iterations = options.iterations.unwrap_or(iterations);
    let n = options.workload.n();
    let config = WorkloadConfig { variant, n, seed: SEED, device, images };
    Ok(Visits {
        workload: options.workload.open(&config, Box::new(Formula::unlimited()))?,
        plan: MeasurePlan { warm_up, load: Load::Closed, iterations, phase_passes: 0 },
        clock: session.clock.clone(),
        measured_on: measured_on(device, variant),
    })
}

/// What `holds` comes to: on a GPU, itself.
fn judged(session: &Session<'_>, holds: bool, seen: &str) -> Verdict {
    match is_gpu(session) {
        true => holds.into(),
        false => Verdict::skipped(format!("a host is noisy by its other work; seen: {seen}")),
    }
}

fn is_gpu(session: &Session<'_>) -> bool {
    session.device().backend() == BackendKind::Cuda
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slowdown_is_found_in_a_steady_workload_and_none_in_itself() {
        let mut visits = visits::tests::visits();
        let mut outcome = |slowdown: f64| {
            let pairs = visits.pairs(slowdown).unwrap();
            let compared = compare_pairs(&pairs, &tolerance(slowdown, 100_000)).unwrap();
            let median = compared.rows.iter().find(|row| is_of(row, Quantile::P50)).unwrap();
            median.outcome.clone()
        };
        assert_eq!(SLOWDOWNS.map(&mut outcome), [const { Outcome::Worse }; 3]);
        assert_eq!(outcome(0.0), Outcome::Same);
        assert_eq!(outcome(0.01), Outcome::Same, "it is there, and too small to matter");
    }

    #[test]
    fn each_pair_of_a_steady_workload_finds_a_slowdown_by_itself() {
        let found = |slowdown: f64| {
            let pairs = visits::tests::visits().pairs(slowdown).unwrap();
            found_alone(&pairs, &Tolerance::default()).unwrap()
        };
        assert_eq!([0.0, 0.05, 0.1].map(found), [0, PAIRS, PAIRS]);
    }

    #[test]
    fn a_slowdown_as_large_as_the_default_tolerance_is_judged_by_a_smaller_one() {
        assert_eq!(tolerance(0.05, 50_000), Tolerance::default());
        let small = tolerance(0.03, 50_000);
        assert_eq!((small.share, small.floor_ns), (0.02, 500));
        assert_eq!(tolerance(0.03, 10_000).floor_ns, 200, "2 % of a short median");
        assert_eq!(words(&small), "a change from 2 % and 500 ns on matters");
    }
}
