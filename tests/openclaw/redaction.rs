//! What OpenClaw takes out of its logs, we take out of ours.

use claw_sandbox::audit::redact_text;

use crate::differences::{Row, compare, vectors};

/// `redact-samples.jsonl` has a text for each of OpenClaw's default patterns, in their order.
#[test]
fn what_is_hidden_there_is_hidden_here() {
    let answer = |is_hidden| if is_hidden { "hide" } else { "show" };
    let mut rows = Vec::new();
    for vector in vectors("redact-oracle.jsonl") {
        let input = vector["input"].as_str().unwrap();
        let output = redact_text(input.as_bytes());
        rows.push(Row {
            id: format!("redact:{input}"),
            theirs: answer(vector["changed"] == true),
            ours: answer(output != input.as_bytes()),
            about: String::from_utf8_lossy(&output).into_owned(),
        });
    }
    for vector in vectors("redact-samples.jsonl") {
        let [input, secret] = ["input", "secret"].map(|name| vector[name].as_str().unwrap());
        let output = String::from_utf8_lossy(&redact_text(input.as_bytes())).into_owned();
        rows.push(Row {
            id: format!("redact:pattern {}", vector["pattern"]),
            theirs: "hide",
            ours: answer(!output.contains(secret)),
            about: output,
        });
    }
    compare("redact", &rows);
}
