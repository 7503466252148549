//! W2, the thermodynamic evolution: its naive, optimised and device versions side by side.

use std::process::ExitCode;

use slo_bench::Reference;

fn main() -> ExitCode {
    benches::answer_for(Reference::Thermodynamic)
}
