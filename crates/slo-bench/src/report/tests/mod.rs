//! Reports stored whole or not at all, and what their faces say.

mod faces;

use super::*;
use crate::attribution::{SlowIteration, Tail};
use crate::chart::Quantity;
use crate::contract::Evidence;
use crate::recorder::Recorder;
use gpu_core::Device;

/// Of 1000 iterations, the slowest by the kernel.
fn attribution() -> Attribution {
    let (quantile, stages_ns) = ("p99.9".to_owned(), vec![4_000, 30_000]);
    Attribution {
        iterations: 1000,
        stages: vec!["host".to_owned(), "kernel | all".to_owned()],
        usual_ns: vec![5_000, 20_000],
        tails: vec![Tail {
            quantile,
            from_ns: 32_000,
            iterations: 2,
            excess_ns: vec![-10, 11_010],
            largest_in: vec![0, 2],
        }],
        worst: vec![SlowIteration { iteration: 77, wall_ns: 34_000, stages_ns }],
    }
}

/// A chart of two lines, one with a gap, and two heights.
fn drawn() -> Chart {
    let (x, y) = (Quantity::new("time", "s"), Quantity::new("share <1>", "%"));
    let mut chart = Chart::new("busy & \"so\"", "host, not a GPU (\"x\", y)", x, y);
    let seconds = (0..9).map(f64::from);
    chart.line("first, with a gap", seconds.clone().map(|s| (s, (s != 4.0).then_some(90.0 + s))));
    chart.line("second < first", seconds.map(|s| (s, Some(40.0))));
    chart.mark("promised first", 80.0);
    chart.mark("promised second", 80.0);
    chart
}

fn report() -> Report {
    let mut recorder = Recorder::new(&[60_000], 1000);
    (1..=1000).for_each(|i| recorder.record(i * 100));
    let device = Device::host();
    let mut section = Section::new("contract");
    section.check("p99 | below", Verdict::Fail, "0.099 ms\nagainst 0.06 ms");
    section.check("order", true, "kept");
    section.check("occupancy", Verdict::skipped("no GPU"), "");
    section.figure("throughput", 1234.5678, "frames/s", "host, not a GPU (x)");
    section.runs.push(Run {
        name: "thermodynamic, device".to_owned(),
        n: 900,
        measured_on: label(&device),
        load: Load::Poisson { rate_hz: 400.0, seed: 7 },
        warm_up: 3,
        is_settled: true,
        slowed_by: Vec::new(),
        rate_hz: 399.5,
        service: Some(recorder.summary()),
        slip: None,
        attribution: Some(attribution()),
        cold_ns: 5_000_000,
        latency: recorder.summary(),
        contract: Some("thermodynamic-h100".to_owned()),
        contract_file: Some("contracts/thermodynamic-h100.toml".to_owned()),
        clauses: vec![Clause {
            promise: "p99 < 0.06 ms".to_owned(),
            verdict: Verdict::Fail,
            seen: "p99 0.0990 ms over 1000 samples".to_owned(),
            evidence: Evidence::Throughput { limit_hz: 2.0, measured_hz: 1.5, samples: 1000 },
        }],
    });
    Report {
        schema: REPORT_SCHEMA,
        command: "validate".to_owned(),
        verdict: Verdict::Fail,
        started_utc: UtcTime::since_epoch(std::time::Duration::from_secs(951_782_400)),
        elapsed_s: 12.34,
        program: Program {
            version: "0.1.0".to_owned(),
            commit: "unknown".to_owned(),
            arguments: vec!["validate".to_owned(), "--quick".to_owned()],
        },
        machine: Machine::observe(&device),
        others: Vec::new(),
        sections: vec![section.close("all kept")],
    }
}

#[test]
fn a_report_comes_back_from_its_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let destination = Destination::at(folder.path().join("deep/er")).unwrap();
    assert!(!destination.json().exists(), "nothing stands there before the report does");
    destination.store(&report()).unwrap();
    assert_eq!(Report::read(&destination.json()).unwrap(), report());
    assert_eq!(std::fs::read_to_string(destination.markdown()).unwrap(), report().to_markdown());
    let left: Vec<_> = std::fs::read_dir(folder.path().join("deep")).unwrap().collect();
    assert_eq!(left.len(), 1, "only the report is left: {left:?}");
}

