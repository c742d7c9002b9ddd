//! The three formats agree on random documents, and nothing that is read can do harm.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value as Json, json};

use super::keys::{ARGUMENT_RULE, DOCUMENT, Key, Kind};
use super::node::{Node, Value};
use crate::{Expansion, Format, Guarantee, Layer, LayerKind, Source, built_in, compile, lint, schema};

/// A tree without its places.
fn bare(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Number(text) => json!({ "number": text }),
        Value::Text(text) => json!(text),
        Value::List(items) => items.iter().map(bare).collect(),
        Value::Map(entries) => {
            entries.iter().map(|entry| (entry.key.to_string(), bare(&entry.value))).collect()
        }
    }
}

fn any_text() -> BoxedStrategy<Json> {
    let awkward = [
        "~",
        "yes",
        "null",
        "1e3",
        "a: b",
        "- a",
        "#x",
        "'",
        "\"",
        "\\",
        "é\u{1f600}",
        " x ",
        "*a",
        "&b",
        "!c",
    ];
    prop_oneof![
        select(awkward.to_vec()).prop_map(|text| json!(text)),
        "[a-z/.{}\\[\\]]{1,12}".prop_map(Json::from)
    ]
    .boxed()
}

fn list(item: BoxedStrategy<Json>) -> BoxedStrategy<Json> {
    prop::collection::vec(item, 0..4).prop_map(Json::from).boxed()
}

fn words(words: &'static [&'static str]) -> BoxedStrategy<Json> {
    select(words).prop_map(Json::from).boxed()
}

fn mapping(keys: &'static [Key]) -> BoxedStrategy<Json> {
    let present = prop::sample::subsequence(keys.iter().collect::<Vec<_>>(), 0..=keys.len().min(5));
    let entries = present.prop_shuffle().prop_flat_map(|keys| {
        keys.into_iter()
            .map(|key| value(key.kind).prop_map(|value| (key.name.to_owned(), value)))
            .collect::<Vec<_>>()
    });
    entries.prop_map(|entries| Json::Object(entries.into_iter().collect::<Map<_, _>>())).boxed()
}

/// A value that the check accepts for a key of this kind.
fn value(kind: Kind) -> BoxedStrategy<Json> {
    match kind {
        Kind::Bool => any::<bool>().prop_map(Json::from).boxed(),
        Kind::Text | Kind::Secret | Kind::Path => any_text(),
        Kind::Word(choices) => words(choices),
        Kind::Texts | Kind::Paths | Kind::Patterns => list(any_text()),
        Kind::Protected => prop_oneof![words(&["default", "none"]), list(any_text())].boxed(),
        Kind::Programs | Kind::Names => list(words(&["rm", "g++", "python3.11", "["])),
        Kind::Variables => list(words(&["LANG", "LC_*", "*"])),
        Kind::Guarantees => {
            let names: Vec<&str> = Guarantee::ALL.iter().map(|guarantee| guarantee.name()).collect();
            list(select(names).prop_map(Json::from).boxed())
        }
        Kind::Host => words(&["api.github.com", "*.example.org", "::1"]),
        Kind::Port => (1..=65_535_u32).prop_map(Json::from).boxed(),
        Kind::Count => (1..u64::MAX).prop_map(Json::from).boxed(),
        Kind::Duration => {
            prop_oneof![words(&["60s", "500ms", "2 h"]), (1..99_u8).prop_map(Json::from)].boxed()
        }
        Kind::Size => prop_oneof![words(&["1MiB", "2 GB"]), (1..99_u8).prop_map(Json::from)].boxed(),
        Kind::Map(keys) => mapping(keys),
        Kind::Maps(keys) => list(mapping(keys)),
        Kind::VariableMap => prop::collection::btree_map("[A-Z_]{1,3}", any_text(), 0..3)
            .prop_map(|map| Json::Object(map.into_iter().collect()))
            .boxed(),
        Kind::Bundles => prop::collection::btree_map("[a-z]{1,3}", list(any_text()), 0..3)
            .prop_map(|map| Json::Object(map.into_iter().collect()))
            .boxed(),
        Kind::Allowlist => {
            let entry = |(name, program, (allow, deny)): (&str, Json, (Json, Json))| json!({ name: program, "allow": allow, "deny": deny });
            let rules = || value(Kind::ArgumentRules);
            let mappings = (select(vec!["command", "path"]), any_text(), (rules(), rules())).prop_map(entry);
            list(prop_oneof![any_text(), mappings].boxed())
        }
        Kind::ArgumentRules => {
            let arguments = prop::collection::vec(any_text(), 1..3).prop_map(Json::from);
            let flags = (arguments.clone(), list(any_text()))
                .prop_map(|(flags, subcommand)| json!({ "anyFlag": flags, "subcommand": subcommand }));
            // Every key of such a rule is in the two lines above.
            assert_eq!(ARGUMENT_RULE.len(), 2);
            list(prop_oneof![arguments, flags].boxed())
        }
        Kind::Words(choices) => prop_oneof![words(choices), list(words(choices))].boxed(),
        Kind::Principals => {
            let one = || words(&["owner", "known", "unknown", "telegram:main:42"]);
            prop_oneof![one(), list(one())].boxed()
        }
        Kind::Identifiers => {
            let one = || words(&["openclaw", "a b", "agent:x:main"]);
            prop_oneof![one(), list(one())].boxed()
        }
        Kind::Tools => list(words(&["web_search", "mcp__*", "*"])),
        Kind::HttpsUrl => words(&["https://example.org/hook"]),
        Kind::Numbers => {
            list(prop_oneof![words(&["+49123456", "0123"]), (100..u64::MAX).prop_map(Json::from)].boxed())
        }
    }
}

