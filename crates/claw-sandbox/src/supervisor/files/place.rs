//! Where a path of a caller's leads.
//!
//! The kernel resolves it, from the caller's own directories and with no more rights than the caller has. What depends
//! on the process that looks (`/proc/self`, and the links of a process to its files) is resolved step by step, as the
//! caller.
#![forbid(unsafe_code)]

use std::cell::OnceCell;
use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use claw_policy::FileId;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, lstat};

use super::super::image::Base;
use super::super::process::{Process, name_of, path_of};
use super::call::Target;
use crate::opened::{id_of, kind_of};

/// Links that the kernel follows in one resolution (`MAXSYMLINKS`).
const LINKS: usize = 40;

/// What everybody may read of a process (proc(5)).
const PUBLIC: [&str; 5] = ["cmdline", "comm", "stat", "statm", "status"];

/// An entry of a directory, whether it is there or not.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) directory: OwnedFd,
    /// As it is written, with the slashes behind it.
    pub(super) name: CString,
    /// Canonical but for the entry itself.
    pub(super) path: PathBuf,
}

/// Something that is there.
#[derive(Debug)]
pub(super) struct Object {
    /// Opened without any right.
    pub(super) file: OwnedFd,
    pub(super) status: FileStat,
    /// Canonical; none for what has no name in any directory.
    pub(super) path: Option<PathBuf>,
}

/// What a path leads to when the last link is followed.
#[derive(Debug)]
pub(super) enum Final {
    Missing(Place),
    Existing(Object),
}

// Whether a file's name really ends so.
fn leads_to(path: &Path, status: &FileStat) -> bool {
    lstat(path).is_ok_and(|found| id_of(&found) == id_of(status))
}

impl Object {
    // What is at an entry: of several names it is this one that is meant.
    fn at(file: OwnedFd, path: &Path) -> nix::Result<Self> {
        let status = fstat(&file)?;
        Ok(Self { file, status, path: Some(path.to_owned()) })
    }

    fn of(file: OwnedFd) -> nix::Result<Self> {
        let status = fstat(&file)?;
        // An error is none of these: a path that cannot be known is judged by nobody.
        let name = name_of(&file)?;
        let is_gone = name.as_os_str().as_bytes().ends_with(b" (deleted)");
        if is_gone && status.st_nlink > 0 && !leads_to(&name, &status) {
            // It has another name, which the kernel does not tell of a descriptor.
            return Err(Errno::EACCES);
        }
        let is_nameless = !name.is_absolute() || (status.st_nlink == 0 && is_gone);
        Ok(Self { file, status, path: (!is_nameless).then_some(name) })
    }

    pub(super) fn id(&self) -> FileId {
        id_of(&self.status)
    }

    pub(super) fn kind(&self) -> SFlag {
        kind_of(&self.status)
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind() == SFlag::S_IFDIR
    }

    pub(super) fn is_file(&self) -> bool {
        self.kind() == SFlag::S_IFREG
    }

    pub(super) fn has_other_names(&self) -> bool {
        self.is_file() && self.status.st_nlink > 1
    }
}

impl Place {
    /// What is there, a link itself.
    pub(super) fn existing(&self) -> nix::Result<Option<Object>> {
        let name = OsStr::from_bytes(bare(self.name.as_bytes()));
        match look(self.directory.as_fd(), name) {
            Ok(file) => Object::at(file, &self.path).map(Some),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }
}

/// The directory that a path begins at; none for a whole one.
#[derive(Debug)]
struct Start(Option<OwnedFd>);

impl AsFd for Start {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_ref().map_or(AT_FDCWD, AsFd::as_fd)
    }
}

/// Resolves the paths of one call.
#[derive(Debug)]
pub(super) struct Resolver<'a> {
    process: Process<'a>,
    // Its process's id, looked up when it matters.
    group: OnceCell<u32>,
}

impl<'a> Resolver<'a> {
    pub(super) const fn new(process: Process<'a>) -> Self {
        Self { process, group: OnceCell::new() }
    }

    // A process that is gone has no id that names anything.
    fn group(&self) -> u32 {
        *self.group.get_or_init(|| self.process.group().unwrap_or_default())
    }

