//! One line of the log: how it is written, and what can be read off it.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The version of the format.
const VERSION: u64 = 1;
/// What `prev` is in a log's first line.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// `,"hash":"` + 64 digits + `"}`.
const SEAL_BYTES: usize = 75;

/// The names and values of an event, in the order in which they are written.
pub(crate) type Fields = Vec<(&'static str, Value)>;

/// The last event of a log: whoever knows it can tell whether lines were cut off.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Head {
    /// The number of the event.
    pub seq: u64,
    /// The hash of its line.
    pub hash: String,
}

/// What the chain needs of a line that is sealed.
#[derive(Debug, Deserialize)]
pub(super) struct Sealed {
    pub(super) v: u64,
    pub(super) seq: u64,
    pub(super) event: String,
    pub(super) prev: String,
    pub(super) hash: String,
    /// Of a `log.recovered` event: what it recovered from.
    #[serde(default)]
    pub(super) torn: Option<Torn>,
}

/// A line that a crash cut short.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub(super) struct Torn {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Torn {
    pub(super) fn of(line: &[u8]) -> Self {
        Self { bytes: line.len() as u64, sha256: digest(line) }
    }
}

/// What is wrong with a line by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Flaw {
    /// It is no audit event.
    Malformed,
    /// Its hash is not that of its content.
    Changed,
}

/// Writes the line of an event after `head`, without a newline, to the end of `text`.
pub(super) fn seal(
    text: &mut String,
    head: Option<&Head>,
    time: &str,
    event: &str,
    write_fields: impl FnOnce(&mut String),
) -> Head {
    let start = text.len();
    let seq = head.map_or(0, |head| head.seq.saturating_add(1));
    let prev = head.map_or(GENESIS, |head| &head.hash);
    // Writing to a string does not fail.
    let _ = write!(text, r#"{{"v":{VERSION},"seq":{seq},"time":"{time}","event":"{event}""#);
    write_fields(text);
    let _ = write!(text, r#","prev":"{prev}""#);
    let hash = digest(text.as_bytes().get(start..).unwrap_or_default());
    let _ = write!(text, r#","hash":"{hash}"}}"#);
    Head { seq, hash }
}

/// Fields as they stand on a line, each after a comma.
pub(crate) fn rendered(fields: &Fields) -> String {
    fields.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = write!(text, r#","{name}":{}"#, without_controls(&value.to_string()));
        text
    })
}

/// JSON leaves DEL, the C1 controls (`CSI` among them) and the marks that turn the direction of text as they are. They
/// stand within its strings only, and the log is read on terminals.
fn without_controls(json: &str) -> Cow<'_, str> {
    let is_unsafe = |letter: char| {
        letter.is_control() || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !json.contains(is_unsafe) {
        return Cow::Borrowed(json);
    }
    Cow::Owned(json.chars().fold(String::new(), |mut text, letter| {
        if is_unsafe(letter) {
            let _ = write!(text, "\\u{:04x}", u32::from(letter));
        } else {
            text.push(letter);
        }
        text
    }))
}

/// Reads a line and compares its hash with its content.
pub(super) fn open(line: &[u8]) -> Result<Sealed, (Flaw, Option<Sealed>)> {
    let sealed: Sealed = serde_json::from_slice(line).map_err(|_| (Flaw::Malformed, None))?;
    let content = line.len().checked_sub(SEAL_BYTES).and_then(|end| line.split_at_checked(end));
    let Some((content, seal)) = content.filter(|_| sealed.v == VERSION) else {
        return Err((Flaw::Malformed, None));
    };
    let expected = format!(r#","hash":"{}"}}"#, digest(content));
    if seal == expected.as_bytes() { Ok(sealed) } else { Err((Flaw::Changed, Some(sealed))) }
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten().collect()
}
