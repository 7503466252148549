//! Automation of the workspace: `cargo xtask <command>`.
//!
//! Links to none of the workspace's crates, so that it builds in seconds and can judge them from outside.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command prints")]

mod kernels;
mod process;
mod stopwatch;
mod table;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use process::{Missing, Usage};
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
    /// Compile the CUDA kernels to images, with a table of registers, shared memory and spills
    Kernels(kernels::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match execute(&cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(exit_code(&error))
        }
    }
}

fn execute(command: &CliCommand) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::locate()?;
    match command {
        CliCommand::Kernels(args) => kernels::run(&workspace, args)?,
    }
    Ok(ExitCode::SUCCESS)
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
