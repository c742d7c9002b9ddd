//! What hosts really send, and what they take for a no.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; JSON that is not there is null"
)]

use claw_hooks::{Host, Surface, failure, read, reply};
use claw_wire::{Action, Chat, Decision, Effect, FileAction, Trust};
use proptest::prelude::*;
use serde_json::Value;

const CAPTURED: [(Host, &str); 3] = [
    (Host::ClaudeCode, include_str!("captured/claude-2.1.330.jsonl")),
    (Host::Codex, include_str!("captured/codex-0.169.0.jsonl")),
    (Host::GeminiCli, include_str!("captured/gemini-0.61.0.jsonl")),
];

fn decision(effect: Effect, message: &str) -> Decision {
    Decision {
        id: None,
        effect,
        code: "exec.x".into(),
        message: message.into(),
        rule: Some("policy.yaml:1:1".into()),
        retryable: false,
        hint: None,
        change: None,
        contexts: Vec::new(),
        question: None,
    }
}

#[test]
fn every_captured_message_is_understood_and_believed_as_asserted() {
    for (host, messages) in CAPTURED {
        for message in messages.lines() {
            let call = read(host, message.as_bytes()).unwrap();
            assert_eq!(call.cwd.as_deref(), Some("/w/x"));
            let value: Value = serde_json::from_str(message).unwrap();
            let context = &call.requests[0].context;
            assert_eq!(context.host.as_ref().unwrap().as_str(), host.name());
            assert_eq!((context.trust, context.chat), (Trust::Asserted, Chat::Local));
            assert_eq!(context.session.as_ref().unwrap().as_str(), value["session_id"]);
            match (&call.requests[0].action, value["tool_name"].as_str().unwrap()) {
                (Action::Exec(exec), "Bash" | "run_shell_command") => {
                    let line = value["tool_input"]["command"].as_str().unwrap();
                    assert_eq!(exec.command.as_ref().unwrap().0, line.as_bytes());
                }
                (Action::File(file), "Write" | "write_file") => assert_eq!(file.action, FileAction::Write),
                (Action::File(file), "apply_patch") => {
                    assert_eq!((file.action, &file.path.0[..]), (FileAction::Create, &b"a.txt"[..]));
                }
                (action, tool) => unreachable!("{tool}: {action:?}"),
            }
        }
    }
}

#[test]
fn a_message_that_is_not_wholly_understood_is_refused() {
    for (host, message) in [
        (Host::ClaudeCode, "{"),
        (Host::ClaudeCode, "[]"),
        (Host::ClaudeCode, r#"{"hook_event_name":"PreToolUse"}"#),
        (Host::ClaudeCode, r#"{"hook_event_name":"Stop","tool_name":"Bash","tool_input":{"command":"x"}}"#),
        (Host::ClaudeCode, r#"{"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{}}"#),
        (
            Host::ClaudeCode,
            r#"{"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":["x"]}}"#,
        ),
        (Host::ClaudeCode, r#"{"hook_event_name":"PreToolUse","tool_name":"","tool_input":{}}"#),
        (
            Host::Codex,
            r#"{"hook_event_name":"PreToolUse","tool_name":"apply_patch","tool_input":{"command":"x"}}"#,
        ),
        (Host::Copilot, r#"{"toolName":"bash","toolArgs":"{"}"#),
    ] {
        assert!(read(host, message.as_bytes()).is_err(), "{message}");
    }
    assert!(read(Host::Codex, &vec![b' '; claw_hooks::MAX_INPUT + 1]).is_err());
}

#[test]
fn a_tool_that_is_in_no_table_is_opaque() {
    let message =
        br#"{"hook_event_name":"PreToolUse","tool_name":"mcp__x__shell","tool_input":{"cmd":"rm"}}"#;
    let call = read(Host::ClaudeCode, message).unwrap();
    assert!(
        matches!(&call.requests[0].action, Action::Opaque(opaque) if opaque.tool.as_str() == "mcp__x__shell")
    );
}

#[test]
fn a_sub_agents_call_says_so() {
    let message =
        br#"{"hook_event_name":"PreToolUse","agent_id":"a1","tool_name":"Bash","tool_input":{"command":"ls"}}"#;
    let context = read(Host::ClaudeCode, message).unwrap().requests[0].context.clone();
    assert_eq!((context.chat, context.agent.unwrap().as_str()), (Chat::SubAgent, "a1"));
}

/// Whether the host lets the tool run, by what was seen of it: Codex goes on at everything that its schema does not know.
fn runs(host: Host, permission: bool, stdout: Option<&str>, stderr: Option<&str>, exit: u8) -> bool {
    if exit == 2 && stderr.is_some_and(|line| !line.is_empty()) {
        return false;
    }
    if exit != 0 {
        return true;
    }
    let said: Value = stdout.map_or(Value::Null, |line| serde_json::from_str(line).unwrap());
    let output = &said["hookSpecificOutput"];
    let has_reason = |key: &str| output[key].as_str().is_some_and(|reason| !reason.trim().is_empty());
    match host {
        Host::ClaudeCode | Host::Codex if permission => output["decision"]["behavior"] != "deny",
        Host::ClaudeCode => !matches!(output["permissionDecision"].as_str(), Some("deny" | "ask")),
        Host::Codex => output["permissionDecision"] != "deny" || !has_reason("permissionDecisionReason"),
        Host::GeminiCli => !matches!(said["decision"].as_str(), Some("deny" | "block")),
        Host::Copilot => !matches!(said["permissionDecision"].as_str(), Some("deny" | "ask")),
        Host::Cursor => said["permission"] == "allow",
    }
}

proptest! {
    #[test]
    fn what_is_not_allowed_is_never_in_a_form_that_a_host_takes_for_a_failure(
        host in prop::sample::select(Host::ALL.to_vec()),
        message in ".{0,40}",
        asks in any::<bool>(),
        permission in any::<bool>(),
    ) {
        let permission = permission && matches!(host, Host::ClaudeCode | Host::Codex);
        let effect = if asks { Effect::Ask } else { Effect::Deny };
        let said = reply(host, &decision(effect, &message), permission, Surface::Headless);
        // A question of the host's own follows: that is not running it.
        let goes_on = permission && asks;
        let ran = runs(host, permission, said.stdout.as_deref(), said.stderr.as_deref(), said.exit);
        prop_assert!(!ran || goes_on, "{said:?}");
        prop_assert!(said.stdout.is_none_or(|line| !line.contains('\n')));
        let failed = failure(&message);
        prop_assert!(!runs(host, permission, failed.stdout.as_deref(), failed.stderr.as_deref(), failed.exit));
    }

    #[test]
    fn no_message_panics(host in prop::sample::select(Host::ALL.to_vec()), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(host, &bytes);
    }
}

#[test]
fn an_allowance_leaves_the_users_own_rules_in_charge() {
    for host in [Host::ClaudeCode, Host::Codex, Host::GeminiCli, Host::Copilot] {
        let said = reply(host, &decision(Effect::Allow, ""), false, Surface::Headless);
        assert_eq!((said.stdout, said.stderr, said.exit), (None, None, 0), "{host:?}");
    }
}
