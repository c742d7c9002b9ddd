//! A checkpoint's list of entries: lines of JSON, the last of which has the checksum of all before it.
//!
//! The entries stand in the order of a walk: by root, a directory before what is in it, names in the order of their bytes. So a
//! list is compared with a tree, or with another list, side by side, without holding either in memory.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Seek as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use nix::sys::stat::FileStat;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::CheckpointError;
use super::digest::{Digest, from_hex, to_hex};

const VERSION: u32 = 1;

/// Times this close to a checkpoint's beginning prove nothing: a file may change twice within what a file system's clock can
/// tell apart. FAT keeps times to two seconds; no other that we know is coarser.
const CLOCK: i64 = 2;

/// What the first line says.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) id: u64,
    pub(super) label: String,
    /// The checkpoint that an undo was to bring back, when it was made before one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) before_undo_of: Option<u64>,
    /// When it began, in seconds since 1970.
    pub(super) started: i64,
    pub(super) roots: Vec<Name>,
}

/// A path, or where a link leads.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Name {
    Text(String),
    /// Of what is no UTF-8.
    Hex {
        hex: String,
    },
}

/// One entry of a tree.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Record {
    pub(super) root: usize,
    /// Beneath the root; empty for the root itself.
    pub(super) path: Name,
    pub(super) state: State,
    /// Commands cannot change it.
    #[serde(default, rename = "protected", skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_protected: bool,
}

/// What an entry was.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum State {
    File {
        hash: Digest,
        size: u64,
        mode: u32,
        stamp: Stamp,
    },
    Directory {
        mode: u32,
    },
    Link {
        target: Name,
    },
    /// It was there but is not kept, for this reason.
    Left {
        reason: String,
    },
}

/// What a file looks like that was not touched since. Who may only write files cannot set the time of the last change.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What the last line says.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Footer {
    pub(super) entries: u64,
    pub(super) bytes: u64,
    pub(super) left: u64,
    pub(super) sha256: Digest,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    Checkpoint(Header),
    Entry(Record),
    End(Footer),
}

impl From<&Path> for Name {
    fn from(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Hex { hex: to_hex(path.as_os_str().as_bytes()) },
        }
    }
}

impl Name {
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::Text(text) => PathBuf::from(text),
            Self::Hex { hex } => OsString::from_vec(from_hex(hex).unwrap_or_default()).into(),
        }
    }
}

impl Stamp {
    pub(super) const fn of(status: &FileStat) -> Self {
        Self {
            device: status.st_dev,
            inode: status.st_ino,
            modified: (status.st_mtime, status.st_mtime_nsec),
            changed: (status.st_ctime, status.st_ctime_nsec),
        }
    }
}

impl Header {
    pub(super) fn new(id: u64, label: &str, before_undo_of: Option<u64>, roots: &[PathBuf]) -> Self {
        let roots = roots.iter().map(|root| Name::from(root.as_path())).collect();
        let started = jiff::Timestamp::now().as_second();
        Self { version: VERSION, id, label: label.to_owned(), before_undo_of, started, roots }
    }

    pub(super) fn roots(&self) -> Vec<PathBuf> {
        self.roots.iter().map(Name::path).collect()
    }

    /// Whether a file is the one that was kept, by its looks alone.
    pub(super) fn is_same(&self, state: &State, status: &FileStat) -> bool {
        let State::File { size, stamp, .. } = state else { return false };
        *stamp == Stamp::of(status)
            && u64::try_from(status.st_size) == Ok(*size)
            && stamp.changed.0.saturating_add(CLOCK) < self.started
    }
}

/// Writes a list.
#[derive(Debug)]
pub(super) struct Writer {
    file: BufWriter<File>,
    hash: Sha256,
    footer: Footer,
}

impl Writer {
    pub(super) fn new(file: File, header: &Header) -> std::io::Result<Self> {
        let footer = Footer { entries: 0, bytes: 0, left: 0, sha256: Digest::of(b"") };
        let mut writer = Self { file: BufWriter::new(file), hash: Sha256::new(), footer };
        writer.line(&Line::Checkpoint(header.clone()))?;
        Ok(writer)
    }

