//! The schema that is shipped says what the parser accepts: the same keys, and every shipped contract fits it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::parse::{KEYS, LIMIT_KEYS, LOAD_KEYS};
use super::{Contract, SHIPPED};

fn schema() -> Value {
    let text = include_str!("../../../../contracts/contract.schema.json");
    serde_json::from_str(text).unwrap()
}

fn keys(schema: &Value) -> BTreeSet<&str> {
    schema["properties"].as_object().unwrap().keys().map(String::as_str).collect()
}

/// Why `value` does not fit `schema`. Knows the keywords that our schema uses and refuses any other.
fn misfit(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    let number = |key: &str| schema[key].as_f64().unwrap();
    for keyword in schema.as_object().unwrap().keys() {
        let fits = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" => true,
            "$ref" => {
                let pointer = schema["$ref"].as_str().unwrap().trim_start_matches('#');
                misfit(root, root.pointer(pointer).unwrap(), value).is_none()
            }
            "type" => match schema["type"].as_str().unwrap() {
                "object" => value.is_object(),
                "string" => value.is_string(),
                "number" => value.is_number(),
                "integer" => value.is_i64(),
                other => panic!("unknown type {other}"),
            },
            "enum" => schema["enum"].as_array().unwrap().contains(value),
            "minLength" => value.as_str().is_some_and(|text| text.len() as f64 >= number(keyword)),
            "minimum" => value.as_f64().is_some_and(|value| value >= number(keyword)),
            "exclusiveMinimum" => value.as_f64().is_some_and(|value| value > number(keyword)),
            "maximum" => value.as_f64().is_some_and(|value| value <= number(keyword)),
            "minProperties" => {
                value.as_object().is_some_and(|map| map.len() as f64 >= number(keyword))
            }
            "additionalProperties" => {
                assert_eq!(schema[keyword], Value::Bool(false));
                value
                    .as_object()
                    .is_some_and(|map| map.keys().all(|key| keys(schema).contains(key.as_str())))
            }
            "required" => {
                let names = schema["required"].as_array().unwrap();
                names.iter().all(|name| value.get(name.as_str().unwrap()).is_some())
            }
            "properties" => {
                let known = schema["properties"].as_object().unwrap();
                known.iter().all(|(key, inner)| {
                    value.get(key).is_none_or(|value| misfit(root, inner, value).is_none())
                })
            }
            other => panic!("unknown keyword {other}"),
        };
        if !fits {
            return Some(format!("{keyword} of {schema} does not fit {value}"));
        }
    }
    None
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
        (&schema["properties"]["load"], LOAD_KEYS),
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
    const GOOD: &str = "name = \"a\"\nworkload = \"frame\"\ndevice = \"host\"\nn = 900\niterations = 1000\nconfidence = 0.99\n\
        claim = \"joint\"\nthroughput_hz_min = 3.5\n[load]\nmodel = \"poisson\"\nrate_hz = 9.5\nseed = 7\n[limits_ms]\np99 = 1\n";
    let parse = |text: &str| Contract::parse(text, std::path::Path::new("a.toml"), &["frame"]);
    assert_eq!(judge(GOOD), None);
    parse(GOOD).unwrap();
    for (from, to) in [
        ("name = \"a\"\n", ""),
        ("\"host\"", "\"gpu\""),
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
        ("p99 = 1", "p98 = 1"),
        ("p99 = 1", "p99 = 0.0"),
        ("p99 = 1", ""),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert!(judge(&text).is_some(), "{to}");
        assert!(parse(&text).is_err(), "{to}");
    }
}
