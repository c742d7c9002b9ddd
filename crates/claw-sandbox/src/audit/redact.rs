//! Takes secrets out of command lines before they are written anywhere.
//!
//! What is a secret is told by its shape (a known prefix, a key block, a JWT), by the name beside it
//! (`--password X`, `API_KEY=X`, `Authorization: X`), by a program's own option (`mysql -pX`), or by its place in a URL.
//! What only refers to a secret (`$TOKEN`, `--token-file F`) stays. It is a net with holes: a secret without shape and
//! name looks like any other word.
#![forbid(unsafe_code)]

mod names;
mod options;
mod scan;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Range;

use claw_secrets::is_telling;

use self::names::{is_name_byte, is_placeholder};
use self::options::Options;

/// What takes a secret's place.
const MARK: &[u8] = b"[redacted]";

/// Replaces secrets in one argument vector.
#[must_use]
pub fn redact_argv(argv: &[Vec<u8>]) -> Vec<Vec<u8>> {
    Redactor::default().argv(argv)
}

/// Replaces secrets in a text: a shell line, a message.
#[must_use]
pub fn redact_text(text: &[u8]) -> Vec<u8> {
    Redactor::default().text(text)
}

/// Remembers the secrets that it found: what one command told is taken out of the whole line.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    known: BTreeSet<Vec<u8>>,
}

impl Redactor {
    pub(super) fn argv(&mut self, argv: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut options = Options::default();
        let mut is_value = false;
        argv.iter()
            .map(|word| {
                let own = options.next(word);
                // Without its value the next word is an option again.
                let whole = std::mem::replace(&mut is_value, is_telling_option(word))
                    && !word.starts_with(b"--")
                    && !is_placeholder(word);
                let value = if whole { Some(0..word.len()) } else { own.or_else(|| value_within(word)) };
                match value {
                    Some(value) => {
                        self.remember(word.get(value.clone()).unwrap_or_default());
                        replace(word, vec![value])
                    }
                    None => self.text(word),
                }
            })
            .collect()
    }

    pub(super) fn text(&self, text: &[u8]) -> Vec<u8> {
        let mut spans = scan::spans(text);
        spans.extend(options::spans(text));
        spans.extend(self.known.iter().flat_map(|secret| scan::occurrences(text, secret)));
        replace(text, spans)
    }

    fn remember(&mut self, secret: &[u8]) {
        // A short one would be found everywhere.
        if secret.len() >= 4 {
            self.known.insert(secret.to_vec());
        }
    }
}

/// Whether the word after this one is a secret.
fn is_telling_option(word: &[u8]) -> bool {
    let name = word.strip_prefix(b"--").or_else(|| word.strip_prefix(b"-").filter(|name| name.len() > 1));
    name.is_some_and(|name| !name.contains(&b'=') && is_telling(name))
}

/// The secret value in a word of the form `NAME=VALUE` or `--name=VALUE`.
fn value_within(word: &[u8]) -> Option<Range<usize>> {
    let at = word.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (word.get(..at)?, word.get(at + 1..)?);
    let is_name = !name.is_empty() && name.iter().all(|byte| is_name_byte(*byte));
    (is_name && is_telling(name) && !value.is_empty() && !is_placeholder(value)).then_some(at + 1..word.len())
}

/// Puts the mark in the place of each span.
fn replace(text: &[u8], mut spans: Vec<Range<usize>>) -> Vec<u8> {
    spans.sort_by_key(|span| (span.start, span.end));
    let mut redacted = Vec::with_capacity(text.len());
    let mut at = 0;
    for span in spans {
        if span.start >= at {
            redacted.extend_from_slice(text.get(at..span.start).unwrap_or_default());
            redacted.extend_from_slice(MARK);
        }
        at = at.max(span.end);
    }
    redacted.extend_from_slice(text.get(at..).unwrap_or_default());
    redacted
}
