//! The pipeline's side of the audit log: a decision before the run, an outcome after it.
#![forbid(unsafe_code)]

use claw_policy::{Denial, ExecGrant};

use crate::request::ExecInput;
use crate::{Enforcement, Error, Outcome};

/// Writes events, or nothing when there is no log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder {}

/// A decision that was recorded; its outcome refers to it.
#[derive(Debug)]
#[must_use = "every decision has an outcome"]
pub(crate) struct Ticket {}

impl Recorder {
    /// Records a decision before anything starts.
    pub(crate) fn decision(
        &self,
        _input: &ExecInput,
        _decided: Result<&ExecGrant, &Denial>,
    ) -> Result<Ticket, Error> {
        Ok(Ticket {})
    }

    /// Records that a granted run did not start.
    pub(crate) fn failure(&self, _ticket: Ticket, _error: &Error) -> Result<(), Error> {
        Ok(())
    }

    /// Records the end of a run.
    pub(crate) fn outcome(
        &self,
        _ticket: Ticket,
        _outcome: &Outcome,
        _enforcement: &Enforcement,
    ) -> Result<(), Error> {
        Ok(())
    }
}
