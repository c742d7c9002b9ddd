//! From a host's message to requests.

use std::fmt;

use claw_wire::tools::{self, ToolKind};
use claw_wire::{
    Action, Bytes, Chat, Context, Exec, File, FileAction, Identifier, Opaque, Principal, Request, Trust,
};
use serde_json::Value;

use crate::{Host, MAX_INPUT, patch};

/// A tool that a host is about to use.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What it would do: all of it has to be allowed. Never empty.
    pub requests: Vec<Request>,
    /// Where the agent works, absolute, when the host says.
    pub cwd: Option<String>,
    /// Whether the host asks a person anyway, and only wants to know whether that is needed.
    pub permission: bool,
}

/// Why a message is not understood. The answer is a no.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Malformed(String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

fn malformed(what: impl Into<String>) -> Malformed {
    Malformed(what.into())
}

/// Reads what a host writes to its hook.
///
/// # Errors
///
/// When it is not JSON, too large, not about a tool, or has no tool in it.
///
/// ```
/// use claw_hooks::{Host, read};
///
/// let message = br#"{"hook_event_name":"PreToolUse","cwd":"/w","tool_name":"Bash","tool_input":{"command":"ls"}}"#;
/// let call = read(Host::ClaudeCode, message).unwrap();
/// assert_eq!(call.requests.len(), 1);
/// assert!(read(Host::ClaudeCode, b"{}").is_err());
/// ```
pub fn read(host: Host, input: &[u8]) -> Result<Call, Malformed> {
    if input.len() > MAX_INPUT {
        return Err(malformed(format!("the host's message is larger than {MAX_INPUT} bytes")));
    }
    let message: Value = serde_json::from_slice(input)
        .map_err(|error| malformed(format!("the host's message is not JSON: {error}")))?;
    let event = text(&message, "hook_event_name");
    let (tool, arguments) = match host {
        Host::Copilot => (text(&message, "toolName"), copilot_arguments(&message)?),
        Host::Cursor => match event {
            Some("beforeShellExecution") => {
                let command = message.get("command").cloned().unwrap_or_default();
                (Some("shell"), serde_json::json!({ "command": command }))
            }
            Some("beforeReadFile") => {
                let path = message.get("file_path").cloned().unwrap_or_default();
                (Some("read_file"), serde_json::json!({ "file_path": path }))
            }
            _ => (text(&message, "tool_name"), message.get("tool_input").cloned().unwrap_or_default()),
        },
        _ => (text(&message, "tool_name"), message.get("tool_input").cloned().unwrap_or_default()),
    };
    let permission = is_permission(host, event)?;
    let tool = tool.ok_or_else(|| malformed("the host's message names no tool"))?;
    let cwd = text(&message, "cwd").map(str::to_owned);
    let context = context(host, &message);
    let requests = actions(host, tool, &arguments)?
        .into_iter()
        .map(|action| {
            let elsewhere = matches!(action, Action::Exec(_)).then(|| elsewhere(&arguments)).flatten();
            let request = Request::new(action).in_context(context.clone());
            match (&cwd, elsewhere) {
                (Some(cwd), Some(directory)) if !directory.starts_with('/') => {
                    request.in_directory(format!("{cwd}/{directory}").as_str())
                }
                (_, Some(directory)) => request.in_directory(directory),
                (Some(cwd), None) => request.in_directory(cwd.as_str()),
                (None, None) => request,
            }
        })
        .collect();
    Ok(Call { requests, cwd, permission })
}

/// Whether the event is the host's question to a person; an event that is not about a tool is a mistake of its settings.
fn is_permission(host: Host, event: Option<&str>) -> Result<bool, Malformed> {
    match (host, event) {
        (Host::ClaudeCode | Host::Codex, Some("PreToolUse"))
        | (Host::GeminiCli, Some("BeforeTool"))
        | (
            Host::Cursor,
            Some("beforeShellExecution" | "beforeReadFile" | "beforeMCPExecution" | "preToolUse"),
        )
        | (Host::Copilot, None) => Ok(false),
        (Host::ClaudeCode | Host::Codex, Some("PermissionRequest")) => Ok(true),
        (_, event) => Err(malformed(format!(
            "this hook is for the tools that a host is about to use, not for {:?}",
            event.unwrap_or("an event without a name")
        ))),
    }
}

