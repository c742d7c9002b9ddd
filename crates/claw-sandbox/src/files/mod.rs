//! The runtime's own file tools, under the same policy as its commands.
//!
//! A request is decided by the function that decides for commands, recorded, and done on what was judged: opened beneath the
//! root that it was granted in, through no link, and compared with the object that the decision looked at. When the
//! world has changed in between, it is decided again.
//!
//! What it does not protect against: what the policy lets the runtime read it can send anywhere; and an operation on a
//! tree (`remove`, `walk`) is many operations, each of which is judged, so a tree that others change meanwhile may be left half done.
//!
//! The idea of opening first and judging what was opened is that of capability systems; `openat2(2)` makes it cheap.
#![forbid(unsafe_code)]

mod attributes;
mod diff;
mod edit;
mod entry;
mod error;
mod known;
mod patch;
pub(crate) mod place;
mod read;
mod record;
mod repository;
mod search;
mod secrets;
mod write;

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use claw_policy::{Decision, Denial, FileAction, FileGrant, FileRequest, Grant, Origin};
use nix::errno::Errno;

pub(crate) use self::diff::unified;
pub use self::edit::{Edited, Replacement};
pub(crate) use self::entry::type_of;
pub use self::entry::{FileStatus, FileType};
pub use self::error::{FileError, FileErrorKind};
use self::known::KnownFiles;
pub use self::patch::Patched;
use self::place::Roots;
pub use self::read::Lines;
pub(crate) use self::record::Change;
pub use self::search::{Entry, Match, Search, Searched};
pub use self::write::WriteMode;
use crate::Sandbox;

/// How often a request is decided again because the world changed: whoever changes it faster wants to win a race.
const TRIES: usize = 8;

/// Bounds on single requests.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FileLimits {
    /// Bytes that one request may hold in memory: what it reads, or writes.
    pub bytes: u64,
    /// Entries that one request may look at or change.
    pub entries: usize,
    /// Levels of directories that one request goes down.
    pub depth: usize,
}

impl Default for FileLimits {
    /// 64 MiB, a million entries, 128 levels.
    fn default() -> Self {
        Self { bytes: 64 << 20, entries: 1_000_000, depth: 128 }
    }
}

/// File operations under a sandbox's policy. Cheap to clone; may be used from many threads at once.
///
/// ```
/// use claw_sandbox::{Sandbox, WriteMode, built_in_policy};
///
/// let directory = std::env::temp_dir().join("claw-sandbox-files-example");
/// std::fs::create_dir_all(&directory)?;
/// let files = Sandbox::new(built_in_policy(&directory)?)?.files();
/// files.write("notes.txt", b"one\ntwo\n", WriteMode::Replace)?;
/// assert_eq!(files.read("notes.txt")?, b"one\ntwo\n");
/// let error = files.read("/etc/shadow").unwrap_err();
/// assert!(error.denial().is_some(), "{error}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Files {
    sandbox: Sandbox,
    directory: PathBuf,
    limits: FileLimits,
    roots: Arc<Roots>,
    known: Arc<KnownFiles>,
}

impl Sandbox {
    /// File operations under this sandbox's policy; relative paths start in the workspace.
    #[must_use]
    pub fn files(&self) -> Files {
        let directory = self.policy().workspace().map_or_else(|| PathBuf::from("/"), Path::to_owned);
        Files {
            sandbox: self.clone(),
            directory,
            limits: FileLimits::default(),
            roots: Arc::default(),
            known: Arc::default(),
        }
    }
}

impl Files {
    /// The same with relative paths from another directory, which is absolute.
    #[must_use]
    pub fn in_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        // It is by a path as it was asked for.
        self.known = Arc::default();
        self
    }

    /// The same with other bounds.
    #[must_use]
    pub fn limits(mut self, limits: FileLimits) -> Self {
        self.limits = limits;
        self
    }

    fn request(&self, action: FileAction, path: &Path) -> FileRequest {
        FileRequest {
            action,
            path: path.as_os_str().as_bytes().to_vec(),
            to: None,
            recursive: false,
            cwd: self.directory.clone(),
            origin: Origin::Runtime,
        }
    }

    /// Decides, records, acts on what was granted and records what came of it.
    ///
    /// `ESTALE` and `ELOOP` mean that the world is another one by now: then it is decided again.
    fn perform<T>(
        &self,
        request: &FileRequest,
        path: &Path,
        mut act: impl FnMut(&FileGrant, &mut Change) -> Result<T, Failed>,
    ) -> Result<T, FileError> {
        for _ in 0..TRIES {
            let Decided { grant, until, ticket } = self.decide(request, path)?;
            let mut change = Change::new(self.sandbox.policy());
            // What takes longer makes a draft first, and is judged again when that takes its place.
            let order = is_one_step(request.action).then(repository::alone);
            let judged = self.judge_repository(&grant).map_err(Failed::from);
            let done = judged.and_then(|()| act(&grant, &mut change));
            drop(order);
            let is_stale = matches!(done, Err(Failed::System(Errno::ESTALE | Errno::ELOOP)));
            let done = done.map_err(|failed| failed.into_error(path));
            self.record(ticket, request, &change, done.as_ref().err());
            if is_stale {
                continue;
            }
            if let (FileAction::Read, Ok(_), Some(until)) = (request.action, &done, until) {
                let tell = |grant: &FileGrant| self.told(request, grant);
                self.known.keep(&self.directory, path, grant, until, tell);
            }
            return done;
        }
        Err(FileError::system(path, Errno::ESTALE))
    }

    fn decide(&self, request: &FileRequest, path: &Path) -> Result<Decided, FileError> {
        let decided = self.sandbox.parts().judge.decide_until(request);
        let (decision, until) =
            decided.unwrap_or_else(|| (Decision::Deny(crate::sandbox::unsettled()), None));
        let ticket = self.announce(request, path, &decision)?;
        match decision {
            Decision::Allow(Grant::File(grant)) => Ok(Decided { grant, until, ticket }),
            Decision::Deny(denial) => Err(FileError::denied(path, denial)),
            Decision::Ask(question) => {
                Err(FileError::denied(path, Denial { reasons: question.reasons, commands: Vec::new() }))
            }
            // A grant of another kind does not answer this request.
            Decision::Allow(_) => Err(FileError::denied(path, crate::sandbox::unsettled())),
        }
    }
}

/// What may be done, and was recorded.
#[derive(Debug)]
struct Decided {
    grant: FileGrant,
    /// How long the policy's own paths need not be looked at again.
    until: Option<Instant>,
    ticket: record::Ticket,
}

/// Whether it is one call that makes a name or moves one.
const fn is_one_step(action: FileAction) -> bool {
    matches!(action, FileAction::Mkdir | FileAction::Rename | FileAction::Symlink | FileAction::Hardlink)
}

/// Why an operation came to nothing.
#[derive(Debug)]
enum Failed {
    /// The system refused.
    System(Errno),
    /// Something else is wrong.
    File(FileError),
}

impl Failed {
    fn into_error(self, path: &Path) -> FileError {
        match self {
            Self::System(errno) => FileError::system(path, errno),
            Self::File(error) => error,
        }
    }
}

impl From<Errno> for Failed {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::System(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
    }
}

impl From<FileError> for Failed {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}
