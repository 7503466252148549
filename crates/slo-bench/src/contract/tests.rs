//! Contracts that are refused, and what their limits decide.

use std::path::Path;

use gpu_core::ThrottleReason;

use super::*;
use crate::measure::{Measurement, OpenLoop, Settling};
use crate::recorder::Recorder;
use crate::verdict::{Exit, Verdict};
use crate::workload::WORKLOADS;

const GOOD: &str = r#"
name = "quick"
workload = "thermodynamic"
device = "host"
n = 900
iterations = 1000
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
    assert_eq!((contract.n, contract.iterations), (900, 1000));
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
        ("iterations = 1000", "iterations = -1", "`iterations = -1`"),
        (
            "iterations = 1000",
            "iterations = 298",
            "`iterations = 298` is not accepted; it must be at least 299",
        ),
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

#[test]
fn what_is_not_said_has_a_default() {
    let contract = parse(GOOD).unwrap();
    assert_eq!((contract.confidence, contract.claim), (0.95, Claim::Each));
    assert_eq!((contract.load, contract.throughput_hz_min), (Load::Closed, None));
}

/// The good contract with more keys above its limits.
fn with(keys: &str) -> String {
    GOOD.replacen("[limits_ms]", &format!("{keys}\n[limits_ms]"), 1)
}

#[test]
fn loads_are_read_as_written() {
    let load = |keys: &str| parse(&with(&format!("[load]\n{keys}"))).map(|contract| contract.load);
    assert_eq!(load("model = \"closed\"").unwrap(), Load::Closed);
    assert_eq!(
        load("model = \"constant\"\nrate_hz = 40").unwrap(),
        Load::Constant { rate_hz: 40.0 }
    );
    let poisson = Load::Poisson { rate_hz: 0.5, seed: 3 };
    assert_eq!(load("model = \"poisson\"\nrate_hz = 0.5\nseed = 3").unwrap(), poisson);
    for (keys, expected) in [
        ("", "key `load.model` is missing"),
        ("model = \"open\"", "\"closed\", \"constant\" or \"poisson\""),
        ("model = \"constant\"", "key `load.rate_hz` is missing"),
        ("model = \"poisson\"\nrate_hz = 1", "key `load.seed` is missing"),
        ("model = \"constant\"\nrate_hz = 0", "load.rate_hz = 0"),
        ("model = \"poisson\"\nrate_hz = 1\nseed = -1", "load.seed = -1"),
        ("model = \"closed\"\nrate_hz = 1", "left out: the model `closed` has none"),
        ("model = \"constant\"\nrate_hz = 1\nseed = 1", "left out: the model `constant` has none"),
        ("modell = \"closed\"", "unknown key `load.modell`; did you mean `model`?"),
    ] {
        let message = load(keys).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert!(message.starts_with("quick.toml"), "{message}");
    }
}

#[test]
fn a_gain_is_promised_of_a_gpu_only_and_in_numbers_that_can_be_meant() {
    let on = |device: &str, keys: &str| {
        let text = with(&format!("[efficacy]\n{keys}")).replacen("\"host\"", device, 1);
        parse(&text).map(|contract| contract.gain_min)
    };
    assert_eq!(on("\"cuda\"", "gain_min = 2").unwrap(), Some(2.0));
    assert_eq!(on("\"cuda\"", "gain_min = 1.25").unwrap(), Some(1.25));
    assert_eq!(parse(GOOD).unwrap().gain_min, None);
    for (device, keys, expected) in [
        ("\"cuda\"", "", "key `efficacy.gain_min` is missing; add `efficacy.gain_min = 2.0`"),
        ("\"cuda\"", "gain_min = 0.5", "`efficacy.gain_min = 0.5` is not accepted"),
        ("\"cuda\"", "gain_min = 1001", "from 1 to 1000"),
        ("\"cuda\"", "gain_min = nan", "from 1 to 1000"),
        ("\"cuda\"", "gain_min = \"2x\"", "from 1 to 1000"),
        ("\"cuda\"", "gain = 2", "unknown key `efficacy.gain`; did you mean `gain_min`?"),
        ("\"host\"", "gain_min = 2", "left out: only launches on a GPU are tuned"),
    ] {
        let message = on(device, keys).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert!(message.starts_with("quick.toml") && !message.contains('\n'), "{message}");
    }
    let text = GOOD.replacen("[limits_ms]", "efficacy = 2\n[limits_ms]", 1);
    let message = parse(&text).unwrap_err().to_string();
    assert!(message.contains("a table: write its keys under [efficacy]"), "{message}");
}

