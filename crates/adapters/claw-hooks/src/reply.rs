//! From a decision to what a host takes for it.

use claw_wire::{AskSurface, Decision, Effect, visible};
use serde_json::{Value, json};

use crate::Host;

/// Whether a person sits at the host, as its user has told us. Hosts do not say it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Surface {
    /// Nobody is known to be there. A host that would wait for an answer is told no.
    #[default]
    Headless,
    /// Somebody is there.
    Interactive,
}

/// What the hook's process does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// One line for standard output; none is no opinion.
    pub stdout: Option<String>,
    /// One line for standard error.
    pub stderr: Option<String>,
    /// The exit status.
    pub exit: u8,
}

/// The answer to a call.
///
/// An allowance is silence wherever the host has rules of its own: those are the user's, and a hook that says `allow` would
/// switch off some of them. The command is never rewritten: Claude Code 2.1.330 then no longer sees what the user has
/// forbidden.
///
/// ```
/// use claw_hooks::{Host, Surface, reply};
/// use claw_wire::Decision;
///
/// let denied: Decision = serde_json::from_str(
///     r#"{"effect":"deny","code":"exec.denied","message":"`rm` never runs","retryable":false}"#,
/// ).unwrap();
/// let reply = reply(Host::GeminiCli, &denied, false, Surface::Headless);
/// assert_eq!(reply.stdout.as_deref(), Some(r#"{"decision":"deny","reason":"denied: `rm` never runs"}"#));
/// assert_eq!(reply.exit, 0);
/// ```
#[must_use]
pub fn reply(host: Host, decision: &Decision, permission: bool, surface: Surface) -> Reply {
    let answer = match (decision.effect, host, surface) {
        (Effect::Allow, ..) => Answer::Silent,
        // Its own question to a person follows when the hook says nothing.
        (Effect::Ask, Host::ClaudeCode | Host::Codex, _) if permission => Answer::Silent,
        // It asks a person, or denies where there is nobody.
        (Effect::Ask, Host::ClaudeCode | Host::Copilot | Host::Cursor, _) => Answer::Ask,
        // It hangs on a question that nobody can see.
        (Effect::Ask, Host::GeminiCli, Surface::Interactive) => Answer::Ask,
        // It runs the command when it is told to ask.
        (Effect::Ask, Host::Codex | Host::GeminiCli, _) | (Effect::Deny, ..) => Answer::Deny,
    };
    let stdout = words(host, answer, &decision.line(), permission).map(|words| words.to_string());
    Reply { stdout, stderr: None, exit: 0 }
}

/// How a question can reach a person: through the host, or beside it (`claw-sandbox approve`).
#[must_use]
pub const fn asks(host: Host, permission: bool, surface: Surface) -> AskSurface {
    match (host, surface) {
        (Host::ClaudeCode | Host::Copilot | Host::Cursor, _) | (Host::GeminiCli, Surface::Interactive) => {
            AskSurface::Inline
        }
        (Host::Codex, _) if permission => AskSurface::Inline,
        (Host::Codex | Host::GeminiCli, _) => AskSurface::Broker,
    }
}

/// A failure of ours, which has to be a no: status 2 with a line on standard error is the one form that Claude Code, Codex
/// and Gemini CLI take for one whatever else is wrong.
#[must_use]
pub fn failure(what: &str) -> Reply {
    let line = format!("claw-sandbox: denied: {}", visible(what));
    Reply { stdout: None, stderr: Some(line), exit: 2 }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Answer {
    Silent,
    Ask,
    Deny,
}

impl Answer {
    const fn verb(self) -> Option<&'static str> {
        match self {
            Self::Silent => None,
            Self::Ask => Some("ask"),
            Self::Deny => Some("deny"),
        }
    }
}

fn words(host: Host, answer: Answer, reason: &str, permission: bool) -> Option<Value> {
    let Some(verb) = answer.verb() else {
        // Cursor takes silence for a failure.
        return (host == Host::Cursor).then(|| json!({ "permission": "allow" }));
    };
    Some(match host {
        Host::ClaudeCode | Host::Codex if permission => json!({ "hookSpecificOutput": {
            "hookEventName": "PermissionRequest",
            "decision": { "behavior": "deny", "message": reason },
        } }),
        Host::ClaudeCode | Host::Codex => json!({ "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": verb,
            "permissionDecisionReason": reason,
        } }),
        Host::GeminiCli => json!({ "decision": verb, "reason": reason }),
        Host::Copilot => json!({ "permissionDecision": verb, "permissionDecisionReason": reason }),
        Host::Cursor => json!({ "permission": verb, "user_message": reason, "agent_message": reason }),
    })
}
