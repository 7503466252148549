//! The reading of one contract, key by key, so that each mistake is named where it stands.
//!
//! Never guesses: an unknown key is an error, since a misspelt limit would promise nothing.

use std::path::Path;

use toml::{Table, Value};

use super::saturation::{SATURATION, SATURATION_KEYS, terms};
use super::{Claim, Contract, Limit, Target};
use crate::error::{Error, Result, nearest};
use crate::load::Load;
use crate::report;
use crate::statistics::{Quantile, samples_min};
use crate::workload::check_workload;

pub(super) const KEYS: &[&str] = &[
    "name",
    "workload",
    "device",
    "n",
    "iterations",
    "note",
    "confidence",
    "claim",
    "throughput_hz_min",
    EFFICACY,
    LOAD,
    SATURATION,
    LIMITS,
];
pub(super) const LIMIT_KEYS: &[&str] = &["p50", "p90", "p99", "p999", "max"];
pub(super) const LOAD_KEYS: &[&str] = &["model", "rate_hz", "seed"];
pub(super) const EFFICACY_KEYS: &[&str] = &["gain_min"];
const LIMITS: &str = "limits_ms";
const LOAD: &str = "load";
const EFFICACY: &str = "efficacy";

/// The confidence of a contract that says none.
const CONFIDENCE: f64 = 0.95;
/// The highest rate that one generator can be asked to keep.
const RATE_HZ_MAX: f64 = 1e7;

/// The largest gain that a contract can ask for: more is a slip.
const GAIN_MAX: f64 = 1e3;

/// Most oscillators or windows that a contract can ask for: 64 times the largest reference size.
const N_MAX: i64 = 1 << 16;
/// Most iterations that a contract can ask for.
const ITERATIONS_MAX: i64 = 1_000_000_000;

pub(super) fn contract(text: &str, file: &Path, known: &[&str]) -> Result<Contract> {
    let table = Reader { file, table: text.parse().map_err(|error| syntax(text, file, &error))? };
    table.refuse_unknown_keys()?;
    let workload = table.text("workload", "\"thermodynamic\"")?;
    check_workload(&workload, known).map_err(|error| in_file(error, file))?;
    let target = table.target()?;
    let contract = Contract {
        name: table.text("name", "\"thermodynamic-h100\"")?,
        file: file.to_owned(),
        workload,
        target,
        n: usize::try_from(table.count("n", "900", N_MAX)?).expect("at most N_MAX"),
        iterations: table.count("iterations", "100_000", ITERATIONS_MAX)?,
        note: table.optional_text("note")?,
        confidence: table.confidence()?,
        claim: table.claim()?,
        load: table.load()?,
        throughput_hz_min: table.rate("", "throughput_hz_min", &table.table)?,
        gain_min: table.gain_min()?,
        saturation: terms(&table, target)?,
        limits: table.limits()?,
    };
    table.refuse_undecidable(&contract)?;
    table.refuse_gain_of_a_host(&contract)?;
    Ok(contract)
}

/// The same error, naming the contract that it was found in.
fn in_file(error: Error, file: &Path) -> Error {
    match error {
        Error::WorkloadUnknown { name, nearest, known, .. } => {
            Error::WorkloadUnknown { name, nearest, known, file: Some(file.to_owned()) }
        }
        other => other,
    }
}

fn syntax(text: &str, file: &Path, error: &toml::de::Error) -> Error {
    let start = error.span().map_or(0, |span| span.start);
    let line = text.bytes().take(start).filter(|&byte| byte == b'\n').count() + 1;
    let reason = error.message().replace('\n', " ");
    Error::ContractSyntax { file: file.to_owned(), line, reason }
}

pub(super) struct Reader<'a> {
    pub(super) file: &'a Path,
    pub(super) table: Table,
}