/// As block-style YAML.
fn to_yaml(value: &Json, indent: usize, out: &mut String) {
    let pad = "  ".repeat(indent);
    match value {
        Json::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                out.push_str(&format!("\n{pad}{key}:"));
                to_yaml(value, indent + 1, out);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&format!("\n{pad}-"));
                to_yaml(item, indent + 1, out);
            }
        }
        Json::String(text) if !text.contains('\\') => {
            out.push_str(&format!(" '{}' # x", text.replace('\'', "''")))
        }
        other => out.push_str(&format!(" {other}")),
    }
}

/// With bare keys, single quotes, comments and commas at the end.
fn to_json5(value: &Json, out: &mut String) {
    match value {
        Json::Object(map) => {
            out.push('{');
            for (key, value) in map {
                out.push_str(&format!("\n{key}: "));
                to_json5(value, out);
                out.push_str(", // x");
            }
            out.push_str("\n}");
        }
        Json::Array(items) => {
            out.push('[');
            for item in items {
                to_json5(item, out);
                out.push_str(", /* x */");
            }
            out.push(']');
        }
        Json::String(text) => {
            out.push_str(&format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")));
        }
        other => out.push_str(&other.to_string()),
    }
}

fn read_all(document: &Json) -> [Node; 3] {
    let (mut yaml, mut json5) = (String::new(), String::new());
    to_yaml(document, 0, &mut yaml);
    to_json5(document, &mut json5);
    let texts = [(yaml, Format::Yaml), (json5, Format::Json5), (document.to_string(), Format::Json)];
    texts.map(|(text, format)| {
        let source = Source::new("p", text.clone(), format);
        let root = super::read(&source).unwrap_or_else(|errors| panic!("{text}\n{}", errors[0]));
        places_are_in(&root, &text);
        root
    })
}

fn places_are_in(node: &Node, text: &str) {
    assert!(text.get(node.span.start..node.span.end).is_some(), "{:?} in {text}", node.span);
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| places_are_in(item, text)),
        Value::Map(entries) => entries.iter().for_each(|entry| {
            // A key's place is where its text is.
            let place = entry.key_span.start..entry.key_span.end;
            assert!(text.get(place).is_some_and(|written| written.contains(&*entry.key)));
            places_are_in(&entry.value, text);
        }),
        Value::Text(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// Whether a value has the structure that a schema asks for; `pattern` is not looked at.
fn fits(value: &Json, schema: &Json) -> bool {
    let kind = match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    };
    let is_type = |name: &Json| name == kind || (name == "integer" && value.is_u64());
    let typed = match &schema["type"] {
        Json::Null => true,
        Json::Array(names) => names.iter().any(is_type),
        name => is_type(name),
    };
    let number = |key: &str, holds: fn(u64, u64) -> bool| match (value.as_u64(), schema[key].as_u64()) {
        (Some(value), Some(bound)) => holds(value, bound),
        _ => true,
    };
    let member = |(key, value): (&String, &Json)| match (
        &schema["properties"][key],
        &schema["additionalProperties"],
    ) {
        (Json::Null, Json::Bool(open)) => *open,
        (Json::Null, other) => fits(value, other),
        (known, _) => fits(value, known),
    };
    typed
        && schema["enum"].as_array().is_none_or(|words| words.contains(value))
        && schema["anyOf"].as_array().is_none_or(|choices| choices.iter().any(|choice| fits(value, choice)))
        && number("minimum", |value, least| value >= least)
        && number("maximum", |value, most| value <= most)
        && value.as_array().is_none_or(|items| {
            schema["items"].is_null() || items.iter().all(|item| fits(item, &schema["items"]))
        })
        && value.as_object().is_none_or(|map| map.iter().all(member))
}

/// A checked tree as the JSON that a schema would be asked about.
fn as_json(node: &Node) -> Json {
    match &node.value {
        Value::Number(text) => text.parse::<u64>().map_or_else(|_| json!(text), Json::from),
        Value::List(items) => items.iter().map(as_json).collect(),
        Value::Map(entries) => {
            entries.iter().map(|entry| (entry.key.to_string(), as_json(&entry.value))).collect()
        }
        _ => bare(node),
    }
}

#[test]
fn the_schema_accepts_the_built_in_profile() {
    let root = super::read(&built_in()).unwrap();
    assert!(fits(&as_json(&root), &schema()));
}

#[test]
fn the_schema_refuses_what_the_check_refuses() {
    let documents = [
        json!({ "exec": { "alowlist": [] } }),
        json!({ "exec": { "security": "maybe" } }),
        json!({ "exec": { "allowlist": "git" } }),
        json!({ "limits": { "processes": 0 } }),
        json!({ "network": { "allow": [{ "port": 65_536 }] } }),
        json!({ "enforcement": { "degrade": ["filez"] } }),
        json!({ "detach": "yes" }),
    ];
    for document in documents {
        assert!(!fits(&document, &schema()), "{document}");
        let source = Source::new("p", document.to_string(), Format::Json);
        assert!(super::read(&source).is_err(), "{document}");
    }
}

fn everything_about(text: &str, format: Format) {
    let source = Source::new("p", text, format);
    let layer = |source, kind| Layer { source, kind };
    let expansion = Expansion { home: Some("/home/u".into()), cwd: "/w".into(), ..Expansion::default() };
    for kind in [LayerKind::Named, LayerKind::Project] {
        let layers = [layer(built_in(), LayerKind::BuiltIn), layer(source.clone(), kind)];
        let findings = compile(&layers, &expansion).map_or_else(|errors| errors, |policy| lint(&policy));
        for finding in findings {
            assert!(finding.span.start <= finding.span.end, "{finding:?}");
            assert!(finding.span.start <= text.len(), "{finding:?}");
            let at = source.line_column(finding.span.start);
            assert!(finding.to_string().starts_with(&format!("p:{}:{}: ", at.line, at.column)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_notation_of_a_document_is_the_same_document(document in mapping(DOCUMENT)) {
        let [yaml, json5, json] = read_all(&document);
        prop_assert_eq!(bare(&yaml), bare(&json));
        prop_assert_eq!(bare(&json5), bare(&json));
        prop_assert!(fits(&document, &schema()), "the schema refuses {}", document);
    }

    #[test]
    fn a_document_with_an_unknown_key_is_refused_at_that_key(document in mapping(DOCUMENT)) {
        let mut document = document;
        document["zzz"] = json!(1);
        let text = document.to_string();
        let errors = super::read(&Source::new("p", text.clone(), Format::Json)).unwrap_err();
        prop_assert_eq!(errors.len(), 1);
        prop_assert_eq!(text.get(errors[0].span.start..errors[0].span.end), Some("\"zzz\""));
        prop_assert!(!fits(&document, &schema()));
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for format in [Format::Yaml, Format::Json5, Format::Json] {
            match Source::from_bytes("p", &bytes, format) {
                Ok(_) => everything_about(&String::from_utf8_lossy(&bytes), format),
                Err(error) => prop_assert!(error.to_string().starts_with("p:")),
            }
        }
    }

    #[test]
    fn damaged_documents_do_no_harm(
        document in mapping(DOCUMENT),
        damage in prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}:,'\"#&*!|>%@`~\\-\n\t \u{0}\u{e9}\r]{0,3}", 0..4_usize), 1..4),
    ) {
        let (mut yaml, mut json5) = (String::new(), String::new());
        to_yaml(&document, 0, &mut yaml);
        to_json5(&document, &mut json5);
        for (text, format) in [(yaml, Format::Yaml), (json5, Format::Json5), (document.to_string(), Format::Json)] {
            let mut characters: Vec<char> = text.chars().collect();
            for (at, inserted, removed) in &damage {
                let at = at.index(characters.len() + 1);
                let end = (at + removed).min(characters.len());
                characters.splice(at..end, inserted.chars());
            }
            everything_about(&characters.into_iter().collect::<String>(), format);
        }
    }
}
