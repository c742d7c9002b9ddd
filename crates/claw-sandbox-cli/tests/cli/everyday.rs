//! What agents write all day passes under the built-in profile, and what looks like it does not: `data/everyday.txt`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::harness::Place;

const LINES: &str = include_str!("../data/everyday.txt");

/// `allow`, or the code of the first reason.
fn verdict(answer: &Value) -> &str {
    let field = |name| answer.get(name).and_then(Value::as_str);
    match field("decision") {
        Some("allow") => "allow",
        _ => field("code").or(field("error")).unwrap_or("no answer"),
    }
}

#[test]
fn everyday_lines_pass_and_those_that_look_like_them_do_not() {
    let place = Place::new();
    for file in ["src/main.rs", "x.txt", "README.md", "dir/a", "build/a", ".git/config", ".git/hooks/a"] {
        place.write(format!("work/{file}"), "text\n");
    }
    let cases: Vec<(&str, String)> = LINES
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('\t').unwrap())
        .map(|(expected, line)| (expected, line.replace('\u{2424}', "\n")))
        .collect();
    assert!(cases.len() > 300, "the table is read");
    let requests: String =
        cases.iter().map(|(_, line)| format!("{}\n", json!({ "exec": { "command": line } }))).collect();
    let ran = place.run_with(["check", "--jsonl"], requests.as_bytes()).exits(0);
    let answers: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), cases.len());
    let mut wrong = String::new();
    for ((expected, line), answer) in cases.iter().zip(&answers) {
        if verdict(answer) != *expected {
            let _ = writeln!(wrong, "{line}\n    expected {expected}: {answer}");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
