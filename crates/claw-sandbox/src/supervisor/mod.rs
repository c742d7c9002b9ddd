//! Answers the system calls that a run's processes may not make without a question.
//!
//! Each run thread has a supervisor thread beside it, which is not restricted. The run thread's filter stops the
//! calls of [`calls`]; the supervisor reads what is asked, has it judged, and answers. It keeps the roles of the
//! processes, tells the run's standard error what was denied, and keeps a record for the outcome.
#![forbid(unsafe_code)]

mod exec;
mod files;
mod hands;
mod image;
mod network;
mod oversight;
mod process;
mod questions;
mod record;
mod report;
mod roles;
mod stop;

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use claw_policy::{Confinement, Role};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;
use nix::unistd::{Pid, gettid};

use crate::KernelFeatures;
use crate::enforcement::is_supervised;
use crate::seccomp::notify::{Notified, Pass, When, compile};
use crate::sys::fd::Bell;
use crate::sys::notify::{Listener, Notification};
use crate::terminal::RunTerminal;
use files::{Created, Links, Made, Waiters};
use network::Workers;
use process::{Mark, ProcessFiles};
use questions::{OpenQuestions, Questions};
use report::Reporter;
use roles::Roles;

pub(crate) use files::calls as file_calls;
use hands::HandsOfOne;
pub(crate) use hands::{Hands, HandsStart};
pub(crate) use network::unix::SocketPlaces;
pub(crate) use oversight::{
    ExecAttempt, FileAttempt, Judgement, NetworkAttempt, NetworkVerdict, Oversight, Purpose, Verdict,
};
pub(crate) use record::shown;
pub use record::{Denials, DeniedCall};

// The calls that execute something.
const EXECS: [Notified; 2] = [
    Notified { call: libc::SYS_execve, when: When::Always },
    Notified { call: libc::SYS_execveat, when: When::Always },
];

/// The calls that are asked about under `confinement`; none where no supervisor is needed or can be had.
pub(crate) fn calls(confinement: &Confinement, kernel: &KernelFeatures) -> Vec<Notified> {
    let execs = is_supervised(confinement, kernel).then_some(EXECS);
    let network = network::calls(confinement, kernel);
    let files = file_calls(confinement, kernel);
    execs.into_iter().flatten().chain(network).chain(files).collect()
}

/// Whether some of the calls are made by the supervisor's hands.
pub(crate) fn needs_hands(calls: &[Notified]) -> bool {
    calls.iter().any(|notified| files::is_file_call(notified.call))
}

// How often the callers of waiting calls are looked at: a connect whose caller is dead is ended.
const LOOK_AFTER_MS: u8 = 100;

/// What a supervisor needs to know of a run.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// Who judges.
    pub(crate) oversight: Arc<dyn Oversight>,
    /// What the run's first process is.
    pub(crate) role: Role,
    /// Whether execs are checked again in the exec stop.
    pub(crate) verify: bool,
    /// Where AF_UNIX sockets may be.
    pub(crate) sockets: SocketPlaces,
    /// The run's private temporary directory, in which it does as it likes.
    pub(crate) temporary: Option<Arc<Path>>,
    /// The trees that it may write.
    pub(crate) writable: Arc<[PathBuf]>,
    /// How many files it may make.
    pub(crate) new_files: Option<u64>,
    /// Its own terminal, for who asks something on ours.
    pub(crate) terminal: Option<RunTerminal>,
}

/// Where a run thread leaves its runs for its supervisor, and finds what was denied.
#[derive(Debug, Default)]
pub(crate) struct Desk(Mutex<Option<Case>>);

/// A run under supervision.
#[derive(Debug)]
pub(crate) struct Case {
    watch: Watch,
    reporter: Arc<Reporter>,
    roles: Roles,
    denials: Denials,
    made: Arc<Made>,
    created: Arc<Created>,
    questions: OpenQuestions,
}

impl Desk {
    /// Begins with a run. Without one every call is denied. The bell rings when it has made too many files.
    pub(crate) fn open(&self, watch: Watch, stderr: Option<OwnedFd>, bell: Arc<Bell>) {
        let created = Arc::new(Created::new(watch.new_files, bell));
        *self.lock() = Some(Case {
            created,
            watch,
            reporter: Arc::new(Reporter::new(stderr)),
            roles: Roles::default(),
            denials: Denials::default(),
            made: Arc::default(),
            questions: OpenQuestions::default(),
        });
    }

    /// Ends a run: nothing of it is left, or what is left may execute nothing any more.
    pub(crate) fn close(&self) -> Option<Closed> {
        let Case { reporter, denials, .. } = self.lock().take()?;
        reporter.close();
        Some(Closed { reporter, denials })
    }

