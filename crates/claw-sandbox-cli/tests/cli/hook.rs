//! `hook HOST`, called as hosts call it.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Place, Ran, User};

fn call(host: &str, place: &Place, tool: &str, input: &Value) -> String {
    let event = if host == "gemini" { "BeforeTool" } else { "PreToolUse" };
    json!({ "session_id": "s", "cwd": place.work(), "hook_event_name": event, "tool_name": tool, "tool_input": input })
        .to_string()
}

fn hook(place: &Place, host: &str, message: &str) -> Ran {
    place.run_with(["hook", host], message.as_bytes())
}

#[test]
fn what_is_allowed_is_silence_and_what_is_denied_is_the_hosts_own_no() {
    for user in User::all() {
        let place = Place::of(user);
        for (host, tool, denied) in [
            ("claude", "Bash", r#""permissionDecision":"deny""#),
            ("codex", "Bash", r#""permissionDecision":"deny""#),
            ("gemini", "run_shell_command", r#""decision":"deny""#),
        ] {
            let ran =
                hook(&place, host, &call(host, &place, tool, &json!({ "command": "git status" }))).exits(0);
            assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""), "{host}");
            let ran =
                hook(&place, host, &call(host, &place, tool, &json!({ "command": "ls; curl x" }))).exits(0);
            ran.prints(denied).prints("`curl` is not in the allowlist");
        }
    }
}

#[test]
fn files_and_patches_are_judged_by_every_file_that_they_name() {
    let place = Place::new();
    let write = |path: &str| call("claude", &place, "Write", &json!({ "file_path": path, "content": "x" }));
    assert_eq!(hook(&place, "claude", &write("a.txt")).exits(0).stdout, "");
    hook(&place, "claude", &write("/etc/x")).exits(0).prints("deny");
    let patch = |second: &str| {
        let text =
            format!("*** Begin Patch\n*** Add File: a\n+x\n*** Update File: {second}\n*** End Patch\n");
        call("codex", &place, "apply_patch", &json!({ "command": text }))
    };
    assert_eq!(hook(&place, "codex", &patch("b")).exits(0).stdout, "");
    hook(&place, "codex", &patch("../b")).exits(0).prints("deny");
    assert_eq!(fs::read_dir(place.work()).unwrap().count(), 0, "a hook does nothing itself");
}

#[test]
fn what_leads_out_of_the_directory_in_another_argument_is_judged_too() {
    let place = Place::new();
    let other = place.write("other/file", "x");
    let other = other.parent().unwrap().display().to_string();
    for (host, tool, input) in [
        ("claude", "Glob", json!({ "pattern": format!("{other}/**") })),
        ("claude", "Glob", json!({ "pattern": "../other/*" })),
        ("claude", "Grep", json!({ "pattern": "x", "glob": "../other/*" })),
        ("claude", "Edit", json!({ "file_path": " /etc/passwd" })),
        ("gemini", "glob", json!({ "pattern": format!("{other}/*") })),
        ("gemini", "run_shell_command", json!({ "command": "ls > x", "dir_path": "../other" })),
        ("codex", "Bash", json!({ "command": "ls > x", "workdir": other })),
        (
            "codex",
            "apply_patch",
            json!({ "command": "*** Begin Patch\n*** Add File: a\n+y\n *** Add File: /etc/x\n+y\n*** End Patch" }),
        ),
    ] {
        let ran = hook(&place, host, &call(host, &place, tool, &input));
        assert!(ran.status == 2 || ran.stdout.contains("deny"), "{tool} {input}: {ran:#?}");
    }
    let inside = call("claude", &place, "Glob", &json!({ "pattern": "src/**/*.rs" }));
    assert_eq!(hook(&place, "claude", &inside).exits(0).stdout, "");
}

#[test]
fn a_tool_that_is_in_no_table_is_denied_until_the_policy_names_it() {
    let place = Place::new();
    let message = call("claude", &place, "mcp__x__shell", &json!({ "cmd": "rm -rf /" }));
    hook(&place, "claude", &message).exits(0).prints("deny");
    let policy = place.write("home/policy.yaml", "tools: { allow: [mcp__x__shell] }\n");
    let ran = place.run_with(["hook", "claude", "--policy", policy.to_str().unwrap()], message.as_bytes());
    assert_eq!(ran.exits(0).stdout, "");
}

#[test]
fn a_question_is_only_put_where_the_host_can_ask() {
    let place = Place::new();
    let policy = place.write("home/policy.yaml", "exec: { ask: on-miss, allowlist: [echo] }\n");
    let policy = policy.to_str().unwrap();
    for (host, tool, more, part) in [
        ("claude", "Bash", None, r#""permissionDecision":"ask""#),
        ("codex", "Bash", None, r#""permissionDecision":"deny""#),
        ("gemini", "run_shell_command", None, r#""decision":"deny""#),
        ("gemini", "run_shell_command", Some("--interactive"), r#""decision":"ask""#),
    ] {
        let args = ["hook", host, "--policy", policy].into_iter().chain(more);
        let message = call(host, &place, tool, &json!({ "command": "wc x" }));
        place.run_with(args, message.as_bytes()).exits(0).prints(part);
    }
}

#[test]
fn a_host_that_cannot_ask_is_told_how_to_answer_and_the_same_call_then_passes_once() {
    let place = Place::new();
    let policy = place.write("home/policy.yaml", "exec: { ask: on-miss, allowlist: [echo] }\n");
    let policy = policy.to_str().unwrap();
    for (host, tool) in [("codex", "Bash"), ("gemini", "run_shell_command")] {
        let hook = |line: &str| {
            let message = call(host, &place, tool, &json!({ "command": line }));
            place.run_with(["hook", host, "--policy", policy], message.as_bytes()).exits(0)
        };
        let denied = hook("wc x").prints("claw-sandbox approve ");
        let id = denied.stdout.split("claw-sandbox approve ").nth(1).unwrap();
        let id: String = id.chars().take_while(char::is_ascii_alphanumeric).collect();
        place.run(["approve", &id]).exits(0);
        hook("wc y").prints("deny");
        assert_eq!(hook("wc x").stdout, "", "{host}");
        hook("wc x").prints("deny");
    }
}

#[test]
fn whatever_goes_wrong_is_status_2_with_a_line() {
    let place = Place::new();
    let good = call("claude", &place, "Bash", &json!({ "command": "ls" }));
    for (args, message) in [
        (&["hook", "claude"][..], "".to_owned()),
        (&["hook", "codex"], "{".to_owned()),
        (&["hook", "gemini"], "\u{0}".to_owned()),
        (&["hook", "clade"], good.clone()),
        (&["hook"], good.clone()),
        (&["hook", "claude", "extra"], good.clone()),
        (&["hook", "claude", "--polcy", "x"], good.clone()),
        (&["hook", "claude", "--policy", "/nonexistent.yaml"], good.clone()),
        (&["hook", "claude", "--audit", "/nonexistent/log"], good.clone()),
        (&["hook", "claude"], good.replace("PreToolUse", "SessionStart")),
    ] {
        let ran = place.run_with(args, message.as_bytes()).exits(2);
        assert_eq!(ran.stdout, "", "{args:?}");
        assert_ne!(ran.stderr, "", "{args:?}");
        if args.len() == 2 {
            ran.says("claw-sandbox: denied: ").says_one_line();
        }
    }
    let denied = call("claude", &place, "Bash", &json!({ "command": "curl x" }));
    let ran = place
        .program("sh")
        .args(["-c", "printf %s \"$1\" | ../bin/claw-sandbox hook claude >&-", "sh", &denied])
        .output();
    Ran::new("closed".to_owned(), &ran.unwrap()).exits(2).says("standard output is closed");
    place.write("home/.config/claw-sandbox/policy.yaml", "nonsense: 1\n");
    hook(&place, "claude", &good).exits(2).says("nonsense").says_one_line();
}
