//! Who decides for the processes of a run.
#![forbid(unsafe_code)]

use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use claw_policy::{Denial, FileAction, ProgramFact, Protocol, Role, TouchRequest};
use nix::unistd::Pid;

use crate::terminal::RunTerminal;

/// A program that a process of a run is about to execute.
#[derive(Clone, Debug)]
pub(crate) struct ExecAttempt {
    /// The thread that asks.
    pub(crate) caller: Pid,
    /// What its process is.
    pub(crate) role: Role,
    /// The program.
    pub(crate) program: ProgramFact,
    /// Its arguments.
    pub(crate) argv: Vec<Vec<u8>>,
    /// The caller's working directory.
    pub(crate) cwd: PathBuf,
}

/// A call on a file that a process of a run makes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileAttempt<'a> {
    /// The thread that asks.
    pub(crate) caller: Pid,
    /// What it does.
    pub(crate) action: FileAction,
    /// The object.
    pub(crate) path: &'a Path,
}

/// What is to be said about a program.
pub(crate) enum Judgement {
    /// This.
    Decided(Verdict),
    /// What a person says, who has to be asked. It takes long, and may be done on any thread.
    Ask(Inquiry),
}

/// Asks, and records what was said. The run's own terminal is for who asks on the same one; the other tells whether the
/// caller still waits.
pub(crate) type Inquiry = Box<dyn FnOnce(Option<&RunTerminal>, &(dyn Fn() -> bool + Sync)) -> Verdict + Send>;

/// An answer.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// It may run, and is this from then on.
    Allow(Role),
    /// It may not. What is said about it, as one line.
    Deny(String),
}

/// An address that a process of a run is about to use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NetworkAttempt {
    /// The thread that asks.
    pub(crate) caller: Pid,
    /// Over what.
    pub(crate) protocol: Protocol,
    /// The address.
    pub(crate) address: SocketAddr,
    /// What for.
    pub(crate) purpose: Purpose,
}

/// What an address is used for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// A socket is connected to it.
    Connect,
    /// A datagram is sent to it.
    Send,
    /// A socket is bound to it, to be reached there.
    Listen,
}

/// An answer about an address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum NetworkVerdict {
    /// It may be used.
    Allow,
    /// It may not. What is said about it, as one line.
    Deny(String),
    /// It may not, and nobody needs to know.
    DenySilently,
}

/// Judges what the processes of a run ask for. It is called on the run's own supervisor thread, and the caller waits
/// for the answer.
pub(crate) trait Oversight: Debug + Send + Sync {
    /// Judges a program that is about to be executed, and records the decision.
    fn exec(&self, attempt: &Arc<ExecAttempt>) -> Judgement;

    /// Denies a program that a person should have been asked about, when too many questions are open, and records that.
    fn unasked(&self, attempt: &ExecAttempt) -> Verdict;

    /// Judges an address that is about to be used, and records a denial.
    fn network(&self, attempt: &NetworkAttempt) -> NetworkVerdict;

    /// Records that an allowed exec turned out to be another one and was ended before it ran.
    fn lost_race(&self, attempt: &ExecAttempt);

    /// Judges an object of a call on files.
    fn touch(&self, request: &TouchRequest<'_>) -> Result<(), Denial>;

    /// Whether allowed changes of files are recorded too.
    fn records_files(&self) -> bool;

    /// Records a call on files. An error is what is said about it: it must not happen.
    fn file(&self, attempt: &FileAttempt<'_>, judged: Result<(), Denial>) -> Result<(), String>;
}
