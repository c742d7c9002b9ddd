//! From a granted path to an opened file: beneath the root that it was granted in, and through no link.
//!
//! A grant names canonical paths, so a link on the way means that somebody put it there since. The kernel refuses it
//! (`openat2(2)`, RESOLVE_NO_SYMLINKS), and what is opened must be the object that was judged.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::ffi::{CStr, OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use claw_policy::{FileId, ResolvedPath};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, lstat};

use crate::opened::{id_of, kind_of};

/// `openat2` answers EAGAIN when somebody renames directories meanwhile; libc and cap-std try as often.
const TRIES: usize = 4;

/// The directories in which paths are granted, opened once.
#[derive(Debug, Default)]
pub(crate) struct Roots(Mutex<HashMap<PathBuf, (FileId, Arc<OwnedFd>)>>);

/// An entry of a directory.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) directory: OwnedFd,
    pub(crate) name: OsString,
    /// Canonical.
    pub(crate) path: PathBuf,
}

/// An opened file or directory.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) file: OwnedFd,
    pub(crate) status: FileStat,
}

impl Roots {
    /// The opened root of this path; opened again when another directory has taken its place.
    fn root(&self, path: &Path) -> nix::Result<Arc<OwnedFd>> {
        let id = id_of(&lstat(path)?);
        let mut roots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, root)) = roots.get(path)
            && *known == id
        {
            return Ok(Arc::clone(root));
        }
        let how = how(OFlag::O_PATH | OFlag::O_DIRECTORY, ResolveFlag::empty());
        let root = Arc::new(openat2(AT_FDCWD, path, how)?);
        if id_of(&fstat(&root)?) != id {
            return Err(Errno::ESTALE);
        }
        roots.insert(path.to_owned(), (id, Arc::clone(&root)));
        Ok(root)
    }

    /// Opens what lies at a canonical path at or beneath a root.
    pub(crate) fn open(&self, root: &Path, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        let beneath = path.strip_prefix(root).map_err(|_| Errno::ESTALE)?;
        if beneath.as_os_str().is_empty() {
            // The root itself, which may be a single file.
            return retried(|| openat2(AT_FDCWD, path, how(flags, ResolveFlag::empty())));
        }
        let root = self.root(root)?;
        retried(|| {
            openat2(&root, beneath, how(flags, ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_XDEV))
        })
    }

    /// The directory of a granted path, and the name in it.
    pub(crate) fn place(&self, root: &Path, path: &Path) -> nix::Result<Place> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(Errno::EISDIR) };
        // A root that is a single file, or is yet to be made, lies in a directory outside of it.
        let root = if parent.starts_with(root) { root } else { parent };
        let directory = self.open(root, parent, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        Ok(Place { directory, name: name.to_owned(), path: path.to_owned() })
    }

    /// Opens an object by its canonical path.
    pub(crate) fn known(path: &CStr, flags: OFlag) -> nix::Result<Object> {
        Object::new(retried(|| openat2(AT_FDCWD, path, how(flags, ResolveFlag::empty())))?)
    }

    /// Opens a granted object. `ESTALE` when another one is there than was judged.
    pub(crate) fn object(&self, root: &Path, granted: &ResolvedPath, flags: OFlag) -> nix::Result<Object> {
        let object = Object::new(self.open(root, &granted.real, flags)?)?;
        if granted.id != Some(object.id()) {
            return Err(Errno::ESTALE);
        }
        Ok(object)
    }
}

impl Object {
    pub(crate) fn new(file: OwnedFd) -> nix::Result<Self> {
        let status = fstat(&file)?;
        Ok(Self { file, status })
    }

    pub(crate) const fn id(&self) -> FileId {
        id_of(&self.status)
    }

    pub(crate) fn kind(&self) -> SFlag {
        kind_of(&self.status)
    }

    pub(crate) fn size(&self) -> u64 {
        u64::try_from(self.status.st_size).unwrap_or(0)
    }
}

impl Place {
    /// What is there now, a link itself.
    pub(crate) fn status(&self) -> nix::Result<Option<FileStat>> {
        match fstatat(&self.directory, self.name.as_os_str(), nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(status) => Ok(Some(status)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// The directory, opened to be listed or synchronised.
    pub(crate) fn readable_directory(&self) -> nix::Result<OwnedFd> {
        open_in(&self.directory, OsStr::new("."), OFlag::O_RDONLY | OFlag::O_DIRECTORY)
    }
}

/// Opens an entry of an opened directory, no link and no other file system.
pub(crate) fn open_in(directory: impl AsFd, name: &OsStr, flags: OFlag) -> nix::Result<OwnedFd> {
    let directory = directory.as_fd();
    retried(|| {
        openat2(directory, name, how(flags, ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_XDEV))
    })
}

/// Opens and makes an entry that must be new.
pub(crate) fn create_in(
    directory: impl AsFd,
    name: &OsStr,
    flags: OFlag,
    mode: Mode,
) -> nix::Result<OwnedFd> {
    let flags = flags | OFlag::O_CREAT | OFlag::O_EXCL;
    let how = how(flags, ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_XDEV).mode(mode);
    let directory = directory.as_fd();
    retried(|| openat2(directory, name, how))
}

fn how(flags: OFlag, more: ResolveFlag) -> OpenHow {
    OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS | more)
}

fn retried<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    let mut left = TRIES;
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) if left > 0 => left -= 1,
            other => return other,
        }
    }
}
