//! What a run may change of a repository's settings.
//!
//! `.git/config` is protected, because what it says is executed by the next git. But `git init` and `git clone` write
//! one, and `git remote add` changes it. So a run may do so as git does: by renaming its lock file. What counts is the
//! content: settings that are data may change, and every other one has to stay as it was. The file that appears is a new
//! one with the content that was judged: nobody has it open, maps it or has another name for it.
//!
//! `commondir` says where the rest of a repository is. `git worktree add` writes the same into each, so it is written by
//! us, and what the caller writes goes nowhere.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use claw_policy::{Denial, FileId};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::call::{Change, New, Operation};
use super::place::{Object, Place};
use super::settings::is_harmless_change;
use super::{Done, Result, Task, fresh, perform, shape};
use crate::opened::id_of;
use crate::repository::{is_called_git, is_protection, is_repository};

/// What a run makes beyond that it cannot remove; each holds a descriptor of ours.
const MOST: usize = 256;

/// Where a worktree has the rest of its repository, as git writes it (`builtin/worktree.c`, `add_worktree`).
const COMMON_DIRECTORY: &[u8] = b"../..\n";

/// The configurations that a run has made, and the directories of its repositories. Each is held open, so that its inode is no other file's meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Made(Mutex<HashMap<FileId, OwnedFd>>);

impl Made {
    fn has(&self, id: FileId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&id)
    }

    // In place of one that was there before the run nothing is the run's.
    fn replace(&self, old: Option<FileId>, (id, file): (FileId, OwnedFd)) {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_own = old.is_none_or(|old| made.remove(&old).is_some());
        if is_own && made.len() < MOST {
            made.insert(id, file);
        }
    }
}

