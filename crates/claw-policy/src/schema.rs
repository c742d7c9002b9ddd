//! The JSON Schema of a policy document, made from the table of keys that the check uses.

use serde_json::{Map, Value, json};

use crate::Guarantee;
use crate::document::keys::{ARGUMENT_RULE, DOCUMENT, ENTRY, Key, Kind};

/// The JSON Schema (2020-12) of a policy document.
///
/// Editors that know JSON Schema complete and check policies with it. It is slightly wider than the check:
/// expansion, globs and rules between keys are not expressible.
#[must_use]
pub fn schema() -> Value {
    let mut schema = object(DOCUMENT);
    let about = [
        ("$schema", json!("https://json-schema.org/draft/2020-12/schema")),
        ("title", json!("claw-sandbox policy")),
    ];
    schema.extend(about.map(|(key, value)| (key.to_owned(), value)));
    Value::Object(schema)
}

fn object(keys: &[Key]) -> Map<String, Value> {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| {
            let mut value = of(key.kind);
            value.insert("description".to_owned(), json!(key.about));
            (key.name.to_owned(), Value::Object(value))
        })
        .collect();
    map(json!({ "type": "object", "properties": properties, "additionalProperties": false }))
}

fn of(kind: Kind) -> Map<String, Value> {
    let text = || json!({ "type": ["string", "number"] });
    map(match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Text => text(),
        Kind::Path | Kind::Secret => json!({ "type": "string", "minLength": 1 }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Texts | Kind::Programs => json!({ "type": ["array", "null"], "items": text() }),
        Kind::Words(words) => one_or_more(json!({ "enum": words })),
        Kind::Principals => {
            let id =
                json!({ "type": "string", "pattern": "^[^:]*:", "maxLength": claw_wire::MAX_IDENTIFIER });
            one_or_more(json!({ "anyOf": [{ "enum": ["owner", "known", "unknown"] }, id] }))
        }
        Kind::Identifiers => one_or_more(json!({
            "type": ["string", "number"], "minLength": 1, "maxLength": claw_wire::MAX_IDENTIFIER,
        })),
        Kind::Tools => list_of("^[^*\\s]*\\*?$"),
        Kind::Numbers => {
            let item = json!({ "type": ["string", "integer"], "pattern": "^\\+?[0-9]{3,20}$" });
            json!({ "type": ["array", "null"], "items": item })
        }
        Kind::Names => list_of("^[^/~\\s][^/\\s]*$"),
        Kind::Variables => list_of("^(\\*|[A-Za-z_][A-Za-z0-9_]*\\*?)$"),
        Kind::Guarantees => {
            let names: Vec<&str> = Guarantee::ALL.iter().map(|guarantee| guarantee.name()).collect();
            json!({ "type": ["array", "null"], "items": { "enum": names } })
        }
        Kind::Host => json!({ "type": "string", "pattern": "^[^/\\s]+(/[0-9]{1,3})?$" }),
        Kind::Port => json!({ "type": "integer", "minimum": 1, "maximum": 65535 }),
        Kind::Paths | Kind::Patterns => {
            json!({ "type": ["array", "null"], "items": { "type": "string", "minLength": 1 } })
        }
        Kind::Protected => json!({ "anyOf": [
            { "enum": ["default", "none"] },
            { "type": "array", "items": { "type": "string", "minLength": 1 } },
        ] }),
        Kind::Count => json!({ "type": "integer", "minimum": 1 }),
        Kind::Duration => {
            json!({ "type": ["string", "integer"], "pattern": "^[0-9]+ *(ms|s|sec|m|min|h|d)?$" })
        }
        Kind::Size => {
            json!({ "type": ["string", "integer"], "pattern": "^[0-9]+ *(B|[kKMGT]|[KMGT]iB|[kKMGT]B)?$" })
        }
        Kind::Map(keys) => return object(keys),
        Kind::Maps(keys) => json!({ "type": ["array", "null"], "items": object(keys) }),
        Kind::VariableMap => json!({
            "type": ["object", "null"],
            "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
            "additionalProperties": { "type": ["string", "number", "boolean"] },
        }),
        Kind::Bundles => json!({
            "type": ["object", "null"],
            "propertyNames": { "pattern": "^[^/~\\s][^/\\s]*$" },
            "additionalProperties": { "type": ["array", "null"], "items": { "type": "string", "minLength": 1 } },
        }),
        Kind::Allowlist => {
            json!({ "type": ["array", "null"], "items": { "anyOf": [{ "type": "string", "minLength": 1 }, object(ENTRY)] } })
        }
        Kind::ArgumentRules => json!({ "type": ["array", "null"], "items": { "anyOf": [
            { "type": "array", "items": text() },
            object(ARGUMENT_RULE),
        ] } }),
        Kind::HttpsUrl => json!({ "type": "string", "pattern": "^https://." }),
    })
}

fn one_or_more(item: Value) -> Value {
    json!({ "anyOf": [item.clone(), { "type": "array", "items": item }] })
}

fn list_of(pattern: &str) -> Value {
    json!({ "type": ["array", "null"], "items": { "type": "string", "pattern": pattern } })
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_table_is_described_once() {
        fn walk(keys: &[Key], schema: &Value) {
            let properties = schema["properties"].as_object().unwrap();
            assert_eq!(properties.len(), keys.len());
            for key in keys {
                assert_eq!(properties[key.name]["description"], key.about);
                match key.kind {
                    Kind::Map(inner) => walk(inner, &properties[key.name]),
                    Kind::Maps(inner) => walk(inner, &properties[key.name]["items"]),
                    _ => {}
                }
            }
        }
        walk(DOCUMENT, &schema());
    }
}
