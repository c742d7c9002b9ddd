//! The exec stop: a process is held after its exec's point of no return and before the first instruction of the
//! new program.
//!
//! Until then another thread, or a `vfork` child that shares memory, can change path and arguments after they
//! were judged. In the stop the kernel has committed both, and nothing but the kernel has run.
//!
//! The thread is seized while its `execve` waits for our answer, and asked to stop. So after the answer it makes
//! exactly one first stop: at the exec's event, or, when the exec failed, on its way back. Afterwards it is let go,
//! so nothing else that a run does costs a stop.
#![forbid(unsafe_code)]

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::sys::trace::{self, Traced};

/// A thread that this thread will hold at its exec.
#[derive(Debug)]
#[must_use = "the thread would be held for ever"]
pub(crate) struct Seized(());

/// Where a seized thread arrived.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// The program is committed; the process is held.
    Committed(Held),
    /// The exec failed, and the caller goes on.
    Failed,
    /// The process is gone.
    Gone,
}

/// A process that is held in the exec stop.
#[derive(Debug)]
#[must_use = "the process would be held for ever"]
pub(crate) struct Held(Pid);

/// Seizes a thread whose call waits for an answer.
///
/// After an error nobody traces it.
pub(crate) fn seize(thread: Pid) -> nix::Result<Seized> {
    ptrace::seize(thread, Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_EXITKILL)?;
    // Pending until the call has been answered: it only waits for deadly signals.
    if let Err(errno) = ptrace::interrupt(thread) {
        // It has met one. A thread that is dead is its tracer's until the tracer has waited for it.
        end(thread);
        return Err(errno);
    }
    Ok(Seized(()))
}

impl Seized {
    /// Waits until the thread arrives. To be called after its `execve` was answered.
    ///
    /// The id may be another one then: a thread that executes becomes its process's first thread. This thread holds
    /// nothing else, so whatever arrives is it.
    pub(crate) fn arrive(self) -> Arrival {
        match trace::wait(None) {
            Ok(Traced::Event(id, libc::PTRACE_EVENT_EXEC)) => Arrival::Committed(Held(id)),
            Ok(Traced::Event(id, _)) => {
                let_go(id, 0);
                Arrival::Failed
            }
            Ok(Traced::Signal(id, signal)) => {
                let_go(id, signal);
                Arrival::Failed
            }
            Ok(Traced::Ended) | Err(_) => Arrival::Gone,
        }
    }
}

impl Held {
    /// The process's id.
    pub(crate) const fn id(&self) -> Pid {
        self.0
    }

    /// Lets the program run.
    pub(crate) fn release(self) {
        let_go(self.0, 0);
    }

    /// Ends the process before it has run an instruction.
    pub(crate) fn kill(self) {
        end(self.0);
    }
}

fn let_go(id: Pid, signal: i32) {
    if trace::detach(id, signal).is_err() {
        // Something deadly took it out of its stop, or it would be held for ever.
        end(id);
    }
}

// Ends what this thread traces. A dead thread is its tracer's until the tracer has waited for it; only then its parent
// learns of the end.
fn end(id: Pid) {
    let _ = kill(id, Signal::SIGKILL);
    while matches!(trace::wait(Some(id)), Ok(Traced::Event(..) | Traced::Signal(..))) {
        let _ = trace::detach(id, libc::SIGKILL);
    }
}
