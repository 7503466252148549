//! Contracts that are refused, and what their limits decide.

use std::path::Path;

use super::*;
use crate::workload::WORKLOADS;

const GOOD: &str = r#"
name = "quick"
workload = "thermodynamic"
device = "host"
n = 900
iterations = 100
[limits_ms]
p50 = 1
p99 = 0.06
"#;

fn parse(text: &str) -> Result<Contract> {
    Contract::parse(text, Path::new("quick.toml"), &["thermodynamic", "frame"])
}

/// The message for the good contract with `from` replaced by `to`.
fn refusal(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    let message = parse(&GOOD.replacen(from, to, 1)).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    assert!(message.starts_with("quick.toml") || message.contains("in quick.toml"), "{message}");
    message
}

#[test]
fn a_contract_is_read_as_written() {
    let contract = parse(GOOD).unwrap();
    assert_eq!(contract.name, "quick");
    assert_eq!(contract.target, Target::Host);
    assert_eq!((contract.n, contract.iterations), (900, 100));
    assert_eq!(contract.note, None);
    let limits: Vec<_> = contract.limits.iter().map(|l| (l.quantile, l.limit_ns())).collect();
    assert_eq!(limits, [(Quantile::P50, 1_000_000), (Quantile::P99, 60_000)]);
}

#[test]
fn an_unknown_key_is_named_with_its_nearest() {
    let message = refusal("iterations", "itterations");
    assert!(message.contains("unknown key `itterations`"), "{message}");
    assert!(message.contains("did you mean `iterations`?"), "{message}");
    let message = refusal("p99 =", "p9 =");
    assert!(message.contains("unknown key `limits_ms.p9`; did you mean `p9"), "{message}");
    let message = refusal("[limits_ms]", "[limit_ms]");
    assert!(message.contains("did you mean `limits_ms`?"), "{message}");
}

#[test]
fn a_contract_without_a_limit_is_refused() {
    let text = &GOOD[..GOOD.find("[limits_ms]").unwrap()];
    assert!(matches!(parse(text), Err(Error::ContractWithoutLimit { .. })));
    assert!(matches!(
        parse(&format!("{text}[limits_ms]\n")),
        Err(Error::ContractWithoutLimit { .. })
    ));
}

#[test]
fn bad_values_are_named_with_what_is_accepted() {
    let cases = [
        ("p99 = 0.06", "p99 = -0.06", "limits_ms.p99 = -0.06"),
        ("p99 = 0.06", "p99 = nan", "limits_ms.p99 = nan"),
        ("p99 = 0.06", "p99 = inf", "limits_ms.p99 = inf"),
        ("p99 = 0.06", "p99 = 0", "limits_ms.p99 = 0"),
        ("p99 = 0.06", "p99 = \"fast\"", "limits_ms.p99 = \"fast\""),
        ("n = 900", "n = 0", "`n = 0`"),
        ("n = 900", "n = 900.5", "`n = 900.5`"),
        ("n = 900", "n = 9000000", "`n = 9000000`"),
        ("iterations = 100", "iterations = -1", "`iterations = -1`"),
        ("\"host\"", "\"gpu\"", "\"cuda\" or \"host\""),
        ("name = \"quick\"", "name = \" \"", "not empty"),
    ];
    for (from, to, expected) in cases {
        let message = refusal(from, to);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_missing_key_and_broken_syntax_are_named_with_their_place() {
    let message = refusal("device = \"host\"\n", "");
    assert!(message.contains("key `device` is missing; add `device = \"cuda\"`"), "{message}");
    let message = refusal("n = 900", "n = = 900");
    assert!(message.starts_with("quick.toml:5: not valid TOML"), "{message}");
}

#[test]
fn an_unknown_workload_is_named_with_its_nearest() {
    let message = refusal("\"thermodynamic\"", "\"thermodynamics\"");
    assert!(message.contains("unknown workload `thermodynamics` in quick.toml"), "{message}");
    assert!(message.contains("did you mean `thermodynamic`?"), "{message}");
    let message = refusal("\"thermodynamic\"", "\"qqq\"");
    assert!(message.contains("known: `thermodynamic`, `frame`"), "{message}");
}

#[test]
fn two_contracts_of_one_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.toml"), GOOD).unwrap();
    std::fs::write(folder.path().join("b.toml"), GOOD).unwrap();
    let error = ContractSet::read(folder.path(), &["thermodynamic"]).unwrap_err();
    assert!(error.to_string().contains("contract `quick` is already defined"), "{error}");
}

#[test]
fn shipped_contracts_are_whole() {
    let set = ContractSet::shipped(WORKLOADS).unwrap();
    for workload in WORKLOADS {
        for target in [Target::Cuda, Target::Host] {
            let promised = set.contracts.iter().filter(|contract| contract.workload == *workload);
            assert_eq!(promised.filter(|c| c.target == target).count(), 1, "{workload}, {target}");
        }
    }
    assert!(set.contracts.iter().all(|contract| contract.n == 900));
}

/// A recorder of `contract` in which `slow` of `samples` are exactly at the limit.
fn recorded(contract: &Contract, samples: u64, slow: u64) -> Recorder {
    let limit = contract.limits[1].limit_ns();
    let mut recorder = Recorder::new(&contract.limits_ns(), samples);
    (0..samples).for_each(|i| recorder.record(if i < slow { limit } else { limit - 1 }));
    recorder
}

#[test]
fn the_verdict_flips_at_the_first_sample_too_many() {
    let contract = parse(GOOD).unwrap();
    let verdict = |slow| contract.judge(&recorded(&contract, 1000, slow))[1].verdict.clone();
    assert_eq!(verdict(10), Verdict::Pass);
    assert_eq!(verdict(11), Verdict::Fail);
}

#[test]
fn too_few_samples_decide_nothing() {
    let contract = parse(GOOD).unwrap();
    let clause = &contract.judge(&recorded(&contract, 99, 0))[1];
    assert_eq!(clause.measured_ms, None);
    assert_eq!(clause.verdict, Verdict::invalid("99 samples, p99 needs at least 100"));
}
