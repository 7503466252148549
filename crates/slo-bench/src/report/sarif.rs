//! The SARIF 2.1.0 face of a report: a rule a clause of a contract, its result at the contract's file.
//!
//! Holds contracts only: checks without a file to point at are in the other faces.

use serde_json::{Value, json};

use super::text::slug;
use super::{Report, Run};
use crate::contract::Clause;
use crate::verdict::Verdict;

/// Most results that viewers show.
const RESULTS_MAX: usize = 5_000;

pub(super) fn render(report: &Report) -> String {
    let runs = report.sections.iter().flat_map(|section| &section.runs);
    let judged = runs.flat_map(|run| run.clauses.iter().map(move |clause| (run, clause)));
    let judged: Vec<_> = judged.take(RESULTS_MAX).collect();
    let mut rules: Vec<Value> = Vec::new();
    let mut results = Vec::new();
    for (run, clause) in judged {
        let rule = rule(run, clause);
        let index = rules.iter().position(|known| known["id"] == rule["id"]).unwrap_or_else(|| {
            rules.push(rule.clone());
            rules.len() - 1
        });
        results.push(result(run, clause, &rule["id"], index));
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

fn id(run: &Run, clause: &Clause) -> String {
    let contract = run.contract.as_deref().unwrap_or(&run.name);
    format!("{contract}/{}", slug(&clause.promise))
}

fn rule(run: &Run, clause: &Clause) -> Value {
    let contract = run.contract.as_deref().unwrap_or(&run.name);
    json!({
        "id": id(run, clause),
        "shortDescription": { "text": format!("{contract}: {}", clause.promise) },
        "defaultConfiguration": { "level": "error" },
    })
}

fn result(run: &Run, clause: &Clause, id: &Value, index: usize) -> Value {
    let Clause { promise, verdict, seen, .. } = clause;
    let words = verdict.reason().unwrap_or(seen);
    // Only a failure has a level: the others are no statement against the code.
    let (kind, level) = match verdict {
        Verdict::Pass => ("pass", "none"),
        Verdict::Fail => ("fail", "error"),
        Verdict::Skipped { .. } => ("notApplicable", "none"),
        Verdict::Inconclusive { .. } | Verdict::Invalid { .. } => ("open", "none"),
    };
    let file = run.contract_file.as_deref().unwrap_or_default().replace('\\', "/");
    json!({
        "ruleId": id,
        "ruleIndex": index,
        "kind": kind,
        "level": level,
        "message": { "text": format!("{verdict}: {}: {promise}? {words} on {}", run.name, run.measured_on) },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&file) },
            "region": { "startLine": 1 },
        }}],
        // The same clause of the same workload is the same finding in every run.
        "partialFingerprints": { "clause/v1": slug(&format!("{} {} {promise}", run.name, run.n)) },
    })
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
