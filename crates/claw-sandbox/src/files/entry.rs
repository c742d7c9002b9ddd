//! Entries of directories: looking at them, making, moving and removing them.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use claw_policy::{FileAction, FileGrant, FileRequest, Touch, TouchRequest};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, RenameFlags, readlinkat, renameat2};
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, SFlag, fchmodat, mkdirat};
use nix::unistd::{UnlinkatFlags, linkat, symlinkat, unlinkat};

use super::place::{Object, Place, open_in};
use super::write::WriteMode;
use super::{Failed, FileError, FileErrorKind, Files};
use crate::opened::{id_of, kind_of, links_of, own_name};

/// What kind of thing an entry is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum FileType {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A FIFO, socket or device.
    Special,
}

/// What is known of an entry.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FileStatus {
    /// What it is.
    pub kind: FileType,
    /// Its size in bytes.
    pub size: u64,
    /// Its permissions, the lowest twelve bits of the mode.
    pub mode: u32,
    /// The time of the last change of its content, in seconds since 1970 and nanoseconds.
    pub modified: (i64, i64),
    /// How many names it has.
    pub links: u64,
    /// Where a link leads, as it is written.
    pub target: Option<PathBuf>,
}

impl Files {
    /// What is at a path; a last link is followed.
    ///
    /// # Errors
    ///
    /// When it is denied, or nothing is there.
    pub fn status(&self, path: impl AsRef<Path>) -> Result<FileStatus, FileError> {
        let path = path.as_ref();
        self.perform(&self.request(FileAction::Stat, path), path, |grant, _| {
            let object = self.looked_at(grant)?;
            Ok(status_of(&object.status, None))
        })
    }

    /// The names in a directory with what they are, sorted. What is hidden is left out.
    ///
    /// # Errors
    ///
    /// When it is denied, is no directory, or has more entries than the limit.
    pub fn list(&self, path: impl AsRef<Path>) -> Result<Vec<(OsString, FileStatus)>, FileError> {
        let path = path.as_ref();
        self.perform(&self.request(FileAction::List, path), path, |grant, change| {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
            let directory = self.roots.object(grant.root(), grant.path(), flags)?;
            let mut entries = Vec::new();
            for name in self.names(&directory.file, path)? {
                let here = grant.path().real.join(&name);
                let Ok(status) = entry_status(&directory.file, &name) else { continue };
                if self.judge(&here, &status, Touch::Read).is_ok() {
                    let target = (kind_of(&status) == SFlag::S_IFLNK)
                        .then(|| readlinkat(&directory.file, name.as_os_str()).ok())
                        .flatten();
                    entries.push((name, status_of(&status, target.map(PathBuf::from))));
                }
            }
            change.bytes = entries.len() as u64;
            Ok(entries)
        })
    }

    /// Makes a directory; the one that it lies in must be there.
    ///
    /// # Errors
    ///
    /// When it is denied, or something is there already.
    pub fn make_directory(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let path = path.as_ref();
        self.perform(&self.request(FileAction::Mkdir, path), path, |grant, _| {
            let place = self.roots.place(grant.root(), &grant.path().real)?;
            Ok(mkdirat(&place.directory, place.name.as_os_str(), Mode::from_bits_truncate(0o777))?)
        })
    }

    /// Removes a file, a link itself, or an empty directory.
    ///
    /// # Errors
    ///
    /// When it is denied, nothing is there, or the directory is not empty.
    pub fn remove(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let path = path.as_ref();
        self.perform(&self.request(FileAction::Delete, path), path, |grant, _| {
            let place = self.judged(grant)?;
            let status = place.status()?.ok_or(Errno::ENOENT)?;
            unlink(&place.directory, &place.name, &status)
        })
    }

