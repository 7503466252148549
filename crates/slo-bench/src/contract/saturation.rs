//! The table `[saturation]` of a contract: what the workload keeps a device busy with, and how busy.
//!
//! Never judges: [`saturation::judge`](crate::saturation::judge) holds a trace against the promise.

use toml::{Table, Value};

use super::Target;
use super::parse::{Reader, number};
use crate::error::{Error, Result};
use crate::saturation::{Demand, SaturationPromise, warm_up_s};

/// The name of the table.
pub(super) const SATURATION: &str = "saturation";

pub(super) const SATURATION_KEYS: &[&str] = &[
    "demand",
    "services",
    "seconds",
    "gpu_percent_min",
    "sm_percent_min",
    "memory_percent_min",
    "dram_percent_min",
    "pipe_percent_min",
    RATE,
];
const RATE: &str = "rate_hz_min";

/// Most services side by side: each has a thread of its own.
const SERVICES_MAX: u32 = 64;
/// Seconds of a contract that says none, those of the design note.
const SECONDS: u32 = 60;
/// Fewest seconds: one worst window.
const SECONDS_MIN: u32 = 5;
/// An hour: more is a slip of the unit.
const SECONDS_MAX: u32 = 3600;

/// How busy a workload keeps a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SaturationTerms {
    /// Copies of the workload side by side on the device, each in a closed loop of its own.
    pub services: u32,
    /// How busy they keep it together, and for how long.
    pub promise: SaturationPromise,
    /// Fewest iterations a second of all of them together, finished and checked.
    pub rate_hz_min: Option<f64>,
}

impl SaturationTerms {
    /// The name of the check that says how `contract` kept these terms.
    pub fn check_name(&self, contract: &str) -> String {
        let Self { services, promise, rate_hz_min } = self;
        let services = if *services == 1 { "1 service" } else { &format!("{services} services") };
        let rate =
            rate_hz_min.map_or_else(String::new, |hz| format!(", at least {hz} Hz together"));
        format!("{contract}: {promise} with {services}{rate}")
    }

    /// Every key that such a contract can have, and its value.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let Self { services, promise, rate_hz_min } = self;
        let mut all = vec![
            ("demand", promise.demand.to_string()),
            ("services", services.to_string()),
            ("seconds", promise.seconds_min.to_string()),
        ];
        let mut promise = *promise;
        for &key in SATURATION_KEYS {
            all.extend(threshold(&mut promise, key).map(|percent| (key, percent.to_string())));
        }
        all.extend(rate_hz_min.map(|rate| (RATE, rate.to_string())));
        all
    }
}

/// The threshold that `key` stands for; `None` if the demand has no use for it.
fn threshold<'a>(promise: &'a mut SaturationPromise, key: &str) -> Option<&'a mut f64> {
    Some(match (key, promise.demand) {
        ("gpu_percent_min", _) => &mut promise.gpu_busy_percent,
        ("sm_percent_min", _) => &mut promise.sm_percent,
        ("memory_percent_min", Demand::Memory) => &mut promise.memory_busy_percent,
        ("dram_percent_min", Demand::Memory) => &mut promise.dram_percent,
        ("pipe_percent_min", Demand::Arithmetic) => &mut promise.pipe_percent,
        _ => return None,
    })
}

