//! An event on its way to the log.
#![forbid(unsafe_code)]

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::seal::hexadecimal;

/// What surrounds an event's own fields on its line, with room to spare.
const FRAME_BYTES: usize = 1024;

/// An event with the time at which it happened.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(super) time: Timestamp,
    pub(super) event: &'static str,
    body: Body,
    /// Who asked, rendered.
    context: Option<Arc<str>>,
}

/// What an event says.
#[derive(Debug)]
pub(crate) enum Body {
    /// Its fields, rendered.
    Text(String),
    /// A decision that was made before; the text has all of its fields but the id.
    Known { id: EventId, told: Arc<str> },
    /// What came of a read.
    Read { id: EventId, actor: Arc<str>, ending: &'static str, content: Content },
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) enum Content {
    /// Nothing that has a hash.
    #[default]
    None,
    /// A content that is hashed when the event is written.
    Copy(Box<[u8]>),
    /// A content's length and hash.
    Hashed(u64, [u8; 32]),
}

/// The id of a decision and its outcome: unique, and cheaper to come by than random bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct EventId {
    /// Random, one for each recorder.
    pub(crate) prefix: u64,
    pub(crate) number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.prefix, self.number)
    }
}

impl Pending {
    /// An event that happens now.
    pub(crate) fn now(event: &'static str, body: Body, context: Option<Arc<str>>) -> Self {
        Self { time: Timestamp::now(), event, body, context }
    }

    /// The most bytes that its line takes.
    pub(super) fn line_bytes(&self) -> usize {
        let body = match &self.body {
            Body::Text(text) => text.len(),
            Body::Known { told, .. } => told.len(),
            Body::Read { actor, .. } => actor.len(),
        };
        body + self.context.as_deref().map_or(0, str::len) + FRAME_BYTES
    }

    /// What it holds in memory until it is written.
    pub(super) fn held_bytes(&self) -> usize {
        match &self.body {
            Body::Text(text) => text.len(),
            Body::Read { content: Content::Copy(content), .. } => content.len(),
            Body::Known { .. } | Body::Read { .. } => 0,
        }
    }

    /// Puts its fields into words.
    pub(super) fn write_to(&self, line: &mut String) {
        // Writing to a string does not fail.
        let _ = match &self.body {
            Body::Text(text) => line.write_str(text),
            Body::Known { id, told } => write!(line, r#","id":"{id}"{told}"#),
            Body::Read { id, actor, ending, content } => {
                let (bytes, after) = match content {
                    Content::None => (0, None),
                    Content::Copy(content) => (content.len() as u64, Some(Sha256::digest(content).into())),
                    Content::Hashed(bytes, hash) => (*bytes, Some(*hash)),
                };
                let after = after.map_or_else(
                    || "null".to_owned(),
                    |hash: [u8; 32]| format!(r#""{}""#, hexadecimal(&hash)),
                );
                write!(
                    line,
                    r#","id":"{id}","actor":"{actor}","message":"file read: {ending}","ending":"{ending}","bytes":{bytes},"before":null,"after":{after}"#
                )
            }
        };
        line.push_str(self.context.as_deref().unwrap_or(""));
    }
}
