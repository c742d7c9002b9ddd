//! What is written down of an operation: the decision before, what came of it afterwards.
#![forbid(unsafe_code)]

use std::path::Path;
use std::sync::Arc;

use claw_policy::{Decision, FileAction, FileGrant, FileRequest, Policy};
use sha2::{Digest as _, Sha256};

use super::{FileError, Files};
use crate::audit::Content;

/// A decision that was recorded; its outcome refers to it.
pub(super) type Ticket = Option<crate::record::Ticket>;

/// A larger content is hashed at once instead of being copied.
const COPY: usize = 64 << 10;

/// What an operation did to a content.
#[derive(Debug, Default)]
pub(crate) struct Change {
    is_wanted: bool,
    /// Whether `content` is to be filled instead of `after`.
    is_deferred: bool,
    content: Content,
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

    /// The same for a read whose events are put into words later.
    pub(super) fn deferred(policy: &Policy) -> Self {
        Self { is_deferred: true, ..Self::new(policy) }
    }

    pub(super) fn into_content(self) -> Content {
        self.content
    }

    pub(super) fn read(&mut self, content: &[u8]) {
        self.bytes = content.len() as u64;
        if self.is_deferred && self.is_wanted {
            self.content = match content.len() {
                ..=COPY => Content::Copy(content.into()),
                _ => Content::Hashed(self.bytes, Sha256::digest(content).into()),
            };
            return;
        }
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
        let recorded = match decision {
            // Nothing changes: it may be written a moment later. What is denied is written at once, whatever becomes of us.
            Decision::Allow(_) if is_read(request) => recorder.read(request, decision),
            _ => recorder.file(request, decision),
        };
        recorded.map(Some).map_err(|error| FileError::audit(path, &error))
    }

    /// What is recorded when this allowance serves again.
    pub(super) fn told(&self, request: &FileRequest, grant: &FileGrant) -> Option<Arc<str>> {
        let is_wanted = self.sandbox.policy().logging().audit_file_access;
        is_wanted.then(|| self.sandbox.parts().recorder.told(request, grant.reasons()))
    }

    /// Records the end. What was done is done: an event that cannot be written is counted as missing.
    pub(super) fn record(
        &self,
        ticket: Ticket,
        request: &FileRequest,
        change: &Change,
        error: Option<&FileError>,
    ) {
        let Some(ticket) = ticket else { return };
        let recorder = &self.sandbox.parts().recorder;
        if is_read(request) {
            recorder.read_outcome(ticket, request, change, error);
        } else {
            recorder.file_outcome(ticket, request, change, error);
        }
    }
}

const fn is_read(request: &FileRequest) -> bool {
    matches!(request.action, FileAction::Read | FileAction::List | FileAction::Stat)
}
