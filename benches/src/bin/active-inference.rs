//! W1, the active inference step: its naive, optimised and device versions side by side.

use std::process::ExitCode;

use slo_bench::Reference;

fn main() -> ExitCode {
    benches::answer_for(Reference::ActiveInference)
}