    /// Whether the run wanted to make more files than it may.
    pub(crate) fn has_made_too_much(&self) -> bool {
        self.lock().as_ref().is_some_and(|case| case.created.is_exceeded())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Case>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that is over, whose last lines may be on their way.
#[derive(Debug)]
pub(crate) struct Closed {
    reporter: Arc<Reporter>,
    denials: Denials,
}

impl Closed {
    /// What was denied. Waits a moment for the lines about it.
    pub(crate) fn denials(mut self) -> Denials {
        self.denials.unsaid = self.reporter.finish();
        self.denials
    }
}

/// A run thread's half of its supervision.
#[derive(Debug)]
pub(crate) struct Supervised {
    pub(crate) desk: Arc<Desk>,
    pub(crate) listener: Sender<(Listener, Pid)>,
    pub(crate) calls: Arc<[Notified]>,
}

/// What a run thread has of its supervision.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) desk: Arc<Desk>,
    /// With which the first exec of a run is not asked about.
    pub(crate) pass: Option<Pass>,
}

impl Supervised {
    /// Installs the filter on the current thread. Without it no run may start.
    ///
    /// `keeps_secrets` says that runs cannot read the memory of this process.
    pub(crate) fn begin(self, keeps_secrets: bool) -> io::Result<Begun> {
        let pass = keeps_secrets.then(crate::sys::fd::random_bytes).transpose()?.map(Pass::new);
        let listener = crate::sys::notify::install(&compile(&self.calls, pass))?;
        // A supervisor that has ended takes the listener with it, and then every call fails.
        let _ = self.listener.send((listener, gettid()));
        Ok(Begun { desk: self.desk, pass })
    }
}

/// Starts the supervisor of a run thread, which sends its listener when it has installed its filter.
///
/// It ends when nothing is left that has the filter.
pub(crate) fn start(
    desk: Arc<Desk>,
    listener: Receiver<(Listener, Pid)>,
    hands: Option<Hands>,
) -> io::Result<()> {
    let files = ProcessFiles::open()?;
    let hands = hands.map(Hands::of_one).transpose()?;
    let own = files.thread(Pid::this()).mark()?;
    let questions = Questions::new()?;
    std::thread::Builder::new().name("claw-supervisor".into()).spawn(move || {
        // Handlers of this program must not run on our threads.
        if SigSet::all().thread_block().is_ok()
            && (hands.is_none() || crate::sys::caps::lower_files().is_ok())
            && let Ok((listener, run_thread)) = listener.recv()
        {
            let listener = Arc::new(listener);
            let (workers, links, waiters) = (Workers::default(), Links::default(), Waiters::default());
            Supervisor {
                files,
                own,
                desk: &desk,
                listener,
                workers,
                questions,
                run_thread,
                hands,
                links,
                waiters,
            }
            .serve();
        }
    })?;
    Ok(())
}

struct Supervisor<'a> {
    files: ProcessFiles,
    // This process's own mark: until its exec the first process of a run shares our memory.
    own: Mark,
    desk: &'a Desk,
    // Shared with the threads that answer calls which wait.
    listener: Arc<Listener>,
    workers: Workers,
    questions: Questions,
    // The thread that the runs are children of, and which has their filter too.
    run_thread: Pid,
    // Who makes calls on files. With them this thread has no capability on files that its runs lack.
    hands: Option<HandsOfOne>,
    links: Links,
    waiters: Waiters,
}

impl Supervisor<'_> {
    fn serve(&self) {
        while self.is_used() {
            match self.listener.receive() {
                Ok(Some(notification)) => self.answer(&notification),
                Ok(None) => {}
                // Nothing can be received any more. Dropping the listener fails every call.
                Err(_) => break,
            }
        }
        self.workers.end_all();
    }

    // Waits for a call, and goes on with what people have answered. `false` when there cannot be a call any more.
    fn is_used(&self) -> bool {
        loop {
            let fds = [self.listener.as_fd(), self.questions.bell.as_fd()];
            let mut fds = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            let patience =
                if self.workers.is_empty() { PollTimeout::NONE } else { PollTimeout::from(LOOK_AFTER_MS) };
            match poll(&mut fds, patience) {
                Ok(0) => self.workers.look_after(&self.listener),
                Ok(_) => {
                    let [calls, answers] = fds.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
                    if answers.contains(PollFlags::POLLIN) {
                        for (pending, verdict) in self.questions.answered() {
                            self.answer_settled(&pending, verdict);
                        }
                    }
                    if !calls.is_empty() {
                        return calls.contains(PollFlags::POLLIN);
                    }
                }
                Err(Errno::EINTR) => {}
                Err(_) => return false,
            }
        }
    }

    fn answer(&self, notification: &Notification) {
        match notification.call {
            libc::SYS_execve | libc::SYS_execveat => self.answer_exec(notification),
            libc::SYS_connect
            | libc::SYS_bind
            | libc::SYS_listen
            | libc::SYS_sendto
            | libc::SYS_sendmsg
            | libc::SYS_sendmmsg => self.answer_network(notification),
            // What is no call on files either, or one that does not exist inside, fails.
            _ => self.answer_file(notification),
        }
    }
}

#[cfg(test)]
mod tests;
