//! What is written down of an act on checkpoints (`auditFileAccess`): that it begins, each path that it changes, what came of it.
#![forbid(unsafe_code)]

use std::path::Path;

use serde_json::json;

use super::{CheckpointError, CheckpointErrorKind, Checkpoints};
use crate::audit::Fields;
use crate::record::Ticket;

/// An act whose beginning was recorded, when acts are.
#[derive(Debug)]
pub(super) struct Act {
    name: &'static str,
    ticket: Option<Ticket>,
}

/// What was done to a path.
#[derive(Debug)]
pub(crate) struct PathEvent<'a> {
    pub(crate) change: &'static str,
    pub(crate) path: &'a Path,
    /// The hash of the content that came back.
    pub(crate) after: Option<String>,
    /// Why it was not done.
    pub(crate) skipped: Option<&'a str>,
}

impl Checkpoints {
    /// Does something between two events. The first is written before anything happens; what `tell` says of a result is in the second.
    pub(super) fn recorded<T>(
        &self,
        name: &'static str,
        checkpoint: Option<u64>,
        act: impl FnOnce(&Act) -> Result<T, CheckpointError>,
        tell: impl FnOnce(&T) -> Fields,
    ) -> Result<T, CheckpointError> {
        let recorder = &self.sandbox.parts().recorder;
        let is_wanted = self.sandbox.policy().logging().audit_file_access;
        let ticket = is_wanted.then(|| recorder.checkpoint(name, self.store.path(), checkpoint)).transpose();
        let begun = Act { name, ticket: ticket.map_err(|error| unrecorded(&error))? };
        let done = act(&begun);
        if let Some(ticket) = begun.ticket {
            let (ending, fields) = match &done {
                Ok(done) => ("done", tell(done)),
                Err(error) => (error.kind().code(), vec![("reason", json!(error.to_string()))]),
            };
            recorder.checkpoint_outcome(&ticket, begun.name, ending, fields);
        }
        done
    }

    /// Records what was done to a path. What cannot be recorded goes no further: the act is interrupted, and finished later.
    pub(super) fn record_path(&self, act: &Act, event: &PathEvent<'_>) -> Result<(), CheckpointError> {
        let Some(ticket) = &act.ticket else { return Ok(()) };
        let recorded = self.sandbox.parts().recorder.checkpoint_path(ticket, act.name, event);
        recorded.map_err(|error| unrecorded(&error))
    }

    /// Records which checkpoints are about to be given up.
    pub(super) fn record_given_up(&self, act: &Act, ids: &[u64]) -> Result<(), CheckpointError> {
        let Some(ticket) = act.ticket.as_ref().filter(|_| !ids.is_empty()) else { return Ok(()) };
        let recorded = self.sandbox.parts().recorder.given_up(ticket, ids);
        recorded.map_err(|error| unrecorded(&error))
    }
}

fn unrecorded(error: &crate::Error) -> CheckpointError {
    CheckpointError::new(CheckpointErrorKind::Unrecorded, error)
}
