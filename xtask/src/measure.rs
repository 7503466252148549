//! `cargo xtask measure`: one of the programs of `benches/`, each of which answers one question.
//!
//! Never judges: the exit code is the program's.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::process::Usage;
use crate::program;
use crate::workspace::Workspace;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The program, one of those in benches/src/bin
    #[arg(value_name = "PROGRAM")]
    program: String,
    /// What the program reads itself; try --help
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    args: Vec<OsString>,
}

pub(crate) fn run(workspace: &Workspace, args: &Args) -> anyhow::Result<ExitCode> {
    let Args { program, args } = args;
    let known = program::questions(workspace)?;
    if !known.contains(program) {
        let known = known.join(", ");
        return Err(Usage(format!("unknown program `{program}`; it must be one of {known}")).into());
    }
    program::measure(workspace, program, args)
}
