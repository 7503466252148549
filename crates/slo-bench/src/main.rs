//! The program `slo-bench`: validates and benches the machine it runs on.
#![forbid(unsafe_code)]

mod program;

use std::process::ExitCode;

fn main() -> ExitCode {
    program::run().into()
}