impl Task<'_> {
    /// Makes `git`'s rename of a configuration's lock file, if that is what it is and the change is harmless. `None` when
    /// the denial stands.
    pub(super) fn make_configuration(
        &self,
        operation: &Operation,
        denial: &Denial,
        [from, to]: [&Place; 2],
        [moved, replaced]: [Option<&Object>; 2],
    ) -> Result<Option<Done>> {
        let (Some(path), Some(moved)) = (to.path.parent().map(Path::to_owned), moved) else {
            return Ok(None);
        };
        let is_lock = from.path.parent() == Some(&path)
            && from.name.as_bytes() == b"config.lock"
            && to.name.as_bytes() == b"config";
        let are_files = [Some(moved), replaced].into_iter().flatten().all(Object::is_file);
        if !is_lock || !are_files || !is_protection(denial) || !shape::is_in_repository(&to.path) {
            return Ok(None);
        }
        let (source, directory) = (copy(&moved.file)?, copy(&from.directory)?);
        let old = replaced.map(|replaced| copy(&replaced.file)).transpose()?;
        let hands = self.supervisor.hands.as_ref().ok_or(Errno::EACCES)?;
        let judged = hands.run(move || judged(&source, old.as_ref(), &path)).ok_or(Errno::EACCES)??;
        let Some((content, mode)) = judged else { return Ok(None) };
        self.allowed(operation, &to.path, true)?;
        let (kept, id) = (Arc::clone(self.made), replaced.map(Object::id));
        self.perform(move || {
            let new = fresh::replace(&directory, c"config", &content, mode)?;
            kept.replace(id, (id_of(&fstat(&new)?), new));
            // The caller's own lock file, which it has given away.
            unlinkat(&directory, c"config.lock", UnlinkatFlags::NoRemoveDir)?;
            Ok(0)
        })
        .map(Some)
    }

    /// Whether a denied removal is that of a configuration which the run has made, or of a worktree's `commondir`: without
    /// it the directory is a repository by itself, whose settings are protected.
    pub(super) fn may_unmake(&self, denial: &Denial, place: &Place, object: &Object) -> bool {
        let is_made = place.name.as_bytes() == b"config" && self.made.has(object.id());
        is_protection(denial) && (is_made || shape::is_of_worktree(&place.path))
    }

    /// Whether a denied directory is an empty `hooks` in a repository that this run makes, as libgit2 does for
    /// `cargo new`: what would go into it is protected as before.
    pub(super) fn may_make_hooks(&self, denial: &Denial, place: &Place, what: &New) -> bool {
        let is_hooks = matches!(what, New::Directory(_)) && place.path.ends_with("hooks");
        is_hooks && is_protection(denial) && self.is_of_run(&place.directory, c".")
    }

    /// Whether a denied file is a new example in such a `hooks`, which `git` does not execute.
    pub(super) fn may_make_sample(&self, denial: &Denial, place: &Place) -> bool {
        let is_in_hooks = place.path.parent().is_some_and(|directory| directory.ends_with("hooks"));
        is_in_hooks
            && shape::is_sample(place.name.as_bytes())
            && is_protection(denial)
            && self.is_of_run(&place.directory, c"..")
    }

    /// Makes the empty configuration that libgit2 begins a repository with. The caller gets it to be read: what it writes
    /// into it comes by `config.lock` as ever.
    pub(super) fn make_empty_configuration(
        &self,
        operation: &Operation,
        denial: &Denial,
        place: &Place,
        (flags, mode): (OFlag, u32),
    ) -> Result<Option<Done>> {
        let is_begun = place.name.as_bytes() == b"config"
            && place
                .path
                .parent()
                .is_some_and(|directory| is_called_git(directory) && !is_repository(directory));
        let has_parts = || [c"objects", c"refs"].iter().all(|part| is_directory(&place.directory, part));
        if !is_begun || !is_protection(denial) || !self.is_of_run(&place.directory, c".") || !has_parts() {
            return Ok(None);
        }
        self.alone()?;
        self.allowed(operation, &place.path, false)?;
        let (directory, kept) = (copy(&place.directory)?, Arc::clone(self.made));
        let mode = mode & 0o666 & !self.process.umask()?.bits();
        let make = move || {
            let new = fresh::create(&directory, c"config", b"", mode)?;
            kept.replace(None, (id_of(&fstat(&new)?), new));
            let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            openat(&directory, c"config", flags, Mode::empty())
        };
        self.creating(|| self.opened(flags.contains(OFlag::O_CLOEXEC), make)).map(Some)
    }

    /// Makes an entry; of a repository that begins it is kept that it is this run's.
    pub(super) fn make_entry(&self, place: Place, what: New, umask: Option<Mode>) -> Result<Done> {
        let begins = matches!(what, New::Directory(_)) && is_called_git(&place.path);
        let kept = begins.then(|| Arc::clone(self.made));
        self.creating(|| {
            self.perform(move || {
                let value = perform::make(&place, &what, umask)?;
                if let Some(kept) = kept
                    && let Ok(directory) =
                        openat(&place.directory, ".git", look() | OFlag::O_DIRECTORY, Mode::empty())
                    && let Ok(status) = fstat(&directory)
                {
                    kept.replace(None, (id_of(&status), directory));
                }
                Ok(value)
            })
        })
    }

    // Whether this run has made the directory.
    fn is_of_run(&self, directory: &OwnedFd, path: &CStr) -> bool {
        let status = openat(directory, path, look() | OFlag::O_DIRECTORY, Mode::empty()).and_then(fstat);
        status.is_ok_and(|status| self.made.has(id_of(&status)))
    }

    /// Whether a denied change gives a configuration that the run has made another mode, which nobody else may write
    /// then who may not now. `git init` tries whether the file system keeps modes (`setup.c`, `create_default_files`).
    pub(super) fn may_set_mode(&self, denial: &Denial, object: &Object, change: &Change) -> bool {
        let Change::Mode(mode) = change else { return false };
        let of_others = (mode & 0o022) & !object.status.st_mode;
        mode & 0o7000 == 0 && of_others == 0 && is_protection(denial) && self.made.has(object.id())
    }

    /// Makes the `commondir` of a worktree, if that is what the caller wants to make and only its protection is in the way.
    /// What the caller writes goes nowhere.
    pub(super) fn make_common_directory(
        &self,
        operation: &Operation,
        denial: &Denial,
        place: &Place,
        flags: OFlag,
    ) -> Result<Option<Done>> {
        let is_written = flags.intersects(OFlag::O_WRONLY | OFlag::O_RDWR);
        if !is_written || !is_protection(denial) || !shape::is_of_worktree(&place.path) {
            return Ok(None);
        }
        self.alone()?;
        self.allowed(operation, &place.path, false)?;
        let directory = copy(&place.directory)?;
        let mode = 0o666 & !self.process.umask()?.bits();
        let make = move || {
            let nowhere = fresh::nameless(&directory, flags & OFlag::O_ACCMODE)?;
            drop(fresh::create(&directory, c"commondir", COMMON_DIRECTORY, mode)?);
            Ok(nowhere)
        };
        self.creating(|| self.opened(flags.contains(OFlag::O_CLOEXEC), make)).map(Some)
    }

    /// Whether a part of what is about to become a repository is harmless.
    pub(super) fn is_harmless_part(&self, place: &Place, part: &'static CStr, path: PathBuf) -> Result<bool> {
        let directory = copy(&place.directory)?;
        let hands = self.supervisor.hands.as_ref().ok_or(Errno::EACCES)?;
        let judged = hands.run(move || judged_part(&directory, part, &path));
        Ok(judged.ok_or(Errno::EACCES)??.is_some())
    }

    /// Makes such a part anew, so that nobody has it open. `false` when it is harmless no longer.
    pub(super) fn make_fresh(&self, place: &Place, part: &'static CStr, path: PathBuf) -> Result<bool> {
        let directory = copy(&place.directory)?;
        let made = self.perform(move || {
            let Some((content, mode)) = judged_part(&directory, part, &path)? else { return Ok(0) };
            fresh::replace(&directory, part, &content, mode).map(|_| 1)
        });
        Ok(matches!(made?, Done::Value(1)))
    }
}

// The content and mode of a part, if it is harmless.
fn judged_part(directory: &OwnedFd, part: &CStr, path: &Path) -> nix::Result<Option<(Vec<u8>, u32)>> {
    let source = openat(directory, part, look(), Mode::empty())?;
    Ok(fresh::read(&source)?.filter(|(content, _)| is_harmless(path, content)))
}

fn copy(file: &OwnedFd) -> nix::Result<OwnedFd> {
    file.try_clone().map_err(|_| Errno::ENFILE)
}

// Whether a part of a repository that a run has made says nothing that git would execute or follow elsewhere.
fn is_harmless(path: &Path, content: &[u8]) -> bool {
    if path.ends_with("config") {
        return path.parent().is_some_and(|directory| is_harmless_change(b"", content, directory));
    }
    shape::is_of_worktree(path) && content == COMMON_DIRECTORY
}

// The content and mode of a lock file that changes data only.
fn judged(source: &OwnedFd, old: Option<&OwnedFd>, path: &Path) -> nix::Result<Option<(Vec<u8>, u32)>> {
    let old = match old {
        Some(old) => fresh::read(old)?.map(|(content, _)| content),
        None => Some(Vec::new()),
    };
    let (Some(old), Some((content, mode))) = (old, fresh::read(source)?) else { return Ok(None) };
    Ok(is_harmless_change(&old, &content, path).then_some((content, mode)))
}

fn is_directory(directory: &OwnedFd, name: &CStr) -> bool {
    openat(directory, name, look() | OFlag::O_DIRECTORY, Mode::empty()).is_ok()
}

const fn look() -> OFlag {
    OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC)
}
