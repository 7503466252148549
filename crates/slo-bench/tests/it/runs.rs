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
    let seen = "max < 1.000e-6 ms? max";
    assert!(markdown.contains(seen), "{markdown}");
    // The first sample is over the limit: nothing could make up for it.
    assert!(markdown.contains("over 1 samples worth 1, 1 at or over the limit"), "{markdown}");
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
            "--workload",
            "thermodynamic",
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
    assert_eq!(output.status.code(), Some(4), "{}", stdout(&output));
    assert!(last_line(&output).starts_with("INCONCLUSIVE thermodynamic"), "{}", last_line(&output));
    assert!(stdout(&output).contains("4999 samples decide nothing, the contract asks for 5000"));
    let output = bench("5000");
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(last_line(&output).starts_with("PASS 2 sections, 0 skipped"), "{}", last_line(&output));
}

#[test]
fn a_bench_on_the_host_claims_nothing_about_a_device_and_checks_what_can_fail() {
    let folder = tempfile::tempdir().unwrap();
    let contracts = folder.path().join("contracts");
    std::fs::create_dir(&contracts).unwrap();
    let text = "name = \"small\"\nworkload = \"thermodynamic\"\ndevice = \"host\"\nn = 30\niterations = 100\n[limits_ms]\np50 = 3600000\n";
    std::fs::write(contracts.join("small.toml"), text).unwrap();
    let arguments =
        "bench --workload thermodynamic --device host --contracts contracts --frames 20";
    let report = report(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
    let names = |section: &Value, list: &str| -> Vec<String> {
        let list = section[list].as_array().unwrap().iter();
        list.map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    };
    let latency = section(&report, "thermodynamic");
    assert_eq!(names(latency, "checks"), ["small: p50 < 3600000 ms"]);
    let speed_ups: Vec<_> =
        names(latency, "figures").into_iter().filter(|name| name.contains("speed-up")).collect();
    let expected = "thermodynamic: on the host, optimised on all cores over naive on one thread, speed-up of medians";
    assert_eq!(speed_ups, [expected]);
    // Only the version with events in it can tell stages apart; the processor versions would all be host.
    let runs = latency["runs"].as_array().unwrap();
    let stages: Vec<_> = runs.iter().map(|run| &run["attribution"]["stages"]).collect();
    assert_eq!(stages, [&serde_json::json!(["host", "kernel"]), &Value::Null, &Value::Null]);
    assert_eq!(runs[0]["attribution"]["iterations"], 200);
    let stalls = names(latency, "figures");
    let told = stalls.iter().filter(|name| name.contains("stalls alone take over 3600000 ms"));
    assert_eq!(told.count(), 1, "{stalls:?}");
    let figures = names(section(&report, "pipeline"), "figures");
    assert!(figures.iter().any(|name| name.starts_with("upload busy")), "{figures:?}");
    assert!(!figures.iter().any(|name| name.contains(" / span")), "{figures:?}");
}

#[test]
fn a_run_that_checks_nothing_says_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("contracts")).unwrap();
    let text = "name = \"gpu\"\nworkload = \"thermodynamic\"\ndevice = \"cuda\"\nn = 900\niterations = 100\n[limits_ms]\nmax = 1\n";
    std::fs::write(folder.path().join("contracts/gpu.toml"), text).unwrap();
    let arguments =
        ["validate", "--only", "contract", "--device", "host", "--contracts", "contracts"];
    let output = slo_bench(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let last = last_line(&output);
    assert!(last.starts_with("PASS nothing was checked: 1 section, 1 skipped, "), "{last}");
}

#[test]
fn a_run_on_the_host_skips_what_needs_a_gpu_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    // The contracts of one workload: those of all would take long.
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
    std::fs::create_dir(folder.path().join("contracts")).unwrap();
    let name = "thermodynamic-h100.toml";
    std::fs::copy(shipped.join(name), folder.path().join("contracts").join(name)).unwrap();
    // An hour: whether it passes must not depend on the speed of this machine.
    let text = "name = \"patient\"\nworkload = \"thermodynamic\"\ndevice = \"host\"\nn = 900\niterations = 100\n[limits_ms]\nmax = 3600000\n";
    std::fs::write(folder.path().join("contracts/patient.toml"), text).unwrap();
    let common = ["validate", "--quick", "--only", "doctor,contract", "--device", "host"];
    let arguments = [&common[..], &["--contracts", "contracts"]].concat();
    let report = report(folder.path(), &arguments);
    assert_eq!(report["schema"], 2);
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