#[test]
fn more_confidence_needs_more_iterations() {
    let message = |keys: &str| parse(&with(keys)).unwrap_err().to_string();
    let said = message("confidence = 0.99999");
    assert!(said.contains("must be at least 1146: with fewer, p99 cannot be shown"), "{said}");
    assert!(parse(&with("confidence = 0.9999")).is_ok());
    // Two limits together at 99.993 % need 99.9965 % each.
    let said = message("confidence = 0.99993\nclaim = \"joint\"");
    assert!(said.contains("at 99.99"), "{said}");
    for keys in ["confidence = 1.0", "confidence = 0.2", "confidence = 95", "claim = \"all\""] {
        assert!(message(keys).contains("is not accepted"), "{keys}");
    }
}

/// A recorder of `contract` in which `slow` of `samples` are exactly at the limit of p99, spread evenly.
fn recorded(contract: &Contract, samples: u64, slow: u64) -> Recorder {
    let limit = contract.limits[1].limit_ns();
    let mut recorder = Recorder::new(&contract.limits_ns(), samples);
    for i in 0..samples {
        let is_slow = (i + 1) * slow / samples > i * slow / samples;
        recorder.record(if is_slow { limit } else { limit - 1 });
    }
    recorder
}

fn large() -> Contract {
    parse(&GOOD.replacen("iterations = 1000", "iterations = 100_000", 1)).unwrap()
}

#[test]
fn the_verdict_flips_at_the_first_sample_too_many() {
    let contract = large();
    let clause = |slow| contract.judge(&recorded(&contract, 100_000, slow))[1].clone();
    assert_eq!(clause(948).verdict, Verdict::Pass);
    let open = clause(949);
    let reason = open.verdict.reason().unwrap();
    assert!(reason.contains("p99 is below the limit among 100000 samples"), "{reason}");
    assert!(reason.contains("about 3000 more samples would show it"), "{reason}");
    assert_eq!(Exit::from(&open.verdict), Exit::Inconclusive);
    assert!(matches!(clause(1000).verdict, Verdict::Inconclusive { .. }));
    assert_eq!(clause(1001).verdict, Verdict::Fail);
    assert_eq!(
        open.seen,
        "p99 0.0600 ms over 100000 samples worth 100000, 949 at or over the limit, at most 948 may be"
    );
}

#[test]
fn the_verdict_flips_when_the_limit_moves_past_what_was_measured() {
    // One latency of all: a limit just above holds, one just below does not.
    let verdict = |limit: &str| {
        let contract = parse(&GOOD.replacen("p99 = 0.06", limit, 1)).unwrap();
        let mut recorder = Recorder::new(&contract.limits_ns(), 1000);
        (0..1000).for_each(|i| recorder.record(59_000 + i));
        contract.judge(&recorder)[1].verdict.clone()
    };
    assert_eq!(verdict("p99 = 0.060"), Verdict::Pass);
    assert_eq!(verdict("p99 = 0.059"), Verdict::Fail);
}

#[test]
fn bursts_that_would_pass_if_they_were_not_bursts_decide_nothing() {
    let contract = large();
    let limit = contract.limits[1].limit_ns();
    let mut recorder = Recorder::new(&contract.limits_ns(), 100_000);
    // 910 slow samples in 45 bursts of 20 and half of one.
    (0..100_000u64).for_each(|i| recorder.record(if i % 2_222 < 20 { limit } else { 1 }));
    let clause = &contract.judge(&recorder)[1];
    let Evidence::Percentile(counted) = &clause.evidence else { panic!("{clause:?}") };
    assert_eq!((counted.over_count, &counted.if_independent), (910, &Verdict::Pass));
    assert!(counted.effective_samples < 20_000, "{counted:?}");
    assert!(counted.over_count_max.unwrap() < 910, "{counted:?}");
    assert!(matches!(clause.verdict, Verdict::Inconclusive { .. }), "{clause:?}");
    assert!(clause.seen.ends_with("enough if samples were independent"), "{}", clause.seen);
}

#[test]
fn too_few_samples_decide_nothing_unless_the_failure_is_certain() {
    let contract = large();
    let verdict = |slow| contract.judge(&recorded(&contract, 5_000, slow))[1].verdict.clone();
    let expected = "5000 samples decide nothing, the contract asks for 100000";
    assert_eq!(verdict(1000), Verdict::inconclusive(expected));
    // A thousandth and one more: 95,000 further samples could not undo it.
    assert_eq!(verdict(1001), Verdict::Fail);
    let budget = contract.budgets(5_000)[1];
    assert_eq!((budget.limit_ns, budget.over_count_max), (60_000, 1000));
}

