//! What a caller asks to run, before anything is known about it.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use claw_policy::{Code, Denial, Environment, ExecRequest, Reason};
use claw_shell::{Dialect, ParseError, ParseErrorKind, Script};

/// The shell that reads a line when the caller names none.
pub const DEFAULT_SHELL: &str = "bash";

/// A command as its caller wrote it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CommandLine {
    /// A program and its arguments; no shell is involved.
    Argv(Vec<Vec<u8>>),
    /// A line for a shell.
    Line {
        /// The line.
        text: Vec<u8>,
        /// The shell's bare name or absolute path.
        shell: Vec<u8>,
    },
}

/// A request to run a command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExecInput {
    /// What to run.
    pub command: CommandLine,
    /// Where, absolute.
    pub cwd: PathBuf,
    /// The variables that the caller asks to pass; the policy says which do.
    pub environment: Environment,
    /// An end that the caller sets; the policy's own limit still holds.
    pub timeout: Option<Duration>,
}

impl ExecInput {
    /// Everything that the command could run.
    ///
    /// # Errors
    ///
    /// A denial when the line does not parse: what we cannot read does not run.
    pub fn parse(&self) -> Result<Script, Denial> {
        let script = match &self.command {
            CommandLine::Argv(argv) => claw_shell::from_argv(argv),
            CommandLine::Line { text, shell } => claw_shell::parse(text, dialect(shell)),
        };
        script.map_err(|error| unreadable(&error))
    }

    /// The request in the decision point's words.
    #[must_use]
    pub fn request<'a>(&'a self, script: &'a Script) -> ExecRequest<'a> {
        let (shell, line) = match &self.command {
            CommandLine::Argv(_) => (None, None),
            CommandLine::Line { text, shell } => (Some(shell.as_slice()), Some(text.as_slice())),
        };
        ExecRequest { script, shell, line, cwd: self.cwd.clone(), environment: self.environment.clone() }
    }
}

/// bash has its own dialect; every other shell is taken for a POSIX shell.
fn dialect(shell: &[u8]) -> Dialect {
    match shell.rsplit(|byte| *byte == b'/').next() {
        Some(b"bash") => Dialect::Bash,
        _ => Dialect::Posix,
    }
}

fn unreadable(error: &ParseError) -> Denial {
    let code = match error.kind {
        ParseErrorKind::TooLong | ParseErrorKind::TooDeep | ParseErrorKind::TooMany => Code::ShellBounds,
        _ => Code::ShellSyntax,
    };
    let message = format!("the command line cannot be read: {error}");
    let reason = Reason { code, message: message.into(), rule: None, span: Some(error.span), change: None };
    Denial { reasons: vec![reason], commands: Vec::new() }
}
