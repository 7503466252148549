//! `cargo xtask ci`: the list that both humans and CI run.
//!
//! Never goes on after a failure, and never hides one: it names the command that repeats the step.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{anyhow, bail};

use crate::process::Missing;
use crate::steps::{Outcome, Steps};
use crate::stopwatch::Stopwatch;
use crate::terminal::{note, say};
use crate::workspace::Workspace;
use crate::{doctor, kernels, linkage, process, program, report};

/// One entry of the list.
struct Step {
    name: &'static str,
    /// What to type to run this step alone.
    repeat: &'static str,
    action: Action,
}

enum Action {
    /// The command line itself: words that assign a variable, then cargo and its arguments.
    Cargo,
    Own(fn(&Workspace) -> anyhow::Result<Outcome>),
}

/// Ordered so that what fails most often and costs least comes first, and what builds on the same
/// artifacts stands together.
const STEPS: [Step; 12] = [
    Step::cargo("format", "cargo fmt --all --check"),
    Step::cargo("lints", "cargo clippy --workspace --all-targets -- -D warnings"),
    Step::cargo(
        "lints with cuda",
        "cargo clippy --workspace --all-targets --features gpu-core/cuda -- -D warnings",
    ),
    // One build of the tests with everything in it; without the CUDA backend only the crate that has one differs.
    Step::cargo("tests, layers, tidy", "cargo test --workspace --features gpu-core/cuda"),
    // Other flags would rebuild everything, so this has a folder of its own.
    Step::cargo(
        "model checking",
        "RUSTFLAGS=--cfg=loom CARGO_TARGET_DIR=target/loom cargo test --package memory-pipeline --lib loom",
    ),
    Step::cargo("tests without cuda", "cargo test --package gpu-core"),
    Step::cargo("documentation", "RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps"),
    Step::own("kernels", "cargo xtask kernels", compile_kernels),
    Step::own("validate", "cargo xtask validate --quick", validate),
    Step::own("readers", "cargo xtask report --check target/ci/report.json", read_report),
    Step::own("linkage", "ldd target/release/slo-bench", check_linkage),
    Step::own("dependencies", "cargo deny check", check_dependencies),
];

impl Step {
    const fn cargo(name: &'static str, repeat: &'static str) -> Self {
        Self { name, repeat, action: Action::Cargo }
    }

    const fn own(
        name: &'static str,
        repeat: &'static str,
        action: fn(&Workspace) -> anyhow::Result<Outcome>,
    ) -> Self {
        Self { name, repeat, action: Action::Own(action) }
    }

    fn run(&self, workspace: &Workspace) -> anyhow::Result<Outcome> {
        match self.action {
            Action::Cargo => {
                process::run(&mut cargo(workspace, self.repeat)).map(|()| Outcome::Passed)
            }
            Action::Own(action) => action(workspace),
        }
    }
}

pub(crate) fn run(workspace: &Workspace) -> ExitCode {
    let whole = Stopwatch::start();
    let mut steps = Steps::default();
    let mut failure = None;
    for (index, step) in STEPS.iter().enumerate() {
        note!("\nci: [{}/{}] {}: {}", index + 1, STEPS.len(), step.name, step.repeat);
        let work = || step.run(workspace).map(|outcome| (outcome, ()));
        if let Err(error) = steps.take(step.name, step.repeat, work) {
            failure = Some((step, error));
            break;
        }
    }
    STEPS.iter().skip(steps.len()).for_each(|step| steps.not_run(step.name));
    say!("\n{}", steps.table());
    match failure {
        None => {
            say!("ci: PASS in {}", whole.elapsed());
            ExitCode::SUCCESS
        }
        Some((step, error)) => {
            say!("ci: FAIL at {} in {}: {error:#}", step.name, whole.elapsed());
            say!("ci: repeat it with: {}", step.repeat);
            ExitCode::FAILURE
        }
    }
}

/// `NAME=value cargo word word`
fn cargo(workspace: &Workspace, line: &str) -> Command {
    let mut command = workspace.cargo();
    for word in line.split_whitespace() {
        match word.split_once('=') {
            Some((name, value)) if !name.starts_with('-') => {
                command.env(name, value);
            }
            _ if word == "cargo" => {}
            _ => {
                command.arg(word);
            }
        }
    }
    command
}

fn compile_kernels(workspace: &Workspace) -> anyhow::Result<Outcome> {
    kernels::run(workspace, &kernels::Args::default()).map(|()| Outcome::Passed)
}

fn validate(workspace: &Workspace) -> anyhow::Result<Outcome> {
    let arguments = ["--quick".into(), "--out".into(), report_folder(workspace).into()];
    let code = program::run(workspace, "validate", &arguments)?;
    if code != ExitCode::SUCCESS {
        bail!("validate did not pass");
    }
    Ok(Outcome::Passed)
}

/// Where the report of the step before is put.
fn report_folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("ci")
}

/// Without a network the readers cannot be had; the tests have read most forms by then.
fn read_report(workspace: &Workspace) -> anyhow::Result<Outcome> {
    match report::check(workspace, &report_folder(workspace).join("report.json")) {
        Err(error) if error.is::<Missing>() => {
            Ok(Outcome::Skipped("the readers cannot be installed"))
        }
        checked => checked.map(|()| Outcome::Passed),
    }
}

fn check_linkage(workspace: &Workspace) -> anyhow::Result<Outcome> {
    let program = program::build(workspace)?;
    linkage::check(&program).map(|()| Outcome::Passed)
}

fn check_dependencies(workspace: &Workspace) -> anyhow::Result<Outcome> {
    if doctor::cargo_deny_version(workspace).is_none() {
        return Ok(Outcome::Skipped("cargo-deny is not installed"));
    }
    let status = workspace.cargo().args(["deny", "check"]).status()?;
    if status.success() {
        Ok(Outcome::Passed)
    } else {
        Err(anyhow!("cargo deny found something ({status})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_split_into_variables_and_arguments() {
        let workspace = Workspace { root: ".".into(), target: "target".into() };
        let command = cargo(&workspace, "RUSTDOCFLAGS=-Dwarnings cargo doc --cfg=x --no-deps");
        let args: Vec<_> = command.get_args().collect();
        assert_eq!(args, ["doc", "--cfg=x", "--no-deps"]);
        let variables: Vec<_> = command.get_envs().collect();
        assert_eq!(variables, [("RUSTDOCFLAGS".as_ref(), Some("-Dwarnings".as_ref()))]);
    }
}
