//! The program that measures the pool, with little work.

use std::process::Command;

#[test]
fn every_contender_is_measured_at_every_number_of_threads_and_no_buffer_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let little = ["--pairs", "50", "--threads", "2", "--passes", "1", "--buffer-mib", "1"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_pool"));
    command.current_dir(folder.path()).args(["--device", "host", "--out", "out"]).args(little);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let report = slo_bench::Report::read(&folder.path().join("out/report.json")).unwrap();
    let names: Vec<_> = report.sections.iter().map(|section| section.name.as_str()).collect();
    assert_eq!(names, ["contention", "driver"]);
    let figures: Vec<_> = report.sections.iter().flat_map(|section| &section.figures).collect();
    assert!(figures.iter().all(|figure| figure.measured_on.starts_with("host, not a GPU")));
    for contender in ["PinnedMemoryPool", "Mutex<VecDeque>", "ArrayQueue"] {
        for threads in ["1 thread", "2 threads"] {
            let name = format!("{contender}, {threads}");
            assert!(
                figures.iter().any(|figure| figure.name == name && figure.value > 0.0),
                "{name}"
            );
        }
    }
    assert!(
        report.sections.iter().all(|section| section
            .checks
            .iter()
            .any(|check| check.name == "every buffer came back"))
    );
}