#[test]
fn the_largest_sample_is_a_fact() {
    let contract = parse(&GOOD.replacen("p99 = 0.06", "max = 0.06", 1)).unwrap();
    let verdict = |slow| contract.judge(&recorded(&contract, 1000, slow))[1].verdict.clone();
    assert_eq!([verdict(0), verdict(1)], [Verdict::Pass, Verdict::Fail]);
}

#[test]
fn limits_together_need_more_of_each() {
    let contract = parse(&with("claim = \"joint\"")).unwrap();
    let clauses = contract.judge(&recorded(&contract, 1000, 4));
    let Evidence::Percentile(counted) = &clauses[1].evidence else { panic!("{clauses:?}") };
    assert!((counted.confidence - 0.975).abs() < 1e-12);
    // Each alone at 95 %, four of a thousand would pass.
    assert_eq!((counted.over_count_max, counted.samples), (Some(3), 1000));
}

/// A run of a thousand samples of 0.05 ms at 9 kHz that was never late.
fn sound(contract: &Contract) -> Measurement {
    let mut slip = Recorder::new(&[], 1000);
    let mut recorder = Recorder::new(&contract.limits_ns(), 1000);
    for _ in 0..1000 {
        recorder.record(50_000);
        slip.record(100);
    }
    Measurement {
        cold_ns: 1,
        warm_up: Settling { iterations: 21, medians_ns: [Some(50_000), Some(51_000)] },
        slowed_by: Vec::new(),
        open_loop: Some(OpenLoop { service: recorder.clone(), slip }),
        recorder,
        rate_hz: 9_000.0,
        phases: Vec::new(),
        attribution: None,
    }
}

#[test]
fn a_late_generator_a_hot_device_and_a_restless_warm_up_make_every_clause_void() {
    let contract = parse(&with("throughput_hz_min = 8000")).unwrap();
    let verdicts = |run: &Measurement| -> Vec<_> {
        contract.judge_run(run).into_iter().map(|clause| clause.verdict).collect()
    };
    let mut run = sound(&contract);
    assert_eq!(verdicts(&run), [Verdict::Pass, Verdict::Pass, Verdict::Pass]);
    // The tightest limit is 0.06 ms; a tenth of it at p99.
    let slips = |late_ns: u64| {
        let mut slip = Recorder::new(&[], 1000);
        (0..1000).for_each(|i| slip.record(if i < 15 { late_ns } else { 0 }));
        Some(OpenLoop { service: run.recorder.clone(), slip })
    };
    let (just, late) = (slips(6_000), slips(6_001));
    run.open_loop = just;
    assert_eq!(verdicts(&run)[0], Verdict::Pass);
    run.open_loop = late;
    for verdict in verdicts(&run) {
        let reason = verdict.reason().unwrap();
        assert_eq!(Exit::from(&verdict), Exit::Invalid, "{reason}");
        assert!(reason.starts_with("the generator of load was late: by 6.001e-3 ms"), "{reason}");
    }
    let mut run = sound(&contract);
    run.warm_up.medians_ns = [Some(50_000), Some(60_000)];
    let reason = verdicts(&run)[2].reason().unwrap().to_owned();
    assert!(reason.starts_with("the warm-up did not settle: after 21 iterations"), "{reason}");
    let mut run = sound(&contract);
    run.slowed_by = vec![ThrottleReason::ThermalSlowdown];
    let voided = verdicts(&run);
    let is_void = |verdict: &Verdict| {
        verdict.reason().is_some_and(|reason| reason.contains("held the clocks of the device back"))
    };
    assert!(voided.len() == 3 && voided.iter().all(is_void), "{voided:?}");
}

#[test]
fn a_rate_is_held_against_the_least_that_was_promised() {
    let verdict = |least: &str, iterations: &str| {
        let text = with(&format!("throughput_hz_min = {least}"));
        let contract = parse(&text.replacen("1000", iterations, 1)).unwrap();
        contract.judge_run(&sound(&contract))[2].verdict.clone()
    };
    assert_eq!(verdict("9000", "1000"), Verdict::Pass);
    assert_eq!(verdict("9000.1", "1000"), Verdict::Fail);
    assert!(matches!(verdict("9000", "1001"), Verdict::Inconclusive { .. }));
}
