//! Searching trees: every entry, entries by name, lines by pattern.
//!
//! No link is followed and no other file system is entered. What is hidden is not there; what may be listed but not looked
//! into (the system's own permissions) is counted.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use claw_policy::{FileAction, Touch, TouchRequest};
use globset::{GlobBuilder, GlobMatcher};
use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::SFlag;
use regex::bytes::{Regex, RegexBuilder};

use super::entry::entry_status;
use super::place::{Object, open_in};
use super::{Failed, FileError, FileErrorKind, FileType, Files};
use crate::judge::Recent;
use crate::opened::kind_of;

/// What a pattern may take compiled: a hostile one must not take the memory.
const PATTERN_BYTES: usize = 10 << 20;
/// Where a NUL in a file's beginning says that it is no text. `grep` and git look as far.
const HEAD_BYTES: usize = 8000;
/// A matching line is shown as far as this.
const LINE_BYTES: usize = 1024;

/// An entry of a tree.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// From the top.
    pub path: PathBuf,
    /// What it is, a link itself.
    pub kind: FileType,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Searched {
    /// Entries that were looked at.
    pub entries: usize,
    /// Directories and files that the system does not let us read, and mounted file systems.
    pub unread: usize,
    /// Files that were passed over: larger than the limit, or no text.
    pub skipped: usize,
    /// Whether the search ended before everything was looked at.
    pub ended_early: bool,
}

/// What lines to look for.
#[derive(Clone, Debug)]
pub struct Search {
    pattern: Regex,
    names: Option<GlobMatcher>,
    most: usize,
}

/// A line that matches.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Match {
    /// From the top; empty when the top is the file.
    pub path: PathBuf,
    /// From 1.
    pub line: u64,
    /// The line without its end, as far as 1,024 bytes.
    pub text: Vec<u8>,
}

impl Search {
    /// Lines that match a regular expression (the `regex` crate's syntax, which takes linear time).
    ///
    /// # Errors
    ///
    /// When the expression is not one, or too large.
    pub fn new(pattern: &str, ignores_case: bool) -> Result<Self, FileError> {
        let pattern = RegexBuilder::new(pattern)
            .case_insensitive(ignores_case)
            .size_limit(PATTERN_BYTES)
            .dfa_size_limit(PATTERN_BYTES)
            .build()
            .map_err(|error| invalid(pattern, &error))?;
        Ok(Self { pattern, names: None, most: 10_000 })
    }

    /// Only in files whose path from the top matches; `*` does not cross `/`, `**` does.
    ///
    /// # Errors
    ///
    /// When the pattern is not one.
    pub fn in_files(mut self, pattern: &str) -> Result<Self, FileError> {
        self.names = Some(glob(pattern)?);
        Ok(self)
    }

    /// At most so many lines; 10,000 unless it is said.
    #[must_use]
    pub const fn most(mut self, most: usize) -> Self {
        self.most = most;
        self
    }
}

