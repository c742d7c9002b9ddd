//! Extended attributes: listed, read, set and removed.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::NixPath as _;
use nix::errno::Errno;

/// The most bytes that the kernel gives for a list of names, or for a value (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const MOST: usize = 64 << 10;

/// The names that a file has. A last link is followed.
pub(crate) fn list(path: &str) -> nix::Result<Vec<CString>> {
    let mut names = vec![0; MOST];
    let length = path.with_nix_path(|path| {
        // SAFETY: the path ends with NUL, the buffer is ours and as long as is said; both live for the whole call.
        unsafe { libc::listxattr(path.as_ptr(), names.as_mut_ptr().cast(), names.len()) }
    })?;
    names.truncate(Errno::result(length)?.unsigned_abs());
    let names = names.split_inclusive(|byte| *byte == 0);
    Ok(names.filter_map(|name| CStr::from_bytes_with_nul(name).ok()).map(CStr::to_owned).collect())
}

/// The value of one. A last link is followed.
pub(crate) fn get(path: &str, name: &CStr) -> nix::Result<Vec<u8>> {
    let mut value = vec![0; MOST];
    let length = path.with_nix_path(|path| {
        // SAFETY: path and name end with NUL, the buffer is ours and as long as is said; all live for the whole call.
        unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) }
    })?;
    value.truncate(Errno::result(length)?.unsigned_abs());
    Ok(value)
}

/// Sets one.
pub(crate) fn set(file: &OwnedFd, name: &CStr, value: &[u8]) -> nix::Result<()> {
    // SAFETY: the descriptor is open, the name ends with NUL, the value is as long as is said; all live for the whole call.
    let result =
        unsafe { libc::fsetxattr(file.as_raw_fd(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    Errno::result(result).map(drop)
}

/// Removes one.
pub(crate) fn remove(file: &OwnedFd, name: &CStr) -> nix::Result<()> {
    // SAFETY: the descriptor is open and the name ends with NUL; both live for the whole call.
    let result = unsafe { libc::fremovexattr(file.as_raw_fd(), name.as_ptr()) };
    Errno::result(result).map(drop)
}
