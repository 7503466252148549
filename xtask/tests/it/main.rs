//! The command line as people meet it: help, exit codes and one-line errors.

use std::process::{Command, Output, Stdio};

fn xtask(args: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_xtask");
    Command::new(program).args(args).output().expect("cargo builds the program before its tests")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn without_arguments_every_command_is_listed() {
    let output = xtask(&[]);
    let text = stderr(&output);
    for command in
        ["validate", "bench", "measure", "report", "kernels", "doctor", "dist", "sanitize", "ci"]
    {
        assert!(
            text.lines().any(|line| line.trim_start().starts_with(command)),
            "{command}: {text}"
        );
    }
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn an_unknown_command_or_option_is_bad_usage() {
    for args in [["mesure", ""], ["kernels", "--fast"]] {
        let output = xtask(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).starts_with("error: "), "{args:?}");
    }
}

#[test]
fn an_unknown_program_is_answered_with_those_there_are() {
    let output = xtask(&["measure", "pole", "--quick"]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("`pole`") && text.contains("active-inference, comparison"), "{text}");
}

#[test]
fn a_report_that_is_not_there_is_named_before_anything_is_built() {
    let output = xtask(&["report", "nowhere/report.json"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output), "error: nowhere/report.json: no such report\n");
}

#[test]
fn a_folder_with_other_files_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("letters.txt"), "dear").unwrap();
    let output = xtask(&["dist", "--out", &folder.path().to_string_lossy()]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("holds something else; name a new or empty folder"), "{text}");
}

#[test]
fn a_place_that_cannot_be_written_is_refused_before_anything_is_built() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let output = xtask(&["dist", "--out", &folder.path().join("file/new").to_string_lossy()]);
    assert_eq!(output.status.code(), Some(3));
    let text = stderr(&output);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("file/new") && text.contains("choose another --out"), "{text}");
}

#[test]
fn the_doctor_says_something_about_each_thing_that_is_needed() {
    let output = xtask(&["doctor"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for subject in ["rustc", "nvcc 13.0.x", "kernel images", "NVIDIA driver", "slo-bench"] {
        assert!(text.contains(subject), "{subject}: {text}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["kernels", "--check"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut check = command.spawn().unwrap();
    drop(check.stdout.take());
    let output = check.wait_with_output().unwrap();
    assert_ne!(output.status.code(), Some(101), "{}", stderr(&output));
}
