//! `secrets scan --jsonl`: one text a line.

use claw_secrets::{Finding, TextKind};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Bytes, Id};

/// A text to look at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextRequest {
    /// Given back with the answer, as it was written.
    #[serde(default)]
    pub(crate) id: Id,
    /// How names and values are written in it; a `file` may be anything.
    #[serde(default = "file", deserialize_with = "kind")]
    pub(crate) kind: TextKind,
    pub(crate) text: Bytes,
}

const fn file() -> TextKind {
    TextKind::File
}

fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TextKind, D::Error> {
    let name = String::deserialize(deserializer)?;
    TextKind::from_name(&name).ok_or_else(|| D::Error::custom(unknown_text_kind(&name)))
}

/// What to say about a kind of text that does not exist.
pub(crate) fn unknown_text_kind(name: &str) -> String {
    format!("unknown kind of text `{name}`; want one of {}", TextKind::ALL.map(TextKind::name).join(", "))
}

/// What a text holds.
#[derive(Debug, Serialize)]
pub(crate) struct Findings {
    id: Id,
    findings: Vec<WireFinding>,
}

/// One credential.
#[derive(Debug, Serialize)]
pub(crate) struct WireFinding {
    #[serde(rename = "type")]
    pub(crate) secret_type: &'static str,
    /// The bytes of the value alone.
    span: (usize, usize),
}

impl Findings {
    /// The answer to the request with this id.
    pub(crate) fn new(id: Id, findings: &[Finding]) -> Self {
        Self { id, findings: findings.iter().map(WireFinding::from).collect() }
    }
}

impl From<&Finding> for WireFinding {
    fn from(finding: &Finding) -> Self {
        Self { secret_type: finding.secret_type.name(), span: (finding.span.start, finding.span.end) }
    }
}