#[test]
fn a_first_look_says_so_and_all_that_a_contract_asks_for_is_none() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("contracts")).unwrap();
    for (name, iterations) in [("few", 100), ("many", 101)] {
        let text = format!(
            "name = \"{name}\"\nworkload = \"thermodynamic\"\ndevice = \"host\"\nn = 30\niterations = {iterations}\n\
             [limits_ms]\nmax = 3600000\n"
        );
        std::fs::write(folder.path().join(format!("contracts/{name}.toml")), text).unwrap();
    }
    let arguments = "validate --quick --only contract --device host --contracts contracts";
    let report = report(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
    let checks = section(&report, "contract")["checks"].as_array().unwrap();
    let details: Vec<_> = checks.iter().map(|check| check["detail"].as_str().unwrap()).collect();
    assert!(!details[0].contains("first look"), "{details:?}");
    let words = "a first look, `bench` without --quick takes 101 and decides";
    assert!(details[1].ends_with(words), "{details:?}");
}

#[test]
fn a_bench_runs_the_sections_it_is_asked_for_and_a_quick_one_takes_a_first_look() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("contracts")).unwrap();
    let text = "name = \"patient\"\nworkload = \"thermodynamic\"\ndevice = \"host\"\nn = 30\niterations = 5000\n[limits_ms]\nmax = 3600000\n";
    std::fs::write(folder.path().join("contracts/patient.toml"), text).unwrap();
    let arguments =
        "bench --quick --only efficacy,thermodynamic --device host --contracts contracts";
    let report = report(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
    let names: Vec<_> =
        report["sections"].as_array().unwrap().iter().map(|section| &section["name"]).collect();
    assert_eq!(names, ["thermodynamic", "efficacy"], "in the order in which they run");
    let latency = section(&report, "thermodynamic");
    assert_eq!(latency["runs"][0]["latency"]["samples"], 100);
    let detail = latency["checks"][0]["detail"].as_str().unwrap();
    let words = "a first look, `bench` without --quick takes 5000 and decides";
    assert!(detail.ends_with(words), "{detail}");
}

#[test]
fn the_first_bad_section_is_the_last_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("contracts")).unwrap();
    let text = "name = \"impossible\"\nworkload = \"thermodynamic\"\ndevice = \"host\"\nn = 30\niterations = 100\n[limits_ms]\nmax = 0.000001\n";
    std::fs::write(folder.path().join("contracts/impossible.toml"), text).unwrap();
    let bench = |flag: &str| {
        let common = "bench --only thermodynamic,pipeline --device host --contracts contracts --frames 20 --json";
        let output = slo_bench(folder.path(), &common.split(' ').chain([flag]).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
        section(&report, "pipeline")["verdict"].clone()
    };
    assert_eq!(bench("--keep-going")["is"], "pass");
    let skipped = bench("--fail-fast");
    assert_eq!(skipped["is"], "skipped");
    assert_eq!(skipped["reason"], "--fail-fast: `thermodynamic` before it came to FAIL");
}

#[test]
fn a_measured_choice_goes_into_a_profile_beside_the_report_and_a_simulated_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let run = |device: &str| {
        let common = ["validate", "--quick", "--only", "tuning", "--out", "out", "--device"];
        let report = report(folder.path(), &[&common[..], &[device]].concat());
        let files = std::fs::read_dir(folder.path().join("out")).unwrap();
        let mut files: Vec<_> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.retain(|name| !name.starts_with("report."));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside");
        (section(&report, "tuning").clone(), files)
    };
    let (tuning, files) = run("host");
    assert_eq!(files, ["profile.json"]);
    let kept = &tuning["checks"][1];
    assert_eq!(kept["name"], "the tuned choice is kept and found again");
    assert_eq!(kept["verdict"]["is"], "pass");
    // The second run replaces the first one's folder.
    let (tuning, files) = run("simulated:3");
    assert_eq!(files, [""; 0]);
    assert_eq!(tuning["checks"][1]["verdict"]["is"], "skipped");
    assert_eq!(tuning["figures"].as_array().unwrap().len(), 0);
}

