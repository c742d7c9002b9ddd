//! How a run ended.
#![forbid(unsafe_code)]

use std::process::ExitStatus;
use std::time::Duration;

use crate::supervisor::Denials;
pub use crate::sys::pidfd::Usage;

/// Everything that is known about a run after its end.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// The main process's status. `None` when somebody else in this program took it: a
    /// `waitpid(-1)` loop, or SIGCHLD being ignored.
    pub status: Option<ExitStatus>,
    /// Why it ended.
    pub ending: Ending,
    /// From the start of the main process to the end of the run.
    pub wall: Duration,
    /// What the main process used, with the children that it waited for.
    pub usage: Usage,
    /// Bytes that were forwarded, if they were counted.
    pub stdout: Option<u64>,
    /// Bytes that were forwarded, if they were counted.
    pub stderr: Option<u64>,
    /// What happened to the rest of the run.
    pub sweep: Sweep,
    /// Whether a guardian stood by, which would have ended the run if this program had been killed. There is none where
    /// the kernel has no signal scope, and for a policy that lets processes stay (`exec.detach`).
    pub guarded: bool,
    /// What its processes asked for and were denied.
    pub denials: Denials,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Ending {
    /// The main process ended by itself, or by a signal that did not come from us.
    Exited,
    /// The time limit passed.
    TimedOut,
    /// A stream exceeded the output limit.
    OutputLimit(Stream),
    /// The run had more processes than its limit.
    ProcessLimit,
    /// The run's processes together, or the main process alone, used more CPU time than its limit.
    CpuLimit,
    /// The run's processes together had more in memory than its limit.
    MemoryLimit,
    /// The run wrote more to disk than its limit.
    DiskLimit,
    /// The run made more files than its limit.
    NewFilesLimit,
    /// The main process was ended by SIGXFSZ: it wrote a file beyond the limit on one file's size.
    FileSizeLimit,
    /// The caller ended it.
    Killed,
}

impl Ending {
    /// Its name in reports and audit logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exited => "exited",
            Self::TimedOut => "timed-out",
            Self::OutputLimit(Stream::Stdout) => "stdout-limit",
            Self::OutputLimit(Stream::Stderr) => "stderr-limit",
            Self::ProcessLimit => "process-limit",
            Self::CpuLimit => "cpu-limit",
            Self::MemoryLimit => "memory-limit",
            Self::DiskLimit => "disk-limit",
            Self::NewFilesLimit => "new-files-limit",
            Self::FileSizeLimit => "file-size-limit",
            Self::Killed => "killed",
        }
    }
}

/// An output stream.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What happened to the processes that the main process left behind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Sweep {
    /// How they were found.
    pub method: SweepMethod,
    /// How many there were, at least. `None` when it is not known.
    pub swept: Option<u64>,
    /// Whether all of them are known to be gone.
    pub complete: bool,
}

/// How a run's processes are reached.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SweepMethod {
    /// By their Landlock domain: all of them, wherever they went.
    Domain,
    /// By process group and session: a process that made its own session escapes.
    Session,
    /// Not at all: the policy lets them stay.
    Detached,
}
