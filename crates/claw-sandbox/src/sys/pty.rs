//! Pseudo-terminals by descriptor: what libc's functions do by name, where another may have mounted something else.

use std::ffi::{c_int, c_ulong};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

// linux/tty ioctls (asm-generic/ioctls.h), which libc types differently for each C library.
const TIOCSWINSZ: c_ulong = 0x5414;
const TIOCGWINSZ: c_ulong = 0x5413;
const TIOCSPTLCK: c_ulong = 0x4004_5431;
const TIOCGPTPEER: c_ulong = 0x5441;
/// Makes a terminal the controlling one of the calling session leader.
pub(super) const TIOCSCTTY: c_ulong = 0x540E;

/// Rows and columns.
pub(crate) type Size = [u16; 2];

/// A new pseudo-terminal: our side, which never blocks, and the side of the programs.
pub(crate) fn open_pair() -> nix::Result<(OwnedFd, OwnedFd)> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = open("/dev/ptmx", flags | OFlag::O_NONBLOCK, Mode::empty())?;
    let unlocked: c_int = 0;
    // SAFETY: the kernel reads one int, which lives for the whole call.
    Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), TIOCSPTLCK as _, &raw const unlocked) })?;
    // SAFETY: the argument is a set of flags.
    let peer = unsafe { libc::ioctl(master.as_raw_fd(), TIOCGPTPEER as _, flags.bits()) };
    let peer = Errno::result(peer)?;
    // SAFETY: the call above succeeded, so this is a fresh descriptor that nobody else owns.
    Ok((master, unsafe { OwnedFd::from_raw_fd(peer) }))
}

/// The size of a terminal's window. Fails where it is none.
pub(crate) fn size(terminal: impl AsFd) -> nix::Result<Size> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel writes one winsize, which lives for the whole call.
    let result = unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), TIOCGWINSZ as _, &raw mut size) };
    Errno::result(result)?;
    Ok([size.ws_row, size.ws_col])
}

/// Changes the size of a terminal's window; its foreground job gets SIGWINCH.
pub(crate) fn set_size(terminal: impl AsFd, [rows, columns]: Size) -> nix::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel reads one winsize, which lives for the whole call.
    let result = unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), TIOCSWINSZ as _, &raw const size) };
    Errno::result(result).map(|_| ())
}
