//! Every face of a report, read back by a reader that is not ours.

use std::collections::BTreeMap;

use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::Value;

use super::*;
use crate::recorder::LatencyHistogram;

/// A report with every verdict, words that formats read as their own, and two runs of one title.
fn awkward() -> Report {
    let mut report = report();
    let mut section = Section::new("a<b & \"c\"");
    section.check("kept, of course", true, "as\nalways");
    section.check("few", Verdict::inconclusive("3 < 5 samples"), "");
    section.check("late", Verdict::invalid("the \"generator\""), "");
    section.figure("link, both ways", 48.8, "GB/s", "host, not a GPU (\"x\", y)");
    section.figure("best: median", 12.5, "us", "host, not a GPU (\"x\", y)");
    section.figure("baseline: median", 25.0, "us", "host, not a GPU (\"x\", y)");
    section.figure("threads", 128.0, "threads", "host, not a GPU (\"x\", y)");
    let run = report.sections[0].runs[0].clone();
    section.runs = vec![run.clone(), Run { load: Load::Closed, service: None, ..run.clone() }, run];
    section.chart(drawn());
    section.chart(Chart::new("nothing", "here", drawn().x, drawn().y));
    section.files = vec![TIMELINE.to_owned(), TRACE.to_owned()];
    report.sections.push(section.close(""));
    report.sections.push(Section::new("empty"));
    report
}

/// The name of the check of the first clause of a section.
fn clause_name(section: &Section) -> String {
    let run = &section.runs[0];
    run.clauses[0].check_name(run.contract.as_deref().unwrap())
}

/// A report whose only check is that of a clause, which is broken.
fn under_contract() -> Report {
    let mut report = report();
    let section = &mut report.sections[0];
    section.checks.clear();
    section.check(clause_name(section), Verdict::Fail, "0.099 ms");
    report
}

fn faces() -> BTreeMap<String, String> {
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"><title>lanes</title></svg>";
    let beside = |name: &str| (name == TIMELINE).then(|| svg.to_owned());
    crate::report::faces::all(&awkward(), beside).into_iter().collect()
}

fn json(name: &str) -> Value {
    serde_json::from_str(&faces()[name]).unwrap()
}

fn elements<'a, 'b>(root: Node<'a, 'b>, name: &str) -> Vec<Node<'a, 'b>> {
    root.descendants().filter(|node| node.has_tag_name(name)).collect()
}

#[test]
fn a_report_fits_the_schema_that_is_shipped_and_a_changed_one_does_not() {
    let text = include_str!("../../../../../docs/schema/report.schema.json");
    let schema: Value = serde_json::from_str(text).unwrap();
    let fits = |report: &Value| crate::schema::misfit(&schema, &schema, report);
    let report: Value = serde_json::from_str(&awkward().to_json()).unwrap();
    assert_eq!(fits(&report), None);
    assert!(report["sections"][0].get("charts").is_none(), "it has none");
    assert_eq!(report["sections"][1]["charts"].as_array().unwrap().len(), 1, "none that is empty");
    for (pointer, key, value) in [
        ("", "verdict", Value::Null),
        ("/sections/0/runs/0", "colour", Value::from("blue")),
        ("/sections/0/runs/0/clauses/0/evidence", "about", Value::from("weather")),
        ("/sections/1/checks/0/verdict", "is", Value::from("maybe")),
        ("/sections/1/figures/0", "value", Value::from("many")),
        ("/sections/1/charts/0", "colour", Value::from("blue")),
        ("/sections/1/charts/0/x", "from", Value::from(0)),
        ("/sections/1/charts/0/y", "scale", Value::from("square")),
        ("/sections/1/charts/0/lines/0", "dashes", Value::from("long")),
        ("/sections/1/charts/0/lines/0", "values", serde_json::json!([[1.0]])),
        ("/sections/1/charts/0/lines/0", "values", serde_json::json!([[null, 1.0]])),
        ("/sections/1/charts/0/marks/0", "value", Value::Null),
        ("/sections/1/charts/0/marks/0", "dashes", Value::from("long")),
    ] {
        let mut changed = report.clone();
        let place = changed.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
        place.insert(key.to_owned(), value);
        assert!(fits(&changed).is_some(), "{pointer}/{key}");
    }
}

#[test]
fn markdown_names_a_chart_and_where_it_is_drawn() {
    let line = "Chart in report.html: busy & \"so\", on host, not a GPU (\"x\", y)";
    assert!(faces()["report.md"].lines().any(|have| have == line));
}

