//! Answers the system calls that a run's processes may not make without a question.
//!
//! Each run thread has a supervisor thread beside it, which is not restricted. The run thread's filter stops the
//! calls of [`CALLS`]; the supervisor reads what is asked, has it judged, and answers. It keeps the roles of the
//! processes, tells the run's standard error what was denied, and keeps a record for the outcome.
#![forbid(unsafe_code)]

mod exec;
mod image;
mod oversight;
mod process;
mod record;
mod roles;
mod script;
mod stop;

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use claw_policy::Role;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;
use nix::unistd::Pid;

use crate::seccomp::notify::{Notified, When, compile};
use crate::sys::notify::{Answer, Listener, Notification};
use process::{Mark, ProcessFiles};
use roles::Roles;

pub(crate) use oversight::{ExecAttempt, Oversight, Verdict};
pub use record::{Denials, DeniedCall};

/// The calls that are asked about.
pub(crate) const CALLS: &[Notified] = &[
    Notified { call: libc::SYS_execve, when: When::Always },
    Notified { call: libc::SYS_execveat, when: When::Always },
];

/// What a supervisor needs to know of a run.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// Who judges.
    pub(crate) oversight: Arc<dyn Oversight>,
    /// What the run's first process is.
    pub(crate) role: Role,
    /// Whether execs are checked again in the exec stop.
    pub(crate) verify: bool,
}

/// Where a run thread leaves its runs for its supervisor, and finds what was denied.
#[derive(Debug, Default)]
pub(crate) struct Desk(Mutex<Option<Case>>);

/// A run under supervision.
#[derive(Debug)]
pub(crate) struct Case {
    watch: Watch,
    stderr: Option<OwnedFd>,
    roles: Roles,
    denials: Denials,
}

impl Desk {
    /// Begins with a run. Without one every call is denied.
    pub(crate) fn open(&self, watch: Watch, stderr: Option<OwnedFd>) {
        *self.lock() = Some(Case { watch, stderr, roles: Roles::default(), denials: Denials::default() });
    }

    /// Ends a run: nothing of it is left, or what is left may execute nothing any more.
    pub(crate) fn close(&self) -> Denials {
        self.lock().take().map(|case| case.denials).unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Case>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run thread's half of its supervision.
#[derive(Debug)]
pub(crate) struct Supervised {
    pub(crate) desk: Arc<Desk>,
    pub(crate) listener: Sender<Listener>,
}

impl Supervised {
    /// Installs the filter on the current thread. Without it no run may start.
    pub(crate) fn begin(self) -> io::Result<Arc<Desk>> {
        let listener = crate::sys::notify::install(&compile(CALLS))?;
        // A supervisor that has ended takes the listener with it, and then every call fails.
        let _ = self.listener.send(listener);
        Ok(self.desk)
    }
}

/// Starts the supervisor of a run thread, which sends its listener when it has installed its filter.
///
/// It ends when nothing is left that has the filter.
pub(crate) fn start(desk: Arc<Desk>, listener: Receiver<Listener>) -> io::Result<()> {
    let files = ProcessFiles::open()?;
    let own = files.thread(Pid::this()).mark()?;
    std::thread::Builder::new().name("claw-supervisor".into()).spawn(move || {
        // Handlers of this program must not run on our threads.
        if SigSet::all().thread_block().is_ok()
            && let Ok(listener) = listener.recv()
        {
            Supervisor { files, own, desk: &desk, listener }.serve();
        }
    })?;
    Ok(())
}

struct Supervisor<'a> {
    files: ProcessFiles,
    // This process's own mark: until its exec the first process of a run shares our memory.
    own: Mark,
    desk: &'a Desk,
    listener: Listener,
}

impl Supervisor<'_> {
    fn serve(&self) {
        while self.is_used() {
            match self.listener.receive() {
                Ok(Some(notification)) => self.answer(&notification),
                Ok(None) => {}
                // Nothing can be received any more. Dropping the listener fails every call.
                Err(_) => return,
            }
        }
    }

    // Waits for a call. `false` when there cannot be one any more.
    fn is_used(&self) -> bool {
        loop {
            let mut fds = [PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) => {
                    let [fd] = fds;
                    return fd.revents().is_some_and(|events| events.contains(PollFlags::POLLIN));
                }
                Err(Errno::EINTR) => {}
                Err(_) => return false,
            }
        }
    }

    fn answer(&self, notification: &Notification) {
        match notification.call {
            libc::SYS_execve | libc::SYS_execveat => self.answer_exec(notification),
            // The filter and this table are one; a difference is a bug, and fails closed.
            _ => {
                self.listener.answer(notification, Answer::Fail(Errno::ENOSYS));
            }
        }
    }
}

#[cfg(test)]
mod tests;
