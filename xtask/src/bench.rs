//! `cargo xtask bench`: the workloads against their contracts, run by `slo-bench bench`.
//!
//! Never judges: the exit code is the program's.

use std::process::ExitCode;

use crate::program::{self, Args};
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, args: &Args) -> anyhow::Result<ExitCode> {
    program::run(workspace, "bench", &args.args)
}
