//! Writing: a content takes its place as a whole, or not at all.
//!
//! It is written into a file without a name in the same directory, synchronised, given the old file's mode, owner, access control list
//! and user attributes, and put in the old one's place by a rename. Whoever reads meanwhile sees the old content or the new one, also after a crash. Another hard link
//! of the old file keeps the old content. Set-id bits and capabilities go: they were given to another content.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{File, TryLockError};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use claw_policy::{FileAction, FileGrant};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, RenameFlags, renameat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, linkat, unlinkat};
use sha2::{Digest as _, Sha256};

use super::place::{Place, create_in, open_in};
use super::{Failed, FileError, FileErrorKind, Files, attributes};
use crate::opened::{id_of, kind_of, own_name};

/// What happens to a file that is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WriteMode {
    /// It is an error: the file must be new.
    Create,
    /// Its content is replaced as a whole; a file is made when none is there.
    Replace,
    /// The content is added to its end; a file is made when none is there. Not atomic for readers, but a failed
    /// write leaves the old length.
    Append,
}

impl Files {
    /// Writes a regular file; the directory must be there. Mode and owner of a file that is replaced are kept.
    ///
    /// The content is on the disk when this returns.
    ///
    /// # Errors
    ///
    /// When it is denied, exists ([`WriteMode::Create`]), is larger than the limit, or cannot be written: then the old
    /// content is whole.
    pub fn write(&self, path: impl AsRef<Path>, content: &[u8], mode: WriteMode) -> Result<(), FileError> {
        let path = path.as_ref();
        self.admitted(path, b"", content)?;
        self.put(path, content, mode)
    }

    /// Writes a content that was looked at.
    pub(super) fn put(&self, path: &Path, content: &[u8], mode: WriteMode) -> Result<(), FileError> {
        self.put_with(path, content, mode, None)
    }

    /// Writes a content, with these permissions in place of the old or usual ones.
    pub(super) fn put_with(
        &self,
        path: &Path,
        content: &[u8],
        mode: WriteMode,
        permissions: Option<Mode>,
    ) -> Result<(), FileError> {
        if content.len() as u64 > self.limits.bytes {
            return Err(self.too_large(path));
        }
        // A name with a slash behind it is a directory's, also when nothing is there (open(2)).
        let name = path.as_os_str().as_bytes();
        let is_directory = name.ends_with(b"/") || name.ends_with(b"/.");
        let action = if mode == WriteMode::Create { FileAction::Create } else { FileAction::Write };
        self.perform(&self.request(action, path), path, |grant, change| {
            if is_directory {
                return Err(Errno::EISDIR.into());
            }
            let place = self.roots.place(grant.root(), &grant.path().real)?;
            let old = self.old(&place, grant, mode)?;
            let before = match &old {
                Some(old) if change.is_wanted() => Some(hash(&place, old)?),
                _ => None,
            };
            match (mode, old) {
                (WriteMode::Append, Some(old)) => {
                    append(&place, &old, content, || self.judge_last(grant, &place))?;
                }
                (_, old) => {
                    replace(&place, old.as_ref(), permissions, content, || self.judge_last(grant, &place))?;
                }
            }
            change.wrote(before, content);
            Ok(())
        })
    }

    /// The file that is there, which must be the one that was judged.
    pub(super) fn old(
        &self,
        place: &Place,
        grant: &FileGrant,
        mode: WriteMode,
    ) -> Result<Option<FileStat>, Failed> {
        let Some(status) = place.status()? else { return Ok(None) };
        if mode == WriteMode::Create {
            return Err(Errno::EEXIST.into());
        }
        match kind_of(&status) {
            SFlag::S_IFREG if grant.path().id == Some(id_of(&status)) => Ok(Some(status)),
            SFlag::S_IFREG | SFlag::S_IFLNK => Err(Errno::ESTALE.into()),
            SFlag::S_IFDIR => Err(Errno::EISDIR.into()),
            _ => Err(FileError::new(FileErrorKind::Special, &place.path, "it is no regular file").into()),
        }
    }
}

