//! Calls on the sockets of other processes.

use std::ffi::{c_int, c_void};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::ptr;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockaddrLike as _, SockaddrStorage};

/// A copy of a process's descriptor: the same open file.
pub(crate) fn duplicate(process: BorrowedFd<'_>, descriptor: c_int) -> nix::Result<OwnedFd> {
    // SAFETY: pidfd_getfd takes three integers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), descriptor, 0) };
    let fd = Errno::result(fd)?;
    #[expect(clippy::cast_possible_truncation, reason = "descriptors are C ints")]
    // SAFETY: the call above succeeded, so this is a fresh descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// An integer option of the level `SOL_SOCKET`.
pub(crate) fn option(socket: BorrowedFd<'_>, name: c_int) -> nix::Result<c_int> {
    let mut value: c_int = 0;
    let mut length = libc::socklen_t::try_from(size_of::<c_int>()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the kernel writes at most `length` bytes, which `value` holds.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            (&raw mut value).cast::<c_void>(),
            &raw mut length,
        )
    };
    Errno::result(result).map(|_| value)
}

/// Takes back what a `connect` did.
pub(crate) fn disconnect(socket: BorrowedFd<'_>) -> nix::Result<()> {
    let nobody = libc::sockaddr { sa_family: libc::AF_UNSPEC as libc::sa_family_t, sa_data: [0; 14] };
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr>()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the kernel reads `length` bytes, which `nobody` has.
    let result = unsafe { libc::connect(socket.as_raw_fd(), &raw const nobody, length) };
    Errno::result(result).map(drop)
}

/// Sends one message.
///
/// `control` is in the kernel's form: each `cmsghdr` at a multiple of 8.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    data: &[u8],
    name: Option<&SockaddrStorage>,
    control: &[u64],
    flags: MsgFlags,
) -> nix::Result<usize> {
    let mut part = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    // SAFETY: msghdr is plain data for which zero bytes are valid: no name, no parts, no control.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if let Some(name) = name {
        message.msg_name = name.as_ptr().cast_mut().cast();
        message.msg_namelen = name.len();
    }
    if !control.is_empty() {
        message.msg_control = control.as_ptr().cast_mut().cast();
        message.msg_controllen = size_of_val(control) as _;
    }
    // SAFETY: every pointer of the message leads to a live slice of the length beside it, and the kernel only
    // reads them.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), ptr::from_ref(&message), flags.bits()) };
    Errno::result(sent).map(isize::unsigned_abs)
}
