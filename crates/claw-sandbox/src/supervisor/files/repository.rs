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
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use claw_policy::{Denial, FileId};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat};
use nix::unistd::{LinkatFlags, UnlinkatFlags, linkat, unlinkat};

use super::call::{Change, New};
use super::place::{Object, Place};
use super::settings::is_harmless_change;
use super::{Done, Result, Task, own_name, perform, shape};
use crate::opened::{id_of, kind_of};
use crate::repository::{is_called_git, is_protection, is_repository};

/// Far more than a new repository's.
const BYTES: u64 = 64 << 10;

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
        denial: &Denial,
        [from, to]: [&Place; 2],
        moved: &Object,
        replaced: Option<&Object>,
    ) -> Option<Result<Done>> {
        let path = to.path.parent()?.to_owned();
        let is_lock = from.path.parent() == Some(&path)
            && from.name.as_bytes() == b"config.lock"
            && to.name.as_bytes() == b"config";
        let are_files = [Some(moved), replaced].into_iter().flatten().all(Object::is_file);
        if !is_lock || !are_files || !is_protection(denial) || !shape::is_in_repository(&to.path) {
            return None;
        }
        let hands = self.supervisor.hands.as_ref()?;
        let (source, directory) = (moved.file.try_clone().ok()?, from.directory.try_clone().ok()?);
        let old = replaced.map(|replaced| replaced.file.try_clone()).transpose().ok()?;
        if self.waits().is_err() {
            return Some(Err(Errno::EINTR.into()));
        }
        let made = hands.run(move || make(&source, old.as_ref(), &directory, &path))?;
        match made {
            Ok(Some(made)) => {
                self.made.replace(replaced.map(Object::id), made);
                Some(Ok(Done::Value(0)))
            }
            Ok(None) => None,
            Err(errno) => Some(Err(errno.into())),
        }
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
        denial: &Denial,
        place: &Place,
        flags: OFlag,
        mode: u32,
    ) -> Option<Result<Done>> {
        let is_begun = place.name.as_bytes() == b"config"
            && place
                .path
                .parent()
                .is_some_and(|directory| is_called_git(directory) && !is_repository(directory));
        let has_parts = || [c"objects", c"refs"].iter().all(|part| is_directory(&place.directory, part));
        if !is_begun || !is_protection(denial) || !self.is_of_run(&place.directory, c".") || !has_parts() {
            return None;
        }
        if let Err(refusal) = self.alone() {
            return Some(Err(refusal));
        }
        let (directory, kept) = (place.directory.try_clone().ok()?, Arc::clone(self.made));
        let mode = mode & 0o666 & !self.process.umask().ok()?.bits();
        let make = move || {
            let new = fresh(&directory, c"config", b"", mode)?;
            kept.replace(None, (id_of(&fstat(&new)?), new));
            openat(
                &directory,
                c"config",
                OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC,
                Mode::empty(),
            )
        };
        Some(self.creating(|| self.opened(flags.contains(OFlag::O_CLOEXEC), make)))
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

    /// Makes the `commondir` of a worktree, if that is what the caller wants to make. What it writes goes nowhere.
    pub(super) fn make_common_directory(&self, place: &Place, flags: OFlag) -> Option<Result<Done>> {
        let is_written = flags.intersects(OFlag::O_WRONLY | OFlag::O_RDWR);
        if !is_written || !shape::is_of_worktree(&place.path) {
            return None;
        }
        if let Err(refusal) = self.alone() {
            return Some(Err(refusal));
        }
        let directory = place.directory.try_clone().ok()?;
        let mode = 0o666 & !self.process.umask().ok()?.bits();
        let make = move || {
            drop(fresh(&directory, c"commondir", COMMON_DIRECTORY, mode)?);
            let access = flags & OFlag::O_ACCMODE;
            openat(&directory, ".", OFlag::O_TMPFILE | OFlag::O_CLOEXEC | access, nobodys())
        };
        Some(self.creating(|| self.opened(flags.contains(OFlag::O_CLOEXEC), make)))
    }

    /// Makes a part of what is about to become a repository anew, so that nobody has it open, if it is harmless.
    pub(super) fn make_fresh(
        &self,
        directory: &OwnedFd,
        part: &'static CStr,
        path: PathBuf,
    ) -> nix::Result<bool> {
        let hands = self.supervisor.hands.as_ref().ok_or(Errno::EACCES)?;
        let directory = directory.try_clone().map_err(|_| Errno::ENFILE)?;
        let made = hands.run(move || {
            let source = openat(&directory, part, look(), Mode::empty())?;
            let Some((content, mode)) = read(&source)? else { return Ok(false) };
            if !is_harmless(&path, &content) {
                return Ok(false);
            }
            unlinkat(&directory, part, UnlinkatFlags::NoRemoveDir)?;
            fresh(&directory, part, &content, mode).map(|_| true)
        });
        made.ok_or(Errno::EACCES)?
    }
}

