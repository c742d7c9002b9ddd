//! What OpenClaw takes out of its logs, our detector finds.

use claw_secrets::{TextKind, find};

use crate::differences::{Row, compare, vectors};

#[test]
fn what_is_hidden_there_is_hidden_here() {
    let mut rows = Vec::new();
    for vector in vectors("redact-oracle.jsonl") {
        let input = vector["input"].as_str().unwrap();
        let found = find(TextKind::LogLine, input.as_bytes());
        let theirs = if vector["changed"] == true { "hide" } else { "show" };
        let ours = if found.is_empty() { "show" } else { "hide" };
        rows.push(Row { id: format!("redact:{input}"), theirs, ours, about: format!("{found:?}") });
    }
    compare("redact", &rows);
}
