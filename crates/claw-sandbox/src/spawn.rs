//! What a launch consists of, with the policy already turned into plain values.
#![forbid(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use crate::cgroup::{Bounds, Group};
use crate::limits::meter::Meter;
use crate::supervisor::Watch;
use crate::sys::child::{Failure, Step};
use crate::sys::rlimit::ResourceLimit;
use crate::terminal::{Terminal, TtySize};

/// Where the standard streams of a run come from and go to.
#[derive(Debug, Default)]
pub struct StdioPlan {
    /// Standard input.
    pub stdin: StreamPlan,
    /// Standard output.
    pub stdout: StreamPlan,
    /// Standard error.
    pub stderr: StreamPlan,
    /// Gives the run a terminal of its own with a window of this size. It reads from `stdin` and shows on
    /// `stdout`; `stderr` is not used.
    pub tty: Option<TtySize>,
}

/// One standard stream.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum StreamPlan {
    /// Ours; `/dev/null` where ours is closed.
    #[default]
    Inherit,
    /// `/dev/null`.
    Null,
    /// This descriptor: one end of a pipe, a file.
    Descriptor(OwnedFd),
}

/// Everything that a run thread needs to start a child and to look after it.
#[derive(Debug)]
pub(crate) struct ChildSpec {
    pub(crate) program: CString,
    pub(crate) argv: Vec<CString>,
    pub(crate) environment: Vec<CString>,
    pub(crate) directory: OwnedFd,
    pub(crate) streams: Streams,
    /// The terminal that the streams are, if they are one.
    pub(crate) terminal: Option<Terminal>,
    pub(crate) rlimits: Vec<ResourceLimit>,
    pub(crate) supervision: Supervision,
    /// What a control group of its own bounds.
    pub(crate) bounds: Option<Bounds>,
    /// That group. The launcher makes it.
    pub(crate) group: Option<Group>,
    pub(crate) watch: Option<Watch>,
}

/// What the run thread watches while the child runs.
#[derive(Clone, Debug)]
pub(crate) struct Supervision {
    /// Wall-clock limit.
    pub(crate) time: Option<Duration>,
    /// Between SIGTERM and SIGKILL.
    pub(crate) grace: Duration,
    /// Bytes on each output stream.
    pub(crate) output: Option<u64>,
    /// Processes of the run, where no resource limit bounds them.
    pub(crate) processes: Option<u64>,
    /// CPU time of all the run's processes together.
    pub(crate) cpu: Option<Duration>,
    /// Bytes that all the run's processes together have in memory.
    pub(crate) memory: Option<u64>,
    /// Bytes that the run writes to disk.
    pub(crate) disk: Option<u64>,
    /// Whether a resource limit bounds the size of files.
    pub(crate) file_size: bool,
    /// Who reads what the processes use. Started where a limit needs it.
    pub(crate) meter: Option<Meter>,
    /// Whether what the run leaves behind may stay.
    pub(crate) detach: bool,
}

impl Default for Supervision {
    fn default() -> Self {
        // Long enough for a build tool to remove its temporary files, short enough for a person.
        Self {
            time: None,
            grace: Duration::from_secs(2),
            output: None,
            processes: None,
            cpu: None,
            memory: None,
            disk: None,
            file_size: false,
            meter: None,
            detach: false,
        }
    }
}

impl Supervision {
    /// Whether somebody has to read what the run's processes use.
    pub(crate) const fn needs_meter(&self) -> bool {
        self.cpu.is_some() || self.memory.is_some() || self.disk.is_some()
    }
}

impl ChildSpec {
    /// Makes what only a thread that is not restricted can make, and what has not been made yet.
    pub(crate) fn equip(&mut self) -> Result<(), SpawnError> {
        // One for each run: the long sum of one must not keep another from its limits.
        let needs_meter = self.supervision.needs_meter() || self.bounds.is_some();
        if needs_meter && self.supervision.meter.is_none() {
            let meter = Meter::start().map_err(|error| resources("make a thread", &error))?;
            self.supervision.meter = Some(meter);
        }
        if let (Some(bounds), None) = (&self.bounds, &self.group) {
            let group = Group::make(bounds).map_err(|error| resources("make a control group", &error))?;
            self.group = Some(group);
        }
        Ok(())
    }
}

/// The three standard streams, opened.
///
/// INVARIANT: none of them is descriptor 0, 1 or 2, so the child can put them there in any order.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) stdin: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

