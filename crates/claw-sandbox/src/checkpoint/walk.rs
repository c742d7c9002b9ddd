//! Walks a tree that the policy lets commands change: through no link, onto no other file system, and past what is hidden or
//! protected.
//!
//! A directory comes before what is in it, and names in the order of their bytes. Whoever exchanges a directory for
//! a link meanwhile makes the walk miss it: each directory is opened in the opened one above it.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::vec;

use claw_policy::{Access, Code, FileId, Reason, Touch, TouchRequest};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, readlinkat};
use nix::sys::stat::{FileStat, SFlag, fstat, fstatat};

use super::{CheckpointError, CheckpointErrorKind};
use crate::Sandbox;
use crate::files::place::{Roots, open_in};
use crate::opened::{id_of, kind_of};

/// Levels of directories. Each takes a descriptor, of which a process may have 1,024.
const DEPTH: usize = 256;

/// Entries of one tree.
const ENTRIES: u64 = 4_000_000;

/// The kernel takes paths of 4,096 bytes; drafts have names of their own.
const LONGEST: usize = 3_900;

/// How often an entry is looked at again because it is something else by then.
const TRIES: usize = 4;

/// A walk through one tree.
#[derive(Debug)]
pub(super) struct Walk<'s> {
    sandbox: &'s Sandbox,
    root: PathBuf,
    others: Vec<PathBuf>,
    opened: Option<OwnedFd>,
    entered: Option<(OwnedFd, PathBuf)>,
    stack: Vec<Level>,
    seen: u64,
}

#[derive(Debug)]
struct Level {
    directory: OwnedFd,
    path: PathBuf,
    names: vec::IntoIter<OsString>,
}

/// An entry of the tree.
#[derive(Debug)]
pub(super) struct Found {
    /// Beneath the root.
    pub(super) path: PathBuf,
    pub(super) status: FileStat,
    pub(super) kind: Kind,
    /// Commands may look at it, but not change it, for its name.
    pub(super) is_protected: bool,
}

/// What an entry is.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Kind {
    File,
    Directory,
    Link(PathBuf),
    /// A FIFO, socket or device.
    Special,
    /// Nothing that is looked into.
    Left(Left),
}

/// Why it is not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Left {
    /// Commands may not see or not change it.
    Denied(String),
    /// The system's own permissions forbid it.
    Unreadable,
    OtherFileSystem,
    OtherTree,
    TooDeep,
}

impl Left {
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Denied(reason) => reason,
            Self::Unreadable => "the system's own permissions forbid it",
            Self::OtherFileSystem => "another file system is mounted there",
            Self::OtherTree => "it is a tree of its own",
            Self::TooDeep => "it lies too deep",
        }
    }
}

/// The trees that commands may change, under their canonical names, without those that are not there.
pub(super) fn writable(sandbox: &Sandbox) -> Vec<PathBuf> {
    let roots = sandbox.policy().roots().filter(|(_, access)| *access == Access::Write);
    let mut roots: Vec<PathBuf> = roots.filter_map(|(path, _)| std::fs::canonicalize(path).ok()).collect();
    roots.retain(|root| root.is_dir());
    roots.sort_unstable();
    roots.dedup();
    roots
}

impl<'s> Walk<'s> {
    /// Begins at a root; `roots` are all of them.
    pub(super) fn new(sandbox: &'s Sandbox, root: &Path, roots: &[PathBuf]) -> Result<Self, CheckpointError> {
        let opened = Roots::default().open(root, root, OFlag::O_RDONLY | OFlag::O_DIRECTORY);
        let opened = opened.map_err(|errno| CheckpointError::io("open a tree", root, errno))?;
        Ok(Self {
            sandbox,
            root: root.to_owned(),
            others: roots.iter().filter(|other| other.as_path() != root).cloned().collect(),
            opened: Some(opened),
            entered: None,
            stack: Vec::new(),
            seen: 0,
        })
    }