/// The terms under `[saturation]`, if there are any.
pub(super) fn terms(reader: &Reader<'_>, target: Target) -> Result<Option<SaturationTerms>> {
    let Some(table) = reader.table.get(SATURATION).and_then(Value::as_table) else {
        return Ok(None);
    };
    if target == Target::Host {
        let expected = "left out: nothing tells how busy a host is";
        return Err(reader.refuse(SATURATION, &reader.table[SATURATION], expected));
    }
    let demand = demand(reader, table)?;
    let services = count(reader, table, "services", 1, [1, SERVICES_MAX])?;
    let seconds = count(reader, table, "seconds", SECONDS, [SECONDS_MIN, SECONDS_MAX])?;
    let mut promise = SaturationPromise::new(demand).lasting(warm_up_s(seconds), seconds);
    for (key, value) in table.iter().filter(|(key, _)| key.ends_with("_percent_min")) {
        let name = format!("{SATURATION}.{key}");
        let Some(threshold) = threshold(&mut promise, key) else {
            let expected = format!("left out: the demand `{demand}` has none");
            return Err(reader.refuse(&name, value, &expected));
        };
        // A level has to exceed its threshold, so that nothing could exceed a hundred.
        let percent = number(value).filter(|percent| *percent > 0.0 && *percent < 100.0);
        let expected = "a share in percent above 0 and below 100";
        *threshold = percent.ok_or_else(|| reader.refuse(&name, value, expected))?;
    }
    let rate_hz_min = reader.rate(&format!("{SATURATION}."), RATE, table)?;
    Ok(Some(SaturationTerms { services, promise, rate_hz_min }))
}

fn demand(reader: &Reader<'_>, table: &Table) -> Result<Demand> {
    let Some(value) = table.get("demand") else {
        let (key, example) = ("saturation.demand", "\"multiprocessors\"");
        return Err(Error::ContractMissing { file: reader.file.to_owned(), key, example });
    };
    let named = |demand: &Demand| value.as_str() == Some(demand.name());
    let expected = "\"multiprocessors\", \"memory\" or \"arithmetic\"";
    let refuse = || reader.refuse("saturation.demand", value, expected);
    Demand::ALL.into_iter().find(named).ok_or_else(refuse)
}

