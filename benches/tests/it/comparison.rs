//! The program that tries comparisons, with little work.

use std::process::{Command, Output};

use slo_bench::{Report, Verdict};

fn comparison(folder: &std::path::Path, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_comparison"));
    command.current_dir(folder).args(["--device", "host", "--out", "out"]).args(options);
    command.output().unwrap()
}

#[test]
fn on_the_host_everything_is_compared_and_nothing_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let output = comparison(folder.path(), &["--comparisons", "1", "--iterations", "2"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let report = Report::read(&folder.path().join("out/report.json")).unwrap();
    let names: Vec<_> = report.sections.iter().map(|section| section.name.as_str()).collect();
    assert_eq!(names, ["itself", "slowdowns"]);
    let checks: Vec<_> = report.sections.iter().flat_map(|section| &section.checks).collect();
    assert_eq!(checks.len(), 1 + 3);
    for check in checks {
        let Verdict::Skipped { reason } = &check.verdict else { panic!("{check:?}") };
        assert!(reason.contains("a host is noisy"), "{reason}");
    }
    let mut figures = report.sections.iter().flat_map(|section| &section.figures);
    assert!(figures.all(|figure| figure.measured_on.starts_with("host, not a GPU")));
}

#[test]
fn an_unknown_workload_is_refused_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let output = comparison(folder.path(), &["--workload", "thermo"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("thermodynamic"), "{error}");
}
