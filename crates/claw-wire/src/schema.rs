//! The JSON Schemas of requests and decisions, for clients in other languages.

use serde_json::{Value, json};

use crate::{Chat, FileAction, MAX_IDENTIFIER};

/// The JSON Schema (2020-12) of a [`crate::Request`].
#[must_use]
pub fn request_schema() -> Value {
    let mut schema = closed(json!({
        "id": identifier("What the sender recognises the request by"),
        "cwd": bytes("Where relative paths start and commands run, absolute; without it the policy's workspace"),
        "exec": exec(),
        "file": file(),
        "opaque": opaque(),
        "context": context(),
    }));
    annotate(&mut schema, "claw-sandbox request");
    set(
        &mut schema,
        "oneOf",
        json!([
            { "required": ["exec"] }, { "required": ["file"] }, { "required": ["opaque"] },
        ]),
    );
    schema
}

/// The JSON Schema (2020-12) of a [`crate::Decision`].
#[must_use]
pub fn decision_schema() -> Value {
    let mut schema = closed(json!({
        "id": identifier("The request's id"),
        "effect": { "enum": ["allow", "deny", "ask"] },
        "code": text("A stable name of the first reason"),
        "message": text("Why, in one line"),
        "rule": text("The rule that made it"),
        "retryable": { "type": "boolean", "description": "Whether an approval may flip it" },
        "hint": text("What a person, or the model, can do now"),
        "change": text("The smallest change of the policy that would flip it"),
        "contexts": { "type": "array", "items": { "type": "string" }, "description": "The rules for contexts that narrowed the policy" },
        "question": question(),
    }));
    annotate(&mut schema, "claw-sandbox decision");
    set(&mut schema, "required", json!(["effect", "code", "message", "retryable"]));
    schema
}

fn exec() -> Value {
    let mut schema = closed(json!({
        "command": bytes("A line for a shell"),
        "shell": text("The shell that reads it; without it bash"),
        "argv": { "type": "array", "items": bytes("A word"), "description": "A program and its arguments, in place of a line" },
        "env": { "type": "object", "additionalProperties": bytes("A value"), "description": "Variables to pass, if the policy does" },
        "timeout_ms": { "type": "integer", "minimum": 0, "description": "An end; the policy's own limit still holds" },
    }));
    set(
        &mut schema,
        "oneOf",
        json!([
            { "required": ["command"] },
            { "required": ["argv"], "not": { "required": ["shell"] } },
        ]),
    );
    schema
}

fn file() -> Value {
    let actions: Vec<&str> = FileAction::ALL.iter().map(|action| action.name()).collect();
    let mut schema = closed(json!({
        "action": { "enum": actions },
        "path": bytes("Absolute, relative to `cwd`, or beginning with `~`"),
        "to": bytes("The second path of rename and hardlink"),
        "recursive": { "type": "boolean", "description": "Whether a whole tree is meant" },
    }));
    set(&mut schema, "required", json!(["action", "path"]));
    schema
}

fn opaque() -> Value {
    let mut schema = closed(json!({
        "tool": identifier("The host's name for the tool"),
        "arguments": { "description": "What it would be called with" },
    }));
    set(&mut schema, "required", json!(["tool"]));
    schema
}

fn context() -> Value {
    let chats: Vec<&str> = Chat::ALL.iter().map(|chat| chat.name()).collect();
    let mut known = closed(json!({ "known": identifier("`channel:account:sender`") }));
    set(&mut known, "required", json!(["known"]));
    closed(json!({
        "host": identifier("The program that the agent runs in"),
        "principal": { "anyOf": [{ "enum": ["owner", "unknown"] }, known] },
        "chat": { "enum": chats },
        "channel": identifier("The network or room"),
        "session": identifier("The conversation"),
        "agent": identifier("The agent, where a host has several"),
        "call": identifier("The tool call"),
        "trust": { "enum": ["asserted", "signed", "embedded"] },
        "ask": { "enum": ["none", "inline", "broker"] },
    }))
}

