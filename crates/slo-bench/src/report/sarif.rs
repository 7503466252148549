//! The SARIF 2.1.0 face of a report: a rule a clause of a contract, its result at the contract's file; and a rule a section,
//! with a result for each check that is bad and no clause.
//!
//! Checks that hold, or were skipped, and are no clauses are in the other faces. What is no check is no result: a rate that a
//! search tried and that broke a promise is no error.

use serde_json::{Value, json};

use super::faces::JSON;
use super::text::slug;
use super::{Check, Report, Run, Section};
use crate::contract::Clause;
use crate::verdict::Verdict;

/// Most results that viewers show.
const RESULTS_MAX: usize = 5_000;

pub(super) fn render(report: &Report) -> String {
    let checks = report
        .sections
        .iter()
        .flat_map(|section| section.checks.iter().map(move |check| (section, check)));
    let told = checks.filter_map(|(section, check)| match check.clause(&section.runs) {
        Some((run, clause)) => Some(of_clause(run, clause, check)),
        None => check.verdict.is_bad().then(|| of_check(report, section, check)),
    });
    let mut rules: Vec<Value> = Vec::new();
    let mut results = Vec::new();
    for (rule, mut result) in told.take(RESULTS_MAX) {
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

/// The rule that a clause is, and what its check says of it.
fn of_clause(run: &Run, Clause { promise, .. }: &Clause, check: &Check) -> (Value, Value) {
    let Check { verdict, .. } = check;
    let contract = run.contract.as_deref().unwrap_or(&run.name);
    let rule = json!({
        "id": format!("{contract}/{}", slug(promise)),
        "shortDescription": { "text": format!("{contract}: {promise}") },
        "defaultConfiguration": { "level": "error" },
    });
    let words = check.words();
    let (kind, level) = kind(verdict);
    let file = run.contract_file.as_deref().unwrap_or_default().replace('\\', "/");
    let result = json!({
        "kind": kind,
        "level": level,
        "message": { "text": format!("{verdict}: {}: {promise}? {words} on {}", run.name, run.measured_on) },
        "locations": [{ "physicalLocation": at(&file) }],
        // The same clause of one contract, of the same run, is the same finding in every report.
        "partialFingerprints": { "clause/v2": slug(&format!("{contract} {} {promise}", run.title())) },
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
