//! The SARIF 2.1.0 face of a report: a rule a clause of a contract, its result at the contract's file; and a rule a section,
//! with a result for each check that is bad and no clause.
//!
//! Checks that hold, or were skipped, and are no clauses are in the other faces.

use serde_json::{Value, json};

use super::faces::JSON;
use super::text::slug;
use super::{Check, Report, Run, Section};
use crate::contract::Clause;
use crate::verdict::Verdict;

/// Most results that viewers show.
const RESULTS_MAX: usize = 5_000;

pub(super) fn render(report: &Report) -> String {
    let runs = report.sections.iter().flat_map(|section| &section.runs);
    let clauses = runs.flat_map(|run| run.clauses.iter().map(move |clause| of_clause(run, clause)));
    let checks = report
        .sections
        .iter()
        .flat_map(|section| bad_checks(section).map(move |check| of_check(report, section, check)));
    let mut rules: Vec<Value> = Vec::new();
    let mut results = Vec::new();
    for (rule, mut result) in clauses.chain(checks).take(RESULTS_MAX) {
        result["ruleId"] = rule["id"].clone();
        let index = rules.iter().position(|known| known["id"] == rule["id"]).unwrap_or_else(|| {
            rules.push(rule);
            rules.len() - 1
        });
        result["ruleIndex"] = index.into();
        results.push(result);
    }
    let sarif = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "slo-bench",
                "semanticVersion": report.program.version,
                "rules": rules,
            }},
            "invocations": [{
                "executionSuccessful": true,
                "startTimeUtc": report.started_utc,
            }],
            "results": results,
            "properties": {
                "commit": report.program.commit,
                "measuredOn": report.machine.label,
            },
        }],
    });
    format!("{sarif:#}\n")
}

/// The rule that a clause is, and its result.
fn of_clause(run: &Run, clause: &Clause) -> (Value, Value) {
    let Clause { promise, verdict, seen, .. } = clause;
    let contract = run.contract.as_deref().unwrap_or(&run.name);
    let rule = json!({
        "id": format!("{contract}/{}", slug(promise)),
        "shortDescription": { "text": format!("{contract}: {promise}") },
        "defaultConfiguration": { "level": "error" },
    });
    let words = verdict.reason().unwrap_or(seen);
    let (kind, level) = kind(verdict);
    let file = run.contract_file.as_deref().unwrap_or_default().replace('\\', "/");
    let result = json!({
        "kind": kind,
        "level": level,
        "message": { "text": format!("{verdict}: {}: {promise}? {words} on {}", run.name, run.measured_on) },
        "locations": [{ "physicalLocation": at(&file) }],
        // The same clause of the same workload is the same finding in every run.
        "partialFingerprints": { "clause/v1": slug(&format!("{} {} {promise}", run.name, run.n)) },
    });
    (rule, result)
}

/// The rule that a section is, and the result of one of its checks.
fn of_check(report: &Report, section: &Section, check: &Check) -> (Value, Value) {
    let (verdict, name) = (&check.verdict, &check.name);
    let rule = json!({
        "id": slug(&section.name),
        "shortDescription": { "text": format!("every check of `{}` holds", section.name) },
        "defaultConfiguration": { "level": "error" },
    });
    let (kind, level) = kind(verdict);
    let result = json!({
        "kind": kind,
        "level": level,
        "message": { "text": format!("{verdict}: {name}: {} on {}", check.words(), report.machine.label) },
        // A check is about no file: the report that holds it stands for one.
        "locations": [{
            "physicalLocation": at(JSON),
            "logicalLocations": [{ "name": name, "fullyQualifiedName": format!("{}/{name}", section.name) }],
        }],
        "partialFingerprints": { "check/v1": slug(&format!("{} {name}", section.name)) },
    });
    (rule, result)
}

/// Checks that stand in the way of a pass and say something that no clause says.
fn bad_checks(section: &Section) -> impl Iterator<Item = &Check> {
    let is_clause = |check: &Check| {
        let names = section.runs.iter().flat_map(|run| {
            let contract = run.contract.as_deref().unwrap_or_default();
            run.clauses.iter().map(move |clause| clause.check_name(contract))
        });
        names.into_iter().any(|name| name == check.name)
    };
    section.checks.iter().filter(move |check| check.verdict.is_bad() && !is_clause(check))
}

/// Only a failure has a level: the others are no statement against the code.
fn kind(verdict: &Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Pass => ("pass", "none"),
        Verdict::Fail => ("fail", "error"),
        Verdict::Skipped { .. } => ("notApplicable", "none"),
        Verdict::Inconclusive { .. } | Verdict::Invalid { .. } => ("open", "none"),
    }
}

/// The beginning of a file.
fn at(file: &str) -> Value {
    json!({ "artifactLocation": { "uri": uri(file) }, "region": { "startLine": 1 } })
}

/// A path as a relative reference: what URIs reserve is escaped, byte by byte.
fn uri(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let escaped = path.bytes().map(|byte| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    escaped.collect()
}
