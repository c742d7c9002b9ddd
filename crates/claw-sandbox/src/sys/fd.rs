//! Descriptors: event counters, non-blocking mode and `splice`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

/// Wakes one thread out of `poll`. Any number of threads may ring.
#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

impl Bell {
    /// A silent bell.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: eventfd takes two integers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        Errno::result(fd)?;
        // SAFETY: the call above succeeded, so this is a fresh descriptor that nobody else owns.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Rings: the descriptor stays readable until [`Self::silence`].
    pub(crate) fn ring(&self) {
        // A full counter (EAGAIN) means that it rings already.
        let _ = nix::unistd::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Takes back all rings so far.
    pub(crate) fn silence(&self) {
        // An empty counter (EAGAIN) means that it is silent already.
        let _ = nix::unistd::read(&self.0, &mut [0; 8]);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Moves up to `length` bytes from a pipe to a descriptor without copying.
///
/// Never blocks on a pipe. Fails with `EINVAL` where the destination cannot splice.
pub(crate) fn splice_from_pipe(
    pipe: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    length: usize,
) -> nix::Result<usize> {
    let flags = libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK;
    // SAFETY: both descriptors are borrowed, so they are open; null offsets mean the current positions.
    let moved = unsafe {
        libc::splice(
            pipe.as_raw_fd(),
            std::ptr::null_mut(),
            to.as_raw_fd(),
            std::ptr::null_mut(),
            length,
            flags,
        )
    };
    Errno::result(moved).map(isize::unsigned_abs)
}

/// Whether a directory takes names that differ in case for the same (ext4 and f2fs, `chattr +F`). `false` where the file
/// system has no such flags.
pub(crate) fn folds_case(directory: BorrowedFd<'_>) -> bool {
    let mut flags: libc::c_long = 0;
    // SAFETY: the kernel writes at most one long, which lives for the whole call.
    let result = unsafe { libc::ioctl(directory.as_raw_fd(), libc::FS_IOC_GETFLAGS, &raw mut flags) };
    Errno::result(result).is_ok() && is_folded(flags)
}

// FS_CASEFOLD_FL of linux/fs.h. The kernel writes an `int`, whatever the request's name says.
const fn is_folded(flags: libc::c_long) -> bool {
    flags & 0x4000_0000 != 0
}

/// Random bytes from the kernel.
pub(crate) fn random_bytes() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    // SAFETY: the kernel writes at most 16 bytes into the array.
    let length = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    // Requests up to 256 bytes are answered whole (getrandom(2)).
    Errno::result(length)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_directories_are_told_by_their_flag() {
        // EXT4_EXTENTS_FL, and with it FS_CASEFOLD_FL.
        assert!(!is_folded(0x0008_0000) && is_folded(0x4008_0000));
        let directory = tempfile::tempdir().unwrap();
        assert!(!folds_case(std::fs::File::open(directory.path()).unwrap().as_fd()));
    }
}
