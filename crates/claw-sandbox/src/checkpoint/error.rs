//! What keeps a checkpoint from being made, read or restored.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::path::Path;

use nix::errno::Errno;

use crate::{Error, plain_io_error};

/// Why an operation on checkpoints came to nothing, on one line with the next step.
#[derive(Debug)]
pub struct CheckpointError {
    kind: CheckpointErrorKind,
    message: String,
}

/// The kinds of [`CheckpointError`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum CheckpointErrorKind {
    /// There is no such checkpoint.
    NotFound,
    /// The store lies where commands can write, or belongs to somebody else.
    Exposed,
    /// Another process works on the store.
    Busy,
    /// An undo was interrupted and has to be finished first.
    Interrupted,
    /// The store does not hold what it should.
    Damaged,
    /// There is more to keep than the limits allow.
    TooLarge,
    /// A tree of the checkpoint is no tree of the policy any more.
    Gone,
    /// A disk is full, or a quota is used up.
    NoSpace,
    /// It cannot be written into the audit log, so it was not done, or not finished.
    Unrecorded,
    /// Anything else that the system says.
    Io,
}

impl CheckpointErrorKind {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotFound => "checkpoint.not-found",
            Self::Exposed => "checkpoint.exposed",
            Self::Busy => "checkpoint.busy",
            Self::Interrupted => "checkpoint.interrupted",
            Self::Damaged => "checkpoint.damaged",
            Self::TooLarge => "checkpoint.too-large",
            Self::Gone => "checkpoint.gone",
            Self::NoSpace => "checkpoint.no-space",
            Self::Unrecorded => "checkpoint.unrecorded",
            Self::Io => "checkpoint.io",
        }
    }
}

impl CheckpointError {
    pub(super) fn new(kind: CheckpointErrorKind, message: impl fmt::Display) -> Self {
        Self { kind, message: claw_wire::visible(&message.to_string()) }
    }

    /// An error of the system while something was done to a path.
    pub(super) fn io(doing: &str, path: &Path, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        let shown = path.display();
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOSPC | Errno::EDQUOT) => Self::new(
                CheckpointErrorKind::NoSpace,
                format_args!(
                    "cannot {doing}: {shown}: the disk is full or a quota is used up; make room and try again"
                ),
            ),
            _ => {
                let reason = plain_io_error(&error);
                Self::new(
                    CheckpointErrorKind::Io,
                    format_args!("cannot {doing}: {shown}: {reason}; check the path and its permissions"),
                )
            }
        }
    }

    pub(super) fn damaged(path: &Path, what: &str) -> Self {
        let shown = path.display();
        Self::new(
            CheckpointErrorKind::Damaged,
            format_args!(
                "the store is damaged: {shown}: {what}; move this file away and use another checkpoint"
            ),
        )
    }

    pub(super) fn exposed(error: &Error) -> Self {
        Self::new(CheckpointErrorKind::Exposed, error)
    }

    /// What kind of error it is.
    #[must_use]
    pub const fn kind(&self) -> CheckpointErrorKind {
        self.kind
    }
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CheckpointError {}
