//! Finds credentials in text: what they are and where they stand, byte by byte.
//!
//! Four things tell a secret, in this order: a shape of its own (a provider's prefix, a key block, a JWT), its place
//! (`user:PASSWORD@host`, `Authorization: Basic`), a telling name before it (`API_KEY=`), and then only if the value
//! looks random. What merely refers to a secret (`${TOKEN}`, `<your-key>`), and what looks random without being secret
//! (hashes, UUIDs, names with a version in them), is none.
//!
//! It is a net with holes: a secret without shape and name looks like any other word, and `password: hunter2` is
//! too short to tell it from an example. A finding says that something *looks like* a credential; whether it is in use nobody asked.
//!
//! Pure: no I/O, no clock, no panic, linear time for any bytes.
//!
//! ```
//! use claw_secrets::{SecretType, TextKind, find};
//!
//! let text = b"url: postgres://app:kT9vQ2xLm4@db/main  # from ${DB_URL}";
//! let findings = find(TextKind::ConfigYaml, text);
//! assert_eq!(findings.len(), 1);
//! assert_eq!(findings[0].secret_type, SecretType::UrlPassword);
//! assert_eq!(&text[findings[0].span.clone()], b"kT9vQ2xLm4");
//! ```
#![forbid(unsafe_code)]

mod assigned;
mod bytes;
mod entropy;
mod further;
mod header;
mod key_block;
mod names;
mod placeholder;
mod secret_type;
mod shape;
mod structure;
#[cfg(test)]
mod tests;
mod url;

use std::ops::Range;

pub use names::is_telling;
pub use placeholder::is_reference;
pub use secret_type::SecretType;
pub use shape::begins_token;

/// What a text is: it says how a name and its value are written there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TextKind {
    /// `name: value`.
    ConfigYaml,
    /// `"name": "value"`; a value without quotes is a number or a word of the language.
    Json5,
    /// `NAME=value`, to the end of the word.
    Env,
    /// Any file, so perhaps source code: a value without quotes may be an expression.
    File,
    /// Free text with `name=value` and `name: value` in it.
    LogLine,
}

impl TextKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::ConfigYaml, Self::Json5, Self::Env, Self::File, Self::LogLine];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConfigYaml => "config-yaml",
            Self::Json5 => "json5",
            Self::Env => "env",
            Self::File => "file",
            Self::LogLine => "log-line",
        }
    }

    /// The kind of a file with this name.
    ///
    /// ```
    /// use claw_secrets::TextKind;
    ///
    /// assert_eq!(TextKind::of_file_name(b"settings.yaml"), TextKind::ConfigYaml);
    /// assert_eq!(TextKind::of_file_name(b".env.local"), TextKind::Env);
    /// assert_eq!(TextKind::of_file_name(b"main.rs"), TextKind::File);
    /// ```
    #[must_use]
    pub fn of_file_name(name: &[u8]) -> Self {
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end.as_bytes()));
        match name {
            _ if name.starts_with(b".env.") || ends(&[".env"]) => Self::Env,
            _ if ends(&[".yaml", ".yml"]) => Self::ConfigYaml,
            _ if ends(&[".json", ".json5", ".jsonc"]) => Self::Json5,
            _ if ends(&[".log"]) => Self::LogLine,
            _ => Self::File,
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One credential in a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What it looks like.
    pub secret_type: SecretType,
    /// The bytes of the value alone, without quotes, name or scheme.
    pub span: Range<usize>,
}

/// Every credential in a text, in order; spans do not overlap.
#[must_use]
pub fn find(kind: TextKind, text: &[u8]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match find_at(kind, text, at) {
            Some(finding) => {
                at = finding.span.end.max(at + 1);
                findings.push(finding);
            }
            None => at += 1,
        }
    }
    findings
}

/// A credential that begins here, or whose name does.
fn find_at(kind: TextKind, text: &[u8], at: usize) -> Option<Finding> {
    let byte = *text.get(at)?;
    let by_name = || {
        (byte.is_ascii_alphanumeric() || byte == b'_')
            .then(|| shape::at(text, at).or_else(|| structure::at(text, at)).or_else(|| header::at(text, at)))
            .flatten()
            .or_else(|| assigned::at(kind, text, at))
    };
    let named = if bytes::starts_word(text, at) { by_name() } else { None };
    named.or_else(|| match byte {
        b'-' => key_block::at(text, at),
        b':' => url::at(text, at),
        b'0'..=b'9' => structure::telegram(text, at),
        _ => None,
    })
}
