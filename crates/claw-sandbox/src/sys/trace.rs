//! What a tracer learns of the threads that it has seized, with signals that have no name too.

use std::ffi::{c_int, c_long};

use nix::errno::Errno;
use nix::unistd::Pid;

/// What happened to a thread of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Traced {
    /// It stopped at an event (`PTRACE_EVENT_*`).
    Event(Pid, c_int),
    /// It stopped before a signal is delivered to it.
    Signal(Pid, c_int),
    /// It has ended, and its status has been taken.
    Ended,
}

/// Waits for a thread that the calling thread traces, or for any.
///
/// Not for what the other threads of this process trace or have started: we would take their events.
pub(crate) fn wait(thread: Option<Pid>) -> nix::Result<Traced> {
    let mut status: c_int = 0;
    let thread = thread.map_or(-1, Pid::as_raw);
    loop {
        // SAFETY: the kernel writes one integer, which lives for the whole call.
        let id = unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL | libc::__WNOTHREAD) };
        match Errno::result(id) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
            Ok(id) => return Ok(traced(Pid::from_raw(id), status)),
        }
    }
}

const fn traced(id: Pid, status: c_int) -> Traced {
    if !libc::WIFSTOPPED(status) {
        return Traced::Ended;
    }
    // The event is above the sixteen bits of wait(2), ptrace(2).
    match status >> 16 {
        0 => Traced::Signal(id, libc::WSTOPSIG(status)),
        event => Traced::Event(id, event),
    }
}

/// Lets a stopped thread go on without a tracer; `signal` is delivered to it, 0 is none.
pub(crate) fn detach(thread: Pid, signal: c_int) -> nix::Result<()> {
    // SAFETY: this request takes integers alone.
    let result = unsafe { libc::ptrace(libc::PTRACE_DETACH, thread.as_raw(), 0, c_long::from(signal)) };
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_as_the_manual_says() {
        let id = Pid::from_raw(7);
        let stopped = |signal: c_int, event: c_int| event << 16 | signal << 8 | 0x7f;
        let table = [
            (0, Traced::Ended),
            (3 << 8, Traced::Ended),
            (libc::SIGKILL, Traced::Ended),
            // A real-time signal has no name.
            (libc::SIGRTMIN() + 3, Traced::Ended),
            (stopped(libc::SIGTRAP, libc::PTRACE_EVENT_EXEC), Traced::Event(id, libc::PTRACE_EVENT_EXEC)),
            (stopped(libc::SIGSTOP, libc::PTRACE_EVENT_STOP), Traced::Event(id, libc::PTRACE_EVENT_STOP)),
            (stopped(libc::SIGTERM, 0), Traced::Signal(id, libc::SIGTERM)),
            (stopped(libc::SIGRTMIN() + 3, 0), Traced::Signal(id, libc::SIGRTMIN() + 3)),
        ];
        for (status, expected) in table {
            assert_eq!(traced(id, status), expected, "{status:#x}");
        }
    }
}