    pub(super) fn entry(
        &mut self,
        root: usize,
        path: &Path,
        state: State,
        is_protected: bool,
    ) -> std::io::Result<()> {
        self.footer.entries += 1;
        match &state {
            State::File { size, .. } => self.footer.bytes += size,
            State::Left { .. } => self.footer.left += 1,
            State::Directory { .. } | State::Link { .. } => {}
        }
        self.line(&Line::Entry(Record { root, path: path.into(), state, is_protected }))
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.footer.bytes
    }

    /// The last line; the list is on the disk then.
    pub(super) fn finish(mut self) -> std::io::Result<Footer> {
        let footer = Footer { sha256: Digest::finish(self.hash.clone()), ..self.footer.clone() };
        self.line(&Line::End(footer.clone()))?;
        self.file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
        Ok(footer)
    }

    fn line(&mut self, line: &Line) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.hash.update(&text);
        self.file.write_all(&text)
    }
}

/// An entry as it is read: its root, its path beneath it, what it was, and whether it is protected.
pub(super) type Listed = (usize, PathBuf, State, bool);

/// Reads a list whose checksum was found right.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) header: Header,
    pub(super) footer: Footer,
    path: PathBuf,
    lines: BufReader<File>,
    next: Option<Listed>,
}

impl Manifest {
    /// Reads the list once to check it, and stands before its first entry.
    pub(super) fn open(path: &Path) -> Result<Self, CheckpointError> {
        let file = File::open(path).map_err(|error| CheckpointError::io("read a checkpoint", path, error))?;
        let mut lines = BufReader::new(file);
        let footer = checked(&mut lines, path)?;
        let failed = |error| CheckpointError::io("read a checkpoint", path, error);
        lines.rewind().map_err(failed)?;
        let Some(Line::Checkpoint(header)) = line(&mut lines, path)? else {
            return Err(CheckpointError::damaged(path, "the first line is no header"));
        };
        if header.version != VERSION {
            return Err(CheckpointError::damaged(path, "it is of another version"));
        }
        let mut manifest = Self { header, footer, path: path.to_owned(), lines, next: None };
        manifest.advance()?;
        Ok(manifest)
    }

    /// The entry that comes next.
    pub(super) const fn peek(&self) -> Option<&Listed> {
        self.next.as_ref()
    }

    /// Takes the next entry.
    pub(super) fn take(&mut self) -> Result<Option<Listed>, CheckpointError> {
        let taken = self.next.take();
        if taken.is_some() {
            self.advance()?;
        }
        Ok(taken)
    }

    /// The entry at this place, as far as there is one; those before it are passed over.
    pub(super) fn seek(&mut self, root: usize, path: &Path) -> Result<Option<&State>, CheckpointError> {
        while self.peek().is_some_and(|(at, known, ..)| (*at, known.as_path()) < (root, path)) {
            self.take()?;
        }
        Ok(self
            .peek()
            .filter(|(at, known, ..)| (*at, known.as_path()) == (root, path))
            .map(|(_, _, state, _)| state))
    }

    fn advance(&mut self) -> Result<(), CheckpointError> {
        self.next = match line(&mut self.lines, &self.path)? {
            Some(Line::Entry(record)) => {
                Some((record.root, record.path.path(), record.state, record.is_protected))
            }
            Some(Line::End(_)) => None,
            _ => return Err(CheckpointError::damaged(&self.path, "a line is no entry")),
        };
        Ok(())
    }
}

fn line(lines: &mut BufReader<File>, path: &Path) -> Result<Option<Line>, CheckpointError> {
    let mut text = Vec::new();
    lines
        .read_until(b'\n', &mut text)
        .map_err(|error| CheckpointError::io("read a checkpoint", path, error))?;
    if text.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|_| CheckpointError::damaged(path, "a line is not what was written"))
}

/// The last line, when all before it is as it says.
fn checked(lines: &mut BufReader<File>, path: &Path) -> Result<Footer, CheckpointError> {
    let mut hash = Sha256::new();
    let mut last: Vec<u8> = Vec::new();
    let mut text = Vec::new();
    loop {
        text.clear();
        let read = lines.read_until(b'\n', &mut text);
        if read.map_err(|error| CheckpointError::io("read a checkpoint", path, error))? == 0 {
            break;
        }
        hash.update(&last);
        std::mem::swap(&mut last, &mut text);
    }
    match serde_json::from_slice(&last) {
        Ok(Line::End(footer)) if footer.sha256 == Digest::finish(hash) => Ok(footer),
        _ => Err(CheckpointError::damaged(path, "its checksum is not right")),
    }
}