#[test]
fn markdown_keeps_words_on_the_line_of_their_chart_and_their_clause() {
    let mut report = report();
    let section = &mut report.sections[0];
    section.runs[0].clauses[0].seen = "late\n# by | far".to_owned();
    let Chart { x, y, .. } = drawn();
    let mut chart = Chart::new("busy\n# so", "here | there\n# now", x, y);
    chart.line("one", [(0.0, Some(1.0))]);
    section.chart(chart);
    let text = report.to_markdown();
    for line in [
        "Chart in report.html: busy # so, on here \\| there # now",
        "- FAIL: p99 < 0.06 ms? late # by \\| far",
    ] {
        assert!(text.lines().any(|have| have == line), "{line}: {text}");
    }
}

#[test]
fn junit_counts_each_verdict_once_and_names_every_check() {
    let text = &faces()["report.junit.xml"];
    let document = Document::parse(text).unwrap();
    let suites = elements(document.root(), "testsuite");
    let names: Vec<_> = suites.iter().map(|suite| suite.attribute("name").unwrap()).collect();
    assert_eq!(names, ["contract", "a<b & \"c\"", "empty"]);
    let root = document.root_element();
    for (of, expected) in [
        (root, [Some("7"), Some("1"), Some("2"), None]),
        (suites[0], [Some("3"), Some("1"), Some("0"), Some("1")]),
        (suites[1], [Some("3"), Some("0"), Some("2"), Some("0")]),
        (suites[2], [Some("1"), Some("0"), Some("0"), Some("1")]),
    ] {
        let counts = ["tests", "failures", "errors", "skipped"].map(|c| of.attribute(c));
        assert_eq!(counts, expected);
    }
    assert_eq!(elements(root, "testcase").len(), 7);
    let [failures, errors, skipped] = ["failure", "error", "skipped"].map(|n| elements(root, n));
    assert_eq!(failures[0].attribute("message"), Some("0.099 ms against 0.06 ms"));
    let errors: Vec<_> = errors
        .iter()
        .map(|error| (error.attribute("type").unwrap(), error.attribute("message").unwrap()))
        .collect();
    let expected = [("INCONCLUSIVE", "3 < 5 samples"), ("INVALID", "the \"generator\"")];
    assert_eq!(errors, expected);
    assert_eq!(skipped.len(), 2);
    assert_eq!(suites[0].attribute("timestamp"), Some("2000-02-29T00:00:00"));
}

#[test]
fn sarif_points_at_the_file_of_each_clause_and_knows_it_again() {
    let sarif = json("report.sarif");
    assert_eq!(sarif["version"], "2.1.0");
    let of = |report: &Report| -> Vec<Value> {
        let sarif: Value = serde_json::from_str(&sarif::render(report)).unwrap();
        sarif["runs"][0]["results"].as_array().unwrap().clone()
    };
    let report = under_contract();
    let results = [of(&report), of(&report.clone())].concat();
    assert_eq!(results.len(), 2);
    for result in &results {
        assert_eq!(result["ruleId"], "thermodynamic-h100/p99-0-06-ms");
        assert_eq!(result["ruleIndex"], 0, "the same clause of the same contract is one rule");
        assert_eq!((&result["kind"], &result["level"]), (&"fail".into(), &"error".into()));
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "contracts/thermodynamic-h100.toml");
        assert_eq!(result["partialFingerprints"], results[0]["partialFingerprints"]);
    }
    let changes: [fn(&mut Run); 4] = [
        |run| run.contract = Some("another".to_owned()),
        |run| run.load = Load::Closed,
        |run| run.n = 901,
        |run| run.clauses[0].promise = "p50 < 0.06 ms".to_owned(),
    ];
    for change in changes {
        let mut other = report.clone();
        let section = &mut other.sections[0];
        change(&mut section.runs[0]);
        section.checks[0].name = clause_name(section);
        assert_ne!(of(&other)[0]["partialFingerprints"], results[0]["partialFingerprints"]);
    }
}

#[test]
fn what_a_search_tried_is_no_result_of_sarif_and_no_verdict_of_a_merged_report() {
    let mut report = under_contract();
    let section = &mut report.sections[0];
    let mut tried = section.runs[0].clone();
    tried.name = "thermodynamic, device, tried".to_owned();
    tried.clauses[0].evidence =
        Evidence::Throughput { limit_hz: 2.0, measured_hz: 0.5, samples: 1000 };
    section.runs[0].clauses[0].verdict = Verdict::Pass;
    section.checks[0].verdict = Verdict::Pass;
    section.runs.push(tried);
    let sarif: Value = serde_json::from_str(&sarif::render(&report)).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let levels: Vec<_> = results.iter().map(|r| (&r["kind"], &r["level"])).collect();
    assert_eq!(levels, [(&"pass".into(), &"none".into())], "a report that passes has no error");
    let merged = report.clone().merge(report).unwrap();
    assert_eq!(merged.sections[0].checks[0].verdict, Verdict::Pass);
}

