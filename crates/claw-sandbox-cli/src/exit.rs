//! Exit statuses.

use std::process::ExitCode;

/// How this command ends. The numbers are a contract; `env`, `timeout` and shells use the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// Everything is as asked.
    Success,
    /// There are findings (`lint --deny-warnings`, `doctor`, `audit`).
    Findings,
    /// The run took too long.
    TimedOut,
    /// The policy, the arguments or the kernel do not let us start.
    CannotEnforce,
    /// The policy says no, or somebody would have to be asked; or the command is no program.
    Denied,
    /// There is no such command.
    NotFound,
    /// The command's own status, or 128 + the signal that ended it.
    Status(u8),
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Findings => 1,
            Self::TimedOut => 124,
            Self::CannotEnforce => 125,
            Self::Denied => 126,
            Self::NotFound => 127,
            Self::Status(status) => status,
        }
    }

    /// What a shell reports for a process that this signal ended.
    pub(crate) const fn of_signal(signal: u8) -> Self {
        Self::Status(128_u8.saturating_add(signal))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