    /// The next entry.
    pub(super) fn next(&mut self) -> Result<Option<Found>, CheckpointError> {
        if let Some(root) = self.opened.take() {
            let status = fstat(&root).map_err(|errno| self.failed(Path::new(""), errno))?;
            self.entered = Some((root, PathBuf::new()));
            let kind = Kind::Directory;
            return Ok(Some(Found { path: PathBuf::new(), status, kind, is_protected: false }));
        }
        if let Some((directory, path)) = self.entered.take() {
            let names = match names(&directory) {
                // It was removed meanwhile.
                Err(Errno::ENOENT) => Vec::new(),
                other => other.map_err(|errno| self.failed(&path, errno))?,
            };
            self.stack.push(Level { directory, path, names: names.into_iter() });
        }
        while let Some(level) = self.stack.last_mut() {
            let Some(name) = level.names.next() else {
                self.stack.pop();
                continue;
            };
            if let Some(found) = self.look(&name)? {
                self.seen += 1;
                if self.seen > ENTRIES {
                    let message = format!(
                        "a tree has more than {ENTRIES} entries: {}; name smaller ones",
                        self.root.display()
                    );
                    return Err(CheckpointError::new(CheckpointErrorKind::TooLarge, message));
                }
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Does not go into the directory that was found last.
    pub(super) fn skip(&mut self) {
        self.entered = None;
    }

    /// Opens the file that was found last. `ESTALE` when it is another one by now.
    pub(super) fn open(&self, found: &Found) -> nix::Result<(File, FileStat)> {
        let (Some(level), Some(name)) = (self.stack.last(), found.path.file_name()) else {
            return Err(Errno::ESTALE);
        };
        // O_NONBLOCK: a FIFO that was put there must not hold us up.
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = open_in(&level.directory, name, flags)?;
        let status = fstat(&file)?;
        if kind_of(&status) != SFlag::S_IFREG || id_of(&status) != id_of(&found.status) {
            return Err(Errno::ESTALE);
        }
        Ok((File::from(file), status))
    }

    /// What is at a name of the innermost directory; `None` when it went away.
    fn look(&mut self, name: &OsStr) -> Result<Option<Found>, CheckpointError> {
        let Some(level) = self.stack.last() else { return Ok(None) };
        let path = level.path.join(name);
        for _ in 0..TRIES {
            let status = match fstatat(&level.directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(status) => status,
                Err(Errno::ENOENT) => return Ok(None),
                Err(errno) => return Err(self.failed(&path, errno)),
            };
            let (left, is_protected) = self.left(&path, &status);
            let seen = match left {
                Some(left) => Ok((Kind::Left(left), None)),
                None => kind(level, name, &status),
            };
            match seen {
                Ok((kind, directory)) => {
                    self.entered = directory.map(|directory| (directory, path.clone()));
                    return Ok(Some(Found { path, status, kind, is_protected }));
                }
                // It is another thing by now.
                Err(
                    Errno::ENOENT
                    | Errno::ELOOP
                    | Errno::ENOTDIR
                    | Errno::ESTALE
                    | Errno::EINVAL
                    | Errno::EAGAIN,
                ) => {}
                Err(errno) => return Err(self.failed(&path, errno)),
            }
        }
        Ok(None)
    }

    /// Why an entry is not looked into, and whether it is protected.
    fn left(&self, path: &Path, status: &FileStat) -> (Option<Left>, bool) {
        let real = self.root.join(path);
        if self.others.contains(&real) {
            return (Some(Left::OtherTree), false);
        }
        if path.as_os_str().len() > LONGEST || self.stack.len() >= DEPTH {
            return (Some(Left::TooDeep), false);
        }
        match judged(self.sandbox, &real, Some(id_of(status)), Touch::Change) {
            Ok(()) => (None, false),
            Err(reason) if reason.code == Code::FileProtected => (None, true),
            Err(reason) => (Some(Left::Denied(reason.message.to_string())), false),
        }
    }

    fn failed(&self, path: &Path, errno: Errno) -> CheckpointError {
        CheckpointError::io("look at", &self.root.join(path), errno)
    }
}

/// What an entry of an opened directory is; a directory itself is opened.
fn kind(level: &Level, name: &OsStr, status: &FileStat) -> nix::Result<(Kind, Option<OwnedFd>)> {
    Ok(match kind_of(status) {
        SFlag::S_IFREG => (Kind::File, None),
        SFlag::S_IFLNK => (Kind::Link(readlinkat(&level.directory, name)?.into()), None),
        SFlag::S_IFDIR => match open_in(&level.directory, name, OFlag::O_RDONLY | OFlag::O_DIRECTORY) {
            Ok(directory) if id_of(&fstat(&directory)?) != id_of(status) => return Err(Errno::ESTALE),
            // It can be listed, but not searched.
            Ok(directory) if fstatat(&directory, ".", AtFlags::empty()) == Err(Errno::EACCES) => {
                (Kind::Left(Left::Unreadable), None)
            }
            Ok(directory) => (Kind::Directory, Some(directory)),
            Err(Errno::EXDEV) => (Kind::Left(Left::OtherFileSystem), None),
            Err(Errno::EACCES) => (Kind::Left(Left::Unreadable), None),
            Err(errno) => return Err(errno),
        },
        _ => (Kind::Special, None),
    })
}

/// Whether a command might do this to a path.
pub(super) fn judged(sandbox: &Sandbox, path: &Path, id: Option<FileId>, touch: Touch) -> Result<(), Reason> {
    let judged = sandbox.parts().judge.touch(&TouchRequest { path, id, touch });
    judged.map_err(|denial| denial.reasons.into_iter().next().unwrap_or_else(no_reason))
}

fn no_reason() -> Reason {
    Reason { code: Code::FileUnresolved, message: "denied".into(), rule: None, span: None, change: None }
}

/// How many names files with several have inside of the trees.
pub(super) fn census(sandbox: &Sandbox, roots: &[PathBuf]) -> Result<HashMap<FileId, u64>, CheckpointError> {
    let mut names = HashMap::new();
    for root in roots {
        let mut walk = Walk::new(sandbox, root, roots)?;
        while let Some(found) = walk.next()? {
            if found.kind == Kind::File && found.status.st_nlink > 1 {
                *names.entry(id_of(&found.status)).or_default() += 1;
            }
        }
    }
    Ok(names)
}

fn names(directory: &OwnedFd) -> nix::Result<Vec<OsString>> {
    let again = open_in(directory, OsStr::new("."), OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    let mut names = Vec::new();
    for entry in Dir::from_fd(again)?.into_iter() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}
