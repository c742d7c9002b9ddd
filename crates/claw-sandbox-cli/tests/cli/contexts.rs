//! What is narrower for some of those who ask.

use serde_json::{Value, json};

use crate::harness::Place;

const POLICY: &str = "\
exec: { allowlist: [echo, ls] }
contexts:
  - when: { principal: unknown, chat: group }
    narrow: { exec: { security: deny } }
  - when: { chat: sub-agent }
    narrow: { exec: { allowlist: [echo] } }
";

const OWNER: &str = r#"{"principal":"owner","chat":"local","trust":"embedded"}"#;
const CLAIMS: &str = r#"{"principal":"owner","chat":"local"}"#;
const HELPER: &str = r#"{"principal":"owner","chat":"sub-agent","trust":"embedded"}"#;

#[test]
fn a_line_is_judged_in_its_context_and_says_which_rules_held() {
    let place = Place::new();
    let policy = place.write("p.yaml", POLICY);
    let line = |context: Option<&str>, program: &str| {
        let mut line = json!({ "policy": policy, "cwd": place.work(), "exec": { "argv": [program] } });
        if let Some(context) = context {
            line["context"] = serde_json::from_str(context).unwrap();
        }
        line.to_string()
    };
    for (context, program, decision, rules) in [
        (None, "ls", "allow", None),
        (Some(OWNER), "ls", "allow", Some(vec![])),
        (Some(CLAIMS), "ls", "deny", Some(vec!["3:5"])),
        (Some("{}"), "ls", "deny", Some(vec!["3:5"])),
        (Some(HELPER), "ls", "deny", Some(vec!["5:5"])),
        (Some(HELPER), "echo", "allow", Some(vec!["5:5"])),
        (
            Some(r#"{"principal":{"known":"t:a:1"},"chat":"group","trust":"signed"}"#),
            "ls",
            "allow",
            Some(vec![]),
        ),
    ] {
        let ran =
            place.run_with(["check", "--jsonl"], format!("{}\n", line(context, program)).as_bytes()).exits(0);
        let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(answer["decision"], decision, "{context:?} {program}: {answer}");
        let found = answer.get("contexts").map(|found| {
            found.as_array().unwrap().iter().map(|rule| rule.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        });
        let rules = rules
            .map(|rules| rules.iter().map(|at| format!("{}:{at}", policy.display())).collect::<Vec<_>>());
        assert_eq!(found, rules, "{context:?} {program}");
    }
}

#[test]
fn explain_names_the_rules_and_run_obeys_them() {
    let place = Place::new();
    let policy = place.write("p.yaml", POLICY);
    let policy = policy.to_str().unwrap();
    let explained = |context| place.run(["explain", "-p", policy, "--context", context, "--", "ls"]);
    explained("{}").exits(126).prints("in this context: narrowed by ").prints("p.yaml:3:5");
    explained(OWNER).exits(0).prints("in this context: the policy as it is");
    let run = |context| place.run(["run", "-p", policy, "--context", context, "--", "ls"]);
    run(OWNER).exits(0);
    run(HELPER).exits(126);
    run("{}").exits(126);
}

#[test]
fn a_context_that_is_not_understood_is_an_error() {
    let place = Place::new();
    for wrong in [r#"{"principle":"owner"}"#, r#"{"chat":"dm"}"#, "[]", r#"["openclaw"]"#, "owner"] {
        place.run(["check", "--context", wrong, "--", "ls"]).exits(125);
        place.run(["run", "--context", wrong, "--", "ls"]).exits(125);
    }
    let line = br#"{"id":1,"exec":{"argv":["ls"]},"context":{"principle":"owner"}}"#;
    let ran = place.run_with(["check", "--jsonl"], line).exits(0);
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(answer["id"], 1);
    assert!(answer["error"].as_str().unwrap().contains("principle"), "{answer}");
}

#[test]
fn a_tool_that_is_only_a_name_is_allowed_by_name() {
    let place = Place::new();
    let ask = |policy: Value, tool: &str| {
        let line = json!({ "policy": policy, "opaque": { "tool": tool } }).to_string();
        let ran = place.run_with(["check", "--jsonl"], line.as_bytes()).exits(0);
        serde_json::from_str::<Value>(&ran.stdout).unwrap()
    };
    let policy = json!({ "tools": { "allow": ["web_*"] } });
    assert_eq!(ask(policy.clone(), "web_search")["code"], "tool.allowed");
    let denied = ask(policy, "launch");
    assert_eq!(
        (denied["decision"].as_str(), denied["code"].as_str()),
        (Some("deny"), Some("tool.not-named"))
    );
    assert_eq!(ask(json!({}), "web_search")["decision"], "deny");
}

#[test]
fn an_inner_policy_needs_the_outer_ones_contexts() {
    let place = Place::new();
    let outer = place.write("outer.yaml", POLICY);
    let same = place.write("same.yaml", POLICY);
    let without = place.write("without.yaml", "exec: { allowlist: [echo, ls] }\n");
    let subset = |inner: &std::path::Path, outer: &std::path::Path| {
        place.run(["policy", "subset", inner.to_str().unwrap(), outer.to_str().unwrap()])
    };
    subset(&same, &outer).exits(0);
    subset(&outer, &without).exits(0);
    subset(&without, &outer).exits(1).prints("in a context of rule");
}

#[test]
fn the_schemas_of_requests_and_decisions_are_there() {
    let place = Place::new();
    for (of, title) in [("policy", "policy"), ("request", "request"), ("decision", "decision")] {
        let schema = place.run(["schema", of]).exits(0).json();
        assert_eq!(schema["title"], format!("claw-sandbox {title}"));
    }
}
