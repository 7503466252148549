//! W3, the end-to-end frame: its naive, optimised and device versions side by side.

use std::process::ExitCode;

use slo_bench::Reference;

fn main() -> ExitCode {
    benches::answer_for(Reference::Frame)
}
