//! Reads policy files, and refuses those that somebody else could have written.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use claw_policy::{Diagnostic, Format, Source};

use crate::plain_io_error;

/// A policy is a page of text. This is the bound of the document reader too.
const MAX_BYTES: u64 = 1 << 20;

/// Why a policy file is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFileError {
    /// It cannot be opened or read.
    #[error("cannot read the policy: {}: {}; check the path and its permissions", path.display(), plain_io_error(error))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// It is a directory, a pipe or a device.
    #[error("the policy is not a regular file: {}; name a file", .0.display())]
    NotAFile(PathBuf),
    /// It is a link, or a file with other names, where the workspace says which file is meant.
    #[error("the workspace's policy leads elsewhere: {}; put the file itself there", .0.display())]
    Elsewhere(PathBuf),
    /// Others can write it.
    #[error(
        "others can write the policy: {} has mode {mode:03o}; run `chmod go-w {}`",
        path.display(), path.display()
    )]
    Writable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to another user.
    #[error("the policy belongs to user {owner}: {}; it has to belong to you or to root", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// It is absurdly large.
    #[error("the policy is larger than 1 MiB: {}; name a policy file", .0.display())]
    TooLarge(PathBuf),
    /// It is not text.
    #[error("{0}")]
    NotText(Box<Diagnostic>),
}

/// Opening a pipe must not wait for a writer.
const FLAGS: i32 = libc::O_NONBLOCK | libc::O_NOCTTY;

/// Reads a policy file. What is checked is the opened file, not the path.
pub fn read(path: &Path) -> Result<Source, PolicyFileError> {
    let file = File::options().read(true).custom_flags(FLAGS).open(path);
    contents(path, file.map_err(|error| unreadable(path, error))?)
}

/// Reads a policy file that lies in a workspace: that file and no other.
///
/// Whoever made the workspace chose what lies there, and what is wrong with a policy is quoted: a link would show a
/// file of the user's.
pub(crate) fn read_in_workspace(path: &Path) -> Result<Source, PolicyFileError> {
    let elsewhere = || PolicyFileError::Elsewhere(path.to_owned());
    let file = match File::options().read(true).custom_flags(FLAGS | libc::O_NOFOLLOW).open(path) {
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => return Err(elsewhere()),
        file => file.map_err(|error| unreadable(path, error))?,
    };
    let metadata = file.metadata().map_err(|error| unreadable(path, error))?;
    if metadata.is_file() && metadata.nlink() != 1 {
        return Err(elsewhere());
    }
    contents(path, file)
}

fn unreadable(path: &Path, error: io::Error) -> PolicyFileError {
    PolicyFileError::Unreadable { path: path.to_owned(), error }
}

fn contents(path: &Path, file: File) -> Result<Source, PolicyFileError> {
    let unreadable = |error| unreadable(path, error);
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(PolicyFileError::NotAFile(path.to_owned()));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(PolicyFileError::Writable { path: path.to_owned(), mode: metadata.mode() & 0o777 });
    }
    let owner = metadata.uid();
    if owner != 0 && owner != nix::unistd::geteuid().as_raw() {
        return Err(PolicyFileError::Foreign { path: path.to_owned(), owner });
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(PolicyFileError::TooLarge(path.to_owned()));
    }
    let name = path.to_string_lossy().into_owned();
    let format = Format::of_name(&name);
    Source::from_bytes(name, &bytes, format).map_err(PolicyFileError::NotText)
}
