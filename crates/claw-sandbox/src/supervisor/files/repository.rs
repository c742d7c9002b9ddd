//! What a run may make of a repository that is protected.
//!
//! `.git/config` is protected, because what it says is executed by the next git. But `git init` and `git clone` make
//! one, which is the run's own; and `git remote add` changes it, by a draft (`draft.rs`).
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

use super::call::{Change, New, Operation};
use super::place::{Object, Place};
use super::settings::is_harmless_change;
use super::waiting::Waiting;
use super::{Done, Result, Task, fresh, perform};
use crate::opened::id_of;
use crate::repository::{is_called_git, is_of_worktree, is_protection, is_repository, is_sample};

/// What a run makes beyond that it cannot remove; each holds a descriptor of ours.
const MOST: usize = 256;

/// Where a worktree has the rest of its repository, as git writes it (`builtin/worktree.c`, `add_worktree`).
const COMMON_DIRECTORY: &[u8] = b"../..\n";

/// What a run has made of repositories. Each is held open, so that its inode is no other file's meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Configurations, and the directories of repositories.
    own: Mutex<HashMap<FileId, OwnedFd>>,
    /// What was written as the strategy of a rebase whose list is not there yet, by its directory.
    aside: Mutex<HashMap<FileId, [OwnedFd; 2]>>,
}

impl Made {
    fn has(&self, id: FileId) -> bool {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&id)
    }

    pub(super) fn set_aside(&self, directory: OwnedFd, file: OwnedFd) -> nix::Result<()> {
        let id = id_of(&fstat(&directory)?);
        let mut aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
        if aside.len() >= MOST && !aside.contains_key(&id) {
            return Err(Errno::EDQUOT);
        }
        aside.insert(id, [directory, file]);
        Ok(())
    }

    pub(super) fn kept_aside(&self, directory: FileId) -> Option<OwnedFd> {
        let aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
        aside.get(&directory).and_then(|[_, file]| file.try_clone().ok())
    }

    pub(super) fn forget_aside(&self, directory: FileId) {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner).remove(&directory);
    }

    // In place of one that was there before the run nothing is the run's.
    pub(super) fn replace(&self, old: Option<FileId>, (id, file): (FileId, OwnedFd)) {
        let mut made = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let is_own = old.is_none_or(|old| made.remove(&old).is_some());
        if is_own && made.len() < MOST {
            made.insert(id, file);
        }
    }
}

impl Task<'_> {
    /// Whether a denied removal is that of a configuration which the run has made, of what waits to be continued, or of a
    /// worktree's `commondir`: without it the directory is a repository by itself, whose settings are protected.
    pub(super) fn may_unmake(&self, denial: &Denial, place: &Place, object: &Object) -> bool {
        let is_made = place.name.as_bytes() == b"config" && self.made.has(object.id());
        let is_waiting = Waiting::of(&place.path).is_some() && object.is_file();
        is_protection(denial) && (is_made || is_waiting || is_of_worktree(&place.path))
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
            && is_sample(place.name.as_bytes())
            && is_protection(denial)
            && self.is_of_run(&place.directory, c"..")
    }

    /// Makes a part of a repository that only its protection is in the way of. `None` when the denial stands.
    pub(super) fn make_part(
        &self,
        operation: &Operation,
        denial: &Denial,
        place: &Place,
        (flags, mode): (OFlag, u32),
    ) -> Result<Option<Done>> {
        if let Some(done) = self.make_common_directory(operation, denial, place, flags)? {
            return Ok(Some(done));
        }
        if let Some(done) = self.make_strategy(denial, place, flags)? {
            return Ok(Some(done));
        }
        self.make_empty_configuration(operation, denial, place, (flags, mode))
    }

    // Makes the empty configuration that libgit2 begins a repository with. The caller gets it to be read: what it writes
    // into it comes by `config.lock` as ever.
    fn make_empty_configuration(
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

    // Makes the `commondir` of a worktree, if that is what the caller wants to make and only its protection is in the way.
    // What the caller writes goes nowhere.
    fn make_common_directory(
        &self,
        operation: &Operation,
        denial: &Denial,
        place: &Place,
        flags: OFlag,
    ) -> Result<Option<Done>> {
        let is_written = flags.intersects(OFlag::O_WRONLY | OFlag::O_RDWR);
        if !is_written || !is_protection(denial) || !is_of_worktree(&place.path) {
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
        self.have_done(move || {
            let Some((content, mode)) = judged_part(&directory, part, &path)? else { return Ok(false) };
            fresh::replace(&directory, part, &content, mode).map(|_| true)
        })
    }
}

// The content and mode of a part, if it is harmless.
fn judged_part(directory: &OwnedFd, part: &CStr, path: &Path) -> nix::Result<Option<(Vec<u8>, u32)>> {
    let source = openat(directory, part, look(), Mode::empty())?;
    Ok(fresh::read(&source)?.filter(|(content, _)| is_harmless(path, content)))
}

pub(super) fn copy(file: &OwnedFd) -> nix::Result<OwnedFd> {
    file.try_clone().map_err(|_| Errno::ENFILE)
}

// Whether a part of a repository that a run has made says nothing that git would execute or follow elsewhere.
fn is_harmless(path: &Path, content: &[u8]) -> bool {
    if path.ends_with("config") {
        return path.parent().is_some_and(|directory| is_harmless_change(b"", content, directory));
    }
    is_of_worktree(path) && content == COMMON_DIRECTORY
}

fn is_directory(directory: &OwnedFd, name: &CStr) -> bool {
    openat(directory, name, look() | OFlag::O_DIRECTORY, Mode::empty()).is_ok()
}

const fn look() -> OFlag {
    OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC)
}
