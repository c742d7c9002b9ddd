//! Resource limits as values that a child applies to itself.

use nix::unistd::Pid;

/// One resource limit, in the kernel's terms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResourceLimit {
    pub(super) resource: libc::c_int,
    pub(super) limit: libc::rlimit64,
}

/// The resources that we bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Resource {
    Core,
    Cpu,
    Data,
    FileSize,
    OpenFiles,
    Processes,
}

impl Resource {
    fn number(self) -> libc::c_int {
        let number = match self {
            Self::Core => libc::RLIMIT_CORE,
            Self::Cpu => libc::RLIMIT_CPU,
            Self::Data => libc::RLIMIT_DATA,
            Self::FileSize => libc::RLIMIT_FSIZE,
            Self::OpenFiles => libc::RLIMIT_NOFILE,
            Self::Processes => libc::RLIMIT_NPROC,
        };
        // glibc types the constants as unsigned, musl as signed.
        libc::c_int::try_from(number).unwrap_or(libc::c_int::MAX)
    }

    /// This process's own hard limit, above which no child may go. `u64::MAX` is no limit.
    pub(crate) fn hard_limit(self) -> nix::Result<u64> {
        self.of(Pid::from_raw(0)).map(|limit| limit.rlim_max)
    }

    /// The limit that a process has set itself within its hard one.
    pub(crate) fn soft_limit_of(self, process: Pid) -> nix::Result<u64> {
        self.of(process).map(|limit| limit.rlim_cur)
    }

    // 0 is the caller.
    fn of(self, process: Pid) -> nix::Result<libc::rlimit64> {
        let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
        let resource = self.number().cast_unsigned() as _;
        // SAFETY: no new limit is set, and the kernel writes one rlimit64.
        let result = unsafe { libc::prlimit64(process.as_raw(), resource, std::ptr::null(), &raw mut limit) };
        nix::errno::Errno::result(result)?;
        Ok(limit)
    }
}

impl ResourceLimit {
    pub(crate) fn new(resource: Resource, soft: u64, hard: u64) -> Self {
        Self { resource: resource.number(), limit: libc::rlimit64 { rlim_cur: soft, rlim_max: hard } }
    }
}
