//! Calls on files that nix does not have: extended attributes and inode flags.

use std::ffi::{CStr, c_int};
use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::errno::Errno;

/// Sets an extended attribute of what the path leads to.
pub(crate) fn set_attribute(path: &CStr, name: &CStr, value: &[u8], flags: c_int) -> nix::Result<()> {
    // SAFETY: both strings end in a NUL, and `value` is as long as it says.
    let answer =
        unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), flags) };
    Errno::result(answer).map(drop)
}

/// The value of an extended attribute of what the path leads to, or without a name the list of their names: its length,
/// and as much of it as `into` has room for. With no room only the length is told.
pub(crate) fn attribute(path: &CStr, name: Option<&CStr>, into: &mut [u8]) -> nix::Result<usize> {
    let (room, length) = (into.as_mut_ptr(), into.len());
    let answer = match name {
        // SAFETY: both strings end in a NUL, and the kernel writes at most `length` bytes, which `into` has.
        Some(name) => unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), room.cast(), length) },
        // SAFETY: the string ends in a NUL, and the kernel writes at most `length` bytes, which `into` has.
        None => unsafe { libc::listxattr(path.as_ptr(), room.cast(), length) },
    };
    Errno::result(answer).map(isize::unsigned_abs)
}

/// Removes an extended attribute of what the path leads to.
pub(crate) fn remove_attribute(path: &CStr, name: &CStr) -> nix::Result<()> {
    // SAFETY: both strings end in a NUL.
    let answer = unsafe { libc::removexattr(path.as_ptr(), name.as_ptr()) };
    Errno::result(answer).map(drop)
}

/// Makes a request of `chattr`, whose argument is read by the kernel and no longer than `argument`.
pub(crate) fn set_flags(file: BorrowedFd<'_>, request: u32, argument: &mut [u8; 32]) -> nix::Result<()> {
    // SAFETY: FS_IOC_SETFLAGS takes an int and FS_IOC_FSSETXATTR 28 bytes, both of which `argument` holds.
    let answer = unsafe { libc::ioctl(file.as_raw_fd(), request as libc::Ioctl, argument.as_mut_ptr()) };
    Errno::result(answer).map(drop)
}
