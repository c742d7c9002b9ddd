//! A small process that ends all runs of a launcher when this process is killed.
//!
//! SIGKILL and the out-of-memory killer leave us no time to sweep. The guardian lives in the launcher's Landlock
//! domain, outside of every run's own, so a run cannot signal it and its `kill(-1)` reaches the launcher's runs and
//! nothing else. It is a `CLONE_VM` child: no memory is copied and nothing is executed. It has no SIGCHLD, so a
//! `waitpid(-1)` of this program does not see it.
//!
//! What it does, in this order, each a single system call:
//!  1. `kill(parent, 0)`: goes on only if the answer is `EPERM`, which proves the signal scope (we have the same
//!     user ids, so nothing else can answer that); the proof lasts, because a domain is never left
//!  2. `setsid`, `chdir("/")`: what is done to our process group is not done to it, and it holds no directory
//!  3. `dup3` of its two descriptors onto 0 and 1, `close_range(2, ...)`: no other descriptor of ours stays open
//!  4. a byte to us: it is at its post
//!  5. `ppoll` until it is dismissed (a byte from us) or we are gone (the socket's end, or our own end)
//!  6. if we are gone, `kill(-1, SIGKILL)`, twice with a pause
//!  7. `exit`
//!
//! INVARIANT: it runs beside the launcher thread with the same thread-local storage, so it makes its system calls
//! without libc, which would write `errno`.

