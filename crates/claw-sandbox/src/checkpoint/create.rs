//! Makes a checkpoint: walks the trees, keeps the contents that are new, and writes the list last.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;

use claw_policy::FileId;
use nix::errno::Errno;
use nix::sys::stat::{FileStat, fstat};
use sha2::{Digest as _, Sha256};

use super::digest::{CHUNK, Digest};
use super::manifest::{Header, Manifest, Stamp, State, Writer};
use super::store::{Batch, Locked};
use super::walk::{self, Found, Kind, Walk};
use super::{Checkpoint, CheckpointError, CheckpointErrorKind, Checkpoints};
use crate::opened::id_of;

/// Contents up to this size are hashed in memory, and written only when they are new.
const SMALL: u64 = 1 << 20;

/// How often a file is read again because it changed meanwhile.
const TRIES: usize = 3;

/// A checkpoint in the making.
struct Making<'c> {
    checkpoints: &'c Checkpoints,
    roots: Vec<PathBuf>,
    batch: Batch<'c>,
    previous: Option<Manifest>,
    /// How many names files have inside; counted when the first file with several names is met.
    names: Option<HashMap<FileId, u64>>,
}

impl Checkpoints {
    pub(super) fn make(
        &self,
        locked: &Locked<'_>,
        label: &str,
        before_undo_of: Option<u64>,
    ) -> Result<Checkpoint, CheckpointError> {
        let roots = walk::writable(&self.sandbox);
        let newest = self.store.ids()?.last().copied();
        let previous = newest.map(|id| self.store.manifest(id)).transpose()?;
        let header = Header::new(newest.unwrap_or(0) + 1, label, before_undo_of, &roots);
        let previous = previous.filter(|previous| previous.header.roots() == roots);
        let batch = Batch::new(&self.store);
        let mut making = Making { checkpoints: self, roots, batch, previous, names: None };
        let (file, draft) = self.store.draft()?;
        let failed = |error| CheckpointError::io("write a checkpoint", &draft, error);
        let mut writer = Writer::new(file, &header).map_err(failed)?;
        for (index, root) in making.roots.clone().iter().enumerate() {
            let mut walk = Walk::new(&self.sandbox, root, &making.roots)?;
            while let Some(found) = walk.next()? {
                let state = making.state(index, &walk, &found)?;
                writer.entry(index, &found.path, state, found.is_protected).map_err(failed)?;
                if writer.bytes() > self.limits.total_bytes {
                    return Err(self.too_large());
                }
            }
        }
        making.batch.flush()?;
        let footer = writer.finish().map_err(failed)?;
        locked.publish(&draft, &self.store.manifest_path(header.id))?;
        Ok(Checkpoint::new(header, &footer))
    }

    fn too_large(&self) -> CheckpointError {
        let message = format!(
            "the trees hold more than the limit of {} bytes: {}; raise the limit or name smaller trees",
            self.limits.total_bytes,
            self.store.path().display()
        );
        CheckpointError::new(CheckpointErrorKind::TooLarge, message)
    }
}

