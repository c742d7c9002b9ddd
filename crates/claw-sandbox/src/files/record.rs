//! What is written down of an operation: the decision before, what came of it afterwards.
#![forbid(unsafe_code)]

use std::path::Path;

use claw_policy::{Decision, FileRequest, Policy};
use sha2::{Digest as _, Sha256};

use super::{FileError, Files};

/// A decision that was recorded; its outcome refers to it.
pub(super) type Ticket = Option<crate::record::Ticket>;

/// What an operation did to a content.
#[derive(Debug, Default)]
pub(crate) struct Change {
    is_wanted: bool,
    /// Bytes that were read or written.
    pub(crate) bytes: u64,
    /// SHA-256 of the content before, where there was one and it changed.
    pub(crate) before: Option<[u8; 32]>,
    /// SHA-256 of the content afterwards, or of what was read.
    pub(crate) after: Option<[u8; 32]>,
}

impl Change {
    pub(super) fn new(policy: &Policy) -> Self {
        Self { is_wanted: policy.logging().audit_file_access, ..Self::default() }
    }

    /// Whether hashes are written down: nobody pays for them otherwise.
    pub(super) const fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    pub(super) fn read(&mut self, content: &[u8]) {
        self.bytes = content.len() as u64;
        self.after = self.is_wanted.then(|| Sha256::digest(content).into());
    }

    pub(super) fn wrote(&mut self, before: Option<[u8; 32]>, content: &[u8]) {
        self.before = before;
        self.read(content);
    }
}

impl Files {
    pub(super) fn announce(
        &self,
        request: &FileRequest,
        path: &Path,
        decision: &Decision,
    ) -> Result<Ticket, FileError> {
        if !self.sandbox.policy().logging().audit_file_access {
            return Ok(None);
        }
        let recorder = &self.sandbox.parts().recorder;
        recorder.file(request, decision).map(Some).map_err(|error| FileError::audit(path, &error))
    }

    /// Records the end. What was done is done: an event that cannot be written is counted as missing.
    pub(super) fn record(
        &self,
        ticket: Ticket,
        request: &FileRequest,
        change: &Change,
        error: Option<&FileError>,
    ) {
        if let Some(ticket) = ticket {
            self.sandbox.parts().recorder.file_outcome(ticket, request, change, error);
        }
    }
}
