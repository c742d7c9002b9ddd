//! A question as it lies in the directory.
#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};

use super::{LONGEST, milliseconds};
use crate::approval::Approval;

/// A question that waits for an answer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OpenQuestion {
    /// Its name.
    pub id: String,
    /// SHA-256 of what would run, for whom, under which policy.
    pub digest: String,
    /// When it was asked, in milliseconds since 1970.
    pub asked_ms: u64,
    /// Until when it can be answered, and the answer used.
    pub expires_ms: u64,
    /// Everything that would run, over several lines, with control characters escaped.
    pub detail: String,
    /// What somebody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Approval>,
}

impl OpenQuestion {
    /// Whether its time is over. One that lies further ahead than any can was written under another clock.
    pub(super) fn is_over(&self, now: u64) -> bool {
        now >= self.expires_ms || self.expires_ms - now > milliseconds(LONGEST)
    }
}

/// Names are made of these; they are typed by people.
pub(super) fn is_id(text: &str) -> bool {
    (4..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
}
