//! Small files that we write for a run: the content was judged, and nobody else has them open.
//!
//! Under a name that others see they appear whole, and what they replace stays until then: also on a disk that is full,
//! and on file systems that have no files without a name. Nobody else is there meanwhile: who makes them goes alone.
#![forbid(unsafe_code)]

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::own_name;
use crate::opened::kind_of;

/// Far more than a new repository's settings; a list of ten thousand commits to be rebased.
const BYTES: u64 = 1 << 20;

const NOBODYS: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// The content and the mode of a regular file; `None` when it is none, or a long one.
pub(super) fn read(file: &OwnedFd) -> nix::Result<Option<(Vec<u8>, u32)>> {
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

/// Makes a file with that content under a name that is free; none when it cannot be written.
pub(super) fn create(directory: &OwnedFd, name: &CStr, content: &[u8], mode: u32) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let mut new = File::from(openat(directory, name, flags, NOBODYS)?);
    let written =
        new.write_all(content).map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw));
    if let Err(errno) = written.and_then(|()| fchmod(&new, Mode::from_bits_truncate(mode))) {
        let _ = unlinkat(directory, name, UnlinkatFlags::NoRemoveDir);
        return Err(errno);
    }
    Ok(new.into())
}

/// Puts a new file with that content in the place of what has the name.
pub(super) fn replace(directory: &OwnedFd, name: &CStr, content: &[u8], mode: u32) -> nix::Result<OwnedFd> {
    let temporary = temporary_name()?;
    let new = create(directory, &temporary, content, mode)?;
    if let Err(errno) = renameat(directory, temporary.as_c_str(), directory, name) {
        let _ = unlinkat(directory, temporary.as_c_str(), UnlinkatFlags::NoRemoveDir);
        return Err(errno);
    }
    Ok(new)
}

/// An empty file without a name.
pub(super) fn nameless(directory: &OwnedFd, access: OFlag) -> nix::Result<OwnedFd> {
    let access = access | OFlag::O_CLOEXEC;
    match openat(directory, ".", OFlag::O_TMPFILE | access, NOBODYS) {
        // As open(2) says it of file systems and kernels that have none.
        Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::ENOENT) => {
            let name = temporary_name()?;
            let file = openat(directory, name.as_c_str(), OFlag::O_CREAT | OFlag::O_EXCL | access, NOBODYS)?;
            unlinkat(directory, name.as_c_str(), UnlinkatFlags::NoRemoveDir)?;
            Ok(file)
        }
        made => made,
    }
}

fn temporary_name() -> nix::Result<CString> {
    let random = crate::sys::fd::random_bytes().map_err(|_| Errno::EIO)?;
    CString::new(format!(".claw-sandbox-{:032x}", u128::from_ne_bytes(random))).map_err(|_| Errno::EINVAL)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn what_cannot_be_replaced_stays() {
        let place = tempfile::tempdir().unwrap();
        let directory: OwnedFd = File::open(place.path()).unwrap().into();
        let config = place.path().join("config");
        fs::write(&config, "old").unwrap();
        let before = fs::metadata(&config).unwrap().ino();
        let new = replace(&directory, c"config", b"new", 0o640).unwrap();
        assert_eq!(fs::read(&config).unwrap(), b"new");
        assert_eq!(fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o640);
        assert_ne!(fstat(&new).unwrap().st_ino, before);
        fs::create_dir(place.path().join("kept")).unwrap();
        assert_eq!(replace(&directory, c"kept", b"new", 0o640).unwrap_err(), Errno::EISDIR);
        assert_eq!(create(&directory, c"config", b"", 0o640).unwrap_err(), Errno::EEXIST);
        let mut names: Vec<_> =
            fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["config", "kept"], "nothing else is left");
    }

    #[test]
    fn a_file_without_a_name_has_none() {
        let place = tempfile::tempdir().unwrap();
        let directory: OwnedFd = File::open(place.path()).unwrap().into();
        assert!(nameless(&directory, OFlag::O_RDWR).is_ok());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
