//! Reports side by side, pooled, and written again; a bench against its baseline.

use std::path::Path;

use slo_bench::{Destination, Recorder, Report};

use super::{last_line, slo_bench, stderr, stdout};

/// A contract so small that it takes a moment and so patient that it holds.
const CONTRACT: &str = "name = \"small\"\nworkload = \"thermodynamic\"\ndevice = \"host\"\nn = 30\niterations = 2000\n[limits_ms]\nmax = 3600000\n";

const BENCH: &str =
    "bench --workload thermodynamic --device host --contracts contracts --frames 20 --out";

const LOOK: &str = "validate --quick --only contract,pipeline --device host --contracts contracts --frames 20 --out";

const ONE_PAIR: &str = "one pair: what changes from run to run is not seen; give several";

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// A folder with a contract and the report of `run` in `real`.
fn folder(run: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("contracts")).unwrap();
    std::fs::write(folder.path().join("contracts/small.toml"), CONTRACT).unwrap();
    let output = slo_bench(folder.path(), &words(&format!("{run} real")));
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    folder
}

/// The report in `real`, changed and stored as `name`.
fn store(folder: &Path, name: &str, change: impl FnOnce(&mut Report)) {
    let mut report = Report::read(&folder.join("real/report.json")).unwrap();
    change(&mut report);
    Destination::at(folder.join(name)).unwrap().store(&report).unwrap();
}

/// Latencies around `ns` in place of those that were measured.
fn around(ns: u64) -> impl FnOnce(&mut Report) {
    move |report| {
        for run in report.sections.iter_mut().flat_map(|section| &mut section.runs) {
            let mut recorder = Recorder::new(&[], 10_000);
            (0..10_000).for_each(|i| recorder.record(ns + i * 617 % 1000));
            run.latency = recorder.summary();
            run.is_settled = true;
        }
    }
}

#[test]
fn a_bench_fails_against_a_baseline_that_was_faster_and_passes_against_a_slower_one() {
    let folder = folder(BENCH);
    let bench = |baseline: &str| {
        let arguments = format!("{BENCH} out --baseline {baseline}/report.json");
        slo_bench(folder.path(), &words(&arguments))
    };
    // A nanosecond and an hour: the outcome must not depend on the speed of this machine.
    store(folder.path(), "faster", around(1));
    let output = bench("faster");
    assert_eq!(output.status.code(), Some(1), "{}{}", stdout(&output), stderr(&output));
    assert!(
        last_line(&output).starts_with("FAIL baseline (1 of 3 sections)"),
        "{}",
        last_line(&output)
    );
    let markdown = std::fs::read_to_string(folder.path().join("out/report.md")).unwrap();
    assert!(markdown.contains("| FAIL | worse: ") && markdown.contains(ONE_PAIR), "{markdown}");
    assert!(stdout(&output).contains(ONE_PAIR), "{}", stdout(&output));
    store(folder.path(), "slower", around(3_000_000_000_000));
    let output = bench("slower");
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(last_line(&output).starts_with("PASS 3 sections"), "{}", last_line(&output));
    // A report of another machine is refused before the first second of work.
    store(folder.path(), "other", |report| report.machine.properties["name"] = "another".into());
    let output = bench("other");
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(stderr(&output).contains("another device: \"another\" and"), "{}", stderr(&output));
}

#[test]
fn a_bench_is_held_against_what_varies_between_several_baselines() {
    let folder = folder(BENCH);
    for (name, ns) in [("faster", 1), ("slower", 3_000_000_000_000)] {
        store(folder.path(), name, |report| {
            around(ns)(report);
            report.sections.iter_mut().for_each(|section| section.figures.clear());
        });
    }
    let bench = |baselines: [&str; 3]| {
        let options = baselines.map(|baseline| format!(" --baseline {baseline}/report.json"));
        let output = slo_bench(folder.path(), &words(&format!("{BENCH} out{}", options.concat())));
        assert!(!stdout(&output).contains(ONE_PAIR), "{}", stdout(&output));
        output
    };
    let output = bench(["faster"; 3]);
    assert_eq!(output.status.code(), Some(1), "{}{}", stdout(&output), stderr(&output));
    // Of a build that takes a nanosecond or an hour, anything is to be expected.
    let output = bench(["faster", "slower", "faster"]);
    let line = last_line(&output);
    assert!(line.starts_with("INCONCLUSIVE baseline"), "{line}");
    assert!(stdout(&output).contains("undecided"), "{}", stdout(&output));
}

#[test]
fn compare_tells_by_its_exit_code_and_merge_pools_what_report_writes_again() {
    let folder = folder(LOOK);
    let run = |arguments: &str| slo_bench(folder.path(), &words(arguments));
    store(folder.path(), "base", around(100_000));
    store(folder.path(), "slower", around(103_000));
    let same = run("compare base/report.json base/report.json");
    assert_eq!(same.status.code(), Some(0), "{}{}", stdout(&same), stderr(&same));
    assert!(stdout(&same).contains(ONE_PAIR), "{}", stdout(&same));
    assert!(last_line(&same).starts_with("PASS 0 worse, 0 better, 4 same"), "{}", last_line(&same));
    let worse = run("compare base/report.json slower/report.json --json");
    assert_eq!(worse.status.code(), Some(1), "{}", stderr(&worse));
    let rows: serde_json::Value = serde_json::from_str(&stdout(&worse)).unwrap();
    assert_eq!(rows["rows"][0]["outcome"]["is"], "worse");
    assert_eq!(rows["caveat"], ONE_PAIR);
    let twice = "compare base/report.json slower/report.json base/report.json slower/report.json";
    assert!(!stdout(&run(twice)).contains(ONE_PAIR));
    let patient = run("compare base/report.json slower/report.json --threshold 5");
    assert_eq!(patient.status.code(), Some(0), "{}", stdout(&patient));
    let odd = run("compare base/report.json base/report.json slower/report.json");
    assert_eq!(odd.status.code(), Some(2));
    assert!(stderr(&odd).contains("3 reports are no pairs"), "{}", stderr(&odd));

    let merged = run("merge base/report.json slower/report.json real/report.json --out all");
    assert_eq!(merged.status.code(), Some(0), "{}{}", stdout(&merged), stderr(&merged));
    assert!(last_line(&merged).starts_with("PASS 3 nodes, report all/report.md"));
    let all = Report::read(&folder.path().join("all/report.json")).unwrap();
    assert_eq!(all.runs()[0].1.latency.samples, 20_100);

    std::fs::remove_file(folder.path().join("real/report.html")).unwrap();
    let again = run("report real/report.json");
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert!(folder.path().join("real/report.html").is_file());
    assert!(folder.path().join("real/pipeline.svg").is_file(), "what stands beside it stays");
    let elsewhere = run("report real/report.json --out elsewhere");
    assert_eq!(elsewhere.status.code(), Some(0), "{}", stderr(&elsewhere));
    assert!(folder.path().join("elsewhere/pipeline.svg").is_file());
}

#[test]
fn the_shell_learns_every_command_that_people_use() {
    let folder = tempfile::tempdir().unwrap();
    let output = slo_bench(folder.path(), &["shell", "--out", "share"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let share = folder.path().join("share");
    let text = |name: &str| std::fs::read_to_string(share.join(name)).unwrap();
    for name in ["slo-bench.bash", "slo-bench.fish", "_slo-bench", "slo-bench.1"] {
        assert!(text(name).contains("compare"), "{name}");
    }
    assert!(text("slo-bench-bench.1").contains("baseline"));
    assert!(!share.join("slo-bench-shell.1").exists());
}
