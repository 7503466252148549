//! The programs as their users meet them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod comparison;
mod efficacy;
mod pool;
mod recorder;
mod saturation;

use std::path::Path;
use std::process::{Command, Output};

/// The program, run in a folder of its own so that nothing of the workspace is found or written.
fn thermodynamic(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thermodynamic"));
    command.current_dir(folder).args(arguments).env_remove("TEMPER_KERNELS").output().unwrap()
}

#[test]
fn on_the_host_the_processor_versions_are_compared_and_timed_and_no_device_is() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--device", "host", "--compared-frames", "1", "--out", "out"];
    let output = thermodynamic(folder.path(), &arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("2 versions at n = 900, on the host only: "), "{text}");
    assert!(text.lines().last().unwrap().starts_with("PASS 1 section"), "{text}");
    let report = slo_bench::Report::read(&folder.path().join("out/report.json")).unwrap();
    let section = &report.sections[0];
    let names: Vec<_> = section.runs.iter().map(|run| run.name.as_str()).collect();
    assert_eq!(names, ["thermodynamic, naive", "thermodynamic, optimised"]);
    assert!(section.runs.iter().all(|run| run.measured_on.starts_with("host, not a GPU")));
    assert!(section.checks.iter().any(|check| check.name.contains("optimised equals naive")));
    assert_eq!(section.figures.len(), 1, "one speed-up: optimised over naive");
    assert!(section.figures[0].measured_on.starts_with("host, not a GPU"));
}

#[test]
fn what_cannot_be_done_is_refused_in_one_line_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let cases = [
        (["--device", "gpu"], 2, "auto, host, cuda:N or simulated:SEED"),
        (["--iterations", "0"], 2, "--iterations"),
        (["--out", "file/deeper"], 3, "--out"),
        (["--images", "nowhere"], 3, "cargo xtask kernels"),
    ];
    for (arguments, code, words) in cases {
        let output = thermodynamic(folder.path(), &arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.starts_with("error: ") && error.contains(words), "{arguments:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{arguments:?}: {error}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
