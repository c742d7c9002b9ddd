//! A short-lived process outside a run's domain, to prove that the signal scope holds.
//!
//! Where a guardian stands by, that one serves (`ScopeProof::by_change`). Without one
//! the launcher thread makes this one before a new run thread may sweep: it is the launcher's child, so
//! it is outside the run thread's own domain and has the same user ids. The run thread must get
//! `EPERM` for signal 0. It is a `CLONE_VM | CLONE_VFORK` child that makes a few system calls and
//! exists for the probe only (about 0.1 ms, once per run thread): nothing is copied, nothing is
//! executed, nothing stays.
//!
//! What it does, in this order: `prctl(PR_SET_PDEATHSIG, SIGKILL)`, `getppid`, `write` its id into
//! a pipe, `read` the other pipe until the run thread writes to it, `_exit`.

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{Pid, pipe2, read};

use super::child::{Stack, address, call, word};
use super::signal::ScopeProof;

/// The launcher thread's end.
#[derive(Debug)]
pub(crate) struct Sentinel {
    announce: OwnedFd,
    dismissed: OwnedFd,
}

/// The run thread's end. Dropping it dismisses the sentinel.
#[derive(Debug)]
pub(crate) struct Probe {
    announced: OwnedFd,
    dismiss: OwnedFd,
}

/// A sentinel that is to be posted, and the probe that it answers.
pub(crate) fn pair() -> io::Result<(Sentinel, Probe)> {
    let (announced, announce) = pipe2(OFlag::O_CLOEXEC)?;
    let (dismissed, dismiss) = pipe2(OFlag::O_CLOEXEC)?;
    Ok((Sentinel { announce, dismissed }, Probe { announced, dismiss }))
}

impl Probe {
    /// Probes the sentinel from the current thread, which must be scoped already.
    ///
    /// `None` when there is no sentinel, or when the scope does not hold.
    pub(crate) fn run(self) -> Option<ScopeProof> {
        let mut id = [0; 4];
        let length = read(&self.announced, &mut id).ok()?;
        let id = i32::from_ne_bytes(id);
        if length < size_of::<i32>() || id <= 1 {
            return None;
        }
        ScopeProof::probe(Pid::from_raw(id))
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // A byte, because closing is not enough: a process that is being forked elsewhere in this
        // program may hold a copy of our end.
        let _ = nix::unistd::write(&self.dismiss, &[0]);
    }
}

// What the sentinel reads. It lives in the parent's frame.
struct Post {
    parent: Pid,
    announce: RawFd,
    dismissed: RawFd,
}

impl Sentinel {
    /// Stands until the probe is dropped. The calling thread has blocked all signals.
    pub(crate) fn stand(self, stack: &mut Stack) {
        let mut post = Post {
            parent: Pid::this(),
            announce: self.announce.as_raw_fd(),
            dismissed: self.dismissed.as_raw_fd(),
        };
        if let Ok(fd) = clone(stack, &mut post) {
            let _ = super::pidfd::reap(fd.as_fd());
        }
    }
}

fn clone(stack: &mut Stack, post: &mut Post) -> nix::Result<OwnedFd> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let mut fd: c_int = -1;
    // SAFETY: the child runs `sentinel` on the exclusively borrowed stack with `post`, which
    // outlives it because CLONE_VFORK suspends us until it ends. The kernel writes `fd`.
    let id = unsafe { libc::clone(sentinel, stack.top(), flags, ptr::from_mut(post).cast(), &raw mut fd) };
    Errno::result(id)?;
    // SAFETY: the call above succeeded with CLONE_PIDFD, so this is a fresh descriptor of ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

extern "C" fn sentinel(post: *mut c_void) -> c_int {
    // SAFETY: `clone` passed a pointer to a `Post` that lives until we end.
    let post = unsafe { &*post.cast::<Post>() };
    let _ = keep_watch(post);
    // SAFETY: ends this process without running anything of the parent's.
    unsafe { libc::_exit(0) }
}

fn keep_watch(post: &Post) -> Result<(), c_int> {
    call(libc::SYS_prctl, [word(libc::PR_SET_PDEATHSIG), word(libc::SIGKILL), 0, 0])?;
    if call(libc::SYS_getppid, [0; 4])? != word(post.parent.as_raw()) {
        return Err(libc::ESRCH);
    }
    let id = c_int::try_from(call(libc::SYS_getpid, [0; 4])?).map_err(|_| libc::ERANGE)?;
    call(libc::SYS_write, [word(post.announce), address(&raw const id), 4, 0])?;
    let mut nothing = 0_u8;
    call(libc::SYS_read, [word(post.dismissed), address(&raw mut nothing), 1, 0]).map(|_| ())
}