fn question() -> Value {
    let mut schema = closed(json!({
        "title": text("One short line"),
        "detail": text("Everything that would happen, whole"),
        "answers": { "type": "array", "items": { "enum": ["once", "always", "deny"] } },
        "digest": text("SHA-256 of the action, the principal and the policy"),
        "ttl_ms": { "type": "integer", "minimum": 0 },
        "id": identifier("The broker's name of the question"),
    }));
    set(&mut schema, "required", json!(["title", "detail", "answers", "digest", "ttl_ms"]));
    schema
}

fn closed(properties: Value) -> Value {
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn annotate(schema: &mut Value, title: &str) {
    set(schema, "$schema", json!("https://json-schema.org/draft/2020-12/schema"));
    set(schema, "title", json!(title));
}

fn set(schema: &mut Value, key: &str, value: Value) {
    if let Value::Object(members) = schema {
        members.insert(key.to_owned(), value);
    }
}

fn text(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

fn identifier(about: &str) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": MAX_IDENTIFIER, "description": about })
}

/// A string, or `{"bytes": "base64"}` for what is not UTF-8.
fn bytes(about: &str) -> Value {
    let encoded = json!({
        "type": "object",
        "properties": { "bytes": { "type": "string", "contentEncoding": "base64" } },
        "required": ["bytes"],
        "additionalProperties": false,
    });
    json!({ "anyOf": [{ "type": "string" }, encoded], "description": about })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Action, Answer, AskSurface, Bytes, Context, Decision, Effect, Exec, File, Opaque, Principal,
        Question, Request, Trust,
    };

    /// Every member of a value that has all of them stands in the schema, and nothing else does.
    fn agrees(schema: &Value, value: &Value, path: &str) {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        let members = value.as_object().unwrap();
        let names = |map: &serde_json::Map<String, Value>| {
            map.keys().cloned().collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(names(properties), names(members), "{path}");
        for (name, value) in members {
            if value.is_object() {
                agrees(&properties[name], value, &format!("{path}.{name}"));
            }
        }
    }

    fn id() -> Option<crate::Identifier> {
        Some("x".parse().unwrap())
    }

    fn full_context() -> Context {
        Context {
            host: id(),
            principal: Principal::Owner,
            chat: Chat::Local,
            channel: id(),
            session: id(),
            agent: id(),
            call: id(),
            trust: Trust::Signed,
            ask: AskSurface::Inline,
        }
    }

    #[test]
    fn the_schemas_describe_what_is_written() {
        let exec = Exec {
            command: Some(Bytes::from("a")),
            shell: Some("sh".into()),
            argv: Some(Vec::new()),
            env: [("A".to_owned(), Bytes::from("b"))].into(),
            timeout_ms: Some(1),
        };
        let file = File { action: FileAction::Read, path: "a".into(), to: Some("b".into()), recursive: true };
        let opaque = Opaque { tool: "x".parse().unwrap(), arguments: json!(1) };
        for (name, action) in
            [("exec", Action::Exec(exec)), ("file", Action::File(file)), ("opaque", Action::Opaque(opaque))]
        {
            let request = Request { id: id(), cwd: Some("/".into()), action, context: full_context() };
            let value = serde_json::to_value(&request).unwrap();
            let schema = request_schema();
            agrees(&schema["properties"][name], &value[name], name);
            agrees(&schema["properties"]["context"], &value["context"], "context");
            for member in value.as_object().unwrap().keys() {
                assert!(schema["properties"].get(member).is_some(), "{member}");
            }
        }
        let question = Question {
            title: "t".into(),
            detail: "d".into(),
            answers: vec![Answer::Once],
            digest: "0".into(),
            ttl_ms: 1,
            id: id(),
        };
        let decision = Decision {
            id: id(),
            effect: Effect::Ask,
            code: "c".into(),
            message: "m".into(),
            rule: Some("r".into()),
            retryable: true,
            hint: Some("h".into()),
            change: Some("c".into()),
            contexts: vec!["c".into()],
            question: Some(question),
        };
        agrees(&decision_schema(), &serde_json::to_value(decision).unwrap(), "decision");
    }
}
