//! The program that measures the recorder, with little work.

use std::process::Command;

#[test]
fn every_recorder_is_measured_at_every_number_of_threads_and_no_sample_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let little = ["--samples", "1000", "--threads", "2", "--passes", "1"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_recorder"));
    command.current_dir(folder.path()).args(["--device", "host", "--out", "out"]).args(little);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let report = slo_bench::Report::read(&folder.path().join("out/report.json")).unwrap();
    let section = &report.sections[0];
    assert_eq!(section.figures.len(), 3 * 2);
    assert!(section.figures.iter().all(|figure| figure.value > 0.0 && figure.unit == "ns"));
    assert_eq!(section.checks[0].name, "no sample is lost when recorders are merged");
    assert_eq!(section.checks[0].detail, "0 lost");
}
