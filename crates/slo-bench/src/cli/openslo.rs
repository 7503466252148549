//! Contracts as OpenSLO v1 documents and back.
//!
//! A percentile below a limit is the share of good events of OpenSLO's ratio metric: good is a latency below the limit,
//! the target is the percentile, events are counted (`Occurrences`). So each percentile limit becomes one SLO; what
//! OpenSLO has no word for travels in annotations, and nothing is lost on the way there and back.
//!
//! Documents from elsewhere are read as far as they say the same: never guesses what a query of another system means.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::contract::{Claim, Contract, SaturationTerms};
use crate::error::{Error, Result};
use crate::load::Load;
use crate::statistics::Quantile;

const API_VERSION: &str = "openslo/v1";
const KIND: &str = "SLO";
const METHOD: &str = "Occurrences";
const METRIC: &str = "latency_ms";
const BELOW: &str = "lt";
/// The table of a contract whose keys stand behind its name and a dot.
const SATURATION: &str = "saturation";
/// What our annotations begin with.
const PREFIX: &str = "slo-bench/";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Slo {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    service: String,
    indicator: Indicator,
    budgeting_method: String,
    objectives: Vec<Objective>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Indicator {
    metadata: Metadata,
    spec: IndicatorSpec,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IndicatorSpec {
    ratio_metric: Ratio,
}

#[derive(Debug, Serialize, Deserialize)]
struct Ratio {
    counter: bool,
    good: Metric,
    total: Metric,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    metric_source: Source,
}

#[derive(Debug, Serialize, Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: String,
    spec: Events,
}

/// Which events are counted: all, or those whose metric compares with a value.
#[derive(Debug, Serialize, Deserialize)]
struct Events {
    metric: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    op: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Objective {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target_percent: Option<f64>,
}

/// `contracts` as YAML, one document a percentile limit.
///
/// # Errors
/// [`Error::OpenSlo`] for a contract without a percentile limit: OpenSLO has no target of 100 %.
pub fn export_openslo(contracts: &[&Contract]) -> Result<String> {
    let mut documents = Vec::new();
    for contract in contracts {
        let percentiles = contract.limits.iter().filter(|limit| limit.quantile != Quantile::MAX);
        let before = documents.len();
        for limit in percentiles {
            let document = document(contract, limit.quantile, limit.limit_ms);
            let yaml = serde_saphyr::to_string(&document);
            documents.push(yaml.map_err(|error| refusal(&contract.name, None, error.to_string()))?);
        }
        if documents.len() == before {
            let reason = "it has no percentile limit, and OpenSLO has no target of 100 %; add one";
            return Err(refusal(&contract.name, None, reason.to_owned()));
        }
    }
    Ok(documents.join("---\n"))
}

/// The contracts of the SLO documents in `text`, each with the TOML it would be written as; other kinds are passed over.
///
/// # Errors
/// [`Error::OpenSlo`] for a document that says something else than a contract can, and what [`Contract::parse`] refuses.
pub fn import_openslo(text: &str, file: &Path, known: &[&str]) -> Result<Vec<(Contract, String)>> {
    let at = |name: &str, reason: String| refusal(name, Some(file), reason);
    let all: Vec<serde_json::Value> = serde_saphyr::from_multiple(text).map_err(|error| {
        let reason = error.to_string();
        at("", reason.lines().next().unwrap_or_default().to_owned())
    })?;
    let mut tables: Vec<(String, Table)> = Vec::new();
    for value in all.into_iter().filter(|value| value["kind"] == KIND) {
        let name = value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let slo: Slo =
            serde_json::from_value(value).map_err(|error| at(&name, error.to_string()))?;
        let contract = slo.metadata.annotations.get(&format!("{PREFIX}contract"));
        let contract = contract.unwrap_or(&name).clone();
        let table = match tables.iter_mut().find(|(known, _)| *known == contract) {
            Some((_, table)) => table,
            None => {
                let table = slo.contract_table(&contract);
                &mut tables.push_mut((contract, table)).1
            }
        };
        let (key, limit_ms) = slo.limit().map_err(|reason| at(&name, reason))?;
        let limits = table.entry("limits_ms").or_insert_with(|| Value::Table(Table::new()));
        let Some(limits) = limits.as_table_mut() else {
            let reason = "its annotation slo-bench/limits_ms says nothing; remove it";
            return Err(at(&name, reason.to_owned()));
        };
        if limits.insert(key.to_owned(), Value::Float(limit_ms)).is_some() {
            return Err(at(&name, format!("its contract has another {key} already; remove one")));
        }
    }
    if tables.is_empty() {
        return Err(at("", format!("it holds no document of kind {KIND}")));
    }
    let contracts = tables.into_iter().map(|(_, table)| {
        let text = table.to_string();
        Ok((Contract::parse(&text, file, known)?, text))
    });
    contracts.collect()
}

fn refusal(name: &str, file: Option<&Path>, reason: String) -> Error {
    Error::OpenSlo { name: name.to_owned(), file: file.map(Path::to_owned), reason }
}

fn document(contract: &Contract, quantile: Quantile, limit_ms: f64) -> Slo {
    let key = key_of(quantile);
    let events = |op: Option<&str>, value| Metric {
        metric_source: Source {
            kind: "slo-bench".to_owned(),
            spec: Events { metric: METRIC.to_owned(), op: op.map(str::to_owned), value },
        },
    };
    let name = format!("{}-{key}", label(&contract.name));
    Slo {
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        metadata: Metadata { name: name.clone(), annotations: annotations(contract) },
        spec: Spec {
            description: contract.note.clone(),
            service: contract.workload.clone(),
            indicator: Indicator {
                metadata: Metadata { name, annotations: BTreeMap::new() },
                spec: IndicatorSpec {
                    ratio_metric: Ratio {
                        counter: true,
                        good: events(Some(BELOW), Some(limit_ms)),
                        total: events(None, None),
                    },
                },
            },
            budgeting_method: METHOD.to_owned(),
            objectives: vec![Objective {
                display_name: Some(format!("{quantile} below {limit_ms} ms")),
                target: Some(quantile.share()),
                target_percent: None,
            }],
        },
    }
}

/// What OpenSLO has no word for.
fn annotations(contract: &Contract) -> BTreeMap<String, String> {
    let Contract { name, target, n, iterations, confidence, claim, load, .. } = contract;
    let claim = match claim {
        Claim::Each => "each",
        Claim::Joint => "joint",
    };
    let mut all = vec![
        ("contract", name.clone()),
        ("device", target.to_string()),
        ("n", n.to_string()),
        ("iterations", iterations.to_string()),
        ("confidence", confidence.to_string()),
        ("claim", claim.to_owned()),
    ];
    all.extend(contract.throughput_hz_min.map(|rate| ("throughput_hz_min", rate.to_string())));
    all.extend(contract.gain_min.map(|gain| ("gain_min", gain.to_string())));
    let max = contract.limits.iter().find(|limit| limit.quantile == Quantile::MAX);
    all.extend(max.map(|limit| ("max_ms", limit.limit_ms.to_string())));
    let settings = contract.saturation.iter().flat_map(SaturationTerms::settings);
    let dotted = settings.map(|(key, value)| (format!("{SATURATION}.{key}"), value));
    match load {
        Load::Closed => {}
        Load::Constant { rate_hz } => {
            all.extend([("load", "constant".to_owned()), ("rate_hz", rate_hz.to_string())]);
        }
        Load::Poisson { rate_hz, seed } => all.extend([
            ("load", "poisson".to_owned()),
            ("rate_hz", rate_hz.to_string()),
            ("seed", seed.to_string()),
        ]),
    }
    let all = all.into_iter().map(|(key, value)| (key.to_owned(), value)).chain(dotted);
    all.map(|(key, value)| (format!("{PREFIX}{key}"), value)).collect()
}

impl Slo {
    /// The contract that the document is part of, but for its percentile limits.
    fn contract_table(&self, name: &str) -> Table {
        let mut table = Table::new();
        let text = |text: &str| Value::String(text.to_owned());
        table.insert("name".to_owned(), text(name));
        table.insert("workload".to_owned(), text(&self.spec.service));
        if let Some(note) = &self.spec.description {
            table.insert("note".to_owned(), text(note));
        }
        for (key, value) in &self.metadata.annotations {
            let (outer, key) = match key.strip_prefix(PREFIX) {
                None | Some("contract") => continue,
                Some("load") => (Some("load"), "model"),
                Some(key @ ("rate_hz" | "seed")) => (Some("load"), key),
                Some(key @ "gain_min") => (Some("efficacy"), key),
                Some("max_ms") => (Some("limits_ms"), "max"),
                Some(key) => match key.split_once('.') {
                    Some((outer @ SATURATION, key)) => (Some(outer), key),
                    _ => (None, key),
                },
            };
            let inner = match outer {
                None => Some(&mut table),
                Some(outer) => {
                    let inner = table.entry(outer).or_insert_with(|| Value::Table(Table::new()));
                    inner.as_table_mut()
                }
            };
            if let Some(inner) = inner {
                inner.insert(key.to_owned(), scalar(value));
            }
        }
        table
    }

    /// The key of a percentile in a contract, and its limit in milliseconds.
    fn limit(&self) -> Result<(&'static str, f64), String> {
        let Ratio { good, .. } = &self.spec.indicator.spec.ratio_metric;
        let Events { metric, op, value } = &good.metric_source.spec;
        let is_ours = metric == METRIC && op.as_deref() == Some(BELOW);
        let Some(limit_ms) = value.filter(|_| is_ours) else {
            return Err(format!(
                "its good events are no latencies below a limit; say `metric: {METRIC}`, `op: {BELOW}` and `value` in milliseconds"
            ));
        };
        if self.spec.budgeting_method != METHOD {
            let method = &self.spec.budgeting_method;
            return Err(format!("its budgetingMethod is {method}; a contract counts {METHOD}"));
        }
        let [objective] = self.spec.objectives.as_slice() else {
            let count = self.spec.objectives.len();
            return Err(format!("it has {count} objectives; a limit has one"));
        };
        let share = objective.target.or_else(|| objective.target_percent.map(|all| all / 100.0));
        let is_target = |quantile: &Quantile| {
            share.is_some_and(|share| (quantile.share() - share).abs() < 1e-9)
                && *quantile != Quantile::MAX
        };
        match Quantile::ALL.into_iter().find(is_target) {
            Some(quantile) => Ok((key_of(quantile), limit_ms)),
            None => Err("its target is none of 0.5, 0.9, 0.99 and 0.999".to_owned()),
        }
    }
}

/// The key of a quantile under `[limits_ms]`.
fn key_of(quantile: Quantile) -> &'static str {
    match quantile {
        Quantile::P50 => "p50",
        Quantile::P90 => "p90",
        Quantile::P99 => "p99",
        Quantile::P999 => "p999",
        _ => "max",
    }
}

/// An annotation is a text; what looks like a number is one.
fn scalar(text: &str) -> Value {
    let whole = text.parse().map(Value::Integer);
    let number = |_| text.parse().map(Value::Float);
    whole.or_else(number).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// A name as Kubernetes and OpenSLO allow it, with room for what follows.
pub fn label(name: &str) -> String {
    const LEN_MAX: usize = 56;
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let label: String = name.chars().map(allowed).take(LEN_MAX).collect();
    label.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::ContractSet;
    use crate::workload::WORKLOADS;

    const RICH: &str = "name = \"Peak hours, 2\"\nworkload = \"frame\"\ndevice = \"cuda\"\nn = 900\niterations = 100000\n\
        note = \"from: the # desk\"\nconfidence = 0.99\nclaim = \"joint\"\nthroughput_hz_min = 390.5\n\
        [efficacy]\ngain_min = 1.25\n[load]\nmodel = \"poisson\"\nrate_hz = 400.0\nseed = 7\n\
        [saturation]\ndemand = \"memory\"\nservices = 3\ndram_percent_min = 55.5\nrate_hz_min = 750.5\n\
        [limits_ms]\np50 = 0.2\np99 = 0.4\np999 = 1.0\nmax = 9.5\n";

    /// What stands in a document, wherever it was read.
    const FILE: &str = "slo.yaml";

    fn contract(text: &str) -> Contract {
        Contract::parse(text, Path::new(FILE), WORKLOADS).unwrap()
    }

    fn import(text: &str) -> Result<Vec<Contract>> {
        let all = import_openslo(text, Path::new(FILE), WORKLOADS)?;
        Ok(all.into_iter().map(|(contract, _)| contract).collect())
    }

    #[test]
    fn contracts_come_back_as_they_went() {
        let mut contracts = ContractSet::shipped(WORKLOADS).unwrap().contracts;
        contracts.iter_mut().for_each(|contract| contract.file = FILE.into());
        contracts.push(contract(RICH));
        contracts.push(contract(
            &RICH.replace("poisson", "constant").replace("seed = 7", "").replace("Peak", "Flat"),
        ));
        let yaml = export_openslo(&contracts.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(import(&yaml).unwrap(), contracts);
        // The TOML that an import writes says the same.
        for (imported, toml) in import_openslo(&yaml, Path::new(FILE), WORKLOADS).unwrap() {
            assert_eq!(contract(&toml), imported);
        }
    }

    #[test]
    fn a_document_says_what_openslo_asks_for() {
        let yaml = export_openslo(&[&contract(RICH)]).unwrap();
        let all: Vec<serde_json::Value> = serde_saphyr::from_multiple(&yaml).unwrap();
        assert_eq!(all.len(), 3, "one a percentile, and none for the maximum");
        let p99 = &all[1];
        assert_eq!((&p99["apiVersion"], &p99["kind"]), (&"openslo/v1".into(), &"SLO".into()));
        assert_eq!(p99["metadata"]["name"], "peak-hours--2-p99");
        assert_eq!(p99["metadata"]["annotations"]["slo-bench/n"], "900", "annotations are texts");
        assert_eq!(p99["spec"]["service"], "frame");
        assert_eq!(p99["spec"]["objectives"][0]["target"], 0.99);
        assert_eq!(p99["spec"]["budgetingMethod"], "Occurrences");
        let ratio = &p99["spec"]["indicator"]["spec"]["ratioMetric"];
        assert_eq!(ratio["good"]["metricSource"]["spec"]["value"], 0.4);
        assert_eq!(ratio["total"]["metricSource"]["spec"]["metric"], "latency_ms");
    }

    #[test]
    fn a_document_of_other_means_is_refused_by_name() {
        let yaml = export_openslo(&[&contract(RICH)]).unwrap();
        for (from, to, expected) in [
            ("op: lt", "op: gt", "its good events are no latencies below a limit"),
            ("target: 0.99\n", "target: 0.95\n", "none of 0.5, 0.9, 0.99 and 0.999"),
            ("Occurrences", "Timeslices", "a contract counts Occurrences"),
            ("service: frame", "service: frames", "unknown workload `frames`"),
            ("slo-bench/device", "device", "key `device` is missing"),
            ("slo-bench/claim", "slo-bench/clam", "unknown key `clam`"),
            ("slo-bench/claim", "slo-bench/limits_ms", "annotation slo-bench/limits_ms"),
            ("saturation.demand", "saturation.demands", "unknown key `saturation.demands`"),
            ("ratioMetric", "thresholdMetric", "ratioMetric"),
            ("target: 0.999", "target: 0.99", "has another p99 already"),
            ("kind: SLO", "kind: Service", "holds no document of kind SLO"),
            ("apiVersion: ", "{", "slo.yaml"),
        ] {
            let error = import(&yaml.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(expected), "{to}: {error}");
            assert!(error.contains("slo.yaml") && !error.contains('\n'), "{error}");
        }
        let only_max = RICH.replace("p50 = 0.2\np99 = 0.4\np999 = 1.0\n", "");
        let error = export_openslo(&[&contract(&only_max)]).unwrap_err().to_string();
        assert!(error.contains("`Peak hours, 2`: it has no percentile limit"), "{error}");
    }

    #[test]
    fn percent_is_understood_too() {
        let yaml = export_openslo(&[&contract(RICH)]).unwrap();
        let yaml = yaml.replace("target: 0.99\n", "targetPercent: 99\n");
        assert_eq!(import(&yaml).unwrap(), [contract(RICH)]);
    }
}