// Whether a part of a repository that a run has made says nothing that git would execute or follow elsewhere.
fn is_harmless(path: &Path, content: &[u8]) -> bool {
    if path.ends_with("config") {
        return path.parent().is_some_and(|directory| is_harmless_change(b"", content, directory));
    }
    shape::is_of_worktree(path) && content == COMMON_DIRECTORY
}

// `None` when more changes than data.
fn make(
    source: &OwnedFd,
    old: Option<&OwnedFd>,
    directory: &OwnedFd,
    path: &Path,
) -> nix::Result<Option<(FileId, OwnedFd)>> {
    let old = match old {
        Some(old) => read(old)?.map(|(content, _)| content),
        None => Some(Vec::new()),
    };
    let (Some(old), Some((content, mode))) = (old, read(source)?) else { return Ok(None) };
    if !is_harmless_change(&old, &content, path) {
        return Ok(None);
    }
    // Nobody else is there in between: who renames goes alone.
    unlinkat(directory, c"config.lock", UnlinkatFlags::NoRemoveDir)?;
    let new = fresh(directory, c"config.lock", &content, mode)?;
    renameat(directory, c"config.lock", directory, c"config")?;
    Ok(Some((id_of(&fstat(&new)?), new)))
}

// The content and the mode of a regular file; `None` when it is none, or a long one.
fn read(file: &OwnedFd) -> nix::Result<Option<(Vec<u8>, u32)>> {
    if kind_of(&fstat(file)?) != SFlag::S_IFREG {
        return Ok(None);
    }
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = openat(AT_FDCWD, own_name(file).as_c_str(), flags, Mode::empty())?;
    let mode = fstat(&file)?.st_mode;
    let mut content = Vec::new();
    File::from(file).take(BYTES + 1).read_to_end(&mut content).map_err(|_| Errno::EIO)?;
    Ok((content.len() as u64 <= BYTES).then_some((content, mode & 0o777)))
}

// A file with that content, which nobody else has open, under a name that is free.
fn fresh(directory: &OwnedFd, name: &CStr, content: &[u8], mode: u32) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_TMPFILE | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let mut new = File::from(openat(directory, ".", flags, nobodys())?);
    new.write_all(content).map_err(|_| Errno::EIO)?;
    fchmod(&new, Mode::from_bits_truncate(mode))?;
    let follow = LinkatFlags::AT_SYMLINK_FOLLOW;
    linkat(AT_FDCWD, own_name(&new).as_c_str(), directory, name, follow)?;
    Ok(new.into())
}

fn is_directory(directory: &OwnedFd, name: &CStr) -> bool {
    openat(directory, name, look() | OFlag::O_DIRECTORY, Mode::empty()).is_ok()
}

const fn look() -> OFlag {
    OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC)
}

const fn nobodys() -> Mode {
    Mode::S_IRUSR.union(Mode::S_IWUSR)
}