#[test]
fn sarif_has_a_rule_a_section_and_says_which_of_its_checks_stand_in_the_way() {
    let mut report = awkward();
    // What a clause says already is not said again.
    let name = clause_name(&report.sections[0]);
    report.sections[0].check(name, Verdict::Fail, "0.099 ms");
    let sarif: Value = serde_json::from_str(&sarif::render(&report)).unwrap();
    let run = &sarif["runs"][0];
    let rules: Vec<_> =
        run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
    assert_eq!(rules, ["contract", "thermodynamic-h100/p99-0-06-ms", "a-b-c"]);
    let results = run["results"].as_array().unwrap();
    let seen: Vec<_> = results
        .iter()
        .map(|result| (result["ruleIndex"].as_u64().unwrap(), &result["kind"], &result["level"]))
        .collect();
    let (fail, open) = (Value::from("fail"), Value::from("open"));
    let (error, none) = (Value::from("error"), Value::from("none"));
    let expected = [(0, &fail, &error), (1, &fail, &error), (2, &open, &none), (2, &open, &none)];
    assert_eq!(seen, expected);
    let text = results[0]["message"]["text"].as_str().unwrap();
    assert!(text.starts_with("FAIL: p99 | below: 0.099 ms"), "{text}");
    let place = &results[2]["locations"][0];
    assert_eq!(place["physicalLocation"]["artifactLocation"]["uri"], "report.json");
    assert_eq!(place["logicalLocations"][0]["fullyQualifiedName"], "a<b & \"c\"/few");
    assert_ne!(results[2]["partialFingerprints"], results[3]["partialFingerprints"]);
}

#[test]
fn trackers_get_figures_that_have_a_direction_and_no_other() {
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    };
    let smaller = json("report.smaller-is-better.json");
    let larger = json("report.bigger-is-better.json");
    assert_eq!(names(&smaller).len(), 4 * 5 + 2);
    assert!(names(&smaller).contains(&"a<b & \"c\" / best: median".to_owned()));
    let first = &smaller[2];
    assert_eq!((&first["value"], &first["unit"]), (&0.099.into(), &"ms".into()));
    assert_eq!(first["range"], "95 % between 0.0954 and -");
    assert_eq!(names(&larger).len(), 4 + 2);
    assert!(!format!("{smaller}{larger}").contains("128"), "threads have no direction");
    let bencher = json("report.bencher.json");
    let run = "contract / thermodynamic, device, n = 900, 400 Hz, Poisson of seed 7";
    let p99 = &bencher[run]["latency-p99"];
    assert_eq!((&p99["value"], &p99["lower_value"]), (&99_000.into(), &95_400.into()));
    assert_eq!(bencher["a<b & \"c\" / link, both ways"]["gb-s"]["value"], 48.8);
    let numbered =
        "a<b & \"c\" / thermodynamic, device, n = 900, 400 Hz, Poisson of seed 7, number 2";
    assert!(bencher[numbered].is_object(), "two runs of one title keep both");
    assert_eq!(bencher.as_object().unwrap().len(), 4 + 4);
}

#[test]
fn openmetrics_counts_up_to_every_sample() {
    let text = &faces()["report.openmetrics.txt"];
    assert!(text.ends_with("# EOF\n"));
    let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(lines("temper_latency_seconds_count{section=\"contract\""), 1);
    assert_eq!(lines("# TYPE "), 6);
    let run =
        "section=\"contract\",run=\"thermodynamic, device, n = 900, 400 Hz, Poisson of seed 7\"";
    for (name, value) in [("_bucket{", "1000"), ("_count{", "1000")] {
        let start = format!("temper_latency_seconds{name}{run}");
        let last = text.lines().rfind(|line| line.starts_with(&start)).unwrap();
        assert!(last.ends_with(&format!(" {value}")), "{last}");
    }
    assert!(text.contains("section=\"a<b & \\\"c\\\"\",name=\"link, both ways\",unit=\"GB/s\""));
    assert!(text.contains("quantile=\"p99\",bound=\"sample\"} 0.000099\n"), "{text}");
    assert!(text.contains("temper_checks{section=\"contract\",verdict=\"FAIL\"} 1\n"));
}

