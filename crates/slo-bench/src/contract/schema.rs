//! The schema that is shipped says what the parser accepts: the same keys, and every shipped contract fits it.

use serde_json::Value;

use super::parse::{EFFICACY_KEYS, KEYS, LIMIT_KEYS, LOAD_KEYS};
use super::saturation::SATURATION_KEYS;
use super::{Contract, SHIPPED};
use crate::schema::{keys, misfit};

fn schema() -> Value {
    let text = include_str!("../../../../contracts/contract.schema.json");
    serde_json::from_str(text).unwrap()
}

fn judge(text: &str) -> Option<String> {
    let table: toml::Table = text.parse().unwrap();
    let schema = schema();
    misfit(&schema, &schema, &serde_json::to_value(table).unwrap())
}

#[test]
fn the_schema_and_the_parser_know_the_same_keys() {
    let schema = schema();
    for (schema, known) in [
        (&schema, KEYS),
        (&schema["properties"]["efficacy"], EFFICACY_KEYS),
        (&schema["properties"]["load"], LOAD_KEYS),
        (&schema["properties"]["saturation"], SATURATION_KEYS),
        (&schema["properties"]["limits_ms"], LIMIT_KEYS),
    ] {
        assert_eq!(keys(schema), known.iter().copied().collect());
    }
}

#[test]
fn shipped_contracts_fit_the_schema() {
    for (file, text) in SHIPPED {
        assert_eq!(judge(text), None, "{file}");
    }
}

#[test]
fn the_schema_refuses_what_the_parser_refuses() {
    const GOOD: &str = "name = \"a\"\nworkload = \"frame\"\ndevice = \"cuda\"\nn = 900\niterations = 1000\nconfidence = 0.99\n\
        claim = \"joint\"\nthroughput_hz_min = 3.5\n[load]\nmodel = \"poisson\"\nrate_hz = 9.5\nseed = 7\n\
        [efficacy]\ngain_min = 1.5\n\
        [saturation]\ndemand = \"memory\"\nservices = 4\nseconds = 30\nsm_percent_min = 85\nrate_hz_min = 50\n[limits_ms]\np99 = 1\n";
    let parse = |text: &str| Contract::parse(text, std::path::Path::new("a.toml"), &["frame"]);
    assert_eq!(judge(GOOD), None);
    parse(GOOD).unwrap();
    for (from, to) in [
        ("name = \"a\"\n", ""),
        ("\"cuda\"", "\"gpu\""),
        ("n = 900", "n = 0"),
        ("n = 900", "n = 65537"),
        ("iterations = 1000", "iterations = 1000000001"),
        ("0.99", "0.4"),
        ("joint", "some"),
        ("3.5", "0.0"),
        ("poisson", "bursts"),
        ("9.5", "-1"),
        ("seed = 7", "seed = -7"),
        ("seed", "sed"),
        ("gain_min = 1.5", ""),
        ("gain_min = 1.5", "gain = 1.5"),
        ("gain_min = 1.5", "gain_min = 0.9"),
        ("gain_min = 1.5", "gain_min = 1001"),
        ("demand = \"memory\"\n", ""),
        ("\"memory\"", "\"tensor\""),
        ("services = 4", "services = 65"),
        ("seconds = 30", "seconds = 4"),
        ("sm_percent_min = 85", "sm_percent_min = 100"),
        ("sm_percent_min", "sm_min"),
        ("rate_hz_min = 50", "rate_hz_min = 0"),
        ("rate_hz_min = 50", "rate_hz_min = 10000001"),
        ("p99 = 1", "p98 = 1"),
        ("p99 = 1", "p99 = 0.0"),
        ("p99 = 1", ""),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert!(judge(&text).is_some(), "{to}");
        assert!(parse(&text).is_err(), "{to}");
    }
}
