//! What can go wrong with an audit log.
#![forbid(unsafe_code)]

use std::io;
use std::path::{Path, PathBuf};

use crate::plain_io_error;

/// Why an audit log cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// A call of the system failed.
    #[error("cannot {doing} the audit log: {}: {}; {}", path.display(), plain_io_error(error), next_step(error))]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The log.
        path: PathBuf,
        /// The system's answer.
        #[source]
        error: io::Error,
    },
    /// It is a directory, a pipe or a device.
    #[error("the audit log is not a regular file: {}; name a file", .0.display())]
    NotAFile(PathBuf),
    /// Others can write it.
    #[error("others can write the audit log: {} has mode {mode:03o}; run `chmod go-w {}`", path.display(), path.display())]
    Writable {
        /// The log.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to another user.
    #[error("the audit log belongs to user {owner}: {}; name one of your own", path.display())]
    Foreign {
        /// The log.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Its last line is not an event.
    #[error("the last line of the audit log is not an event: {}; run `claw-sandbox audit verify` on it, then move it away", .0.display())]
    Damaged(PathBuf),
    /// The event does not fit on a line.
    #[error("an event of {length} bytes is too long for the audit log: {}; pass shorter arguments, or a file", path.display())]
    TooLong {
        /// The log.
        path: PathBuf,
        /// The length of the event.
        length: usize,
    },
    /// Another process does not let go of it.
    #[error("another process keeps the audit log locked: {}; end that process", .0.display())]
    Locked(PathBuf),
    /// Commands could change it.
    #[error("the audit log lies inside the writable tree {}: {}; commands could change it: start in the directory of a project, or keep the log elsewhere (`--audit FILE`, `logging.logFile`)", root.display(), path.display())]
    Exposed {
        /// The log.
        path: PathBuf,
        /// The tree.
        root: PathBuf,
    },
}

fn next_step(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "check the path; `claw-sandbox run` writes a log",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room",
        _ => "check its permissions and the free space",
    }
}

impl AuditError {
    pub(super) fn io(doing: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), error }
    }
}