    /// The entry that a path names; a link in the last component is not followed.
    pub(super) fn place(&self, target: &Target) -> nix::Result<Place> {
        let Target::Path(base, path) = target else { return Err(Errno::ENOENT) };
        let base = self.base(*base, path)?;
        self.place_at(&base, path)
    }

    fn place_at(&self, base: &Start, path: &[u8]) -> nix::Result<Place> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let end = bare(path).len();
        let split =
            path.get(..end).unwrap_or_default().iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
        let (before, name) = path.split_at_checked(split).unwrap_or((path, b"."));
        let (directory, path) = self.directory(base, before)?;
        let name = self.own_name(&path, name);
        let plain = bare(&name);
        let path = match plain {
            b"" | b"." => path,
            b".." => path.parent().map_or_else(|| path.clone(), Path::to_owned),
            plain => path.join(OsStr::from_bytes(plain)),
        };
        let is_foreign = is_in_process(&path) && !self.is_own(&path) && path.components().count() > 3;
        if is_foreign && !path.file_name().is_some_and(|name| PUBLIC.iter().any(|public| name == *public)) {
            return Err(Errno::EACCES);
        }
        let name = if name.is_empty() { b".".to_vec() } else { name };
        Ok(Place { directory, name: CString::new(name).map_err(|_| Errno::EINVAL)?, path })
    }

    /// What a path or a descriptor leads to.
    pub(super) fn follow(&self, target: &Target) -> nix::Result<Final> {
        let Target::Path(base, path) = target else {
            let Target::Descriptor(descriptor) = target else { return Err(Errno::EBADF) };
            return Ok(Final::Existing(Object::of(self.process.descriptor(*descriptor)?)?));
        };
        let mut base = self.base(*base, path)?;
        if let Some(object) = there(&base, path)? {
            return Ok(Final::Existing(object));
        }
        let mut path = path.clone();
        for _ in 0..=LINKS {
            if path.is_empty() {
                return Err(Errno::ENOENT);
            }
            let is_plain = !path.ends_with(b"/") && !matches!(last(&path), b"." | b"..");
            if !is_plain {
                return Ok(Final::Existing(Object::of(self.directory(&base, &path)?.0)?));
            }
            let place = self.place_at(&base, &path)?;
            let Some(object) = place.existing()? else { return Ok(Final::Missing(place)) };
            if object.kind() != SFlag::S_IFLNK {
                return Ok(Final::Existing(object));
            }
            if let Some(own) = self.magic(&place.path) {
                own?;
                let file = openat(&place.directory, place.name.as_c_str(), pass(), Mode::empty())?;
                return Ok(Final::Existing(Object::of(file)?));
            }
            path = readlinkat(&object.file, "")?.as_bytes().to_vec();
            base = Start(Some(place.directory));
        }
        Err(Errno::ELOOP)
    }

    // A whole path begins at the root, which is everybody's: a run can change its own no more than its namespaces.
    fn base(&self, base: Base, path: &[u8]) -> nix::Result<Start> {
        let directory = match base {
            _ if path.starts_with(b"/") => None,
            Base::Descriptor(descriptor) => Some(self.process.descriptor(descriptor)?),
            Base::Cwd => Some(self.process.directory()?),
        };
        Ok(Start(directory))
    }

    /// A directory by its whole path, links followed, and its canonical name.
    fn directory(&self, base: &Start, path: &[u8]) -> nix::Result<(OwnedFd, PathBuf)> {
        let path = if path.is_empty() { b"." } else { path };
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
        match openat2(base, OsStr::from_bytes(path), how) {
            Ok(directory) => {
                let path = path_of(&directory).ok_or(Errno::ENOENT)?;
                if !is_in_process(&path) {
                    return Ok((directory, path));
                }
            }
            Err(Errno::ELOOP) => {}
            Err(errno) => return Err(errno),
        }
        let directory = self.walk(base, path)?;
        let path = path_of(&directory).ok_or(Errno::ENOENT)?;
        Ok((directory, path))
    }

    // The slow way, for what leads through /proc.
    fn walk(&self, base: &Start, path: &[u8]) -> nix::Result<OwnedFd> {
        let root = || openat(base, "/", pass(), Mode::empty());
        let mut at = if path.starts_with(b"/") { root()? } else { look(base.as_fd(), OsStr::new("."))? };
        let mut pending = components(path);
        let mut links = 0;
        while let Some(name) = pending.pop() {
            let here = path_of(&at).ok_or(Errno::ENOENT)?;
            let name = self.own_name(&here, &name);
            let next = look(at.as_fd(), OsStr::from_bytes(&name))?;
            let is_link = kind_of(&fstat(&next)?) == SFlag::S_IFLNK;
            if !is_link {
                at = next;
                continue;
            }
            links += 1;
            if links > LINKS {
                return Err(Errno::ELOOP);
            }
            if let Some(own) = self.magic(&here.join(OsStr::from_bytes(&name))) {
                own?;
                at = openat(&at, OsStr::from_bytes(&name), pass(), Mode::empty())?;
                continue;
            }
            let target = readlinkat(&next, "")?;
            if target.as_bytes().starts_with(b"/") {
                at = root()?;
            }
            pending.extend(components(target.as_bytes()));
        }
        let found = path_of(&at);
        // Of somebody else only what everybody may see: for the rest the kernel asks who looks, and that would be us.
        if found
            .is_some_and(|path| is_in_process(&path) && !self.is_own(&path) && path.components().count() > 3)
        {
            return Err(Errno::EACCES);
        }
        if kind_of(&fstat(&at)?) == SFlag::S_IFDIR { Ok(at) } else { Err(Errno::ENOTDIR) }
    }

    // `/proc/self` is the caller's.
    fn own_name(&self, directory: &Path, name: &[u8]) -> Vec<u8> {
        if directory == Path::new("/proc") && matches!(bare(name), b"self" | b"thread-self") {
            return self.group().to_string().into_bytes();
        }
        name.to_vec()
    }

    // Whether an entry is a link to what a process has, and if so whether it may be followed for the caller.
    fn magic(&self, path: &Path) -> Option<nix::Result<()>> {
        is_in_process(path).then(|| if self.is_own(path) { Ok(()) } else { Err(Errno::EACCES) })
    }

    fn is_own(&self, path: &Path) -> bool {
        process_of(path) == Some(self.group())
    }
}