/// Puts a content in the place of a file that was read, unless somebody else has written it since.
pub(super) fn replace_unchanged<Held>(
    place: &Place,
    old: &FileStat,
    content: &[u8],
    last_look: impl FnOnce() -> Result<Held, Failed>,
) -> Result<(), Failed> {
    replace(place, Some(old), None, content, || {
        let held = last_look()?;
        let now = place.status()?.ok_or(Errno::ESTALE)?;
        let stamp = |status: &FileStat| {
            (
                id_of(status),
                status.st_size,
                status.st_mtime,
                status.st_mtime_nsec,
                status.st_ctime,
                status.st_ctime_nsec,
            )
        };
        if stamp(&now) == stamp(old) { Ok(held) } else { Err(Errno::ESTALE.into()) }
    })
}

/// Puts a content in the place of what is there, if that is still right at the last look. What the look returns is held
/// until the content has its name.
pub(super) fn replace<Held>(
    place: &Place,
    old: Option<&FileStat>,
    permissions: Option<Mode>,
    content: &[u8],
    last_look: impl FnOnce() -> Result<Held, Failed>,
) -> Result<(), Failed> {
    // Opened before anything is done: its names cannot be put on the disk otherwise.
    let directory = File::from(place.readable_directory()?);
    let draft = Draft::new(place)?;
    let mut file = File::from(draft.file.try_clone()?);
    file.write_all(content)?;
    if let Some(old) = old {
        keep(place, &draft.file, old)?;
    }
    match (permissions, old) {
        (Some(permissions), _) => fchmod(&draft.file, permissions)?,
        (None, None) => fchmod(&draft.file, draft.usual)?,
        (None, Some(_)) => {}
    }
    file.sync_all()?;
    await_turn(&directory);
    let held = last_look()?;
    draft.publish(place, old.is_some())?;
    drop(held);
    let _ = directory.unlock();
    // The name is on the disk as well.
    directory.sync_all()?;
    Ok(())
}

/// How long another process's file tools are waited for. They need some microseconds between their last look and the end.
const PATIENCE: Duration = Duration::from_millis(250);

