//! Runs that work: what they say, what they write, and that frames from a file equal those of the formula.

use std::path::Path;

use serde_json::Value;

use super::{last_line, slo_bench, stderr, stdout};

/// Runs with `--json` and returns the report.
fn report(folder: &Path, arguments: &[&str]) -> Value {
    let output = slo_bench(folder, &[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

fn section<'a>(report: &'a Value, name: &str) -> &'a Value {
    let sections = report["sections"].as_array().unwrap();
    sections.iter().find(|section| section["name"] == name).unwrap()
}

/// The digest that the pipeline section ends its detail with.
fn digest(report: &Value) -> String {
    let detail = section(report, "pipeline")["detail"].as_str().unwrap();
    detail.rsplit_once("digest ").unwrap().1.to_owned()
}

#[test]
fn frames_from_a_file_give_what_frames_of_the_formula_give() {
    let folder = tempfile::tempdir().unwrap();
    let run = |rest: &[&str]| {
        let common = ["validate", "--quick", "--only", "pipeline", "--device", "host"];
        digest(&report(folder.path(), &[&common, rest].concat()))
    };
    let expected = run(&["--frames", "150"]);
    for (name, raw) in [("frames.npy", None), ("frames.bin", Some("--raw"))] {
        let mut arguments = vec!["frames", "--count", "150", "--out", name];
        arguments.extend(raw);
        let output = slo_bench(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(run(&["--input", name]), expected, "{name}");
    }
    assert_ne!(run(&["--frames", "151"]), expected);
}

#[test]
fn a_contract_that_cannot_be_met_fails_and_the_report_says_by_how_much() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("contracts")).unwrap();
    let text = "name = \"impossible\"\nworkload = \"thermodynamic\"\ndevice = \"host\"\nn = 30\niterations = 100\n[limits_ms]\nmax = 0.000001\n";
    std::fs::write(folder.path().join("contracts/impossible.toml"), text).unwrap();
    let arguments = [
        "validate",
        "--only",
        "contract",
        "--device",
        "host",
        "--contracts",
        "contracts",
        "--out",
        "report",
    ];
    let output = slo_bench(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(1), "{}{}", stdout(&output), stderr(&output));
    assert!(
        last_line(&output).starts_with("FAIL contract (1 of 1 sections)"),
        "{}",
        last_line(&output)
    );
    let markdown = std::fs::read_to_string(folder.path().join("report/report.md")).unwrap();
    assert!(markdown.starts_with("# validate: FAIL"), "{markdown}");
    assert!(markdown.contains("100 of 100 samples at or over it, at most 0 allowed"), "{markdown}");
}

#[test]
fn fewer_samples_than_the_contract_asks_for_are_no_pass() {
    let folder = tempfile::tempdir().unwrap();
    let contracts = folder.path().join("contracts");
    std::fs::create_dir(&contracts).unwrap();
    let text = "name = \"small\"\nworkload = \"thermodynamic\"\ndevice = \"host\"\nn = 30\niterations = 5000\n[limits_ms]\nmax = 3600000\n";
    std::fs::write(contracts.join("small.toml"), text).unwrap();
    let bench = |iterations: &str| {
        let arguments = [
            "bench",
            "--device",
            "host",
            "--contracts",
            "contracts",
            "--frames",
            "20",
            "--iterations",
            iterations,
        ];
        slo_bench(folder.path(), &arguments)
    };
    let output = bench("4999");
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(stdout(&output).contains("4999 samples decide nothing, the contract asks for 5000"));
    let output = bench("5000");
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(last_line(&output).starts_with("PASS 2 sections, 0 skipped"), "{}", last_line(&output));
}

#[test]
fn a_run_on_the_host_skips_what_needs_a_gpu_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["validate", "--quick", "--only", "doctor,contract", "--device", "host"];
    let report = report(folder.path(), &arguments);
    assert_eq!(report["schema"], 1);
    assert_eq!(report["verdict"]["is"], "pass");
    assert_eq!(report["program"]["arguments"][0], "validate");
    assert!(report["machine"]["label"].as_str().unwrap().starts_with("host, not a GPU"));
    let checks = section(&report, "contract")["checks"].as_array().unwrap();
    let skipped = checks.iter().find(|check| check["name"] == "thermodynamic-h100").unwrap();
    assert_eq!(skipped["verdict"]["is"], "skipped");
    let reason = skipped["verdict"]["reason"].as_str().unwrap();
    assert!(reason.contains("it is about a GPU, and none is used"), "{reason}");
    let run = &section(&report, "contract")["runs"][0];
    assert_eq!((&run["n"], &run["latency"]["samples"]), (&900.into(), &100.into()));
    assert!(run["latency"]["p999_ns"].is_null(), "100 samples do not support p99.9");
}
