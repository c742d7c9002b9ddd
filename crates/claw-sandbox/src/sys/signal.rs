//! Signals to processes by id.
//!
//! # Warning
//! `kill(-1)` from a thread without a signal scope ends every process of the user. Therefore
//! [`signal_domain`] asks for a [`ScopeProof`], which only a successful probe makes.

use std::marker::PhantomData;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::pidfd;

/// Proof that the current thread cannot signal a process outside its Landlock domain.
///
/// It is bound to the thread that probed: it is neither `Send` nor `Sync`.
#[derive(Debug)]
pub(crate) struct ScopeProof(PhantomData<*const ()>);

impl ScopeProof {
    /// Probes with signal 0. `outsider` must be a live process of the same user outside the domain.
    ///
    /// INVARIANT: the outsider has our user ids, so only the signal scope can answer `EPERM`.
    pub(super) fn probe(outsider: Pid) -> Option<Self> {
        (kill(outsider, None) == Err(Errno::EPERM)).then_some(Self(PhantomData))
    }

    /// Probes a process with signal 0 before and after `scope`, which adds a signal scope to the current thread.
    /// The descriptor is of a process that is outside of the scope then.
    ///
    /// What was allowed before is only forbidden by what was done in between.
    pub(crate) fn by_change<E>(
        outsider: BorrowedFd<'_>,
        scope: impl FnOnce() -> Result<(), E>,
    ) -> Option<Self> {
        let before = pidfd::may_signal(outsider);
        scope().ok()?;
        let is_scoped = before.is_ok() && pidfd::may_signal(outsider) == Err(Errno::EPERM);
        is_scoped.then_some(Self(PhantomData))
    }
}

/// Sends `signal` to every process of the current thread's Landlock domain, and to nothing else.
///
/// The kernel walks its process list under a lock that `fork` needs too, and a fork fails while a
/// signal is pending, so no process slips through.
pub(crate) fn signal_domain(_proof: &ScopeProof, signal: Signal) {
    // ESRCH: no process but ours. EPERM is not reported for -1.
    let _ = kill(Pid::from_raw(-1), signal);
}

/// Whether the current thread may signal `pid`.
///
/// From a scoped thread that means: `pid` is a member of the run (or a zombie of it).
pub(crate) fn reaches(pid: Pid) -> bool {
    kill(pid, None).is_ok()
}

/// Sends `signal` to one process. A process that is gone is not an error.
pub(crate) fn signal_process(pid: Pid, signal: Signal) {
    let _ = kill(pid, signal);
}

/// Sends `signal` to a process group. A group that is gone is not an error.
pub(crate) fn signal_group(leader: Pid, signal: Signal) {
    let _ = nix::sys::signal::killpg(leader, signal);
}