impl Streams {
    /// Opens the streams, and the terminal if the plan wants one.
    pub(crate) fn open(plan: StdioPlan) -> io::Result<(Self, Option<Terminal>)> {
        let stdin = open_stream(plan.stdin, &io::stdin(), OFlag::O_RDONLY)?;
        let stdout = open_stream(plan.stdout, &io::stdout(), OFlag::O_WRONLY)?;
        if let Some(size) = plan.tty {
            let terminal = Terminal::open(size, stdin, stdout)?;
            return Ok((terminal.streams()?, Some(terminal)));
        }
        let stderr = open_stream(plan.stderr, &io::stderr(), OFlag::O_WRONLY)?;
        Ok((Self { stdin, stdout, stderr }, None))
    }

    /// All three on one descriptor.
    pub(crate) fn of(fd: &impl AsFd) -> io::Result<Self> {
        Ok(Self { stdin: above_standard(fd)?, stdout: above_standard(fd)?, stderr: above_standard(fd)? })
    }
}

fn open_stream(plan: StreamPlan, ours: &impl AsFd, mode: OFlag) -> io::Result<OwnedFd> {
    match plan {
        StreamPlan::Null => open_null(mode),
        StreamPlan::Inherit => match above_standard(ours) {
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => open_null(mode),
            result => result,
        },
        StreamPlan::Descriptor(fd) if fd.as_raw_fd() > 2 => Ok(fd),
        StreamPlan::Descriptor(fd) => above_standard(&fd),
    }
}

fn open_null(mode: OFlag) -> io::Result<OwnedFd> {
    let fd = nix::fcntl::open("/dev/null", mode | OFlag::O_CLOEXEC, nix::sys::stat::Mode::empty())?;
    // With a closed standard stream the new descriptor is 0, 1 or 2.
    if fd.as_raw_fd() > 2 { Ok(fd) } else { above_standard(&fd) }
}

// std duplicates to 3 or higher, for the same reason as we do.
fn above_standard(fd: &impl AsFd) -> io::Result<OwnedFd> {
    fd.as_fd().try_clone_to_owned()
}

/// Why a run could not be started.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The program is not there any more.
    #[error("the program does not exist")]
    NotFound,
    /// The program is there, but the kernel cannot run it: no known format, or its interpreter is missing.
    #[error("the kernel cannot run the program: {0}")]
    NotExecutable(Errno),
    /// The kernel refused: a missing permission, or a file that was not granted.
    #[error("the kernel refused to run the program: {0}")]
    Denied(Errno),
    /// Arguments and environment are larger than the kernel takes.
    #[error("arguments and environment are too long")]
    TooLong,
    /// Out of processes, memory or descriptors.
    #[error("no resources to {doing}: {errno}")]
    Resources {
        /// What was being done.
        doing: &'static str,
        /// The kernel's answer.
        errno: Errno,
    },
    /// The private temporary directory cannot be made: where, and why.
    #[error(
        "no temporary directory can be made in {0}: {1}; set `TMPDIR` to a directory that can be written"
    )]
    Temporary(String, String),
    /// The launcher could not be restricted.
    #[error("the launcher cannot be restricted: {0}")]
    Restrict(String),
    /// The launcher has ended before its time.
    #[error("the launcher has ended")]
    LauncherEnded,
}

impl From<Failure> for SpawnError {
    fn from(Failure { step, errno }: Failure) -> Self {
        match (step, errno) {
            (Step::Execute, Errno::ENOENT | Errno::ENOTDIR) => Self::NotFound,
            (Step::Execute, Errno::EACCES | Errno::EPERM) => Self::Denied(errno),
            (Step::Execute, Errno::E2BIG) => Self::TooLong,
            (Step::Execute, Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::EAGAIN) => {
                Self::Resources { doing: "execute the program", errno }
            }
            (Step::Restrict, _) => {
                Self::Restrict(format!("landlock: no layer for the process: {}", errno.desc()))
            }
            (Step::Execute, _) => Self::NotExecutable(errno),
            (Step::Clone, _) => Self::Resources { doing: "make a process", errno },
            (Step::Isolate, _) => Self::Resources { doing: "isolate the process", errno },
            (Step::Group, _) => Self::Resources { doing: "enter the control group", errno },
            (Step::Directory, _) => Self::Resources { doing: "enter the working directory", errno },
            (Step::Streams, _) => Self::Resources { doing: "set up the standard streams", errno },
            (Step::Limits, _) => Self::Resources { doing: "set the resource limits", errno },
        }
    }
}

pub(crate) fn resources(doing: &'static str, error: &io::Error) -> SpawnError {
    SpawnError::Resources { doing, errno: error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw) }
}
