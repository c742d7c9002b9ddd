//! Commands: lines, wrappers, filters, program text.

use std::collections::HashMap;
use std::fs;

use serde_json::{Value, json};

use crate::differences::{Row, compare, placed, repository, vectors};
use crate::place::{Place, argv, ask, line};

#[test]
fn command_lines_are_answered_alike() {
    let place = Place::new();
    let text =
        fs::read_to_string(repository().join("tests/openclaw/vectors/exec-oracle-policies.json")).unwrap();
    let policies: Value = serde_json::from_str(&placed(&text, "@FX@", &place.root())).unwrap();
    let mut judges = HashMap::new();
    let mut rows = Vec::new();
    for vector in vectors("exec-oracle.jsonl") {
        let (id, name) = (vector["id"].as_str().unwrap(), vector["policy"].as_str().unwrap());
        let command = placed(vector["command"].as_str().unwrap(), "@FX@", &place.root());
        for mode in ["allowlist", "ask"] {
            let judge = judges.entry((name.to_owned(), mode)).or_insert_with(|| {
                let policy = &policies["policies"][name];
                let mut exec = json!({ "mode": mode });
                for key in ["safeBins", "strictInlineEval"] {
                    if !policy[key].is_null() {
                        exec[key] = policy[key].clone();
                    }
                }
                place.judge(&policy["allowlist"], &exec)
            });
            let theirs = match vector["expect"]["verdict"][format!("mode_{mode}")].as_str().unwrap() {
                "allow" => "allow",
                "ask" => "ask",
                _ => "deny",
            };
            let (ours, why) = ask(judge, line(&command), &place.root().join("ws"));
            let about =
                placed(&format!("{name}: {command}: {why}"), place.root().to_str().unwrap(), "@FX@".as_ref());
            rows.push(Row { id: format!("exec:{id}:{mode}"), theirs, ours, about });
        }
    }
    compare("exec", &rows);
}

#[test]
fn wrappers_hide_no_command() {
    let place = Place::new();
    let judge = place.judge(&json!(["ls"]), &json!({ "mode": "allowlist" }));
    let rows = vectors("wrapper-unwrap-oracle.jsonl").into_iter().map(|vector| {
        let is_open = vector["blocked"] == false && vector["shellWrapper"] == false;
        let is_listed = vector["effectiveArgv"][0] == "ls";
        let (ours, why) = ask(&judge, argv(&vector["argv"]), &place.root().join("ws"));
        Row {
            id: format!("wrapper:{}", vector["argv"]),
            theirs: if is_open && is_listed { "allow" } else { "deny" },
            ours,
            about: why,
        }
    });
    compare("wrapper", &rows.collect::<Vec<_>>());
}

#[test]
fn filters_take_the_same_arguments() {
    let place = Place::new();
    let rows = vectors("safebin-argv-oracle.jsonl").into_iter().map(|vector| {
        let bin = vector["bin"].as_str().unwrap();
        let judge = place.judge(&json!([]), &json!({ "mode": "allowlist", "safeBins": [bin] }));
        let mut words = vec![vector["bin"].clone()];
        words.extend(vector["args"].as_array().unwrap().iter().cloned());
        let words = Value::from(words);
        let (ours, why) = ask(&judge, argv(&words), &place.root().join("ws"));
        Row {
            id: format!("filter:{words}"),
            theirs: if vector["ok"] == true { "allow" } else { "deny" },
            ours,
            about: why,
        }
    });
    compare("filter", &rows.collect::<Vec<_>>());
}

#[test]
fn program_text_is_known_alike() {
    let place = Place::new();
    let vectors = vectors("inline-eval-oracle.jsonl");
    // Every word could be a program; what is listed is denied for its program text alone.
    let words: Vec<&Value> = vectors.iter().flat_map(|vector| vector["argv"].as_array().unwrap()).collect();
    let judge = place.judge(&json!(words), &json!({ "mode": "allowlist", "strictInlineEval": true }));
    let rows = vectors.iter().map(|vector| {
        let (ours, why) = ask(&judge, argv(&vector["argv"]), &place.root().join("ws"));
        Row {
            id: format!("text:{}", vector["argv"]),
            theirs: if vector["hit"].is_null() { "allow" } else { "deny" },
            ours,
            about: format!("{}: {why}", vector["hit"]),
        }
    });
    compare("text", &rows.collect::<Vec<_>>());
}
