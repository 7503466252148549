//! The program that tries the judgement of saturation, where nothing tells how busy the device is.

use std::process::Command;

use slo_bench::Verdict;

#[test]
fn on_the_host_every_load_is_right_and_none_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_saturation"));
    command.current_dir(folder.path()).args(["--device", "host", "--out", "out", "--calibrate"]);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let report = slo_bench::Report::read(&folder.path().join("out/report.json")).unwrap();
    let names: Vec<_> = report.sections.iter().map(|section| section.name.as_str()).collect();
    assert_eq!(names, ["ceiling", "controls", "services", "calibration"]);
    assert!(report.sections[1].detail.starts_with("9 loads are right, and not judged: nothing"));
    let (mut right, mut skipped) = (0, 0);
    for check in report.sections.iter().flat_map(|section| &section.checks) {
        match &check.verdict {
            Verdict::Pass if check.name.ends_with("results are right") => right += 1,
            Verdict::Skipped { reason } => {
                assert!(reason.contains("how busy a host is"), "{reason}");
                skipped += 1;
            }
            other => panic!("{}: {other}", check.name),
        }
    }
    assert_eq!((right, skipped), (2 + 9, 9 + 3 * 4 + 1));
}
