//! `cargo xtask validate`: the main job, run by `slo-bench validate`.
//!
//! Never judges: the exit code is the program's.

use std::process::ExitCode;

use crate::program::{self, Args};
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, args: &Args) -> anyhow::Result<ExitCode> {
    program::run(workspace, "validate", &args.args)
}
