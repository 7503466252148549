//! `slo-bench compare`, and the baseline of `slo-bench bench`: what became better or worse.
//!
//! Never measures; a report of another machine is refused before anything else is done.

use std::path::PathBuf;

use slo_bench::cli::{Output, Terminal, Usage};
use slo_bench::{
    Comparison, Exit, Machine, Report, Section, Tolerance, compare, compare_with_bases,
};

#[derive(Debug, clap::Args)]
pub(super) struct CompareArgs {
    /// Reports (report.json): base and head, or several such pairs that were taken in turn, which show what changes from
    /// run to run
    #[arg(value_name = "BASE HEAD", num_args = 2.., required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    tolerance: ToleranceArgs,
    /// Print the comparison as JSON and nothing else
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ToleranceArgs {
    /// Smallest change that matters, in percent of the base
    #[arg(long, value_name = "PERCENT", default_value_t = 3.0, value_parser = percent)]
    threshold: f64,
    /// Smallest change of a latency that matters, in microseconds
    #[arg(long, value_name = "US", default_value_t = 0.5, value_parser = microseconds)]
    floor: f64,
}

fn percent(text: &str) -> Result<f64, String> {
    number(text, 0.01, 1_000.0)
}

fn microseconds(text: &str) -> Result<f64, String> {
    number(text, 0.0, 1e9)
}

fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let value = text.parse::<f64>().ok().filter(|value| (least..=most).contains(value));
    value.ok_or_else(|| format!("it must be a number from {least} to {most}"))
}

impl ToleranceArgs {
    fn tolerance(&self) -> Tolerance {
        let floor = std::time::Duration::from_secs_f64(self.floor * 1e-6).as_nanos();
        let floor_ns = u64::try_from(floor).unwrap_or(u64::MAX);
        Tolerance { share: self.threshold / 100.0, floor_ns, ..Tolerance::default() }
    }
}

impl CompareArgs {
    pub(super) fn output(&self) -> Output {
        if self.json { Output::Json } else { Output::Table }
    }
}

pub(super) fn run(args: &CompareArgs, terminal: &Terminal) -> anyhow::Result<Exit> {
    if !args.files.len().is_multiple_of(2) {
        let text = format!("{} reports are no pairs; name a head for each base", args.files.len());
        return Err(Usage(text).into());
    }
    let reports: Vec<_> =
        args.files.iter().map(|file| Report::read(file)).collect::<Result<_, _>>()?;
    reports.iter().try_for_each(|report| reports[0].machine.must_equal(&report.machine))?;
    let pairs: Vec<_> = reports
        .chunks_exact(2)
        .map(|pair| (&pair[0].sections[..], &pair[1].sections[..]))
        .collect();
    let compared = compare(&pairs, &args.tolerance.tolerance())?;
    show(&compared, terminal);
    if let Some(caveat) = compared.caveat {
        terminal.line(caveat);
    }
    let verdict = compared.verdict();
    terminal.line("");
    terminal.verdict(&verdict, &compared.summary());
    terminal.json(&format!("{:#}\n", serde_json::to_value(&compared)?));
    Ok(Exit::from(&verdict))
}

fn show(compared: &Comparison, terminal: &Terminal) {
    terminal.comparison(&compared.rows);
    for name in &compared.unmatched {
        terminal.line(&format!("only on one side: {name}"));
    }
}

/// What a bench is held against besides its contracts.
#[derive(Debug)]
pub(super) struct Baseline {
    reports: Vec<Report>,
    tolerance: Tolerance,
}

impl Baseline {
    /// Reads the reports in `files`; `None` if there are no files.
    ///
    /// # Errors
    /// If one is no report, or one of another machine than `machine`.
    pub(super) fn open(
        files: &[PathBuf],
        tolerance: &ToleranceArgs,
        machine: &Machine,
    ) -> anyhow::Result<Option<Self>> {
        let reports = files.iter().map(|file| {
            let report = Report::read(file)?;
            report.machine.must_equal(machine).map(|()| report)
        });
        let reports: Vec<_> = reports.collect::<Result<_, _>>()?;
        let tolerance = tolerance.tolerance();
        Ok((!reports.is_empty()).then_some(Self { reports, tolerance }))
    }

    /// What became of the figures of `head`, as a section of its report.
    pub(super) fn section(
        &self,
        head: &[Section],
        label: &str,
        terminal: &Terminal,
    ) -> anyhow::Result<Section> {
        let bases: Vec<_> = self.reports.iter().map(|report| &report.sections[..]).collect();
        let compared = compare_with_bases(&bases, head, &self.tolerance)?;
        show(&compared, terminal);
        Ok(compared.section(SECTION, label))
    }
}

/// Name of the section that compares with a baseline.
pub(super) const SECTION: &str = "baseline";