impl Making<'_> {
    fn state(&mut self, root: usize, walk: &Walk<'_>, found: &Found) -> Result<State, CheckpointError> {
        let mode = found.status.st_mode & 0o7777;
        Ok(match &found.kind {
            Kind::File => self.file(root, walk, found)?,
            Kind::Directory => State::Directory { mode },
            Kind::Link(target) => State::Link { target: target.as_path().into() },
            Kind::Special => left("it is a FIFO, a socket or a device"),
            Kind::Left(reason) => left(reason.reason()),
        })
    }

    fn file(&mut self, root: usize, walk: &Walk<'_>, found: &Found) -> Result<State, CheckpointError> {
        if let Some(previous) = &mut self.previous {
            let known = previous.seek(root, &found.path)?.cloned();
            if let Some(known @ State::File { hash, size, .. }) = known
                && previous.header.is_same(&known, &found.status)
                && self.checkpoints.store.has(hash, size)
            {
                return Ok(known);
            }
        }
        if found.status.st_nlink > 1 && !self.is_inside(found)? {
            return Ok(left("it has names outside of the trees"));
        }
        let read = match walk.open(found) {
            Ok((file, status)) => self.keep(file, status)?,
            Err(errno) => Err(errno),
        };
        Ok(match read {
            Ok(state) => state,
            Err(Errno::EFBIG) => {
                left(&format!("it is larger than the limit of {} bytes", self.checkpoints.limits.file_bytes))
            }
            Err(Errno::EACCES | Errno::EPERM) => left("the system's own permissions forbid it"),
            Err(Errno::EXDEV) => left("another file system is mounted there"),
            Err(
                Errno::ENOENT | Errno::ELOOP | Errno::ESTALE | Errno::ENXIO | Errno::ENOTDIR | Errno::EAGAIN,
            ) => left("it changed while it was looked at"),
            Err(errno) => return Err(CheckpointError::io("read", &found.path, errno)),
        })
    }

    /// Whether all names of a file lie inside of the trees.
    fn is_inside(&mut self, found: &Found) -> Result<bool, CheckpointError> {
        let names = match &self.names {
            Some(names) => names,
            None => self.names.insert(walk::census(&self.checkpoints.sandbox, &self.roots)?),
        };
        Ok(names.get(&id_of(&found.status)).is_some_and(|names| *names >= found.status.st_nlink))
    }

    /// Keeps the content of an opened file as it was at one moment, as far as others let us. What went wrong with the file is
    /// the inner error, what went wrong with the store the outer one.
    fn keep(&mut self, mut file: File, mut before: FileStat) -> Result<nix::Result<State>, CheckpointError> {
        use std::io::Seek as _;
        let mut left = TRIES;
        loop {
            let (hash, size) = match self.content(&mut file, &before)? {
                Ok(content) => content,
                Err(errno) => return Ok(Err(errno)),
            };
            let after = match fstat(&file) {
                Ok(after) => after,
                Err(errno) => return Ok(Err(errno)),
            };
            left -= 1;
            if Stamp::of(&before) == Stamp::of(&after) || left == 0 {
                let (mode, stamp) = (before.st_mode & 0o7777, Stamp::of(&before));
                return Ok(Ok(State::File { hash, size, mode, stamp }));
            }
            before = after;
            if let Err(error) = file.rewind() {
                return Ok(Err(errno_of(&error)));
            }
        }
    }

    fn content(
        &mut self,
        file: &mut File,
        status: &FileStat,
    ) -> Result<nix::Result<(Digest, u64)>, CheckpointError> {
        let limit = self.checkpoints.limits.file_bytes;
        let size = u64::try_from(status.st_size).unwrap_or(u64::MAX);
        if size > limit {
            return Ok(Err(Errno::EFBIG));
        }
        if size > SMALL {
            return self.stream(file, limit);
        }
        let mut content = Vec::new();
        if let Err(error) = file.take(SMALL + 1).read_to_end(&mut content) {
            return Ok(Err(errno_of(&error)));
        }
        if content.len() as u64 > SMALL {
            // It grew meanwhile.
            return Ok(Err(Errno::ESTALE));
        }
        Ok(Ok((self.batch.add(&content)?, content.len() as u64)))
    }

    /// Keeps a content without holding it in memory.
    fn stream(&mut self, file: &mut File, limit: u64) -> Result<nix::Result<(Digest, u64)>, CheckpointError> {
        let (mut draft, path) = self.checkpoints.store.draft()?;
        let (mut hash, mut size, mut chunk) = (Sha256::new(), 0_u64, vec![0; CHUNK]);
        loop {
            let length = match file.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Err(errno_of(&error))),
            };
            size += length as u64;
            if size > limit {
                return Ok(Err(Errno::EFBIG));
            }
            let part = chunk.get(..length).unwrap_or_default();
            hash.update(part);
            draft.write_all(part).map_err(|error| CheckpointError::io("keep a content", &path, error))?;
        }
        let digest = Digest::finish(hash);
        if self.checkpoints.store.has(digest, size) && self.checkpoints.store.object(digest).is_ok() {
            std::fs::remove_file(&path)
                .map_err(|error| CheckpointError::io("remove a draft", &path, error))?;
        } else {
            self.batch.wait(path, digest)?;
        }
        Ok(Ok((digest, size)))
    }
}

fn left(reason: &str) -> State {
    State::Left { reason: reason.to_owned() }
}

fn errno_of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
