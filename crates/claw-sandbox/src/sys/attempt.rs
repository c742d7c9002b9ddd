//! Attempts at what a sandbox must deny, each without effect where it is not denied.
//!
//! The calls get arguments that an unconfined kernel refuses or that only open something which is
//! closed again at once. Pointers are null or to memory of ours.

use std::ffi::{CStr, c_long};
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

use nix::errno::Errno;

/// What the kernel answered: a number that is not negative, or an error.
pub(crate) type Answer = nix::Result<c_long>;

// INVARIANT of the callers: no argument is a pointer to memory that the kernel could write and that
// the caller does not own.
fn call(number: c_long, [a, b, c, d, e, f]: [c_long; 6]) -> Answer {
    // SAFETY: the callers in this file pass plain numbers, null, or pointers to live memory of the
    // right size.
    Errno::result(unsafe { libc::syscall(number, a, b, c, d, e, f) })
}

fn address<T>(value: *const T) -> c_long {
    value.expose_provenance() as c_long
}

/// Makes a system call that a filter is expected to answer, and returns the error number or 0.
#[cfg(test)]
pub(crate) fn denied_call(number: u32, arguments: [u64; 6]) -> u32 {
    let arguments = arguments.map(|argument| argument as c_long);
    match call(number.into(), arguments) {
        Ok(_) => 0,
        Err(Errno::UnknownErrno) => std::io::Error::last_os_error().raw_os_error().unwrap_or(0) as u32,
        Err(errno) => errno as u32,
    }
}
