//! The files of a log: what they must be, where they may lie, and how one ends.
#![forbid(unsafe_code)]

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use claw_policy::{Access, Policy};

use super::error::AuditError;
use super::lines::LINE_LIMIT;

/// The end of a file.
#[derive(Debug)]
pub(super) struct LastLines {
    /// The last line that has an end.
    pub(super) last: Option<Vec<u8>>,
    /// What follows it.
    pub(super) torn: Option<Vec<u8>>,
}

/// The last complete line, and what follows it without a newline.
pub(super) fn last_lines(file: &File, path: &Path, length: u64) -> Result<LastLines, AuditError> {
    // Two lines and the newline before them. More without a newline is no log.
    const MOST: u64 = 2 * (LINE_LIMIT as u64 + 1);
    // The usual two lines fit, so that a start reads no more than a page.
    let mut wanted = 4 << 10;
    loop {
        let start = length.saturating_sub(wanted);
        let mut tail = vec![0; usize::try_from(length - start).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut tail, start).map_err(|error| AuditError::io("read", path, error))?;
        // From the end: what has no newline, then the lines. The first may have begun before `start`.
        let mut lines = tail.rsplitn(3, |byte| *byte == b'\n');
        let torn = lines.next().filter(|torn| !torn.is_empty()).map(<[u8]>::to_vec);
        let (last, before) = (lines.next().map(<[u8]>::to_vec), lines.next());
        if before.is_some() || start == 0 {
            return Ok(LastLines { last, torn });
        }
        if wanted == MOST {
            return Err(AuditError::Damaged(path.to_owned()));
        }
        wanted = MOST.min(wanted * 4);
    }
}

pub(super) fn open_file(path: &Path) -> Result<File, AuditError> {
    let failed = |error| AuditError::io("open", path, error);
    let open = |new: bool| {
        // Opening a pipe must not wait for a reader.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
        let mut options = File::options();
        options.read(true).append(true).mode(0o600).custom_flags(flags).create_new(new).open(path)
    };
    let file = match open(true) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open(false).map_err(failed)?,
        result => result.map_err(failed)?,
    };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(AuditError::NotAFile(path.to_owned()));
    }
    let (mode, owner) = (metadata.mode() & 0o777, metadata.uid());
    if mode & 0o022 != 0 {
        return Err(AuditError::Writable { path: path.to_owned(), mode });
    }
    if owner != 0 && owner != nix::unistd::geteuid().as_raw() {
        return Err(AuditError::Foreign { path: path.to_owned(), owner });
    }
    Ok(file)
}

pub(super) fn is_same(left: &Metadata, right: &Metadata) -> bool {
    (left.dev(), left.ino()) == (right.dev(), right.ino())
}

/// Whether two names are of one file.
pub(super) fn is_same_file(left: &Path, right: &Path) -> bool {
    match (fs::symlink_metadata(left), fs::symlink_metadata(right)) {
        (Ok(left), Ok(right)) => is_same(&left, &right),
        _ => false,
    }
}

/// A log that its own commands can change is none.
pub(super) fn refuse_exposed(policy: &Policy, path: &Path) -> Result<(), AuditError> {
    let real = real_place(path);
    let writable =
        policy.roots().filter(|(_, access)| *access == Access::Write).map(|(root, _)| real_place(root));
    match writable.into_iter().find(|root| real.starts_with(root)) {
        Some(root) => Err(AuditError::Exposed { path: path.to_owned(), root }),
        None => Ok(()),
    }
}

/// The canonical path, also of what is not there yet.
fn real_place(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        if let Ok(real) = fs::canonicalize(ancestor) {
            return path.strip_prefix(ancestor).map_or(real.clone(), |rest| real.join(rest));
        }
    }
    path.to_owned()
}