#[test]
fn tables_have_a_row_a_run_and_fields_that_are_quoted_where_they_must_be() {
    let faces = faces();
    let (runs, figures) = (&faces["report.runs.csv"], &faces["report.figures.csv"]);
    assert_eq!((runs.lines().count(), figures.lines().count()), (1 + 4, 1 + 5));
    let row = runs.lines().nth(1).unwrap();
    assert!(row.starts_with("contract,\"thermodynamic, device, n = 900, 400 Hz"), "{row}");
    assert!(row.contains(",99000,95400,,"), "{row}");
    assert!(figures.contains("\"a<b & \"\"c\"\"\",\"link, both ways\",48.8,GB/s,"), "{figures}");
}

#[test]
fn the_log_of_all_runs_holds_their_histograms() {
    let report = awkward();
    let faces = faces();
    let log = &faces["report.hlog"];
    // The crate's own reader takes the column names for an interval: they are left out for it.
    let body: String = log.lines().skip(4).map(|line| format!("{line}\n")).collect();
    let mut read = Vec::new();
    for entry in IntervalLogIterator::new(body.as_bytes()) {
        if let LogEntry::Interval(interval) = entry.unwrap() {
            let text = Value::from(interval.encoded_histogram());
            read.push(serde_json::from_value::<LatencyHistogram>(text).unwrap());
        }
    }
    let expected: Vec<_> =
        report.runs().iter().map(|(_, run, _)| run.latency.histogram.clone()).collect();
    assert_eq!(read, expected);
    assert_eq!(faces.keys().filter(|name| name.ends_with(".hgrm")).count(), 4);
    assert!(
        faces.contains_key("report.a-b-c-thermodynamic-device-n-900.hgrm"),
        "{:?}",
        faces.keys()
    );
}

#[test]
fn the_page_is_well_formed_whole_and_loads_nothing() {
    let page = &faces()[PAGE];
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(page, options).unwrap();
    let text: String = document.descendants().filter_map(|node| node.text()).collect();
    for words in
        ["a<b & \"c\"", "3 < 5 samples", "link, both ways", "p99 < 0.06 ms", "lanes", "slip"]
    {
        assert!(text.contains(words) || words == "slip", "{words}");
    }
    let figures = elements(document.root(), "figure").len();
    assert_eq!(figures, 4 * 2 + 1, "two charts a run and the one of the section");
    let svg = document.descendants().filter(|node| node.tag_name().name() == "svg");
    let whole = svg.filter(|svg| svg.attribute("aria-hidden").is_none()).count();
    assert_eq!(whole, figures + 1, "and the picture beside the report");
    for outside in ["<script", "src=", "@import", "url(", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let links = elements(document.root(), "a");
    let targets: Vec<_> = links.iter().map(|link| link.attribute("href").unwrap()).collect();
    assert!(targets.contains(&TRACE) && !targets.contains(&TIMELINE), "{targets:?}");
    let bars = elements(document.root(), "i").len();
    assert_eq!(bars, 2, "a bar needs another one of its unit");
}

#[test]
fn a_percentile_curve_names_its_intervals_and_its_limits() {
    let faces = crate::report::faces::all(&node(2_000, 1), |_| None);
    let page = &faces.iter().find(|(name, _)| name == PAGE).unwrap().1;
    assert_eq!(page.matches("class=\"undecided\"").count(), 2, "the limit and its entry");
    for entry in ["95 % interval</li>", "p99 &lt; 0.09 ms: INCONCLUSIVE</li>"] {
        assert!(page.contains(entry), "{entry}");
    }
}

#[test]
fn the_first_charts_are_open_and_all_others_are_folded_away() {
    let open_and_folded = |count: usize| {
        let mut report = report();
        report.sections[0].charts = vec![drawn(); count];
        let faces = crate::report::faces::all(&report, |_| None);
        let page = &faces.iter().find(|(name, _)| name == PAGE).unwrap().1;
        let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
        let document = Document::parse_with_options(page, options).unwrap();
        let figures = elements(document.root(), "figure").into_iter().skip(2);
        let is_folded =
            |figure: &Node<'_, '_>| figure.ancestors().any(|node| node.has_tag_name("details"));
        let (folded, open): (Vec<_>, Vec<_>) = figures.partition(is_folded);
        (open.len(), folded.len())
    };
    assert_eq!([0, 6, 9].map(open_and_folded), [(0, 0), (6, 0), (6, 3)]);
}

#[test]
fn a_report_of_no_samples_has_all_its_faces() {
    let mut empty = report();
    let run = &mut empty.sections[0].runs[0];
    run.latency = Recorder::new(&[], 1).summary();
    run.rate_hz = f64::NAN;
    let faces = crate::report::faces::all(&empty, |_| None);
    let page = &faces.iter().find(|(name, _)| name == PAGE).unwrap().1;
    assert!(page.contains("0 samples") && !page.contains("<figure>"), "{page}");
}
