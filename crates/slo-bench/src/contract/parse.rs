//! The reading of one contract, key by key, so that each mistake is named where it stands.
//!
//! Never guesses: an unknown key is an error, since a misspelt limit would promise nothing.

use std::path::Path;

use toml::{Table, Value};

use super::{Contract, Limit, Target};
use crate::error::{Error, Result, nearest};
use crate::statistics::Quantile;
use crate::workload::check_workload;

const KEYS: &[&str] = &["name", "workload", "device", "n", "iterations", "note", "limits_ms"];
const LIMIT_KEYS: &[&str] = &["p50", "p90", "p99", "p999", "max"];
const LIMITS: &str = "limits_ms";

/// Most oscillators or windows that a contract can ask for: 64 times the largest reference size.
const N_MAX: i64 = 1 << 16;
/// Most iterations that a contract can ask for.
const ITERATIONS_MAX: i64 = 1_000_000_000;

pub(super) fn contract(text: &str, file: &Path, known: &[&str]) -> Result<Contract> {
    let table = Reader { file, table: text.parse().map_err(|error| syntax(text, file, &error))? };
    table.refuse_unknown_keys()?;
    let workload = table.text("workload", "\"thermodynamic\"")?;
    check_workload(&workload, known).map_err(|error| in_file(error, file))?;
    Ok(Contract {
        name: table.text("name", "\"thermodynamic-h100\"")?,
        workload,
        target: table.target()?,
        n: usize::try_from(table.count("n", "900", N_MAX)?).expect("at most N_MAX"),
        iterations: table.count("iterations", "100_000", ITERATIONS_MAX)?,
        note: table.optional_text("note")?,
        limits: table.limits()?,
    })
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

struct Reader<'a> {
    file: &'a Path,
    table: Table,
}

impl Reader<'_> {
    fn refuse_unknown_keys(&self) -> Result<()> {
        self.refuse_unknown("", self.table.keys(), KEYS)?;
        match self.table.get(LIMITS) {
            Some(Value::Table(limits)) => {
                self.refuse_unknown("limits_ms.", limits.keys(), LIMIT_KEYS)
            }
            Some(other) => {
                Err(self.refuse(LIMITS, other, "a table: write its limits under [limits_ms]"))
            }
            None => Ok(()),
        }
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
        let number = match value {
            Value::Float(number) => Some(*number),
            Value::Integer(number) => i32::try_from(*number).ok().map(f64::from),
            _ => None,
        };
        let is_sensible = |ms: &f64| *ms >= 1e-6 && *ms <= LIMIT_MS_MAX;
        let expected = "a number of milliseconds above 0 and at most an hour";
        number
            .filter(is_sensible)
            .ok_or_else(|| self.refuse(&format!("{LIMITS}.{key}"), value, expected))
    }

    fn refuse(&self, key: &str, value: &Value, expected: &str) -> Error {
        Error::ContractValue {
            file: self.file.to_owned(),
            key: key.to_owned(),
            value: value.to_string().replace('\n', " "),
            expected: expected.to_owned(),
        }
    }
}
