//! The program that does the work, `slo-bench`: built, given its surroundings and run.
//!
//! Never reads its reports or changes its exit code: what it says is the verdict.

use std::ffi::OsString;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use anyhow::{Context as _, anyhow, bail};
use cargo_metadata::Message;

use crate::process::{self, Missing};
use crate::terminal::note;
use crate::workspace::Workspace;
use crate::{kernels, traces};

pub(crate) const NAME: &str = "slo-bench";
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
    if expects_gpu(args) {
        refresh_images(workspace, args)?;
    }
    let program = build(workspace, Profile::Release)?;
    let mut command_line = self::command(workspace, &program);
    command_line.arg(command).args(args);
    let status = command_line
        .status()
        .with_context(|| format!("cannot start {}", process::display(&command_line)))?;
    Ok(exit_code(status))
}

/// The program with the variables that it reads.
pub(crate) fn command(workspace: &Workspace, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env(COMMIT_VARIABLE, commit(workspace));
    command
}

/// How the program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// To run here.
    Release,
    /// To be copied elsewhere: without symbols, and without names of this machine's folders.
    Dist,
}

/// Builds the program with the CUDA backend; the compiler's progress is shown.
pub(crate) fn build(workspace: &Workspace, profile: Profile) -> anyhow::Result<PathBuf> {
    let mut command = workspace.cargo();
    let profile = match profile {
        Profile::Release => "release",
        // Each profile has a folder of its own: the flags cause no build of the other one.
        Profile::Dist => {
            command.env("CARGO_ENCODED_RUSTFLAGS", traces::rust_flags(workspace));
            "dist"
        }
    };
    note!("{NAME}: building (profile {profile}, feature cuda)");
    command.args(["build", "--profile", profile, "--package", NAME, "--features", "cuda"]);
    let shown = process::display(&command);
    command.args(["--bin", NAME]);
    let program = executables(command)?.into_iter().find(|(name, _)| name == NAME);
    program.map(|(_, path)| path).ok_or_else(|| anyhow!("`{shown}` built no program called {NAME}"))
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
            note!("error: {NAME} ended without an exit code ({status})");
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
fn refresh_images(workspace: &Workspace, args: &[OsString]) -> anyhow::Result<()> {
    match kernels::ensure(workspace, &kernels::Args::default()) {
        Err(error) if error.is::<Missing>() && !requires_gpu(args) => {
            note!("kernels: {error}; going on with the images that are here");
            Ok(())
        }
        result => result.map(|_| ()),
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