impl Reader<'_> {
    fn refuse_unknown_keys(&self) -> Result<()> {
        self.refuse_unknown("", self.table.keys(), KEYS)?;
        let tables = [
            (LIMITS, LIMIT_KEYS),
            (LOAD, LOAD_KEYS),
            (EFFICACY, EFFICACY_KEYS),
            (SATURATION, SATURATION_KEYS),
        ];
        for (name, known) in tables {
            match self.table.get(name) {
                Some(Value::Table(inner)) => {
                    self.refuse_unknown(&format!("{name}."), inner.keys(), known)?;
                }
                Some(other) => {
                    let expected = format!("a table: write its keys under [{name}]");
                    return Err(self.refuse(name, other, &expected));
                }
                None => {}
            }
        }
        Ok(())
    }

    fn refuse_unknown<'k>(
        &self,
        prefix: &str,
        mut keys: impl Iterator<Item = &'k String>,
        known: &'static [&'static str],
    ) -> Result<()> {
        match keys.find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(Error::ContractKey {
                file: self.file.to_owned(),
                key: format!("{prefix}{key}"),
                nearest: nearest(key, known.iter().copied()),
                known,
            }),
            None => Ok(()),
        }
    }

    fn value(&self, key: &'static str, example: &'static str) -> Result<&Value> {
        let missing = || Error::ContractMissing { file: self.file.to_owned(), key, example };
        self.table.get(key).ok_or_else(missing)
    }

    fn text(&self, key: &'static str, example: &'static str) -> Result<String> {
        let value = self.value(key, example)?;
        self.non_empty(key, value)
    }

    fn optional_text(&self, key: &'static str) -> Result<Option<String>> {
        self.table.get(key).map(|value| self.non_empty(key, value)).transpose()
    }

    fn non_empty(&self, key: &str, value: &Value) -> Result<String> {
        match value.as_str() {
            Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
            _ => Err(self.refuse(key, value, "a text in quotes, not empty")),
        }
    }

    fn target(&self) -> Result<Target> {
        let value = self.value("device", "\"cuda\"")?;
        match value.as_str() {
            Some("cuda") => Ok(Target::Cuda),
            Some("host") => Ok(Target::Host),
            _ => Err(self.refuse("device", value, "\"cuda\" or \"host\"")),
        }
    }

    fn count(&self, key: &'static str, example: &'static str, max: i64) -> Result<u64> {
        let value = self.value(key, example)?;
        let count = value.as_integer().filter(|count| (1..=max).contains(count));
        let count = count.and_then(|count| u64::try_from(count).ok());
        count.ok_or_else(|| self.refuse(key, value, &format!("a whole number in 1..={max}")))
    }

    fn confidence(&self) -> Result<f64> {
        let Some(value) = self.table.get("confidence") else {
            return Ok(CONFIDENCE);
        };
        // Below one half a pass would be likelier wrong than right; above, the tail of a tail is no longer exact.
        let sensible = value.as_float().filter(|share| (0.5..=0.999_999).contains(share));
        sensible.ok_or_else(|| self.refuse("confidence", value, "a share in 0.5..=0.999999"))
    }

    fn claim(&self) -> Result<Claim> {
        let Some(value) = self.table.get("claim") else {
            return Ok(Claim::Each);
        };
        match value.as_str() {
            Some("each") => Ok(Claim::Each),
            Some("joint") => Ok(Claim::Joint),
            _ => Err(self.refuse("claim", value, "\"each\" or \"joint\"")),
        }
    }

    fn load(&self) -> Result<Load> {
        let Some(table) = self.table.get(LOAD).and_then(Value::as_table) else {
            return Ok(Load::Closed);
        };
        let missing =
            |key, example| Error::ContractMissing { file: self.file.to_owned(), key, example };
        let model = table.get("model").ok_or_else(|| missing("load.model", "\"poisson\""))?;
        let rate_hz = self.rate("load.", "rate_hz", table)?;
        let rate = || rate_hz.ok_or_else(|| missing("load.rate_hz", "400.0"));
        let seed = table.get("seed");
        let (load, is_random) = match model.as_str() {
            Some("closed") => (Load::Closed, false),
            Some("constant") => (Load::Constant { rate_hz: rate()? }, false),
            Some("poisson") => {
                let value = seed.ok_or_else(|| missing("load.seed", "7"))?;
                let seed = value.as_integer().and_then(|seed| u64::try_from(seed).ok());
                let expected = "a whole number, not negative";
                let seed = seed.ok_or_else(|| self.refuse("load.seed", value, expected))?;
                (Load::Poisson { rate_hz: rate()?, seed }, true)
            }
            _ => {
                let expected = "\"closed\", \"constant\" or \"poisson\"";
                return Err(self.refuse("load.model", model, expected));
            }
        };
        let vain = |key: &str, value: &Value| {
            let expected =
                format!("left out: the model `{}` has none", model.as_str().unwrap_or(""));
            Err(self.refuse(key, value, &expected))
        };
        match (table.get("rate_hz"), seed) {
            (Some(value), _) if load == Load::Closed => vain("load.rate_hz", value),
            (_, Some(value)) if !is_random => vain("load.seed", value),
            _ => Ok(load),
        }
    }

    fn gain_min(&self) -> Result<Option<f64>> {
        let Some(table) = self.table.get(EFFICACY).and_then(Value::as_table) else {
            return Ok(None);
        };
        let missing = || Error::ContractMissing {
            file: self.file.to_owned(),
            key: "efficacy.gain_min",
            example: "2.0",
        };
        let value = table.get("gain_min").ok_or_else(missing)?;
        let gain = number(value).filter(|gain| (1.0..=GAIN_MAX).contains(gain));
        let expected = format!("how many times as fast, from 1 to {GAIN_MAX}");
        gain.ok_or_else(|| self.refuse("efficacy.gain_min", value, &expected)).map(Some)
    }

    /// Refuses a gain that nothing could show: launches on a host run as the reference does, whatever their shape.
    fn refuse_gain_of_a_host(&self, contract: &Contract) -> Result<()> {
        match self.table.get(EFFICACY) {
            Some(value) if contract.target == Target::Host => {
                let expected = "left out: only launches on a GPU are tuned";
                Err(self.refuse(EFFICACY, value, expected))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn rate(&self, prefix: &str, key: &str, table: &Table) -> Result<Option<f64>> {
        let Some(value) = table.get(key) else {
            return Ok(None);
        };
        let rate = number(value).filter(|rate| *rate > 0.0 && *rate <= RATE_HZ_MAX);
        let expected = "a rate in hertz above 0 and at most ten million";
        rate.ok_or_else(|| self.refuse(&format!("{prefix}{key}"), value, expected)).map(Some)
    }

    /// Refuses a contract that could never pass: too few iterations to show a percentile even if none is over its limit.
    fn refuse_undecidable(&self, contract: &Contract) -> Result<()> {
        let confidence = contract.confidence_each();
        for Limit { quantile, .. } in &contract.limits {
            let fewest = samples_min(*quantile, confidence, 0);
            if contract.iterations < fewest {
                let value = &self.table["iterations"];
                let percent = report::number(confidence * 100.0);
                let expected = format!(
                    "at least {fewest}: with fewer, {quantile} cannot be shown at {percent} % confidence even if none is over the limit"
                );
                return Err(self.refuse("iterations", value, &expected));
            }
        }
        Ok(())
    }

    fn limits(&self) -> Result<Vec<Limit>> {
        let empty = Table::new();
        let table = self.table.get(LIMITS).and_then(Value::as_table).unwrap_or(&empty);
        let mut limits = Vec::new();
        for (&key, quantile) in LIMIT_KEYS.iter().zip(Quantile::ALL) {
            if let Some(value) = table.get(key) {
                limits.push(Limit { quantile, limit_ms: self.limit(key, value)? });
            }
        }
        if limits.is_empty() {
            return Err(Error::ContractWithoutLimit { file: self.file.to_owned() });
        }
        Ok(limits)
    }

    fn limit(&self, key: &str, value: &Value) -> Result<f64> {
        /// An hour: more is a slip of the unit.
        const LIMIT_MS_MAX: f64 = 3_600_000.0;
        let is_sensible = |ms: &f64| *ms >= 1e-6 && *ms <= LIMIT_MS_MAX;
        let expected = "a number of milliseconds above 0 and at most an hour";
        number(value)
            .filter(is_sensible)
            .ok_or_else(|| self.refuse(&format!("{LIMITS}.{key}"), value, expected))
    }

    pub(super) fn refuse(&self, key: &str, value: &Value, expected: &str) -> Error {
        Error::ContractValue {
            file: self.file.to_owned(),
            key: key.to_owned(),
            value: value.to_string().replace('\n', " "),
            expected: expected.to_owned(),
        }
    }
}

/// A number that was written with or without a point.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        Value::Integer(number) => i32::try_from(*number).ok().map(f64::from),
        _ => None,
    }
}