#[test]
fn the_lanes_times_stand_beside_the_report_where_they_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    let run = |device: &str| {
        let common =
            ["validate", "--quick", "--only", "pipeline", "--frames", "40", "--out", "out"];
        let report = report(folder.path(), &[&common[..], &["--device", device]].concat());
        section(&report, "pipeline")["files"].clone()
    };
    assert_eq!(run("host"), serde_json::json!(["pipeline.svg", "pipeline.trace.json"]));
    let text = |name: &str| std::fs::read_to_string(folder.path().join("out").join(name)).unwrap();
    assert!(text("pipeline.svg").contains("<svg"));
    let trace: Value = serde_json::from_str(&text("pipeline.trace.json")).unwrap();
    assert!(trace["traceEvents"].as_array().unwrap().len() > 3 * 32);
    let markdown = text("report.md");
    assert!(markdown.contains("![pipeline.svg](pipeline.svg)"), "{markdown}");
    assert!(markdown.contains("\n[pipeline.trace.json](pipeline.trace.json)"), "{markdown}");
    // A simulated order is no measurement; the second run replaces the first one's files.
    assert_eq!(run("simulated:3"), serde_json::json!([]));
    assert!(!folder.path().join("out/pipeline.svg").exists());
}

#[test]
fn contracts_go_to_openslo_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = slo_bench(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let yaml = run(&["contract", "export", "--name", "frame-h100,frame-host"]);
    assert_eq!(yaml.matches("apiVersion: openslo/v1").count(), 2, "{yaml}");
    run(&["contract", "export", "--name", "frame-h100,frame-host", "--out", "slo.yaml"]);
    let said = run(&["contract", "import", "slo.yaml", "--out", "back"]);
    assert_eq!(said, "frame-h100 in back/frame-h100.toml\nframe-host in back/frame-host.toml\n");
    assert_eq!(run(&["contract", "export", "--contracts", "back"]), yaml);
    // What stands there is not replaced.
    let output = slo_bench(folder.path(), &["contract", "import", "slo.yaml", "--out", "back"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let output = slo_bench(folder.path(), &["contract", "export", "--name", "frames"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no contract is named `frames`"), "{}", stderr(&output));
}

#[test]
fn a_search_for_capacity_tries_as_many_rates_as_it_was_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("contracts")).unwrap();
    let text = "name = \"small\"\nworkload = \"thermodynamic\"\ndevice = \"host\"\nn = 30\niterations = 100\n[limits_ms]\nmax = 3600000\n";
    std::fs::write(folder.path().join("contracts/small.toml"), text).unwrap();
    let arguments = "bench --workload thermodynamic --device host --contracts contracts --frames 20 --capacity 3";
    let report = report(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
    let latency = section(&report, "thermodynamic");
    let runs = latency["runs"].as_array().unwrap();
    let open = runs.iter().filter(|run| run["load"]["model"] == "poisson");
    assert_eq!(open.count(), 3);
    let figures = latency["figures"].as_array().unwrap().iter();
    let stalls = figures.filter(|figure| figure["name"].as_str().unwrap().contains("stalls of"));
    assert_eq!(stalls.count(), 1, "the machine is looked at once a contract");
    let check = &latency["checks"][1];
    assert_eq!(check["name"], "small: a Poisson rate that holds");
    assert_eq!(check["verdict"]["is"], "pass");
    let chart = &latency["charts"][0];
    let rates: Vec<_> = chart["lines"][0]["values"].as_array().unwrap().iter().collect();
    assert!(rates.len() == 3 && rates.is_sorted_by_key(|point| point[0].as_f64()), "{rates:?}");
    assert_eq!(chart["marks"][0]["name"], "limit of max");
    assert_eq!(chart["marks"][0]["value"].as_f64(), Some(3_600_000.0));
}