#[test]
fn an_earlier_report_is_replaced_and_anything_else_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    Destination::at(&out).unwrap().store(&report()).unwrap();
    Destination::at(&out).unwrap().store(&report()).unwrap();
    std::fs::write(out.join("thesis.tex"), "years of work").unwrap();
    assert!(matches!(Destination::at(&out), Err(crate::Error::OutputTaken { .. })));
    assert!(out.join("thesis.tex").exists());
}

#[test]
fn a_report_that_cannot_take_its_place_leaves_the_earlier_one_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let destination = Destination::at(folder.path().join("out")).unwrap();
    destination.store(&report()).unwrap();
    // The place that the earlier report would be moved to is taken.
    let taken = format!(".out.{}.previous", std::process::id());
    std::fs::create_dir_all(folder.path().join(taken).join("kept")).unwrap();
    let later = Report { command: "bench".to_owned(), ..report() };
    assert!(matches!(destination.store(&later), Err(crate::Error::OutputUnwritable { .. })));
    assert_eq!(Report::read(&destination.json()).unwrap(), report());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn two_runs_of_one_second_get_two_folders() {
    let folder = tempfile::tempdir().unwrap();
    let time = report().started_utc;
    for _ in 0..2 {
        Destination::new_in(folder.path(), &time).unwrap().store(&report()).unwrap();
    }
    assert!(folder.path().join("2000-02-29T000000Z/report.md").exists());
    assert!(folder.path().join("2000-02-29T000000Z-2/report.md").exists());
}

#[test]
fn a_report_of_another_schema_is_refused_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    std::fs::write(&file, "{\"schema\": 7}").unwrap();
    let message = Report::read(&file).unwrap_err().to_string();
    assert!(message.contains("not a report of schema 2: it is of schema 7"), "{message}");
}

#[test]
fn markdown_says_what_was_found_and_where() {
    let text = report().to_markdown();
    for line in [
        "# validate: FAIL",
        "| arguments | validate --quick |",
        "| started | 2000-02-29T00:00:00Z |",
        "| section | result | detail | time |",
        "| contract | FAIL | p99 \\| below: 0.099 ms against 0.06 ms | 0.0 s |",
        "| order | PASS | kept |",
        "| occupancy | SKIPPED | no GPU |",
        "| throughput | 1234.6 frames/s | host, not a GPU (x) |",
        "- FAIL: p99 < 0.06 ms? p99 0.0990 ms over 1000 samples",
        "| thermodynamic, device | 400 Hz, Poisson of seed 7 | p99.9 | 0.0997 | - | 95 % | 1000 | 1000 |",
        "Stages of thermodynamic, device, n = 900, 400 Hz, Poisson of seed 7: the 2 slowest of 1000 iterations with events, from p99.9 up, take 11.0 us more than usual: kernel | all 100 % (largest in 2)",
        "| of 1000 iterations | wall | host | kernel \\| all |",
        "|---|---:|---:|---:|",
        "| usual | 25.0 | 5.0 | 20.0 |",
        "| 2 from p99.9 up: more | +11.0 | -0.0 (0 %, largest in 0) | +11.0 (100 %, largest in 2) |",
        "| number 77 | 34.0 | 4.0 | 30.0 |",
    ] {
        assert!(text.lines().any(|have| have == line), "{line}\nis not in\n{text}");
    }
    assert!(text.contains("| thermodynamic, device | 900 | 1000 | 0.0500 | 0.0900 | 0.0990 | 0.0999 | 0.1000 | 5.0000 | host, not a GPU ("));
    assert!(text.contains("| measured on | host, not a GPU ("));
}

#[test]
fn a_section_comes_to_its_worst_check() {
    let mut section = Section::new("pipeline");
    section.check("a", true, "");
    assert_eq!(section.clone().close("fine").verdict, Verdict::Pass);
    section.check("b", Verdict::skipped("no GPU"), "");
    assert_eq!(section.clone().close("fine").detail, "fine");
    section.check("c", false, "lost 3");
    let section = section.close("fine");
    assert_eq!((section.verdict, section.detail.as_str()), (Verdict::Fail, "c: lost 3"));
}

