//! Resolves a path as the kernel does, keeping every name that was passed on the way.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use claw_policy::{FactError, FileId, FileKind, PathFact, ResolvedPath};

use super::fact_error;

/// Links that the kernel follows in one resolution (`MAXSYMLINKS`).
const LINKS: usize = 40;
/// Bytes of a path, and of one name in it, with the kernel's closing NUL not counted.
const PATH_BYTES: usize = 4095;
const NAME_BYTES: usize = 255;

/// The directories that a round of questions has come by: its paths have most of them in common.
#[derive(Debug, Default)]
pub(super) struct Passed(HashMap<OsString, Metadata>);

impl Passed {
    fn look(&mut self, path: &Path) -> io::Result<Metadata> {
        if let Some(known) = self.0.get(path.as_os_str()) {
            return Ok(known.clone());
        }
        let metadata = fs::symlink_metadata(path)?;
        if metadata.is_dir() {
            self.0.insert(path.as_os_str().to_owned(), metadata.clone());
        }
        Ok(metadata)
    }
}

/// Resolves an absolute path.
pub(super) fn resolve(path: &Path, follow: bool, passed: &mut Passed) -> PathFact {
    let bytes = path.as_os_str().as_bytes();
    if !bytes.starts_with(b"/") || bytes.contains(&0) {
        return Err(FactError::Invalid);
    }
    if bytes.len() > PATH_BYTES {
        return Err(FactError::TooLong);
    }
    // A trailing slash or dot asks for what is behind the last link.
    let follow = follow || bytes.ends_with(b"/") || bytes.ends_with(b"/.");
    let walk = Walk { at: PathBuf::from("/"), found: None, visited: Vec::new(), links: 0, passed };
    walk.run(names(bytes), follow)
}

/// The names of a path, last first. A trailing slash is a last name `.`.
fn names(bytes: &[u8]) -> Vec<OsString> {
    let mut names: Vec<OsString> = bytes
        .split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty())
        .map(|name| OsStr::from_bytes(name).to_owned())
        .collect();
    if bytes.ends_with(b"/") {
        names.push(".".into());
    }
    names.reverse();
    names
}

struct Walk<'p> {
    /// Where we are: canonical.
    at: PathBuf,
    /// What is there, when it was looked at.
    found: Option<Metadata>,
    visited: Vec<PathBuf>,
    links: usize,
    passed: &'p mut Passed,
}

impl Walk<'_> {
    fn run(mut self, mut pending: Vec<OsString>, follow: bool) -> PathFact {
        while let Some(name) = pending.pop() {
            self.must_be_directory()?;
            match name.as_bytes() {
                b"." => {}
                b".." => {
                    self.at.pop();
                    self.found = None;
                }
                name if name.len() > NAME_BYTES => return Err(FactError::TooLong),
                _ => {
                    let entry = self.at.join(&name);
                    match self.passed.look(&entry) {
                        Ok(metadata) if metadata.is_symlink() && (follow || !pending.is_empty()) => {
                            self.visited.push(entry.clone());
                            self.enter_link(&entry, &mut pending)?;
                        }
                        Ok(metadata) => {
                            self.visited.push(entry.clone());
                            self.at = entry;
                            self.found = Some(metadata);
                        }
                        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                            return self.missing(entry, pending);
                        }
                        Err(error) => return Err(fact_error(&error)),
                    }
                }
            }
        }
        self.finish()
    }

    fn must_be_directory(&self) -> Result<(), FactError> {
        match &self.found {
            Some(metadata) if !metadata.is_dir() => Err(FactError::NotDirectory),
            _ => Ok(()),
        }
    }

    fn enter_link(&mut self, link: &Path, pending: &mut Vec<OsString>) -> Result<(), FactError> {
        self.links += 1;
        if self.links > LINKS {
            return Err(FactError::LinkLoop);
        }
        let target = fs::read_link(link).map_err(|error| fact_error(&error))?;
        let bytes = target.as_os_str().as_bytes();
        if bytes.starts_with(b"/") {
            self.at = PathBuf::from("/");
            self.found = None;
        }
        pending.extend(names(bytes));
        Ok(())
    }

    /// Nothing is there. What follows could only be there if directories were made first.
    fn missing(mut self, entry: PathBuf, mut pending: Vec<OsString>) -> PathFact {
        self.visited.push(entry.clone());
        let mut real = entry;
        while let Some(name) = pending.pop() {
            match name.as_bytes() {
                b"." => {}
                b".." => return Err(FactError::NotFound),
                name if name.len() > NAME_BYTES => return Err(FactError::TooLong),
                _ => {
                    real.push(name);
                    self.visited.push(real.clone());
                }
            }
        }
        Ok(ResolvedPath {
            real,
            visited: self.visited,
            kind: FileKind::Missing,
            id: None,
            aliases: Vec::new(),
            outside_names: false,
            mount_point: false,
        })
    }

    fn finish(mut self) -> PathFact {
        let metadata = match self.found.take() {
            Some(metadata) => metadata,
            None => self.passed.look(&self.at).map_err(|error| fact_error(&error))?,
        };
        if !self.visited.contains(&self.at) {
            self.visited.push(self.at.clone());
        }
        let kind = kind(&metadata);
        Ok(ResolvedPath {
            mount_point: is_mount_point(&self.at, &metadata, self.passed),
            id: Some(FileId { device: metadata.dev(), inode: metadata.ino() }),
            kind,
            aliases: Vec::new(),
            outside_names: kind == FileKind::File && metadata.nlink() > 1,
            real: self.at,
            visited: self.visited,
        })
    }
}

fn kind(metadata: &Metadata) -> FileKind {
    let kind = metadata.file_type();
    if kind.is_file() {
        FileKind::File
    } else if kind.is_dir() {
        FileKind::Directory
    } else if kind.is_symlink() {
        FileKind::Link
    } else {
        FileKind::Special
    }
}

fn is_mount_point(path: &Path, metadata: &Metadata, passed: &mut Passed) -> bool {
    path.parent().is_none_or(|parent| passed.look(parent).is_ok_and(|above| above.dev() != metadata.dev()))
}
