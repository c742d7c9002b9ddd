//! What keeps a command from doing its work, said to people or to programs.

use std::fmt;
use std::io;
use std::path::Path;

use claw_policy::Diagnostic;
use claw_sandbox::plain_io_error;

use crate::exit::Exit;

/// Why a command stops.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A policy text has errors.
    Policy(Vec<Diagnostic>),
    /// Anything else, in one line: `<what>: <where>; <next step>`.
    Line {
        /// The line, without the program's name.
        line: String,
        /// How to end.
        exit: Exit,
    },
    /// The arguments make no sense, or ask for help: text that is ready to be shown.
    Arguments(clap::Error),
    /// Nobody reads our output any more.
    BrokenPipe,
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        Self::Arguments(error)
    }
}

/// What a command ends with.
pub(crate) type Outcome = Result<Exit, Failure>;

impl Failure {
    /// A failure that means: this cannot be done as asked.
    pub(crate) fn new(line: impl fmt::Display) -> Self {
        Self::Line { line: line.to_string(), exit: Exit::CannotEnforce }
    }

    /// The same, with another exit status where it is one line.
    pub(crate) fn with_exit(self, exit: Exit) -> Self {
        match self {
            Self::Line { line, .. } => Self::Line { line, exit },
            other => other,
        }
    }

    /// An I/O error at a path.
    pub(crate) fn io(what: &str, path: &Path, error: &io::Error, next_step: &str) -> Self {
        Self::new(format_args!("{what}: {}: {}; {next_step}", path.display(), plain_io_error(error)))
    }

    /// The exit status that goes with it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Policy(_) => Exit::CannotEnforce,
            Self::Line { exit, .. } => *exit,
            Self::Arguments(error) if !error.use_stderr() => Exit::Success,
            Self::Arguments(_) => Exit::CannotEnforce,
            Self::BrokenPipe => Exit::of_signal(13),
        }
    }
}

impl From<claw_sandbox::Error> for Failure {
    fn from(error: claw_sandbox::Error) -> Self {
        if error.diagnostics().is_empty() {
            Self::new(error)
        } else {
            Self::Policy(error.diagnostics().to_vec())
        }
    }
}

impl fmt::Display for Failure {
    /// As one line, for answers to programs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(diagnostics) => match diagnostics.first() {
                Some(first) => one_line(f, first),
                None => f.write_str("the policy is not valid"),
            },
            Self::Line { line, .. } => f.write_str(line),
            Self::Arguments(error) => error.fmt(f),
            Self::BrokenPipe => f.write_str("nobody reads the output"),
        }
    }
}

fn one_line(f: &mut fmt::Formatter<'_>, diagnostic: &Diagnostic) -> fmt::Result {
    let at = diagnostic.source.line_column(diagnostic.span.start);
    write!(f, "{}:{}:{}: {}", diagnostic.source.name(), at.line, at.column, diagnostic.message)?;
    diagnostic.help.as_ref().map_or(Ok(()), |help| write!(f, "; {help}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_read_as_part_of_a_sentence() {
        let error = io::Error::from_raw_os_error(2);
        let failure = Failure::io("cannot read", Path::new("/x"), &error, "check the path");
        let Failure::Line { line, .. } = failure else { panic!("not a line") };
        assert_eq!(line, "cannot read: /x: no such file or directory; check the path");
    }
}
