//! `slo-bench report` and `slo-bench merge`: reports that are there, written again in every form.
//!
//! Never measures and never changes what was measured.

use std::path::{Path, PathBuf};

use slo_bench::cli::{OutputArgs, Terminal, Usage};
use slo_bench::{Destination, Exit, Report};

#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    /// A report.json
    #[arg(value_name = "REPORT")]
    file: PathBuf,
    /// Folder for its forms: new, empty, or holding an earlier report; otherwise the folder of REPORT
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct MergeArgs {
    /// Reports (report.json) of one program on machines of one kind
    #[arg(value_name = "REPORT", num_args = 2.., required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Writes a report and its page again, from its JSON and the files beside it.
pub(super) fn run(args: &ReportArgs, terminal: &Terminal) -> anyhow::Result<Exit> {
    let report = Report::read(&args.file)?;
    let beside = folder(&args.file);
    let destination = Destination::at(args.out.clone().unwrap_or_else(|| beside.clone()))?;
    let stage = destination.stage()?;
    for file in report.sections.iter().flat_map(|section| &section.files) {
        // Only what stands in the same folder, and it may have been left behind when the report was moved.
        let name = Path::new(file).file_name().unwrap_or_default();
        let from = beside.join(name);
        if from.is_file() {
            std::fs::copy(from, stage.join(name))?;
        }
    }
    destination.store(&report)?;
    terminal.line(&format!("{} {}", report.verdict, destination.page().display()));
    Ok(Exit::Pass)
}

/// Pools the samples of several nodes.
pub(super) fn merge(args: &MergeArgs, terminal: &Terminal) -> anyhow::Result<Exit> {
    let Some(out) = &args.output.out else {
        return Err(Usage("name a folder for the merged report with --out".to_owned()).into());
    };
    let destination = Destination::at(out)?;
    let mut reports = args.files.iter().map(|file| Report::read(file));
    let first = reports.next().ok_or_else(|| Usage("name at least two reports".to_owned()))??;
    let merged = reports.try_fold(first, |merged, next| merged.merge(next?))?;
    destination.store(&merged)?;
    for section in &merged.sections {
        terminal.runs(&section.runs);
    }
    let (nodes, path) = (1 + merged.others.len(), destination.markdown());
    terminal.line("");
    terminal.verdict(&merged.verdict, &format!("{nodes} nodes, report {}", path.display()));
    terminal.json(&merged.to_json());
    Ok(Exit::from(&merged.verdict))
}

/// The folder of a file.
fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
