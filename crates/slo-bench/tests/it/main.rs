//! The program as its users meet it: runs, refusals, reports.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod compare;
mod dump;
mod output;
mod runs;
mod saturation;

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;

/// The program, run in a folder of its own so that nothing of the workspace is found or written.
fn slo_bench(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("slo-bench").unwrap();
    command.current_dir(folder).args(arguments).env_remove("TEMPER_KERNELS");
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn last_line(output: &Output) -> String {
    stdout(output).lines().last().unwrap_or_default().to_owned()
}