/// What is there, as the kernel finds it at once. `None` for what has to be looked at step by step: a name that is
/// free, and what depends on the process that looks.
fn there(base: &Start, path: &[u8]) -> nix::Result<Option<Object>> {
    let how = OpenHow::new().flags(pass()).resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let object = match openat2(base, OsStr::from_bytes(path), how) {
        // Without a name that is known it is looked at as an entry.
        Ok(file) => Object::of(file).ok(),
        Err(Errno::ENOENT | Errno::ELOOP) => None,
        Err(errno) => return Err(errno),
    };
    Ok(object.filter(|object| object.path.as_ref().is_some_and(|path| !is_in_process(path))))
}

/// Whether a canonical path lies in the directory of a process.
fn is_in_process(path: &Path) -> bool {
    process_of(path).is_some()
}

fn process_of(path: &Path) -> Option<u32> {
    let mut components = path.components();
    let is_proc = components.next() == Some(Component::RootDir)
        && components.next() == Some(Component::Normal(OsStr::new("proc")));
    let name = components.next().filter(|_| is_proc)?;
    name.as_os_str().to_str()?.parse().ok()
}

const fn pass() -> OFlag {
    OFlag::O_PATH.union(OFlag::O_CLOEXEC)
}

fn look(directory: BorrowedFd<'_>, name: &OsStr) -> nix::Result<OwnedFd> {
    openat(directory, name, pass() | OFlag::O_NOFOLLOW, Mode::empty())
}

/// The components of a path, last first.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    let mut names: Vec<_> =
        path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect();
    names.reverse();
    names
}

/// A path without the slashes behind it.
fn bare(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    path.get(..end).unwrap_or_default()
}

fn last(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

impl AsFd for Object {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl AsRawFd for Object {
    fn as_raw_fd(&self) -> i32 {
        self.file.as_raw_fd()
    }
}
