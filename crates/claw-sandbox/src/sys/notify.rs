//! seccomp user notification: a filter whose calls another thread answers.
//!
//! seccomp_unotify(2). The thread that installs the filter gets the listener's descriptor; all that
//! the thread makes inherits the filter, and there can be one listener only along that line.

use std::ffi::{c_int, c_ulong};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::unistd::Pid;
use seccompiler::sock_filter;

// linux/seccomp.h, since Linux 6.6: the answering thread and the asking one take turns on one
// processor, which makes an answer three times faster (12 us instead of 40 us).
const SYNC_WAKE_UP: u64 = 1;

/// Where the calls of a filter are received and answered.
#[derive(Debug)]
pub(crate) struct Listener(OwnedFd);

/// A system call that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notification {
    id: u64,
    /// The thread that made the call.
    pub(crate) thread: Pid,
    /// The call's number.
    pub(crate) call: i64,
    /// Its arguments.
    pub(crate) arguments: [u64; 6],
}

impl Notification {
    /// Whether it is the same call.
    pub(crate) const fn is(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// What a call comes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// The kernel goes on with it. What was read from the caller's memory may have changed by then.
    Continue,
    /// It was done in its place, with this result.
    Done(i64),
    /// It fails.
    Fail(Errno),
}

/// Installs `program` on the current thread.
///
/// The thread has given up new privileges. A call that was received waits for its answer whatever
/// signals arrive, but a deadly one: so a check and its answer are about the same call.
pub(crate) fn install(program: &[sock_filter]) -> io::Result<Listener> {
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // The kernel only reads the program.
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    // SAFETY: `sock_fprog` describes a live slice, whose elements have the layout of the kernel's
    // `sock_filter`; the kernel copies it.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            c_ulong::from(libc::SECCOMP_SET_MODE_FILTER),
            flags,
            &raw const program,
        )
    };
    let fd = RawFd::try_from(Errno::result(fd)?).map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: the call above succeeded, so this is a fresh descriptor that nobody else owns.
    let listener = Listener(unsafe { OwnedFd::from_raw_fd(fd) });
    // Only speed depends on it.
    // SAFETY: the request takes an integer.
    let _ = unsafe { libc::ioctl(fd, libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP) };
    Ok(listener)
}

impl Listener {
    /// The next call. `None` when the caller died before its call could be received.
    pub(crate) fn receive(&self) -> io::Result<Option<Notification>> {
        // The kernel demands zeros.
        let mut raw = libc::seccomp_notif {
            id: 0,
            pid: 0,
            flags: 0,
            data: libc::seccomp_data { nr: 0, arch: 0, instruction_pointer: 0, args: [0; 6] },
        };
        match self.request(libc::SECCOMP_IOCTL_NOTIF_RECV, &mut raw) {
            Ok(_) => Ok(Some(Notification {
                id: raw.id,
                thread: Pid::from_raw(raw.pid.cast_signed()),
                call: raw.data.nr.into(),
                arguments: raw.data.args,
            })),
            Err(Errno::ENOENT | Errno::EINTR) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Answers a call. `false` when its caller is gone.
    pub(crate) fn answer(&self, notification: &Notification, answer: Answer) -> bool {
        let mut raw = libc::seccomp_notif_resp { id: notification.id, val: 0, error: 0, flags: 0 };
        match answer {
            Answer::Continue => raw.flags = CONTINUE,
            Answer::Done(value) => raw.val = value,
            Answer::Fail(errno) => raw.error = -(errno as c_int),
        }
        self.request(libc::SECCOMP_IOCTL_NOTIF_SEND, &mut raw).is_ok()
    }

    /// Answers a call with a copy of `file`, made in the caller: what `open` returns.
    ///
    /// An error leaves the call waiting: the caller may have no room for a descriptor.
    pub(crate) fn answer_with_file(
        &self,
        notification: &Notification,
        file: BorrowedFd<'_>,
        close_on_exec: bool,
    ) -> nix::Result<()> {
        let mut raw = libc::seccomp_notif_addfd {
            id: notification.id,
            flags: ADD_AND_SEND,
            srcfd: file.as_raw_fd().cast_unsigned(),
            newfd: 0,
            newfd_flags: if close_on_exec { libc::O_CLOEXEC.cast_unsigned() } else { 0 },
        };
        self.request(libc::SECCOMP_IOCTL_NOTIF_ADDFD, &mut raw).map(drop)
    }

    /// Whether the call still waits: what was read from its caller since then was the caller's.
    pub(crate) fn is_waiting(&self, notification: &Notification) -> bool {
        let mut id = notification.id;
        self.request(libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &mut id).is_ok()
    }

    fn request<T>(&self, request: libc::Ioctl, argument: &mut T) -> nix::Result<c_int> {
        loop {
            // SAFETY: each caller in this file passes the structure that its request reads and writes.
            let result = unsafe { libc::ioctl(self.0.as_raw_fd(), request, std::ptr::from_mut(argument)) };
            match Errno::result(result) {
                // Nothing was done. To take that for an answer would leave a call without any.
                Err(Errno::EINTR) if request != libc::SECCOMP_IOCTL_NOTIF_RECV => {}
                result => return result,
            }
        }
    }
}

// linux/seccomp.h: the descriptor is made and the call answered in one step.
const ADD_AND_SEND: u32 = libc::SECCOMP_ADDFD_FLAG_SEND as u32;
const CONTINUE: u32 = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