/// A report of another node, which took `samples` around 50 us times `factor`.
fn node(samples: u64, factor: u64) -> Report {
    let mut report = report();
    let mut recorder = Recorder::new(&[90_000], samples);
    // In a scrambled order, so that neighbours do not depend on each other.
    (0..samples).for_each(|i| recorder.record((i * 617) % 1000 * 50 * factor + 1_000));
    let over_count = recorder.over_counts()[0];
    let run = &mut report.sections[0].runs[0];
    run.latency = recorder.summary();
    run.clauses = vec![Clause {
        promise: "p99 < 0.09 ms".to_owned(),
        verdict: Verdict::inconclusive("too few"),
        seen: "few".to_owned(),
        evidence: Evidence::Percentile(crate::contract::Counted {
            quantile: "p99".to_owned(),
            limit_ms: 0.09,
            measured_ms: None,
            confidence: 0.95,
            asked: 5_000,
            samples,
            effective_samples: recorder.effective_samples(0),
            over_count,
            over_count_max: None,
            if_independent: Verdict::Pass,
        }),
    }];
    let name = run.clauses[0].check_name("thermodynamic-h100");
    report.sections[0].checks =
        vec![Check { name, verdict: Verdict::inconclusive("too few"), detail: String::new() }];
    report.sections[0].chart(drawn());
    report.machine.label = format!("node of {samples}");
    report
}

#[test]
fn merged_nodes_are_judged_by_all_their_samples_in_whatever_order_they_come() {
    let [a, b, c] = [node(2_000, 1), node(3_000, 1), node(4_000, 1)];
    let left = a.clone().merge(b.clone()).unwrap().merge(c.clone()).unwrap();
    let right = a.clone().merge(b.clone().merge(c.clone()).unwrap()).unwrap();
    assert_eq!(left, right);
    let run = &left.sections[0].runs[0];
    assert_eq!(run.latency.samples, 9_000);
    assert_eq!(run.latency.histogram.len(), 9_000);
    assert!(a.sections[0].runs[0].attribution.is_some() && run.attribution.is_none());
    assert!(!a.sections[0].charts.is_empty() && left.sections[0].charts.is_empty());
    assert_eq!(run.latency.max_ns, Some(50_950));
    let interval = &run.latency.intervals[2];
    let parts =
        [&a, &b, &c].map(|node| node.sections[0].runs[0].latency.intervals[2].effective_samples);
    assert_eq!(interval.effective_samples, parts.iter().sum::<u64>());
    assert_eq!(left.others.len(), 2);
    assert_eq!(left.others[1].label, "node of 4000");
    assert_eq!(run.clauses[0].verdict, Verdict::Pass, "{:?}", run.clauses[0]);
    assert_eq!(left.sections[0].checks[0].verdict, Verdict::Pass);
    assert_eq!(left.verdict, Verdict::Pass);
    // One node that is slow enough breaks what all promise together.
    let slow = left.merge(node(3_000, 2)).unwrap();
    assert_eq!(slow.sections[0].runs[0].clauses[0].verdict, Verdict::Fail);
    assert_eq!(slow.verdict, Verdict::Fail);
}

#[test]
fn what_one_node_could_not_measure_stays_void() {
    let mut void = node(2_000, 1);
    void.sections[0].runs[0].clauses[0].verdict = Verdict::invalid("the generator was late");
    let merged = node(9_000, 1).merge(void).unwrap();
    assert_eq!(merged.verdict, Verdict::invalid("the generator was late"));
}

#[test]
fn nodes_of_other_machines_programs_sizes_or_loads_are_not_merged() {
    let changed = |change: fn(&mut Report)| {
        let mut other = node(10, 1);
        change(&mut other);
        node(10, 1).merge(other).unwrap_err().to_string()
    };
    for (message, words) in [
        (changed(|node| node.machine.properties["name"] = "x".into()), "another device"),
        (changed(|node| node.program.commit = "b".into()), "another commit: unknown and b"),
        (changed(|node| node.command = "bench".into()), "another command"),
        (changed(|node| node.sections[0].runs[0].n = 3), "another size or load"),
        (changed(|node| node.sections[0].runs[0].load = Load::Closed), "another size or load"),
    ] {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn the_page_says_what_slowed_a_run_down_and_nodes_add_what_they_saw() {
    let mut hot = report();
    let page = |report: &Report| html::render(report, |_| None);
    assert!(!page(&hot).contains("held the clocks"));
    hot.sections[0].runs[0].slowed_by = vec![ThrottleReason::HardwareSlowdown];
    let words = format!("void: {} held the clocks", ThrottleReason::HardwareSlowdown);
    assert!(page(&hot).contains(&words));
    let merged = hot.clone().merge(hot).unwrap();
    assert_eq!(merged.sections[0].runs[0].slowed_by, [ThrottleReason::HardwareSlowdown]);
}
