//! The policy reference says what the program does.

mod common;

use std::collections::BTreeSet;

use claw_policy::{Format, Guarantee, lint, schema};

const REFERENCE: &str = include_str!("../../../docs/policy-reference.md");
const FIRST_HOUR: &str = include_str!("../../../docs/first-hour.md");

/// Every key below `properties`, however deep.
fn keys(schema: &serde_json::Value, found: &mut BTreeSet<String>) {
    if let Some(properties) = schema.get("properties").and_then(|properties| properties.as_object()) {
        found.extend(properties.keys().cloned());
    }
    match schema {
        serde_json::Value::Object(map) => map.values().for_each(|value| keys(value, found)),
        serde_json::Value::Array(list) => list.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

/// Words as they are written in code spans and examples.
fn words(text: &str) -> BTreeSet<&str> {
    text.split(|end: char| !(end.is_alphanumeric() || end == '-' || end == '_')).collect()
}

#[test]
fn every_key_is_in_the_reference() {
    let mut known = BTreeSet::new();
    keys(&schema(), &mut known);
    assert!(known.len() > 60, "{known:?}");
    let words = words(REFERENCE);
    let missing: Vec<_> = known.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_guarantee_is_in_the_reference() {
    for guarantee in Guarantee::ALL {
        assert!(REFERENCE.contains(&format!("| `{}` |", guarantee.name())), "{}", guarantee.name());
    }
}

#[test]
fn every_example_of_the_documents_compiles_and_none_has_a_trap_without_saying_so() {
    let examples_of = |text: &'static str| -> Vec<&str> {
        text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect()
    };
    let (reference, first_hour) = (examples_of(REFERENCE), examples_of(FIRST_HOUR));
    assert!(reference.len() >= 9 && first_hour.len() >= 3, "{} {}", reference.len(), first_hour.len());
    for example in reference.into_iter().chain(first_hour) {
        match common::named(example, Format::Yaml) {
            Ok(policy) => {
                assert!(lint(&policy).iter().all(|finding| finding.code != "lint.hard-coded-secret"));
            }
            Err(errors) => panic!("{example}\n{}", errors[0]),
        }
    }
}
