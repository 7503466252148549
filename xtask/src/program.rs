//! The programs that do the work, `slo-bench` and those of `benches/`: built, given their surroundings and run.
//!
//! Never reads their reports or changes their exit codes: what they say is the verdict.

use std::ffi::OsString;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use anyhow::{Context as _, anyhow, bail};
use cargo_metadata::Message;

use crate::process::{self, Missing};
use crate::steps::{Outcome, Steps};
use crate::terminal::note;
use crate::workspace::Workspace;
use crate::{kernels, traces};

pub(crate) const NAME: &str = "slo-bench";
/// The package of the programs that measure one question each.
const BENCHES: &str = "benches";
/// Tells the program which commit it was built from; it cannot ask git where it runs.
const COMMIT_VARIABLE: &str = "TEMPER_COMMIT";
const REQUIRE_GPU: &str = "--require-gpu";

/// Arguments that the program itself reads.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    pub(crate) args: Vec<OsString>,
}

/// Brings images and program up to date, then runs `slo-bench <command> <args>`.
pub(crate) fn run(
    workspace: &Workspace,
    command: &str,
    args: &[OsString],
) -> anyhow::Result<ExitCode> {
    start(workspace, NAME, NAME, &[&[command.into()], args].concat())
}

/// Brings images and the program `name` of `benches/` up to date, then runs it.
pub(crate) fn measure(
    workspace: &Workspace,
    name: &str,
    args: &[OsString],
) -> anyhow::Result<ExitCode> {
    start(workspace, BENCHES, name, args)
}

fn start(
    workspace: &Workspace,
    package: &str,
    name: &str,
    args: &[OsString],
) -> anyhow::Result<ExitCode> {
    let mut steps = Steps::default();
    let prepared = prepare(workspace, package, name, args, &mut steps);
    if prepared.is_err() {
        steps.not_run(name);
    }
    // Before the program runs: the last line is to be its own, which says what it came to and how long it took.
    note!("\n{}", steps.table());
    let mut command = command(workspace, &prepared?);
    command.args(args);
    let status =
        command.status().with_context(|| format!("cannot start {}", process::display(&command)))?;
    Ok(exit_code(status))
}

/// Brings images and a program up to date.
fn prepare(
    workspace: &Workspace,
    package: &str,
    name: &str,
    args: &[OsString],
    steps: &mut Steps,
) -> anyhow::Result<PathBuf> {
    if expects_gpu(args) {
        let refresh = || Ok((refresh_images(workspace, args)?, ()));
        steps.take("kernels", "cargo xtask kernels", refresh)?;
    }
    let build = || Ok((Outcome::Passed, build_one(workspace, package, name)?));
    let repeat = format!("cargo build --release --package {package} --features cuda --bin {name}");
    steps.take("build", &repeat, build)
}

/// The program with the variables that it reads.
pub(crate) fn command(workspace: &Workspace, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env(COMMIT_VARIABLE, commit(workspace));
    command
}

/// Builds `slo-bench` with the CUDA backend, to run here; the compiler's progress is shown.
pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    build_one(workspace, NAME, NAME)
}

fn build_one(workspace: &Workspace, package: &str, name: &str) -> anyhow::Result<PathBuf> {
    let mut command = workspace.cargo();
    note!("{name}: building (profile release, feature cuda)");
    command.args(["build", "--release", "--package", package, "--features", "cuda"]);
    command.args(["--bin", name]);
    let shown = process::display(&command);
    let program = executables(command)?.into_iter().find(|(built, _)| built == name);
    program.map(|(_, path)| path).ok_or_else(|| anyhow!("`{shown}` built no program called {name}"))
}

/// Builds every program with the CUDA backend to be copied elsewhere, without symbols and without names of this
/// machine's folders; each with its name.
pub(crate) fn build_all(workspace: &Workspace) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut command = workspace.cargo();
    command.env("CARGO_ENCODED_RUSTFLAGS", traces::rust_flags(workspace));
    note!("{NAME}, {BENCHES}: building (profile dist, feature cuda)");
    // A profile of its own has a folder of its own: the flags cause no build of the other one.
    command.args(["build", "--profile", "dist", "--package", NAME, "--package", BENCHES]);
    command.args(["--features", "cuda", "--bins"]);
    let shown = process::display(&command);
    let mut programs = executables(command)?;
    programs.sort();
    if programs.iter().any(|(name, _)| name == NAME) {
        Ok(programs)
    } else {
        bail!("`{shown}` built no program called {NAME}")
    }
}

/// The programs of `benches/`, sorted.
pub(crate) fn questions(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let folder = workspace.root.join(BENCHES).join("src/bin");
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// Runs a cargo command and returns the programs that it built, each with the name of its target. Cargo tells
/// where it put them, which depends on settings that are not ours.
pub(crate) fn executables(mut command: Command) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let shown = process::display(&command);
    command.args(["--message-format", "json-render-diagnostics"]);
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let stdout = child.stdout.take().expect("stdout was asked to be piped");
    let mut programs = Vec::new();
    for message in Message::parse_stream(BufReader::new(stdout)) {
        if let Message::CompilerArtifact(artifact) = message.context("cannot read from cargo")?
            && let Some(executable) = artifact.executable
        {
            programs.push((artifact.target.name, executable.into_std_path_buf()));
        }
    }
    if !child.wait().context("cannot wait for cargo")?.success() {
        bail!("cargo failed: `{shown}`");
    }
    Ok(programs)
}

/// The commit for reports, or `unknown` outside git.
pub(crate) fn commit(workspace: &Workspace) -> String {
    workspace.commit().unwrap_or_else(|| "unknown".to_owned())
}

/// Asks `nvidia-smi` for the devices, one line each; `None` where no driver answers.
pub(crate) fn devices() -> Option<String> {
    let fields = "--query-gpu=name,driver_version,memory.total,compute_cap";
    process::query("nvidia-smi", &[fields, "--format=csv,noheader"])
}

/// The exit code of a program that was run in our place.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    match status.code().map(u8::try_from) {
        Some(Ok(code)) => ExitCode::from(code),
        _ => {
            note!("error: the program ended without an exit code ({status})");
            ExitCode::FAILURE
        }
    }
}

fn expects_gpu(args: &[OsString]) -> bool {
    requires_gpu(args) || Path::new("/dev/nvidia0").exists() || devices().is_some()
}

fn requires_gpu(args: &[OsString]) -> bool {
    args.iter().any(|arg| arg == REQUIRE_GPU)
}

/// Without a compiler the program still runs: it says itself what it cannot do without images.
fn refresh_images(workspace: &Workspace, args: &[OsString]) -> anyhow::Result<Outcome> {
    match kernels::ensure(workspace, &kernels::Args::default()) {
        Err(error) if error.is::<Missing>() && !requires_gpu(args) => {
            note!("kernels: {error}; going on with the images that are here");
            Ok(Outcome::Skipped("there is no compiler, the images that are here are used"))
        }
        result => result.map(|_| Outcome::Passed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_flag_itself_requires_a_gpu() {
        assert!(requires_gpu(&["--quick".into(), "--require-gpu".into()]));
        assert!(!requires_gpu(&["--quick".into()]));
    }

    #[test]
    fn an_exit_code_is_passed_on_unchanged() {
        let status = Command::new("sh").args(["-c", "exit 3"]).status().unwrap();
        assert_eq!(exit_code(status), ExitCode::from(3));
        let status = Command::new("sh").args(["-c", "kill -9 $$"]).status().unwrap();
        assert_eq!(exit_code(status), ExitCode::FAILURE);
    }
}
