//! `check --jsonl`: one request a line, one answer a line.

use serde_json::{Value, json};

use crate::harness::Place;

/// The answers to these lines, one per line that is not blank.
fn ask(place: &Place, lines: &[&str]) -> Vec<Value> {
    let mut input = lines.join("\n").into_bytes();
    input.push(b'\n');
    ask_bytes(place, &input)
}

fn ask_bytes(place: &Place, input: &[u8]) -> Vec<Value> {
    let ran = place.run_with(["check", "--jsonl"], input).exits(0);
    assert_eq!(ran.stderr, "");
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A request about a command under a policy that allows `git` and `cat` in `/w`.
fn exec(id: &str, command: &str) -> String {
    let policy = json!({"workspace": "/w", "exec": {"allowlist": ["git", "cat"]}});
    json!({"id": id, "policy": policy, "cwd": "/", "exec": {"command": command}}).to_string()
}

#[test]
fn answers_come_in_order_with_the_ids_of_their_requests() {
    let place = Place::new();
    let answers = ask(
        &place,
        &[&exec("a", "git status"), &exec("b", "git status; rm -rf /"), &exec("c", "git log | cat")],
    );
    let short: Vec<_> = answers.iter().map(|a| (a["id"].clone(), a["decision"].clone())).collect();
    assert_eq!(
        short,
        [(json!("a"), json!("allow")), (json!("b"), json!("deny")), (json!("c"), json!("allow"))]
    );
    assert_eq!(answers[1]["commands"], json!([["git", "status"], ["rm", "-rf", "/"]]));
    assert_eq!(answers[1]["code"], "exec.not-allowlisted");
    assert_eq!(answers[1]["retryable"], false);
}

#[test]
fn a_reason_points_into_the_command_line() {
    let place = Place::new();
    let answers = ask(&place, &[&exec("a", "git status; rm -rf /")]);
    let span = &answers[0]["reasons"][0]["span"];
    let (start, end) = (span[0].as_u64().unwrap(), span[1].as_u64().unwrap());
    let text = "git status; rm -rf /".get(start as usize..end as usize).unwrap();
    assert!(text.starts_with("rm"), "{answers:#?}");
}

#[test]
fn a_rule_of_an_inline_policy_is_named_by_its_place_in_the_text() {
    let place = Place::new();
    let line = r#"{"id":1,"policy":{"workspace":"/w","exec":{"deny":["git"]}},"cwd":"/","exec":{"argv":["git","status"]}}"#;
    let answers = ask(&place, &[line]);
    assert_eq!(answers[0]["decision"], "deny", "{answers:#?}");
    assert_eq!(answers[0]["code"], "exec.denied");
    // `{"workspace":"/w","exec":{"deny":["git"]}}`: the entry is at column 35 of the policy's text.
    assert_eq!(answers[0]["reasons"][0]["rule"], "policy:1:35", "{answers:#?}");
}

#[test]
fn malformed_lines_are_answered_and_the_stream_goes_on() {
    let place = Place::new();
    let answers = ask(
        &place,
        &[
            "nonsense",
            r#"{"id":"b","exec":7}"#,
            r#"{"id":"c"}"#,
            r#"{"id":"d","exec":{"argv":["git"]},"file":{"action":"read","path":"/w"}}"#,
            r#"{"id":"e","policy":{"exce":{}},"exec":{"argv":["git"]}}"#,
            r#"{"id":"f","file":{"action":"burn","path":"/w"}}"#,
            r#"{"id":"g","unknown":1,"exec":{"argv":["git"]}}"#,
            r#"{"id":"h","cwd":"relative","exec":{"argv":["git"]}}"#,
            &exec("z", "git status"),
        ],
    );
    assert_eq!(answers.len(), 9, "{answers:#?}");
    assert_eq!(answers[0]["id"], Value::Null);
    for (answer, id) in answers[1..8].iter().zip(["b", "c", "d", "e", "f", "g", "h"]) {
        assert_eq!(answer["id"], id);
        assert!(answer["error"].is_string(), "{answer}");
        assert!(answer.get("decision").is_none(), "{answer}");
    }
    assert!(
        answers[4]["error"].as_str().unwrap().contains("exec"),
        "the nearest key is named: {}",
        answers[4]
    );
    assert_eq!(answers[8]["decision"], "allow");
}

#[test]
fn blank_lines_are_skipped_and_the_last_line_needs_no_newline() {
    let place = Place::new();
    let input = format!("\n  \n{}\n\n{}", exec("a", "git status"), exec("b", "git status"));
    assert_eq!(ask_bytes(&place, input.as_bytes()).len(), 2);
}

#[test]
fn bytes_that_are_not_utf_8_are_an_error_of_their_line_only() {
    let place = Place::new();
    let mut input = b"{\"id\":\"\xff\"}\n".to_vec();
    input.extend(exec("b", "git status").into_bytes());
    let answers = ask_bytes(&place, &input);
    assert!(answers[0]["error"].is_string());
    assert_eq!(answers[1]["decision"], "allow");
}

#[test]
fn an_oversized_line_is_an_error_and_the_next_one_is_answered() {
    let place = Place::new();
    let mut input = vec![b'x'; 9 << 20];
    input.push(b'\n');
    input.extend(exec("b", "git status").into_bytes());
    let answers = ask_bytes(&place, &input);
    assert!(answers[0]["error"].as_str().unwrap().contains("longer"), "{answers:#?}");
    assert_eq!(answers[1]["decision"], "allow");
}

#[test]
fn a_mebibyte_of_parentheses_and_a_nul_are_denied() {
    let place = Place::new();
    for (command, code) in [("(".repeat(1 << 20), "shell.bounds"), ("git\0status".to_owned(), "shell.syntax")]
    {
        let answers = ask(&place, &[&exec("a", &command)]);
        assert_eq!((&answers[0]["decision"], &answers[0]["code"]), (&json!("deny"), &json!(code)));
    }
}

#[test]
fn names_that_are_not_utf_8_travel_as_base64() {
    let place = Place::new();
    let lines = [
        // `cat` and `/w/\xff`
        r#"{"id":1,"policy":{"workspace":"/w","exec":{"allowlist":["cat"]}},"cwd":"/","exec":{"argv":["rm",{"bytes":"L3cv/w=="}]}}"#,
        r#"{"id":2,"policy":{"workspace":"/w"},"file":{"action":"read","path":{"bytes":"L3cv/w=="}}}"#,
        r#"{"id":3,"policy":{"workspace":"/w","exec":{"allowlist":["cat"]}},"cwd":"/","exec":{"command":{"bytes":"cm0gL3cv/w=="}}}"#,
    ];
    let answers = ask(&place, &lines);
    assert_eq!(answers[0]["commands"], json!([["rm", {"bytes": "L3cv/w=="}]]), "{answers:#?}");
    assert_eq!(answers[1]["decision"], "allow", "{answers:#?}");
    assert_eq!(answers[2]["commands"], json!([["rm", {"bytes": "L3cv/w=="}]]), "{answers:#?}");
}

#[test]
fn facts_of_the_request_replace_those_of_the_machine() {
    let place = Place::new();
    let policy = r#""policy":{"workspace":"/w","filesystem":{"readOnly":["~/docs"]}}"#;
    let facts = r#""facts":{"home":"/home/u","users":{"bob":"/home/u"}}"#;
    let ask_about = |path: &str| {
        let line = format!(r#"{{{policy},{facts},"file":{{"action":"read","path":"{path}"}}}}"#);
        ask(&place, &[&line])[0].clone()
    };
    for path in ["/home/u/docs/a", "~/docs/a", "~bob/docs/a"] {
        assert_eq!(ask_about(path)["decision"], "allow", "{path}: {}", ask_about(path));
    }
    for path in ["~root/docs/a", "~nobody-at-all/docs/a"] {
        assert_eq!(ask_about(path)["decision"], "deny", "{path}: {}", ask_about(path));
    }
}

#[test]
fn file_environment_and_network_requests_are_answered() {
    let place = Place::new();
    let policy = r#""policy":{"workspace":"/w","filesystem":{"hidden":["**/.env"]},"environment":{"pass":["CI"]},"network":{"allow":[{"port":443,"protocol":"tcp"}]}}"#;
    for (question, decision, code) in [
        (r#""file":{"action":"write","path":"/w/x"}"#, "allow", "file.allowed"),
        (r#""file":{"action":"read","path":"/w/.env"}"#, "deny", "file.hidden"),
        (r#""file":{"action":"rename","path":"/w/x","to":"/y"}"#, "deny", "file.outside"),
        (r#""environment":{"name":"CI"}"#, "allow", "environment.allowed"),
        (r#""environment":{"name":"LD_PRELOAD"}"#, "deny", "environment.stripped"),
        (r#""network":{"host":"example.org","port":443}"#, "allow", "network.allowed"),
        (r#""network":{"host":"example.org","port":443,"protocol":"udp"}"#, "deny", "network.denied"),
    ] {
        let answers = ask(&place, &[&format!("{{{policy},{question}}}")]);
        assert_eq!(
            (&answers[0]["decision"], &answers[0]["code"]),
            (&json!(decision), &json!(code)),
            "{question}: {answers:#?}"
        );
    }
}

#[test]
fn each_answer_is_written_before_the_next_request_is_read() {
    use std::io::{BufRead, BufReader, Write};
    let place = Place::new();
    let mut child = place.cli(["check", "--jsonl"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for id in ["a", "b"] {
        writeln!(stdin, "{}", exec(id, "git status")).unwrap();
        assert!(answers.next().unwrap().unwrap().contains(&format!("\"id\":\"{id}\"")));
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}
