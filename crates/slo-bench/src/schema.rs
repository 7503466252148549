//! A reader of JSON schemas for tests, of the keywords that the shipped schemas use.
//!
//! Refuses any other keyword, so that a schema cannot say more than is checked.

use std::collections::BTreeSet;

use serde_json::Value;

pub(crate) fn keys(schema: &Value) -> BTreeSet<&str> {
    schema["properties"].as_object().unwrap().keys().map(String::as_str).collect()
}

/// Why `value` does not fit `schema`. Knows the keywords that our schema uses and refuses any other.
pub(crate) fn misfit(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    let number = |key: &str| schema[key].as_f64().unwrap();
    for keyword in schema.as_object().unwrap().keys() {
        let inside = match keyword.as_str() {
            "$ref" => {
                let pointer = schema["$ref"].as_str().unwrap().trim_start_matches('#');
                misfit(root, root.pointer(pointer).unwrap(), value)
            }
            "items" => {
                let mut all = value.as_array().into_iter().flatten();
                all.find_map(|item| misfit(root, &schema["items"], item))
            }
            "prefixItems" => {
                let inner = schema["prefixItems"].as_array().unwrap().iter();
                let mut pairs = inner.zip(value.as_array().into_iter().flatten());
                pairs.find_map(|(inner, item)| misfit(root, inner, item))
            }
            "properties" => {
                let mut known = schema["properties"].as_object().unwrap().iter();
                known.find_map(|(key, inner)| misfit(root, inner, value.get(key)?))
            }
            _ => None,
        };
        if inside.is_some() {
            return inside;
        }
        let fits = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" => true,
            "$ref" | "items" | "prefixItems" | "properties" => true,
            // Other readers check patterns; ours are about forms that have a type of their own here.
            "pattern" => value.is_string(),
            "const" => schema["const"] == *value,
            "oneOf" => {
                let all = schema["oneOf"].as_array().unwrap().iter();
                all.filter(|inner| misfit(root, inner, value).is_none()).count() == 1
            }
            "type" => match &schema["type"] {
                Value::Array(types) => types.iter().any(|name| is_of_type(value, name)),
                name => is_of_type(value, name),
            },
            "enum" => schema["enum"].as_array().unwrap().contains(value),
            "minItems" => value.as_array().is_some_and(|all| all.len() as f64 >= number(keyword)),
            "maxItems" => value.as_array().is_some_and(|all| all.len() as f64 <= number(keyword)),
            "minLength" => value.as_str().is_some_and(|text| text.len() as f64 >= number(keyword)),
            "minimum" => value.as_f64().is_some_and(|value| value >= number(keyword)),
            "exclusiveMinimum" => value.as_f64().is_some_and(|value| value > number(keyword)),
            "exclusiveMaximum" => value.as_f64().is_some_and(|value| value < number(keyword)),
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
            other => panic!("unknown keyword {other}"),
        };
        if !fits {
            return Some(format!("{keyword} of {schema} does not fit {value}"));
        }
    }
    None
}

fn is_of_type(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        other => panic!("unknown type {other}"),
    }
}
