//! Questions to the kernel that change nothing.

use std::ffi::c_long;
use std::ptr;

use nix::errno::Errno;

// linux/landlock.h; libc does not have them.
const LANDLOCK_CREATE_RULESET_VERSION: c_long = 1;
const LANDLOCK_CREATE_RULESET_ERRATA: c_long = 2;

/// The seccomp actions by the names of `/proc/sys/kernel/seccomp/actions_avail`.
pub(crate) const SECCOMP_ACTIONS: [(&str, u32); 8] = [
    ("kill_process", libc::SECCOMP_RET_KILL_PROCESS),
    ("kill_thread", libc::SECCOMP_RET_KILL_THREAD),
    ("trap", libc::SECCOMP_RET_TRAP),
    ("errno", libc::SECCOMP_RET_ERRNO),
    ("user_notif", libc::SECCOMP_RET_USER_NOTIF),
    ("trace", libc::SECCOMP_RET_TRACE),
    ("log", libc::SECCOMP_RET_LOG),
    ("allow", libc::SECCOMP_RET_ALLOW),
];

/// An option of `prctl` that no kernel has (`CLAW` as bytes). Our filter answers EPERM, a kernel without it EINVAL.
pub(crate) const INSIDE_OPTION: u32 = 0x434C_4157;

/// Whether a run's filter is on this thread: it refuses our own option, and not the next one, which another sandbox that
/// knows few options would refuse as well.
pub(crate) fn is_inside() -> bool {
    let refused = |option: u32| {
        // SAFETY: no kernel has these options, so nothing is done and no argument is read.
        let answer = unsafe { libc::syscall(libc::SYS_prctl, c_long::from(option), 0, 0, 0, 0) };
        Errno::result(answer) == Err(Errno::EPERM)
    };
    refused(INSIDE_OPTION) && !refused(INSIDE_OPTION + 1)
}

/// The kernel's Landlock ABI; 0 when there is none, it is switched off or blocked.
pub(crate) fn landlock_abi() -> u32 {
    landlock_query(LANDLOCK_CREATE_RULESET_VERSION)
}

/// The Landlock errata that are fixed, as bits; 0 when the kernel does not say.
pub(crate) fn landlock_errata() -> u32 {
    landlock_query(LANDLOCK_CREATE_RULESET_ERRATA)
}

fn landlock_query(flags: c_long) -> u32 {
    // SAFETY: with these flags the kernel takes a null attribute of size 0 and reads no memory.
    let answer =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<u8>(), 0_usize, flags) };
    u32::try_from(answer).unwrap_or(0)
}

/// Whether seccomp filters exist.
pub(crate) fn has_seccomp_filter() -> bool {
    has_seccomp_action(libc::SECCOMP_RET_ERRNO)
}

/// The seccomp actions that the kernel knows.
pub(crate) fn seccomp_actions() -> Vec<&'static str> {
    SECCOMP_ACTIONS.iter().filter(|(_, action)| has_seccomp_action(*action)).map(|(name, _)| *name).collect()
}

fn has_seccomp_action(action: u32) -> bool {
    // SAFETY: the kernel reads four bytes from the pointer, which outlives the call.
    let answer =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) };
    answer == 0
}

/// Whether `openat2` can be called.
pub(crate) fn has_openat2() -> bool {
    // SAFETY: a null path and structure make an existing call fail with EINVAL (size 0) at once.
    let answer = unsafe {
        libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, ptr::null::<u8>(), ptr::null::<u8>(), 0_usize)
    };
    exists(answer)
}

/// Whether `pidfd_open` can be called.
pub(crate) fn has_pidfd() -> bool {
    // SAFETY: process id 0 makes an existing call fail with EINVAL; no pointers.
    exists(unsafe { libc::syscall(libc::SYS_pidfd_open, 0, 0) })
}

/// Whether `close_range` can be called.
pub(crate) fn has_close_range() -> bool {
    // SAFETY: a first descriptor above the last makes an existing call fail with EINVAL; no pointers.
    exists(unsafe { libc::syscall(libc::SYS_close_range, 1, 0, 0) })
}

// Container runtimes answer EPERM for calls that they do not know.
fn exists(answer: c_long) -> bool {
    answer >= 0 || !matches!(Errno::last(), Errno::ENOSYS | Errno::EPERM)
}
