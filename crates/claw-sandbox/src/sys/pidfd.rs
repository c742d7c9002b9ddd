//! Process descriptors: a process that cannot be mistaken for another with the same id.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use nix::errno::Errno;
use nix::unistd::Pid;

/// What a process has used, the children that it waited for included.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Usage {
    /// CPU time in user mode.
    pub user: Duration,
    /// CPU time in the kernel.
    pub system: Duration,
    /// Largest resident set in bytes.
    pub max_resident: u64,
}

/// Opens a descriptor of `pid`. It becomes readable when the process has ended, zombies included.
pub(crate) fn open(pid: Pid) -> nix::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    let fd = Errno::result(fd)?;
    #[expect(clippy::cast_possible_truncation, reason = "descriptors are C ints")]
    // SAFETY: the call above succeeded, so this is a fresh descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Opens a descriptor of a thread, which need not be its process's first (Linux 6.9).
pub(crate) fn open_thread(thread: Pid) -> nix::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, thread.as_raw(), libc::PIDFD_THREAD) };
    let fd = Errno::result(fd)?;
    #[expect(clippy::cast_possible_truncation, reason = "descriptors are C ints")]
    // SAFETY: the call above succeeded, so this is a fresh descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Whether the current thread may signal the process: sends none.
pub(crate) fn may_signal(process: BorrowedFd<'_>) -> nix::Result<()> {
    let (nothing, no_info, flags) = (0, std::ptr::null::<libc::siginfo_t>(), 0);
    // SAFETY: pidfd_send_signal takes integers and a pointer that may be null.
    let sent =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), nothing, no_info, flags) };
    Errno::result(sent).map(|_| ())
}

/// The CPU time that a process has used, with all of its threads. `None` when it is gone.
pub(crate) fn cpu_time(process: Pid) -> Option<Duration> {
    // The clock of a process by its id (MAKE_PROCESS_CPUCLOCK and CPUCLOCK_SCHED in linux/posix-timers.h).
    let clock = (!process.as_raw() << 3) | 2;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec, which lives for the whole call.
    Errno::result(unsafe { libc::clock_gettime(clock, &raw mut time) }).ok()?;
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

/// Takes the status of a child that has ended or waits until it ends.
///
/// Fails with `ECHILD` when somebody else in this process took it.
pub(crate) fn reap(child: BorrowedFd<'_>) -> nix::Result<(ExitStatus, Usage)> {
    // SAFETY: siginfo_t is plain data for which zero bytes are valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: rusage is plain data for which zero bytes are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // The raw call, because libc's waitid has no rusage.
        // SAFETY: the kernel writes one siginfo_t and one rusage, both live for the whole call.
        let result = unsafe {
            libc::syscall(
                libc::SYS_waitid,
                libc::P_PIDFD,
                child.as_raw_fd(),
                &raw mut info,
                libc::WEXITED | libc::__WALL,
                &raw mut usage,
            )
        };
        match Errno::result(result) {
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
            Ok(_) => break,
        }
    }
    // SAFETY: waitid succeeded, so the SIGCHLD member of the union is the one that is set.
    let code = unsafe { info.si_status() };
    Ok((ExitStatus::from_raw(wait_status(info.si_code, code)), Usage::of(&usage)))
}

// The encoding of wait(2): the exit code in the second byte, or the signal with 0x80 for a core dump.
const fn wait_status(how: i32, code: i32) -> i32 {
    match how {
        libc::CLD_EXITED => (code & 0xff) << 8,
        libc::CLD_DUMPED => code | 0x80,
        _ => code,
    }
}

impl Usage {
    fn of(usage: &libc::rusage) -> Self {
        Self {
            user: duration(usage.ru_utime),
            system: duration(usage.ru_stime),
            // Linux counts in KiB.
            max_resident: u64::try_from(usage.ru_maxrss).unwrap_or(0).saturating_mul(1024),
        }
    }
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
    seconds.saturating_add(Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0)))
}