fn count(
    reader: &Reader<'_>,
    table: &Table,
    key: &str,
    unless_given: u32,
    [min, max]: [u32; 2],
) -> Result<u32> {
    let Some(value) = table.get(key) else {
        return Ok(unless_given);
    };
    let count = value.as_integer().and_then(|count| u32::try_from(count).ok());
    let expected = format!("a whole number in {min}..={max}");
    let refuse = || reader.refuse(&format!("{SATURATION}.{key}"), value, &expected);
    count.filter(|count| (min..=max).contains(count)).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Contract;
    use super::*;

    fn parse(keys: &str) -> Result<Contract> {
        let text = format!(
            "name = \"busy\"\nworkload = \"frame\"\ndevice = \"cuda\"\nn = 900\niterations = 1000\n\
             [saturation]\n{keys}\n[limits_ms]\np99 = 1\n"
        );
        Contract::parse(&text, Path::new("busy.toml"), &["frame"])
    }

    fn read(keys: &str) -> SaturationTerms {
        parse(keys).unwrap().saturation.unwrap()
    }

    #[test]
    fn terms_are_read_as_written() {
        let terms = read("demand = \"multiprocessors\"\nservices = 4\nsm_percent_min = 70.5");
        let promise = SaturationPromise {
            sm_percent: 70.5,
            ..SaturationPromise::new(Demand::Multiprocessors)
        };
        assert_eq!(terms, SaturationTerms { services: 4, promise, rate_hz_min: None });
        let name = "busy: NVML gpu > 80 %, GPM multiprocessors > 70.5 %, 60 s with 4 services";
        assert_eq!(terms.check_name("busy"), name);
        let terms = read("demand = \"multiprocessors\"\nservices = 4\nrate_hz_min = 1500");
        assert_eq!(terms.rate_hz_min, Some(1500.0));
        let name = terms.check_name("busy");
        assert!(name.ends_with(", 60 s with 4 services, at least 1500 Hz together"), "{name}");
        let terms =
            read("demand = \"memory\"\nseconds = 59\nmemory_percent_min = 1\ndram_percent_min = 2");
        let promise = terms.promise;
        assert_eq!((terms.services, promise.warm_up_s, promise.seconds_min), (1, 3, 59));
        assert_eq!([promise.memory_busy_percent, promise.dram_percent], [1.0, 2.0]);
        let promise =
            read("demand = \"arithmetic\"\ngpu_percent_min = 90\npipe_percent_min = 30").promise;
        assert_eq!([promise.gpu_busy_percent, promise.pipe_percent], [90.0, 30.0]);
        assert_eq!(promise.warm_up_s, 10);
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let terms = read("demand = \"memory\"");
        let promise = SaturationPromise::new(Demand::Memory);
        assert_eq!(terms, SaturationTerms { services: 1, promise, rate_hz_min: None });
    }

    #[test]
    fn bad_terms_are_named_with_what_is_accepted() {
        for (keys, expected) in [
            (
                "",
                "key `saturation.demand` is missing; add `saturation.demand = \"multiprocessors\"`",
            ),
            ("demand = \"tensor\"", "\"multiprocessors\", \"memory\" or \"arithmetic\""),
            ("demand = 3", "saturation.demand = 3"),
            (
                "demand = \"memory\"\nservices = 0",
                "saturation.services = 0` is not accepted; it must be a whole number in 1..=64",
            ),
            ("demand = \"memory\"\nservices = 65", "saturation.services = 65"),
            ("demand = \"memory\"\nservices = 2.5", "saturation.services = 2.5"),
            ("demand = \"memory\"\nseconds = 4", "a whole number in 5..=3600"),
            ("demand = \"memory\"\nseconds = 3601", "saturation.seconds = 3601"),
            (
                "demand = \"memory\"\ngpu_percent_min = 0",
                "a share in percent above 0 and below 100",
            ),
            ("demand = \"memory\"\ngpu_percent_min = 100", "saturation.gpu_percent_min = 100"),
            ("demand = \"memory\"\nsm_percent_min = nan", "saturation.sm_percent_min = nan"),
            (
                "demand = \"memory\"\npipe_percent_min = 40",
                "left out: the demand `memory` has none",
            ),
            (
                "demand = \"arithmetic\"\ndram_percent_min = 60",
                "left out: the demand `arithmetic` has none",
            ),
            (
                "demand = \"multiprocessors\"\nmemory_percent_min = 60",
                "left out: the demand `multiprocessors` has none",
            ),
            (
                "demand = \"memory\"\nrate_hz_min = 0",
                "saturation.rate_hz_min = 0` is not accepted; it must be a rate in hertz above 0",
            ),
            ("demand = \"memory\"\nrate_hz_min = \"5\"", "saturation.rate_hz_min = \"5\""),
            ("demands = \"memory\"", "unknown key `saturation.demands`; did you mean `demand`?"),
        ] {
            let message = parse(keys).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
            assert!(message.starts_with("busy.toml: ") && !message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn a_host_that_nothing_watches_can_promise_no_saturation() {
        let text = "name = \"busy\"\nworkload = \"frame\"\ndevice = \"host\"\nn = 900\niterations = 1000\n\
            [saturation]\ndemand = \"memory\"\n[limits_ms]\np99 = 1\n";
        let message = Contract::parse(text, Path::new("busy.toml"), &["frame"]).unwrap_err();
        let expected = "is not accepted; it must be left out: nothing tells how busy a host is";
        assert!(message.to_string().contains(expected), "{message}");
        let table = text.replace("[saturation]\ndemand = \"memory\"\n", "saturation = true\n");
        let message = Contract::parse(&table, Path::new("busy.toml"), &["frame"]).unwrap_err();
        assert!(message.to_string().contains("a table: write its keys under [saturation]"));
    }

    #[test]
    fn every_key_is_a_setting_of_some_demand() {
        let mut keys: Vec<_> = Demand::ALL
            .into_iter()
            .flat_map(|demand| {
                let promise = SaturationPromise::new(demand);
                SaturationTerms { services: 1, promise, rate_hz_min: Some(9.5) }.settings()
            })
            .map(|(key, _)| key)
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let mut known = SATURATION_KEYS.to_vec();
        known.sort_unstable();
        assert_eq!(keys, known);
    }
}
