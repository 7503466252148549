//! `cargo xtask report`: a report that is there, written again in every form, opened, or read back by tools of others.
//!
//! Never measures; the forms are written by `slo-bench report`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::process::{self, Missing, Usage};
use crate::terminal::{note, say};
use crate::workspace::Workspace;
use crate::{kernels, program};

/// Where programs put reports unless told otherwise, from the folder they are started in.
const REPORTS: &str = "target/temper";
const JSON: &str = "report.json";
const PAGE: &str = "report.html";
/// Readers that this project did not write, and what they need, as one set that was tried together.
const PACKAGES: [&str; 14] = [
    "annotated-types==0.8.0",
    "attrs==26.1.0",
    "hdrhistogram==0.10.8",
    "jsonschema==4.26.0",
    "jsonschema-specifications==2025.9.1",
    "junitparser==5.0.3",
    "prometheus_client==0.26.0",
    "pydantic==2.14.3",
    "pydantic-core==2.50.4",
    "pydantic-sarif==0.1.1",
    "referencing==0.37.0",
    "rpds-py==2026.9.1",
    "typing-inspection==0.4.5",
    "typing_extensions==4.16.0",
];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The report.json; otherwise the latest one below target/temper
    #[arg(value_name = "REPORT")]
    file: Option<PathBuf>,
    /// Show the page in a browser
    #[arg(long)]
    open: bool,
    /// Read every form back with tools of others, which pip installs into the target folder
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(workspace: &Workspace, args: &Args) -> anyhow::Result<ExitCode> {
    let file = match &args.file {
        Some(file) if file.is_file() => file.clone(),
        Some(file) => return Err(Usage(format!("{}: no such report", file.display())).into()),
        None => latest(Path::new(REPORTS))?,
    };
    let slo_bench = program::build(workspace)?;
    process::run(Command::new(slo_bench).arg("report").arg(&file))?;
    let page = file.with_file_name(PAGE);
    if args.check {
        check(workspace, &file)?;
    }
    if args.open {
        let names = ["xdg-open", "open"];
        let browser = names.into_iter().find_map(process::find_in_path);
        let lacking =
            || Missing(format!("neither xdg-open nor open is here: open {}", page.display()));
        process::run(Command::new(browser.ok_or_else(lacking)?).arg(&page))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The report of the latest folder, whose name is its time.
fn latest(reports: &Path) -> anyhow::Result<PathBuf> {
    let folders = fs::read_dir(reports).into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = folders.filter(|folder| folder.join(JSON).is_file()).max();
    let none = || {
        let reports = reports.display();
        Usage(format!("there is no report below {reports}; run `cargo xtask bench`, or name one"))
    };
    Ok(newest.ok_or_else(none)?.join(JSON))
}

/// Reads every form of the report in `file`.
pub(crate) fn check(workspace: &Workspace, file: &Path) -> anyhow::Result<()> {
    let packages = workspace.target.join("readers");
    install(&packages)?;
    let script = workspace.root.join("crates/slo-bench/tests/readers.py");
    let schema = workspace.root.join("docs/schema/report.schema.json");
    let folder = file.parent().context("a report stands in a folder")?;
    let mut python = Command::new("python3");
    python.arg(script).arg(folder).arg(schema).env("PYTHONPATH", &packages);
    process::run(&mut python)
}

/// Whole or not at all, and once for this set of versions.
fn install(packages: &Path) -> anyhow::Result<()> {
    let list = PACKAGES.join("\n");
    let stamp = packages.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == list) {
        return Ok(());
    }
    if packages.exists() {
        fs::remove_dir_all(packages)?;
    }
    note!("report: installing readers (about 4 MB) into the target folder");
    let mut pip = kernels::pip_install(packages);
    pip.args(PACKAGES);
    process::run(&mut pip).map_err(|error| {
        Missing(format!("cannot install the readers: {error}; check the network"))
    })?;
    fs::write(stamp, list).context("cannot write the target folder")?;
    say!("report: readers installed in {}", packages.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_report_is_the_one_of_the_latest_time() {
        let folder = tempfile::tempdir().unwrap();
        let error = latest(folder.path()).unwrap_err();
        assert!(error.is::<Usage>() && error.to_string().contains("cargo xtask bench"), "{error}");
        for name in ["2026-01-31T235959Z", "2026-02-01T000000Z", "2026-02-01T000000Z-2"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join(JSON), "{}").unwrap();
        }
        fs::create_dir(folder.path().join("2027-unfinished")).unwrap();
        let found = latest(folder.path()).unwrap();
        assert_eq!(found, folder.path().join("2026-02-01T000000Z-2/report.json"));
    }
}