/// Keeps the file tools of other processes from changing what is in a directory, until it is unlocked or closed. Whoever holds
/// the lock longer is none of them: a run may lock what it reads. Then the last look has to do.
fn await_turn(directory: &File) {
    let since = Instant::now();
    while matches!(directory.try_lock(), Err(TryLockError::WouldBlock)) && since.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Adds to the end of a file, wherever that is by then: others may add to it as well.
fn append<Held>(
    place: &Place,
    old: &FileStat,
    content: &[u8],
    last_look: impl FnOnce() -> Result<Held, Failed>,
) -> Result<(), Failed> {
    let mut file = File::from(opened(place, old, OFlag::O_WRONLY | OFlag::O_APPEND)?);
    let directory = File::from(place.readable_directory()?);
    await_turn(&directory);
    let held = last_look()?;
    if place.status()?.is_none_or(|now| id_of(&now) != id_of(old)) {
        return Err(Errno::ESTALE.into());
    }
    let length = file.metadata()?.len();
    let mut rest = content;
    let added = add(&mut file, &mut rest);
    drop((held, directory));
    if let Err(error) = added.and_then(|()| file.sync_all()) {
        // A disk that is full still lets a file become shorter. What others added behind it stays.
        if file.metadata()?.len() == length + (content.len() - rest.len()) as u64 {
            file.set_len(length)?;
        }
        return Err(error.into());
    }
    let mode = without_set_id(old.st_mode);
    if mode != old.st_mode {
        fchmod(&file, Mode::from_bits_truncate(mode))?;
    }
    Ok(())
}

/// Writes what is left, which tells how far it came.
fn add(file: &mut File, rest: &mut &[u8]) -> std::io::Result<()> {
    while !rest.is_empty() {
        match file.write(rest) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(length) => *rest = rest.get(length..).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Opens the file that was looked at.
fn opened(place: &Place, old: &FileStat, flags: OFlag) -> Result<OwnedFd, Failed> {
    // A FIFO or a terminal that was put there must not hold us up.
    let more = if flags == OFlag::O_PATH { OFlag::O_NOFOLLOW } else { OFlag::O_NONBLOCK | OFlag::O_NOCTTY };
    let file = open_in(&place.directory, &place.name, flags | more)?;
    if id_of(&fstat(&file)?) != id_of(old) {
        return Err(Errno::ESTALE.into());
    }
    Ok(file)
}

fn hash(place: &Place, old: &FileStat) -> Result<[u8; 32], Failed> {
    let mut file = BufReader::new(File::from(opened(place, old, OFlag::O_RDONLY)?));
    let mut hash = Sha256::new();
    loop {
        let part = file.fill_buf()?;
        if part.is_empty() {
            return Ok(hash.finalize().into());
        }
        hash.update(part);
        let length = part.len();
        file.consume(length);
    }
}

/// Owner, access control list, user attributes and mode of the old file for the new one.
fn keep(place: &Place, file: &OwnedFd, old: &FileStat) -> Result<(), Failed> {
    let new = fstat(file)?;
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid) {
        fchown(file, Some(Uid::from_raw(old.st_uid)), Some(Gid::from_raw(old.st_gid)))?;
    }
    // Before the mode: of a file with an access control list that says less than it seems.
    attributes::keep(&opened(place, old, OFlag::O_PATH)?, file)?;
    fchmod(file, Mode::from_bits_truncate(without_set_id(old.st_mode)))?;
    Ok(())
}

/// A program with set-id bits keeps them for what it was, as with write(2): not for what it becomes.
const fn without_set_id(mode: u32) -> u32 {
    let group = if mode & 0o010 == 0 { 0 } else { 0o2000 };
    mode & !(0o4000 | group)
}

/// A content that has not taken its place yet. It goes away when it does not come to that.
struct Draft<'p> {
    file: OwnedFd,
    /// The mode of a file that nobody says anything about.
    usual: Mode,
    /// The directory and its name there; none on file systems that can do without.
    named: Option<(&'p OwnedFd, OsString)>,
}

impl<'p> Draft<'p> {
    fn new(place: &'p Place) -> Result<Self, Failed> {
        // As open(2) makes files, with the runtime's own umask; nobody else reads it before it is whole.
        let usual = Mode::from_bits_truncate(0o666);
        let private = Mode::from_bits_truncate(0o600);
        let how =
            nix::fcntl::OpenHow::new().flags(OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC).mode(usual);
        let (file, named) = match nix::fcntl::openat2(&place.directory, ".", how) {
            // It has no name by which others could open it.
            Ok(file) => (file, None),
            Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::ENOENT) => {
                let name = temporary_name()?;
                let file = create_in(&place.directory, &name, OFlag::O_RDWR, usual)?;
                (file, Some((&place.directory, name)))
            }
            Err(errno) => return Err(errno.into()),
        };
        // What the umask left of it.
        let usual = Mode::from_bits_truncate(fstat(&file)?.st_mode & 0o777);
        fchmod(&file, private)?;
        Ok(Self { file, named, usual })
    }

    fn publish(mut self, place: &'p Place, replaces: bool) -> Result<(), Failed> {
        if self.named.is_none() && !replaces {
            // Straight to its name, which must be free.
            return Ok(link(&self.file, &place.directory, &place.name)?);
        }
        let name = match &self.named {
            Some((_, name)) => name.clone(),
            None => {
                let name = temporary_name()?;
                link(&self.file, &place.directory, &name)?;
                self.named = Some((&place.directory, name.clone()));
                name
            }
        };
        let flags = if replaces { RenameFlags::empty() } else { RenameFlags::RENAME_NOREPLACE };
        renameat2(&place.directory, name.as_os_str(), &place.directory, place.name.as_os_str(), flags)?;
        self.named = None;
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if let Some((directory, name)) = &self.named {
            // It failed before; that this fails as well leaves a file with a telling name.
            let _ = unlinkat(directory, name.as_os_str(), UnlinkatFlags::NoRemoveDir);
        }
    }
}

fn link(file: &OwnedFd, directory: impl AsFd, name: &OsStr) -> nix::Result<()> {
    linkat(AT_FDCWD, own_name(file).as_str(), directory, name, AtFlags::AT_SYMLINK_FOLLOW)
}

fn temporary_name() -> Result<OsString, Failed> {
    let mut name = ".claw-sandbox-".to_owned();
    for byte in crate::sys::fd::random_bytes()? {
        let _ = write!(name, "{byte:02x}");
    }
    Ok(name.into())
}