    /// Removes a directory with all that is in it. Links are removed, not followed.
    ///
    /// Everything in it is judged before the first is removed, and each entry again when it is: what came there since
    /// and may not be removed ends it half way.
    ///
    /// # Errors
    ///
    /// When any of it may not be removed, or there are more entries or levels than the limits.
    pub fn remove_tree(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let path = path.as_ref();
        let request = FileRequest { recursive: true, ..self.request(FileAction::Delete, path) };
        self.perform(&request, path, |grant, change| {
            let place = self.judged(grant)?;
            let status = place.status()?.ok_or(Errno::ENOENT)?;
            let mut left = self.limits.entries;
            if kind_of(&status) == SFlag::S_IFDIR {
                let directory = open_in(&place.directory, &place.name, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
                self.empty(&directory, &grant.path().real, self.limits.depth, &mut left)?;
            }
            unlink(&place.directory, &place.name, &status)?;
            change.bytes = (self.limits.entries - left) as u64 + 1;
            Ok(())
        })
    }

    /// Removes what is in a directory.
    fn empty(&self, directory: &OwnedFd, path: &Path, depth: usize, left: &mut usize) -> Result<(), Failed> {
        if depth == 0 {
            let message = format!("it is deeper than the limit of {} levels", self.limits.depth);
            return Err(FileError::new(FileErrorKind::TooMany, path, message).into());
        }
        for name in self.names(directory, path)? {
            *left = left.checked_sub(1).ok_or_else(|| self.too_many(path))?;
            let here = path.join(&name);
            let status = match entry_status(directory, &name) {
                Ok(status) => status,
                Err(Errno::ENOENT) => continue,
                Err(errno) => return Err(errno.into()),
            };
            self.judge(&here, &status, Touch::Remove)?;
            if kind_of(&status) == SFlag::S_IFDIR {
                let inner = open_in(directory, &name, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
                self.empty(&inner, &here, depth - 1, left)?;
            }
            unlink(directory, &name, &status)?;
        }
        Ok(())
    }

    /// Gives a file or directory another name. What has that name already is an error, or goes away when `replaces`.
    ///
    /// # Errors
    ///
    /// When either end is denied, or they lie on two file systems.
    pub fn rename(
        &self,
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
        replaces: bool,
    ) -> Result<(), FileError> {
        let (from, to) = (from.as_ref(), to.as_ref());
        let second = Some(to.as_os_str().as_bytes().to_vec());
        let request = FileRequest { to: second, ..self.request(FileAction::Rename, from) };
        self.perform(&request, from, |grant, _| {
            let (source, target) = (self.judged(grant)?, self.second(grant)?);
            let flags = if replaces { RenameFlags::empty() } else { RenameFlags::RENAME_NOREPLACE };
            let renamed = renameat2(
                &source.directory,
                source.name.as_os_str(),
                &target.directory,
                target.name.as_os_str(),
                flags,
            );
            match renamed {
                Ok(()) => Ok(()),
                Err(Errno::EEXIST) => Err(FileError::system(to, Errno::EEXIST).into()),
                Err(errno) => Err(errno.into()),
            }
        })
    }

    /// Copies the content and the permissions of a regular file.
    ///
    /// # Errors
    ///
    /// When either end is denied, the content is larger than the limit, or (unless `replaces`) the second path is taken.
    pub fn copy(
        &self,
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
        replaces: bool,
    ) -> Result<(), FileError> {
        let from = from.as_ref();
        let permissions = Mode::from_bits_truncate(self.status(from)?.mode & 0o777);
        let content = self.raw(from)?;
        self.clear(from, &content)?;
        let mode = if replaces { WriteMode::Replace } else { WriteMode::Create };
        self.put_with(to.as_ref(), &content, mode, Some(permissions))
    }

    /// Makes a symbolic link at `path` that says `target`. Where it leads is judged when it is followed.
    ///
    /// # Errors
    ///
    /// When it is denied, or something is there already.
    pub fn link(&self, target: impl AsRef<Path>, path: impl AsRef<Path>) -> Result<(), FileError> {
        let (target, path) = (target.as_ref(), path.as_ref());
        self.perform(&self.request(FileAction::Symlink, path), path, |grant, _| {
            let place = self.roots.place(grant.root(), &grant.path().real)?;
            Ok(symlinkat(target, &place.directory, place.name.as_os_str())?)
        })
    }

    /// Gives a regular file, or a link itself, a second name.
    ///
    /// # Errors
    ///
    /// When either end is denied, or the second path is taken.
    pub fn hard_link(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), FileError> {
        let (from, to) = (from.as_ref(), to.as_ref());
        let second = Some(to.as_os_str().as_bytes().to_vec());
        let request = FileRequest { to: second, ..self.request(FileAction::Hardlink, from) };
        self.perform(&request, from, |grant, _| {
            // As linkat(2) does: a link gets a second name, not what it leads to.
            let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
            let source = self.roots.object(grant.root(), grant.path(), flags)?;
            let target = self.second(grant)?;
            let name = own_name(&source.file);
            match linkat(
                AT_FDCWD,
                name.as_str(),
                &target.directory,
                target.name.as_os_str(),
                AtFlags::AT_SYMLINK_FOLLOW,
            ) {
                Ok(()) => Ok(()),
                Err(Errno::EEXIST) => Err(FileError::system(to, Errno::EEXIST).into()),
                Err(errno) => Err(errno.into()),
            }
        })
    }

    /// Sets the permissions, the lowest nine bits of a mode. Set-id and sticky bits are refused.
    ///
    /// # Errors
    ///
    /// When it is denied, or the mode has other bits.
    pub fn set_mode(&self, path: impl AsRef<Path>, mode: u32) -> Result<(), FileError> {
        let path = path.as_ref();
        let Some(mode) = Mode::from_bits(mode).filter(|mode| mode.bits() & !0o777 == 0) else {
            return Err(FileError::new(FileErrorKind::Invalid, path, "a mode has nine bits, 000 to 777"));
        };
        self.perform(&self.request(FileAction::Chmod, path), path, |grant, _| {
            let object = self.looked_at(grant)?;
            // By its descriptor: the name may lead elsewhere by now.
            Ok(fchmodat(AT_FDCWD, own_name(&object.file).as_str(), mode, FchmodatFlags::FollowSymlink)?)
        })
    }

    /// The granted object, opened without any right.
    fn looked_at(&self, grant: &FileGrant) -> Result<Object, Failed> {
        Ok(self.roots.object(grant.root(), grant.path(), OFlag::O_PATH)?)
    }

    /// Where the granted object is, which must still be there.
    fn judged(&self, grant: &FileGrant) -> Result<Place, Failed> {
        let place = self.roots.place(grant.root(), &grant.path().real)?;
        let found = place.status()?.as_ref().map(id_of);
        if found.is_some() && found != grant.path().id {
            return Err(Errno::ESTALE.into());
        }
        Ok(place)
    }

    /// Where the second path of a grant is.
    fn second(&self, grant: &FileGrant) -> Result<Place, Failed> {
        let (to, root) = grant.to().zip(grant.to_root()).ok_or(Errno::EINVAL)?;
        let place = self.roots.place(root, &to.real)?;
        let found = place.status()?.as_ref().map(id_of);
        if found != to.id {
            return Err(Errno::ESTALE.into());
        }
        Ok(place)
    }

    /// Judges one entry of a tree that was granted as a whole.
    pub(super) fn judge(&self, path: &Path, status: &FileStat, touch: Touch) -> Result<(), FileError> {
        let judge = &self.sandbox.parts().judge;
        judge
            .touch(&TouchRequest { path, id: Some(id_of(status)), touch })
            .map_err(|denial| FileError::denied(path, denial))
    }

    /// The names in a directory, sorted.
    pub(super) fn names(&self, directory: impl AsFd, path: &Path) -> Result<Vec<OsString>, Failed> {
        let again = open_in(directory, OsStr::new("."), OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        let mut names = Vec::new();
        for entry in Dir::from_fd(again)?.into_iter() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            if names.len() >= self.limits.entries {
                return Err(self.too_many(path).into());
            }
            names.push(OsStr::from_bytes(name).to_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    pub(super) fn too_many(&self, path: &Path) -> FileError {
        let message = format!("more than the limit of {} entries", self.limits.entries);
        FileError::new(FileErrorKind::TooMany, path, message)
    }
}

/// What an entry is, a link itself.
pub(super) fn entry_status(directory: impl AsFd, name: &OsStr) -> nix::Result<FileStat> {
    nix::sys::stat::fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW)
}

fn unlink(directory: impl AsFd, name: &OsStr, status: &FileStat) -> Result<(), Failed> {
    let flag = match kind_of(status) {
        SFlag::S_IFDIR => UnlinkatFlags::RemoveDir,
        _ => UnlinkatFlags::NoRemoveDir,
    };
    match unlinkat(directory, name, flag) {
        // It was something else by then.
        Err(Errno::EISDIR | Errno::ENOTDIR) => Err(Errno::ESTALE.into()),
        other => Ok(other?),
    }
}

/// What kind of thing was looked at.
pub(crate) fn type_of(status: &FileStat) -> FileType {
    match kind_of(status) {
        SFlag::S_IFREG => FileType::File,
        SFlag::S_IFDIR => FileType::Directory,
        SFlag::S_IFLNK => FileType::Link,
        _ => FileType::Special,
    }
}

pub(super) fn status_of(status: &FileStat, target: Option<PathBuf>) -> FileStatus {
    FileStatus {
        kind: type_of(status),
        size: u64::try_from(status.st_size).unwrap_or(0),
        mode: status.st_mode & 0o7777,
        modified: (status.st_mtime, status.st_mtime_nsec),
        links: links_of(status),
        target,
    }
}