impl Files {
    /// Shows every entry of a tree to `visit`, a directory before what is in it, sorted by name.
    ///
    /// # Errors
    ///
    /// When the top is denied or no directory, or the tree has more entries or levels than the limits.
    pub fn walk(
        &self,
        top: impl AsRef<Path>,
        mut visit: impl FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<Searched, FileError> {
        self.search(top.as_ref(), &mut |_, _, entry| visit(entry))
    }

    /// The paths from the top that match a pattern; `*` does not cross `/`, `**` does.
    ///
    /// # Errors
    ///
    /// As for [`Self::walk`], or when the pattern is not one.
    pub fn glob(&self, top: impl AsRef<Path>, pattern: &str) -> Result<Vec<PathBuf>, FileError> {
        let matcher = glob(pattern)?;
        let mut found = Vec::new();
        self.walk(top, |entry| {
            if matcher.is_match(&entry.path) {
                found.push(entry.path);
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// The lines that match, in the regular files of a tree or in one file.
    ///
    /// # Errors
    ///
    /// As for [`Self::walk`].
    pub fn grep(&self, top: impl AsRef<Path>, search: &Search) -> Result<(Vec<Match>, Searched), FileError> {
        let top = top.as_ref();
        let mut matches = Vec::new();
        if self.status(top)?.kind == FileType::File {
            let content = self.read(top)?;
            let ended_early = lines(Path::new(""), &content, search, &mut matches).is_break();
            return Ok((matches, Searched { entries: 1, ended_early, ..Searched::default() }));
        }
        let (mut unread, mut skipped) = (0, 0);
        let mut searched = self.search(top, &mut |directory, real, entry| {
            if entry.kind != FileType::File
                || search.names.as_ref().is_some_and(|names| !names.is_match(&entry.path))
            {
                return ControlFlow::Continue(());
            }
            match self.text(directory, real, top, &entry.path) {
                Ok(Some(content)) => lines(&entry.path, &content, search, &mut matches),
                Ok(None) => {
                    skipped += 1;
                    ControlFlow::Continue(())
                }
                Err(_) => {
                    unread += 1;
                    ControlFlow::Continue(())
                }
            }
        })?;
        (searched.unread, searched.skipped) = (searched.unread + unread, skipped);
        Ok((matches, searched))
    }

    fn search(
        &self,
        top: &Path,
        visit: &mut dyn FnMut(&OwnedFd, &Path, Entry) -> ControlFlow<()>,
    ) -> Result<Searched, FileError> {
        let request = self.request(FileAction::List, top);
        // A visit cannot be taken back: what changes once it began is an error, and not begun again.
        let directory = self.perform(&request, top, |grant, _| {
            let directory =
                self.roots.object(grant.root(), grant.path(), OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
            Ok((directory.file, grant.path().real.clone()))
        });
        let (directory, real) = directory?;
        let mut walk = Walk {
            files: self,
            visit,
            left: self.limits.entries,
            searched: Searched::default(),
            recent: Recent::default(),
        };
        match walk.directory(&directory, &real, &mut PathBuf::new(), self.limits.depth) {
            Ok(flow) => {
                walk.searched.ended_early = flow.is_break();
                Ok(walk.searched)
            }
            Err(failed) => Err(failed.into_error(top)),
        }
    }

    /// The content of a file of a tree (`real` is its canonical path, `path` the one from the top), if it is a text that is not too large.
    fn text(
        &self,
        directory: &OwnedFd,
        real: &Path,
        top: &Path,
        path: &Path,
    ) -> Result<Option<Vec<u8>>, Failed> {
        let name = path.file_name().ok_or(Errno::ENOENT)?;
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let object = Object::new(open_in(directory, name, flags)?)?;
        if object.kind() != SFlag::S_IFREG || object.size() > self.limits.bytes {
            return Ok(None);
        }
        let content = if object.status.st_nlink > 1 {
            // Its other names count as well.
            self.raw(&top.join(path))?
        } else {
            self.judge(real, &object.status, Touch::Read)?;
            let mut content = Vec::new();
            std::io::Read::read_to_end(
                &mut std::io::Read::take(File::from(object.file), self.limits.bytes),
                &mut content,
            )?;
            content
        };
        let content = self.shown(path, content)?;
        let is_text = !content.get(..content.len().min(HEAD_BYTES)).unwrap_or_default().contains(&0);
        Ok(is_text.then_some(content))
    }
}

struct Walk<'f> {
    files: &'f Files,
    visit: &'f mut dyn FnMut(&OwnedFd, &Path, Entry) -> ControlFlow<()>,
    left: usize,
    searched: Searched,
    recent: Recent,
}

impl Walk<'_> {
    /// `real` is the canonical path of the directory, `path` the one from the top.
    fn directory(
        &mut self,
        directory: &OwnedFd,
        real: &Path,
        path: &mut PathBuf,
        depth: usize,
    ) -> Result<ControlFlow<()>, Failed> {
        let limits = &self.files.limits;
        if depth == 0 {
            let message = format!("it is deeper than the limit of {} levels", limits.depth);
            return Err(FileError::new(FileErrorKind::TooMany, real, message).into());
        }
        let mut place = real.to_owned();
        let (place_length, path_length) = (place.as_os_str().len(), path.as_os_str().len());
        for (name, kind) in entries(directory, self.left).map_err(|errno| {
            if errno == Errno::E2BIG { self.files.too_many(real).into() } else { Failed::from(errno) }
        })? {
            place.push(&name);
            path.push(&name);
            let flow = self.entry(directory, &name, kind, &place, path, depth);
            cut(&mut place, place_length);
            cut(path, path_length);
            if flow?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn entry(
        &mut self,
        directory: &OwnedFd,
        name: &OsStr,
        kind: Option<FileType>,
        place: &Path,
        path: &mut PathBuf,
        depth: usize,
    ) -> Result<ControlFlow<()>, Failed> {
        let request = TouchRequest { path: place, id: None, touch: Touch::Read };
        if self.files.sandbox.parts().judge.touch_next(&mut self.recent, &request).is_err() {
            return Ok(ControlFlow::Continue(()));
        }
        self.left = self.left.checked_sub(1).ok_or_else(|| self.files.too_many(place))?;
        self.searched.entries += 1;
        let Some(kind) = kind.or_else(|| kind_at(directory, name)) else {
            return Ok(ControlFlow::Continue(()));
        };
        if (self.visit)(directory, place, Entry { path: path.clone(), kind }).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if kind != FileType::Directory {
            return Ok(ControlFlow::Continue(()));
        }
        match open_in(directory, name, OFlag::O_RDONLY | OFlag::O_DIRECTORY) {
            Ok(inner) => self.directory(&inner, place, path, depth - 1),
            Err(Errno::EACCES | Errno::EPERM | Errno::EXDEV) => {
                self.searched.unread += 1;
                Ok(ControlFlow::Continue(()))
            }
            // It went away, or is another thing by now.
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(ControlFlow::Continue(())),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// Leaves the beginning of a path. Faster than `pop`, which looks for the last name.
fn cut(path: &mut PathBuf, length: usize) {
    let mut bytes = std::mem::take(path).into_os_string().into_vec();
    bytes.truncate(length);
    *path = PathBuf::from(OsString::from_vec(bytes));
}

/// The names in a directory with what they are, as far as the directory says it, sorted. `E2BIG` for more than `most`.
fn entries(directory: &OwnedFd, most: usize) -> nix::Result<Vec<(OsString, Option<FileType>)>> {
    // Shares its position, which nobody has moved: it is listed once.
    let again = directory.try_clone().map_err(|_| Errno::EMFILE)?;
    let mut entries = Vec::new();
    for entry in Dir::from_fd(again)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        if entries.len() >= most {
            return Err(Errno::E2BIG);
        }
        let kind = entry.file_type().map(|kind| match kind {
            Type::File => FileType::File,
            Type::Directory => FileType::Directory,
            Type::Symlink => FileType::Link,
            _ => FileType::Special,
        });
        entries.push((OsStr::from_bytes(name).to_owned(), kind));
    }
    entries.sort_unstable();
    Ok(entries)
}

fn kind_at(directory: &OwnedFd, name: &OsStr) -> Option<FileType> {
    Some(match kind_of(&entry_status(directory, name).ok()?) {
        SFlag::S_IFREG => FileType::File,
        SFlag::S_IFDIR => FileType::Directory,
        SFlag::S_IFLNK => FileType::Link,
        _ => FileType::Special,
    })
}

fn lines(path: &Path, content: &[u8], search: &Search, matches: &mut Vec<Match>) -> ControlFlow<()> {
    for (line, text) in (1..).zip(content.split(|byte| *byte == b'\n')) {
        if !search.pattern.is_match(text) {
            continue;
        }
        if matches.len() >= search.most {
            return ControlFlow::Break(());
        }
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let text = text.get(..text.len().min(LINE_BYTES)).unwrap_or(text).to_vec();
        matches.push(Match { path: path.to_owned(), line, text });
    }
    ControlFlow::Continue(())
}

fn glob(pattern: &str) -> Result<GlobMatcher, FileError> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| invalid(pattern, &error))
}

fn invalid(pattern: &str, error: &dyn std::fmt::Display) -> FileError {
    let error = error.to_string();
    let last = error.lines().last().unwrap_or_default();
    FileError::new(FileErrorKind::Invalid, Path::new(pattern), format!("it is no pattern: {last}"))
}
