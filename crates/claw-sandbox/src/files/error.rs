//! What keeps a file operation from being done.
#![forbid(unsafe_code)]

use std::fmt;
use std::path::{Path, PathBuf};

use claw_policy::Denial;
use claw_wire::visible;
use nix::errno::Errno;

use crate::{Error, plain_io_error};

/// Why an operation on a file was not done, or not to its end: an operation on a tree may have done a part, and a write whose last
/// synchronisation fails has happened.
#[derive(Debug)]
pub struct FileError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: FileErrorKind,
    path: PathBuf,
    /// What is wrong, as the rest of a sentence that begins with the path.
    message: String,
    denial: Option<Denial>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $code:literal,)*) => {
        /// The kinds of [`FileError`], with stable codes.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum FileErrorKind { $($(#[$doc])* $kind,)* }

        impl FileErrorKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$kind => $code,)* }
            }
        }
    };
}

kinds! {
    /// The policy denies it; [`FileError::denial`] says why.
    Denied = "file.denied",
    /// Nothing is there.
    NotFound = "file.not-found",
    /// Something is there already.
    Exists = "file.exists",
    /// A directory is there.
    IsDirectory = "file.is-directory",
    /// No directory is there.
    NotDirectory = "file.not-directory",
    /// A directory still has entries.
    NotEmpty = "file.not-empty",
    /// A FIFO, socket, device, or a link where a file is wanted.
    Special = "file.special",
    /// Another file system is mounted there.
    MountPoint = "file.mount-point",
    /// It, or what was asked for, is larger than the limit.
    TooLarge = "file.too-large",
    /// There are more entries or levels than the limit.
    TooMany = "file.too-many",
    /// The text that should be replaced is not in it.
    NoMatch = "file.no-match",
    /// The text that should be replaced is in it several times.
    ManyMatches = "file.many-matches",
    /// A part of a patch does not fit.
    PatchConflict = "file.patch-conflict",
    /// The request makes no sense: an empty text to replace, a range that ends before it begins, a bad pattern.
    Invalid = "file.invalid",
    /// It changed while it was worked on.
    Changed = "file.changed",
    /// It holds a credential.
    Secret = "file.secret",
    /// The disk is full, or a quota is used up.
    NoSpace = "file.no-space",
    /// The file system is read-only.
    ReadOnlyFileSystem = "file.read-only-file-system",
    /// The system's own permissions forbid it.
    NoPermission = "file.no-permission",
    /// The operation cannot be recorded, so it is not done.
    Audit = "file.audit",
    /// Anything else that the system says.
    Io = "file.io",
}

impl FileError {
    pub(crate) fn new(kind: FileErrorKind, path: &Path, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, path: path.to_owned(), message: message.into(), denial: None }))
    }

    pub(crate) fn denied(path: &Path, denial: Denial) -> Self {
        let message = Error::from(denial.clone()).to_string();
        Self(Box::new(Inner {
            kind: FileErrorKind::Denied,
            path: path.to_owned(),
            message,
            denial: Some(denial),
        }))
    }

    pub(crate) fn audit(path: &Path, error: &Error) -> Self {
        Self::new(FileErrorKind::Audit, path, format!("{error}; nothing is done that cannot be recorded"))
    }

    /// What an error of the system means.
    pub(crate) fn system(path: &Path, errno: Errno) -> Self {
        let (kind, message) = match errno {
            Errno::ENOENT => (FileErrorKind::NotFound, "nothing is there"),
            Errno::EEXIST => (FileErrorKind::Exists, "something is there already"),
            Errno::EISDIR => (FileErrorKind::IsDirectory, "a directory is there"),
            Errno::ENOTDIR => (FileErrorKind::NotDirectory, "no directory is there"),
            Errno::ENOTEMPTY => {
                (FileErrorKind::NotEmpty, "the directory is not empty; remove the tree if all of it shall go")
            }
            Errno::ENXIO | Errno::ENODEV => (FileErrorKind::Special, "it is a FIFO, a socket or a device"),
            Errno::EXDEV => (
                FileErrorKind::MountPoint,
                "another file system is mounted there; name it as a tree of the policy",
            ),
            // What the decision followed was a file a moment ago.
            Errno::ELOOP | Errno::ESTALE | Errno::EAGAIN => {
                (FileErrorKind::Changed, "it changed meanwhile; try again")
            }
            Errno::ENOSPC | Errno::EDQUOT => {
                (FileErrorKind::NoSpace, "the disk is full or a quota is used up; the old content is whole")
            }
            Errno::EFBIG => (FileErrorKind::TooLarge, "it is larger than the system's limit on files"),
            Errno::EROFS => (FileErrorKind::ReadOnlyFileSystem, "the file system is read-only"),
            Errno::EACCES | Errno::EPERM => {
                (FileErrorKind::NoPermission, "the system's own permissions forbid it")
            }
            Errno::ENAMETOOLONG | Errno::EINVAL => {
                (FileErrorKind::Invalid, "the name is not one that the file system takes")
            }
            _ => return Self::new(FileErrorKind::Io, path, plain_io_error(&errno.into())),
        };
        Self::new(kind, path, message)
    }

    /// What kind of error it is.
    #[must_use]
    pub const fn kind(&self) -> FileErrorKind {
        self.0.kind
    }

    /// The stable code, the policy's own for a denial.
    #[must_use]
    pub fn code(&self) -> &'static str {
        let reason = self.0.denial.as_ref().and_then(|denial| denial.reasons.first());
        reason.map_or(self.0.kind.code(), |reason| reason.code.name())
    }

    /// The path that it is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The refusal, when the policy refused.
    #[must_use]
    pub fn denial(&self) -> Option<&Denial> {
        self.0.denial.as_ref()
    }
}

impl fmt::Display for FileError {
    /// `path: what is wrong`, on one line, without control characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.denial.is_some() {
            return f.write_str(&self.0.message);
        }
        write!(f, "{}: {}", visible(&self.0.path.to_string_lossy()), self.0.message)
    }
}

impl std::error::Error for FileError {}
