//! What an agent wants to do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::object::only_as_object;
use crate::{Bytes, Context, FileAction, Identifier};

/// Something that an agent wants to do, and who asks for it.
///
/// In JSON the action is one of the members `exec`, `file` and `opaque`; there has to be exactly one.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Request {
    /// What its sender recognises it by.
    pub id: Option<Identifier>,
    /// Where relative paths start and commands run, absolute; the policy's workspace when it is not given.
    pub cwd: Option<Bytes>,
    /// What.
    pub action: Action,
    /// Who asks.
    pub context: Context,
}

/// What an agent wants to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Run a command.
    Exec(Exec),
    /// Touch a file.
    File(File),
    /// Something that we know by name alone: it can be decided, and never performed.
    Opaque(Opaque),
}

/// A command. Either `command` or `argv` is given.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Exec {
    /// A line for a shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Bytes>,
    /// The shell that reads it, by bare name or absolute path; bash when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// A program and its arguments, in place of a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<Bytes>>,
    /// Variables that the caller asks to pass; the policy says which do.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Bytes>,
    /// An end that the caller sets, in milliseconds; the policy's own limit still holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// An operation on a file.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct File {
    /// What is done.
    pub action: FileAction,
    /// To what: absolute, relative to the request's `cwd`, or beginning with `~`.
    pub path: Bytes,
    /// The second path of rename and hardlink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Bytes>,
    /// Whether a whole tree is meant (delete, chmod).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recursive: bool,
}

/// A tool that is neither a command nor a file operation.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Opaque {
    /// The host's name for it.
    pub tool: Identifier,
    /// What it would be called with: for the audit log and for questions, not for decisions.
    #[serde(default)]
    pub arguments: serde_json::Value,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(remote = "Self", deny_unknown_fields)]
struct Fields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Identifier>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cwd: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exec: Option<Exec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<File>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opaque: Option<Opaque>,
    #[serde(default)]
    context: Context,
}

only_as_object!(Exec, File, Opaque, Fields);

impl TryFrom<Fields> for Request {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        let Fields { id, cwd, exec, file, opaque, context } = fields;
        let action = match (exec, file, opaque) {
            (Some(exec), None, None) => Action::Exec(exec.checked()?),
            (None, Some(file), None) => Action::File(file),
            (None, None, Some(opaque)) => Action::Opaque(opaque),
            _ => return Err("want exactly one of `exec`, `file`, `opaque`".to_owned()),
        };
        Ok(Self { id, cwd, action, context })
    }
}

impl From<Request> for Fields {
    fn from(request: Request) -> Self {
        let Request { id, cwd, action, context } = request;
        let mut fields = Self { id, cwd, exec: None, file: None, opaque: None, context };
        match action {
            Action::Exec(exec) => fields.exec = Some(exec),
            Action::File(file) => fields.file = Some(file),
            Action::Opaque(opaque) => fields.opaque = Some(opaque),
        }
        fields
    }
}

impl Exec {
    /// A line for bash.
    #[must_use]
    pub fn line(line: impl Into<Bytes>) -> Self {
        Self { command: Some(line.into()), ..Self::default() }
    }

    /// A program and its arguments.
    #[must_use]
    pub fn argv(argv: impl IntoIterator<Item = impl Into<Bytes>>) -> Self {
        Self { argv: Some(argv.into_iter().map(Into::into).collect()), ..Self::default() }
    }

    /// The same, if it is one command in one form.
    ///
    /// # Errors
    ///
    /// Says which members do not go together.
    pub fn checked(self) -> Result<Self, String> {
        match (&self.command, &self.argv) {
            (Some(_), None) => Ok(self),
            (None, Some(_)) if self.shell.is_none() => Ok(self),
            (None, Some(_)) => Err("`shell` goes with `command`, not with `argv`".to_owned()),
            _ => Err("`exec` wants either `command` or `argv`".to_owned()),
        }
    }
}

impl Request {
    /// A request of somebody unknown.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self { id: None, cwd: None, action, context: Context::default() }
    }

    /// The same, in this directory.
    #[must_use]
    pub fn in_directory(mut self, directory: impl Into<Bytes>) -> Self {
        self.cwd = Some(directory.into());
        self
    }

    /// The same, asked for by whom the context says.
    #[must_use]
    pub fn in_context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_was_written() {
        for text in [
            r#"{"id":"a1","cwd":"/w","exec":{"command":"ls"},"context":{"principal":"owner","chat":"local","trust":"embedded","ask":"inline"}}"#,
            r#"{"exec":{"argv":["ls",{"bytes":"/w=="}],"env":{"A":"1"},"timeout_ms":5},"context":{"host":"codex","principal":{"known":"telegram:a:1"},"chat":"unknown","trust":"asserted","ask":"none"}}"#,
            r#"{"file":{"action":"rename","path":"a","to":"b"},"context":{"principal":"unknown","chat":"group","channel":"x","session":"s","agent":"g","call":"c","trust":"signed","ask":"broker"}}"#,
            r#"{"opaque":{"tool":"web_search","arguments":{"q":"x"}},"context":{"principal":"unknown","chat":"unknown","trust":"asserted","ask":"none"}}"#,
        ] {
            let request: Request = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&request).unwrap(), text);
        }
    }

    #[test]
    fn malformed_requests_are_told_apart() {
        for (text, part) in [
            ("{}", "exactly one of"),
            (r#"{"exec":{"command":"a"},"file":{"action":"read","path":"a"}}"#, "exactly one of"),
            ("[]", "expected an object"),
            (r#"{"exec":["ls"]}"#, "expected an object"),
            (r#"{"file":["read","a"]}"#, "expected an object"),
            (r#"{"exec":{"command":"a"},"context":["openclaw"]}"#, "expected an object"),
            (r#"{"exec":{}}"#, "either `command` or `argv`"),
            (r#"{"exec":{"command":"a","argv":["a"]}}"#, "either `command` or `argv`"),
            (r#"{"exec":{"argv":["a"],"shell":"sh"}}"#, "`shell` goes with"),
            (r#"{"exec":{"command":"a","elevated":true}}"#, "unknown field `elevated`"),
            (r#"{"file":{"action":"burn","path":"a"}}"#, "unknown file action `burn`"),
            (r#"{"file":{"action":"read"}}"#, "missing field `path`"),
            (r#"{"opaque":{"tool":""}}"#, "1 to 256 bytes"),
            (r#"{"exec":{"command":"a"},"contxt":{}}"#, "unknown field `contxt`"),
            (r#"{"exec":{"command":"a"},"exec":{"command":"b"}}"#, "duplicate field"),
        ] {
            let error = serde_json::from_str::<Request>(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
