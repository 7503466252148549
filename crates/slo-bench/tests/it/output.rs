//! Where output goes: one folder for each run, the commit it was built from, and a reader that goes away.

use std::io::Read as _;
use std::process::Stdio;

use super::{last_line, slo_bench, stdout};

#[test]
fn the_last_line_names_a_report_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        slo_bench(folder.path(), &["validate", "--only", "resilience", "--device", "host"]);
    let last = last_line(&output);
    assert!(last.starts_with("PASS 1 section, 0 skipped, "), "{last}");
    let path = last.rsplit_once("report ").unwrap().1;
    assert!(path.starts_with("target/temper/2"), "{path}");
    assert!(folder.path().join(path).is_file());
    assert!(folder.path().join(path).with_file_name("report.json").is_file());
    assert!(!stdout(&output).contains('\u{1b}'), "no colours where there is no terminal");
}

#[test]
fn the_commit_comes_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = assert_cmd::Command::cargo_bin("slo-bench").unwrap();
    let arguments = ["validate", "--only", "resilience", "--device", "host", "--out", "out"];
    command.current_dir(folder.path()).args(arguments).env("TEMPER_COMMIT", "0123abcd");
    command.assert().success();
    let json = std::fs::read_to_string(folder.path().join("out/report.json")).unwrap();
    assert!(json.contains("\"commit\": \"0123abcd\""), "{json}");
}

#[test]
fn a_reader_that_goes_away_stops_the_rows_and_not_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let program = assert_cmd::cargo::cargo_bin("slo-bench");
    let mut child = std::process::Command::new(program)
        .args(["validate", "--only", "resilience", "--device", "host", "--out", "out"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{error}");
    assert_eq!(error, "");
    assert!(folder.path().join("out/report.json").is_file());
}

#[test]
fn help_documents_the_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["--help"][..], &["validate", "--help"], &["bench", "--help"]] {
        let output = slo_bench(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0));
        let codes = [
            "  1  a check failed",
            "  2  bad usage",
            "  3  the environment",
            "  4  inconclusive",
            "  5  invalid",
        ];
        for line in codes.into_iter().chain(["Exit codes:"]) {
            assert!(stdout(&output).contains(line), "{}", stdout(&output));
        }
    }
}

#[test]
fn doctor_says_what_is_here_and_finds_nothing_in_the_way_of_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let output = slo_bench(folder.path(), &["doctor", "--device", "host"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    for words in ["device host", "--device asks for the host", "image", "contracts"] {
        assert!(stdout(&output).contains(words), "{words}: {}", stdout(&output));
    }
    let args = ["doctor", "--device", "host", "--images", "nowhere"];
    let without = stdout(&slo_bench(folder.path(), &args));
    assert_eq!(without.matches("image").count(), 2, "one line for all images: {without}");
    assert!(!folder.path().join("target").exists(), "doctor looks and changes nothing");
}
