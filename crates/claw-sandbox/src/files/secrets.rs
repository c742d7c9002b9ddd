//! Credentials in what the runtime reads and writes (`secrets: allow | redact | deny`).
//!
//! What looks like a credential is found by [`claw_secrets`], a net with holes: this keeps accidents from happening, not
//! somebody who encodes what they read first. `hidden` keeps a file out of reach.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::path::Path;

use claw_policy::Secrets;
use claw_secrets::{Finding, TextKind, find};

use super::{FileError, FileErrorKind, Files};

/// How a mark begins; the credential's type and `]` follow.
const MARK: &[u8] = b"[redacted:";

impl Files {
    /// What the policy lets somebody see of a content.
    pub(crate) fn shown(&self, path: &Path, content: Vec<u8>) -> Result<Vec<u8>, FileError> {
        match self.sandbox.policy().secrets() {
            Secrets::Allow => Ok(content),
            Secrets::Redact => Ok(redacted(path, content)),
            Secrets::Deny => self.clear(path, &content).map(|()| content),
        }
    }

    /// Whether a content may be written in the place of another one.
    pub(super) fn admitted(&self, path: &Path, before: &[u8], content: &[u8]) -> Result<(), FileError> {
        // Whoever writes back what they were shown would write over the credential. A mark that the file itself holds is text.
        if self.sandbox.policy().secrets() == Secrets::Redact && marks(content) > marks(before) {
            let message = "the content holds a mark that stands for a credential that was not shown; edit the lines around it instead";
            return Err(FileError::new(FileErrorKind::Secret, path, message));
        }
        self.clear(path, content)
    }

    /// Whether the policy lets a content pass that may hold credentials.
    pub(super) fn clear(&self, path: &Path, content: &[u8]) -> Result<(), FileError> {
        if self.sandbox.policy().secrets() != Secrets::Deny {
            return Ok(());
        }
        found(path, content).first().map_or(Ok(()), |finding| Err(refused(path, content, finding)))
    }

    /// Whether contents are looked at before anybody sees them.
    pub(super) fn looks_through(&self) -> bool {
        self.sandbox.policy().secrets() != Secrets::Allow
    }
}

fn marks(content: &[u8]) -> usize {
    memchr::memmem::find_iter(content, MARK).count()
}

fn found(path: &Path, content: &[u8]) -> Vec<Finding> {
    find(TextKind::of_file_name(path.file_name().map_or(b"", OsStr::as_encoded_bytes)), content)
}

fn refused(path: &Path, content: &[u8], finding: &Finding) -> FileError {
    let before = content.get(..finding.span.start).unwrap_or_default();
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let what = finding.secret_type.name();
    let message =
        format!("line {line} looks like a credential ({what}), and the policy says `secrets: deny`");
    FileError::new(FileErrorKind::Secret, path, message)
}

/// The content with a mark in the place of each credential. Lines keep their numbers.
fn redacted(path: &Path, content: Vec<u8>) -> Vec<u8> {
    let findings = found(path, &content);
    if findings.is_empty() {
        return content;
    }
    let mut shown = Vec::with_capacity(content.len());
    let mut at = 0;
    for Finding { secret_type, span } in findings {
        shown.extend_from_slice(content.get(at..span.start).unwrap_or_default());
        shown.extend_from_slice(MARK);
        shown.extend_from_slice(secret_type.name().as_bytes());
        shown.push(b']');
        let lines = memchr::memchr_iter(b'\n', content.get(span.clone()).unwrap_or_default()).count();
        shown.extend(std::iter::repeat_n(b'\n', lines));
        at = span.end;
    }
    shown.extend_from_slice(content.get(at..).unwrap_or_default());
    shown
}
