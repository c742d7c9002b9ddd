//! Variables: what a model may set, what never passes, what looks like a secret.

use claw_policy::Request;
use claw_sandbox::Judge;
use serde_json::{Value, json};

use crate::differences::{Row, compare, vectors};
use crate::place::{answer, judge};

fn judge_with(pass: &str) -> Judge {
    let config = json!({ "tools": { "exec": { "mode": "allowlist" } } });
    let more =
        if pass.is_empty() { String::new() } else { format!("environment: {{ pass: [{}] }}\n", json!(pass)) };
    judge(&config, None, "/home/u", &more)
}

fn ask(judge: &Judge, name: &str) -> (&'static str, String) {
    answer(&judge.decide(Request::Environment(name.as_bytes())).unwrap())
}

const fn allowed(is_allowed: bool) -> &'static str {
    if is_allowed { "allow" } else { "deny" }
}

#[test]
fn a_model_sets_no_more_variables_than_there() {
    let judge = judge_with("");
    let rows = vectors("env-oracle.jsonl").into_iter().map(|vector| {
        let key = vector["key"].as_str().unwrap();
        let (ours, about) = ask(&judge, key);
        Row { id: format!("env-set:{key}"), theirs: allowed(vector["overrideAccepted"] == true), ours, about }
    });
    compare("env-set", &rows.collect::<Vec<_>>());
}

#[test]
fn what_is_blocked_always_there_never_passes_here_however_a_policy_lists_it() {
    let rows = vectors("env-oracle.jsonl").into_iter().map(|vector| {
        let key = vector["key"].as_str().unwrap();
        // What is no name cannot be listed; a pattern is as far as a policy gets.
        let is_name = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !key.starts_with(|first: char| first.is_ascii_digit());
        let (ours, about) = ask(&judge_with(if is_name { key } else { "*" }), key);
        let is_blocked = vector["blockedAlways"] == true && vector["inheritedKept"].is_null();
        Row { id: format!("env-hook:{key}"), theirs: allowed(!is_blocked), ours, about }
    });
    compare("env-hook", &rows.collect::<Vec<_>>());
}

#[test]
fn values_that_pass_there_only_in_part_do_not_pass_here() {
    let rows = vectors("env-value-rules.jsonl").into_iter().map(|vector| {
        let key = vector["key"].as_str().unwrap();
        let (ours, about) = ask(&judge_with(key), key);
        let is_kept = match vector["kind"].as_str().unwrap() {
            "override" => vector["rejected"] == json!([]),
            _ => vector["result"] == vector["value"],
        };
        let id = format!("env-value:{}:{key}={}", vector["kind"].as_str().unwrap(), text(&vector["value"]));
        Row { id, theirs: allowed(is_kept), ours, about }
    });
    compare("env-value", &rows.collect::<Vec<_>>());
}

#[test]
fn names_that_look_like_secrets_pass_no_pattern() {
    let rows = vectors("sandbox-env-oracle.jsonl").into_iter().map(|vector| {
        let key = vector["key"].as_str().unwrap();
        let (ours, about) = ask(&judge_with("*"), key);
        Row { id: format!("env-secret:{key}"), theirs: allowed(vector["allowed"] == true), ours, about }
    });
    compare("env-secret", &rows.collect::<Vec<_>>());
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
