//! `check --jsonl`: one request a line.

use std::collections::BTreeMap;

use claw_policy::Protocol;
use claw_wire::{Context, Exec, File, Opaque};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::Bytes;

/// What a caller recognises its request by: any JSON.
pub(crate) type Id = Option<Box<RawValue>>;

/// A line of standard input.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireRequest {
    /// Given back with the answer, as it was written.
    #[serde(default)]
    pub(crate) id: Id,
    /// Inline, kept as it was written: reasons point into this text.
    #[serde(default)]
    policy: Option<Box<RawValue>>,
    /// Where relative paths resolve.
    #[serde(default)]
    pub(crate) cwd: Option<Bytes>,
    /// What the caller knows better than this machine.
    #[serde(default)]
    pub(crate) facts: WireFacts,
    #[serde(default)]
    exec: Option<Exec>,
    #[serde(default)]
    file: Option<File>,
    #[serde(default)]
    environment: Option<Variable>,
    #[serde(default)]
    network: Option<Network>,
    #[serde(default)]
    opaque: Option<Opaque>,
    /// Who asks. Without it the policy is asked as it is.
    #[serde(default)]
    pub(crate) context: Option<Context>,
}

/// Facts that the caller states.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireFacts {
    /// What `~` means.
    #[serde(default)]
    pub(crate) home: Option<String>,
    /// What `~user` means. When given, no other user is known.
    #[serde(default)]
    pub(crate) users: Option<BTreeMap<String, String>>,
}

/// May this variable be passed?
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variable {
    name: Bytes,
}

/// May this address be reached?
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    #[serde(default)]
    pub(crate) host: Option<String>,
    pub(crate) port: u16,
    /// `tcp` when it is not given.
    #[serde(default = "tcp", deserialize_with = "protocol")]
    pub(crate) protocol: Protocol,
}

const fn tcp() -> Protocol {
    Protocol::Tcp
}

fn protocol<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Protocol, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        other => Err(D::Error::unknown_variant(other, &["tcp", "udp"])),
    }
}

/// What a line asks.
#[derive(Debug)]
pub(crate) enum Question {
    Exec(Exec),
    File(File),
    Environment(Bytes),
    Network(Network),
    Opaque(Opaque),
}

/// Which policy a line names.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum PolicyText {
    /// None: the one of the command line, or the built-in profile.
    Default,
    /// A JSON object.
    Inline(Box<str>),
    /// A file's path.
    File(String),
}

impl WireRequest {
    /// Reads one line.
    ///
    /// # Errors
    ///
    /// Says in one line what is wrong with it.
    pub(crate) fn read(line: &[u8]) -> Result<Self, String> {
        if !is_object(line) {
            return Err("want a JSON object".to_owned());
        }
        serde_json::from_slice(line).map_err(|error| error.to_string())
    }

    /// The policy to ask.
    pub(crate) fn policy(&self) -> Result<PolicyText, String> {
        let Some(raw) = &self.policy else { return Ok(PolicyText::Default) };
        let text = raw.get();
        match text.bytes().next() {
            Some(b'{') => Ok(PolicyText::Inline(text.into())),
            Some(b'"') => serde_json::from_str(text).map(PolicyText::File).map_err(|error| error.to_string()),
            Some(b'n') => Ok(PolicyText::Default),
            _ => Err("`policy` is an object or the path of a policy file".to_owned()),
        }
    }

    /// The one question of the line.
    pub(crate) fn question(&mut self) -> Result<Question, String> {
        let mut questions = [
            self.exec.take().map(Question::Exec),
            self.file.take().map(Question::File),
            self.environment.take().map(|variable| Question::Environment(variable.name)),
            self.network.take().map(Question::Network),
            self.opaque.take().map(Question::Opaque),
        ]
        .into_iter()
        .flatten();
        match (questions.next(), questions.next()) {
            (Some(question), None) => Ok(question),
            _ => Err("want exactly one of `exec`, `file`, `environment`, `network`, `opaque`".to_owned()),
        }
    }

    /// The `id` of a line that cannot be read as a request, as far as it is JSON at all.
    pub(crate) fn id_of(line: &[u8]) -> Id {
        #[derive(Deserialize)]
        struct Identified {
            #[serde(default)]
            id: Id,
        }
        if !is_object(line) {
            return None;
        }
        serde_json::from_slice(line).ok().and_then(|Identified { id }| id)
    }
}

/// serde would read an array as the fields in their order.
fn is_object(json: &[u8]) -> bool {
    json.trim_ascii_start().starts_with(b"{")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(line: &str) -> String {
        match WireRequest::read(line.as_bytes()) {
            Ok(mut request) => {
                request.policy().and(request.question().map(|_| PolicyText::Default)).unwrap_err()
            }
            Err(error) => error,
        }
    }

    #[test]
    fn a_policy_keeps_the_text_that_was_written() {
        let request =
            WireRequest::read(br#"{"policy": {"exec":  {"deny": ["rm"]}}, "exec": {"argv": ["rm"]}}"#)
                .unwrap();
        assert_eq!(request.policy(), Ok(PolicyText::Inline(r#"{"exec":  {"deny": ["rm"]}}"#.into())));
        let request = WireRequest::read(br#"{"policy": "p.yaml", "exec": {"argv": ["rm"]}}"#).unwrap();
        assert_eq!(request.policy(), Ok(PolicyText::File("p.yaml".into())));
    }

    #[test]
    fn malformed_lines_are_told_apart() {
        for (line, part) in [
            ("", "a JSON object"),
            ("nonsense", "a JSON object"),
            ("[]", "a JSON object"),
            ("{", "EOF"),
            ("{}", "exactly one of"),
            (r#"{"exec":{"argv":["a"]},"environment":{"name":"A"}}"#, "exactly one of"),
            (r#"{"exek":{}}"#, "unknown field `exek`"),
            (r#"{"file":{"action":"burn","path":"a"}}"#, "unknown file action `burn`"),
            (r#"{"file":{"action":"read"}}"#, "missing field `path`"),
            (r#"{"network":{"port":99999}}"#, "invalid value"),
            (r#"{"network":{"port":9,"protocol":"icmp"}}"#, "unknown variant `icmp`"),
            (r#"{"policy":7,"exec":{"argv":["a"]}}"#, "`policy` is an object"),
        ] {
            let error = error_of(line);
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn the_id_of_a_malformed_request_is_kept_when_it_can_be_read() {
        let id = |line: &str| WireRequest::id_of(line.as_bytes()).map(|id| id.get().to_owned());
        assert_eq!(id(r#"{"id":"a1","exec":7}"#).as_deref(), Some(r#""a1""#));
        assert_eq!(
            id(r#"{"id":12345678901234567890123,"nonsense":true}"#).as_deref(),
            Some("12345678901234567890123")
        );
        for line in [r#"{"id":null}"#, r#"{"id":"#, r#"["a1"]"#, "", "{}"] {
            assert_eq!(id(line), None, "{line}");
        }
    }
}