/// Some versions send an object, some the text of one.
fn copilot_arguments(message: &Value) -> Result<Value, Malformed> {
    match message.get("toolArgs") {
        Some(Value::String(text)) => serde_json::from_str(text)
            .map_err(|error| malformed(format!("the tool's arguments are not JSON: {error}"))),
        arguments => Ok(arguments.cloned().unwrap_or_default()),
    }
}

/// What a call of a tool would do.
fn actions(host: Host, name: &str, arguments: &Value) -> Result<Vec<Action>, Malformed> {
    let Some(tool) = tools::find(host.name(), name) else {
        let tool = Identifier::new(name).map_err(|error| malformed(format!("the tool's name: {error}")))?;
        return Ok(vec![Action::Opaque(Opaque { tool, arguments: arguments.clone() })]);
    };
    let given = match arguments.get(tool.argument) {
        Some(Value::String(given)) => given.as_str(),
        None if tool.optional => ".",
        _ => return Err(malformed(format!("the tool `{name}` wants a text as `{}`", tool.argument))),
    };
    // Hosts may take a path with spaces around it for the plain one.
    if tool.kind != ToolKind::Exec && tool.kind != ToolKind::Patch && given != given.trim() {
        return Err(malformed(format!("the path `{given}` begins or ends with a space")));
    }
    let file = |action| File { action, path: Bytes::from(given), to: None, recursive: false };
    Ok(match tool.kind {
        ToolKind::Exec => vec![Action::Exec(Exec::line(given))],
        ToolKind::Read => vec![Action::File(file(FileAction::Read))],
        ToolKind::Search => {
            let base = base(given, text(arguments, "glob").or_else(|| text(arguments, "include")));
            [Some(file(FileAction::Read)), base].into_iter().flatten().map(Action::File).collect()
        }
        ToolKind::List => {
            let base = base(given, text(arguments, "pattern"));
            [Some(file(FileAction::List)), base].into_iter().flatten().map(Action::File).collect()
        }
        ToolKind::Write | ToolKind::Edit => vec![Action::File(file(FileAction::Write))],
        ToolKind::Patch => patch::files(given)
            .ok_or_else(|| malformed("the patch is not in a form that is wholly understood"))?
            .into_iter()
            .map(Action::File)
            .collect(),
    })
}

/// Where a pattern begins that leads out of the directory it is about: an absolute one, or one with `..`.
fn base(directory: &str, pattern: Option<&str>) -> Option<File> {
    let pattern = pattern?;
    let leads_out = pattern.starts_with(['/', '~']) || pattern.split('/').any(|part| part == "..");
    let plain = |part: &&str| !part.contains(['*', '?', '[', '{']);
    let start = pattern.split('/').take_while(plain).collect::<Vec<_>>().join("/");
    let start =
        if pattern.starts_with(['/', '~']) { format!("{start}/") } else { format!("{directory}/{start}") };
    let action = FileAction::List;
    leads_out.then(|| File { action, path: Bytes::from(start.as_str()), to: None, recursive: false })
}

/// Where a command runs that is not to run where the agent works.
fn elsewhere(arguments: &Value) -> Option<&str> {
    ["workdir", "dir_path", "directory", "cwd"].into_iter().find_map(|key| text(arguments, key))
}

/// A hook's message comes from a process of the same user, so it proves nothing.
fn context(host: Host, message: &Value) -> Context {
    let name = |key| text(message, key).and_then(|name| Identifier::new(name).ok());
    Context {
        host: host.identifier(),
        principal: Principal::Unknown,
        chat: if message.get("agent_id").is_some_and(Value::is_string) {
            Chat::SubAgent
        } else {
            Chat::Local
        },
        session: name("session_id").or_else(|| name("conversation_id")),
        agent: name("agent_id"),
        call: name("tool_use_id"),
        trust: Trust::Asserted,
        ..Context::default()
    }
}

fn text<'a>(message: &'a Value, key: &str) -> Option<&'a str> {
    message.get(key).and_then(Value::as_str)
}
