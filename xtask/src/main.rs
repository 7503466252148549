//! Automation of the workspace: `cargo xtask <command>`.
//!
//! Links to none of the workspace's crates, so that it builds in seconds and can judge them from outside.

#![forbid(unsafe_code)]

mod bench;
mod ci;
mod dist;
mod doctor;
mod kernels;
#[cfg(test)]
mod layers;
mod linkage;
mod measure;
mod process;
mod program;
mod report;
mod sanitize;
mod steps;
mod stopwatch;
mod table;
mod terminal;
#[cfg(test)]
mod tidy;
mod traces;
mod validate;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use process::{Missing, Usage};
use terminal::note;
use workspace::Workspace;

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Builds, checks and measures this workspace.",
    arg_required_else_help = true,
    after_help = "Exit codes: 0 pass, 1 fail, 2 bad usage or input, 3 environment (something that the machine lacks)"
)]
struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// The main job: check everything on this machine; the last line begins with the verdict
    ///
    /// ARGS go to `slo-bench validate`; try `cargo xtask validate --help`.
    #[command(disable_help_flag = true)]
    Validate(program::Args),
    /// Measure the workloads against their contracts
    ///
    /// ARGS go to `slo-bench bench`; try `cargo xtask bench --help`.
    #[command(disable_help_flag = true)]
    Bench(program::Args),
    /// Answer one question by measuring: run a program of benches/
    ///
    /// ARGS go to the program; try `cargo xtask measure thermodynamic --help`.
    #[command(disable_help_flag = true)]
    Measure(measure::Args),
    /// Write a report again in every form, open its page, or read it back with tools of others
    Report(report::Args),
    /// Compile the CUDA kernels to images, with a table of registers, shared memory and spills
    Kernels(kernels::Args),
    /// Say what is here, what is missing and what to do
    Doctor,
    /// Make a folder that runs on a machine with a driver but neither Rust nor toolkit
    Dist(dist::Args),
    /// Run the kernels' tests on a GPU under compute-sanitizer: memcheck, racecheck, synccheck
    Sanitize,
    /// Run everything that CI runs: format, lints, tests, documentation, kernels, validate
    Ci,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match execute(&cli.command) {
        Ok(code) => code,
        Err(error) => {
            note!("error: {error:#}");
            ExitCode::from(exit_code(&error))
        }
    }
}

fn execute(command: &CliCommand) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::locate()?;
    match command {
        CliCommand::Validate(args) => validate::run(&workspace, args),
        CliCommand::Bench(args) => bench::run(&workspace, args),
        CliCommand::Measure(args) => measure::run(&workspace, args),
        CliCommand::Report(args) => report::run(&workspace, args),
        CliCommand::Kernels(args) => kernels::run(&workspace, args).map(|()| ExitCode::SUCCESS),
        CliCommand::Doctor => doctor::run(&workspace),
        CliCommand::Dist(args) => dist::run(&workspace, args).map(|()| ExitCode::SUCCESS),
        CliCommand::Sanitize => sanitize::run(&workspace).map(|()| ExitCode::SUCCESS),
        CliCommand::Ci => Ok(ci::run(&workspace)),
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<Usage>() {
        2
    } else if error.is::<Missing>() {
        3
    } else {
        1
    }
}
