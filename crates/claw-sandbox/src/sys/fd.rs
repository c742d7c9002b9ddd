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

/// Random bytes from the kernel.
pub(crate) fn random_bytes() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    // SAFETY: the kernel writes at most 16 bytes into the array.
    let length = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    // Requests up to 256 bytes are answered whole (getrandom(2)).
    Errno::result(length)?;
    Ok(bytes)
}
