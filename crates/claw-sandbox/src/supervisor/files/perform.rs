//! The calls themselves, made by the hands on what was judged.
#![forbid(unsafe_code)]

use std::ffi::CStr;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, RenameFlags, openat, renameat2};
use nix::sys::socket::{UnixAddr, bind as bind_to};
use nix::sys::stat::{
    FchmodatFlags, Mode, SFlag, UtimensatFlags, fchmodat, mkdirat, mknodat, umask, utimensat,
};
use nix::unistd::{
    Gid, LinkatFlags, Uid, UnlinkatFlags, chdir, fchdir, fchownat, linkat, symlinkat, truncate, unlinkat,
};

use super::call::{Change, New};
use super::own_name;
use super::place::{Object, Place};
use crate::sys::file_calls;

type Answer = nix::Result<i64>;

/// Binds a socket by the path that its caller wrote, because that is what the socket will call itself. To be called
/// while nobody else changes what the path means.
pub(super) fn bind(socket: &OwnedFd, cwd: &OwnedFd, path: &[u8], mask: Mode) -> Answer {
    umask(mask);
    fchdir(cwd)?;
    let bound = bind_to(socket.as_raw_fd(), &UnixAddr::new(path)?);
    // Nothing else of ours depends on it, and a directory is not kept busy.
    chdir("/")?;
    bound.map(|()| 0)
}

pub(super) fn make(place: &Place, what: &New, mask: Option<Mode>) -> Answer {
    if let Some(mask) = mask {
        umask(mask);
    }
    let (directory, name) = (&place.directory, place.name.as_c_str());
    match what {
        New::Directory(mode) => mkdirat(directory, name, Mode::from_bits_truncate(*mode))?,
        New::Symlink(target) => symlinkat(target.as_c_str(), directory, name)?,
        New::Node(mode, device) => {
            let kind = SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits());
            mknodat(directory, name, kind, Mode::from_bits_truncate(*mode), *device)?;
        }
        // It is made by being bound.
        New::Socket(..) => return Err(Errno::EINVAL),
    }
    Ok(0)
}

pub(super) fn remove(place: &Place, directory: bool) -> Answer {
    let kind = if directory { UnlinkatFlags::RemoveDir } else { UnlinkatFlags::NoRemoveDir };
    unlinkat(&place.directory, place.name.as_c_str(), kind)?;
    Ok(0)
}

pub(super) fn rename(from: &Place, to: &Place, flags: u32) -> Answer {
    let flags = RenameFlags::from_bits_retain(flags);
    renameat2(&from.directory, from.name.as_c_str(), &to.directory, to.name.as_c_str(), flags)?;
    Ok(0)
}

pub(super) fn link(source: &Object, place: &Place) -> Answer {
    let follow = LinkatFlags::AT_SYMLINK_FOLLOW;
    linkat(AT_FDCWD, own_name(source).as_c_str(), &place.directory, place.name.as_c_str(), follow)?;
    Ok(0)
}

pub(super) fn change(object: &Object, change: Change) -> Answer {
    let name = own_name(object);
    let path = name.as_c_str();
    match change {
        Change::Truncate(length) => truncate(path, length)?,
        Change::Mode(mode) => {
            fchmodat(AT_FDCWD, path, Mode::from_bits_truncate(mode), FchmodatFlags::FollowSymlink)?;
        }
        Change::Owner(user, group) => {
            let user = (user != u32::MAX).then(|| Uid::from_raw(user));
            let group = (group != u32::MAX).then(|| Gid::from_raw(group));
            fchownat(AT_FDCWD, path, user, group, AtFlags::empty())?;
        }
        Change::Times(access, modification) => {
            utimensat(AT_FDCWD, path, &access, &modification, UtimensatFlags::FollowSymlink)?;
        }
        Change::SetAttribute { name, value, flags } => file_calls::set_attribute(path, &name, &value, flags)?,
        Change::RemoveAttribute(name) => file_calls::remove_attribute(path, &name)?,
        Change::Flags(request, mut argument) => {
            let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
            let file = openat(AT_FDCWD, path, flags, Mode::empty())?;
            file_calls::set_flags(file.as_fd(), request, &mut argument)?;
        }
    }
    Ok(0)
}

/// An extended attribute, or the list of them: its length, and itself when there is room.
pub(super) fn attribute(object: &Object, name: Option<&CStr>, room: usize) -> nix::Result<(usize, Vec<u8>)> {
    let mut value = vec![0; room];
    let length = file_calls::attribute(own_name(object).as_c_str(), name, &mut value)?;
    value.truncate(length);
    Ok((length, value))
}

/// Makes a file where none was. One that has appeared meanwhile was not judged: that is `ESTALE`, unless the caller wants
/// to know of it.
pub(super) fn create(place: &Place, flags: OFlag, mode: u32, mask: Mode) -> nix::Result<OwnedFd> {
    umask(mask);
    let own = OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    let file = openat(&place.directory, place.name.as_c_str(), flags | own, Mode::from_bits_truncate(mode));
    match file {
        Err(Errno::EEXIST) if !flags.contains(OFlag::O_EXCL) => Err(Errno::ESTALE),
        file => file,
    }
}

/// Opens an object again. Only a temporary file in a directory is new, and has a mask.
pub(super) fn reopen(object: &Object, flags: OFlag, mode: u32, mask: Option<Mode>) -> nix::Result<OwnedFd> {
    if let Some(mask) = mask {
        umask(mask);
    }
    let flags = (flags | OFlag::O_CLOEXEC | OFlag::O_NOCTTY) & !OFlag::O_NOFOLLOW;
    let mode = Mode::from_bits_truncate(mode);
    if object.is_directory() {
        return openat(object, ".", flags, mode);
    }
    openat(AT_FDCWD, own_name(object).as_c_str(), flags & !OFlag::O_CREAT, mode)
}