use std::ffi::{c_int, c_long, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use nix::unistd::Pid;

use super::child::{Stack, address, word};

/// A guardian at its post. Dropping it dismisses it, which ends no run.
pub(crate) struct Guardian {
    // A byte from it says that it has its proof, a byte to it dismisses it.
    line: OwnedFd,
    process: OwnedFd,
    // Both are its own until it has ended.
    _stack: Stack,
    _post: Box<Post>,
}

// What it reads at its start.
struct Post {
    parent: Pid,
    line: RawFd,
    host: RawFd,
}

impl Guardian {
    /// Posts a guardian from the current thread, which must be in the launcher's domain and have blocked all signals.
    pub(crate) fn post() -> io::Result<Self> {
        // No pipe: whoever writes to a guardian that has ended gets an error, not SIGPIPE.
        let (line, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?;
        // Above the standard streams, onto which the guardian moves them.
        let theirs = theirs.try_clone()?;
        let host = super::pidfd::open(Pid::this())?.try_clone()?;
        let mut stack = Stack::new();
        let mut post =
            Box::new(Post { parent: Pid::this(), line: theirs.as_raw_fd(), host: host.as_raw_fd() });
        let process = clone(&mut stack, &mut post)?;
        Ok(Self { line, process, _stack: stack, _post: post })
    }

    /// Tells it to go. Dropping it then waits until it has gone.
    pub(crate) fn dismiss(&self) {
        // Fails when it has ended already.
        let _ = send(self.line.as_raw_fd(), &[0], MsgFlags::MSG_NOSIGNAL);
    }

    /// Its process: outside of every run's own domain, and with our user ids.
    pub(crate) fn process(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }

    /// Whether it has its proof and stands by. Waits for a moment where it has only just begun.
    pub(crate) fn is_at_post(&self) -> bool {
        let mut fds = [PollFd::new(self.line.as_fd(), PollFlags::POLLIN)];
        while poll(&mut fds, PollTimeout::from(BEGINNING_MS)) == Err(Errno::EINTR) {}
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        recv(self.line.as_raw_fd(), &mut [0], flags) == Ok(1) && !has_ended(self.process.as_fd())
    }
}

// How long its beginning may take on a busy machine.
const BEGINNING_MS: u16 = 1000;

fn has_ended(process: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(process, PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO) != Ok(0)
}

impl std::fmt::Debug for Guardian {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guardian")
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        // A second time at most: it reads one byte.
        self.dismiss();
        // Only then its stack may go. Fails when somebody else has reaped it, so it has ended.
        let _ = super::pidfd::reap(self.process.as_fd());
    }
}

fn clone(stack: &mut Stack, post: &mut Post) -> nix::Result<OwnedFd> {
    let mut fd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_PIDFD;
    // SAFETY: the child runs `guard` on a stack and with a `Post` that its owner keeps until the child has ended.
    // The kernel writes the descriptor to `fd` before the call returns.
    let id = unsafe { libc::clone(guard, stack.top(), flags, ptr::from_mut(post).cast(), &raw mut fd) };
    Errno::result(id)?;
    // SAFETY: the call above succeeded with CLONE_PIDFD, so this is a fresh descriptor of ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

extern "C" fn guard(post: *mut c_void) -> c_int {
    // SAFETY: `clone` passed a pointer to a `Post` that lives until we end.
    let post = unsafe { &*post.cast::<Post>() };
    keep_watch(post);
    loop {
        call(libc::SYS_exit, [0; 5]);
    }
}

const EPERM: c_long = -(libc::EPERM as c_long);
const SIGNAL_SET_BYTES: c_long = 8;

fn keep_watch(post: &Post) {
    if call(libc::SYS_kill, [word(post.parent.as_raw()), 0, 0, 0, 0]) != EPERM {
        return;
    }
    call(libc::SYS_setsid, [0; 5]);
    call(libc::SYS_chdir, [address(c"/".as_ptr()), 0, 0, 0, 0]);
    call(libc::SYS_dup3, [word(post.line), 0, 0, 0, 0]);
    call(libc::SYS_dup3, [word(post.host), 1, 0, 0, 0]);
    call(libc::SYS_close_range, [2, word(c_int::MAX), 0, 0, 0]);
    // No address: the sixth argument is its length.
    call(libc::SYS_sendto, [0, address(c"".as_ptr()), 1, libc::MSG_NOSIGNAL.into(), 0]);
    if !is_dismissed() {
        let pause = libc::timespec { tv_sec: 0, tv_nsec: 10_000_000 };
        for _ in 0..2 {
            call(libc::SYS_kill, [-1, word(libc::SIGKILL), 0, 0, 0]);
            call(libc::SYS_nanosleep, [address(&raw const pause), 0, 0, 0, 0]);
        }
    }
}

// Waits. Only a byte is a dismissal.
fn is_dismissed() -> bool {
    let mut fds = [
        libc::pollfd { fd: 0, events: libc::POLLIN, revents: 0 },
        libc::pollfd { fd: 1, events: libc::POLLIN, revents: 0 },
    ];
    while call(libc::SYS_ppoll, [address(&raw mut fds), 2, 0, 0, SIGNAL_SET_BYTES]) <= 0 {}
    let mut byte = 0_u8;
    let [dismissed, _] = &fds;
    dismissed.revents & libc::POLLIN != 0 && call(libc::SYS_read, [0, address(&raw mut byte), 1, 0, 0]) == 1
}

#[cfg(target_arch = "x86_64")]
fn call(number: c_long, [a, b, c, d, e]: [c_long; 5]) -> c_long {
    let result;
    // SAFETY: every caller in this file passes integers, or addresses of memory that lives for the whole call and
    // that is large enough for what the kernel reads or writes. The kernel keeps all but these registers.
    unsafe {
        std::arch::asm!("syscall", inlateout("rax") number => result, in("rdi") a, in("rsi") b, in("rdx") c,
            in("r10") d, in("r8") e, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}

#[cfg(target_arch = "aarch64")]
fn call(number: c_long, [a, b, c, d, e]: [c_long; 5]) -> c_long {
    let result;
    // SAFETY: as for x86_64.
    unsafe {
        std::arch::asm!("svc 0", in("x8") number, inlateout("x0") a => result, in("x1") b, in("x2") c, in("x3") d,
            in("x4") e, options(nostack));
    }
    result
}

// No launcher starts on another architecture: there is no system call table for it.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn call(_number: c_long, _arguments: [c_long; 5]) -> c_long {
    -1
}
