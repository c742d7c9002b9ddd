//! What keeps a command from running.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;

use claw_policy::{Code, Denial, Diagnostic, Reason};

use crate::policy_file::PolicyFileError;
use crate::{PrepareError, SpawnError, told};

/// Why something could not be done. A refusal by the policy is one of the kinds, with the denial as data.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
enum Inner {
    Policy(Vec<Diagnostic>),
    File(PolicyFileError),
    Denied(Denial),
    Prepare(PrepareError),
    Spawn(SpawnError),
    Audit(String),
    Workspace(String),
    Io(&'static str, io::Error),
}

/// The kinds of [`Error`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A policy is missing or not valid, or does not fit this machine.
    Policy,
    /// The policy denies it, or somebody would have to be asked.
    Denied,
    /// The program does not exist.
    NotFound,
    /// The program is there, but cannot be executed.
    NotExecutable,
    /// The kernel cannot give what the policy demands, or the launch failed.
    Enforcement,
    /// The audit log cannot be written.
    Audit,
    /// Reading or writing failed.
    Io,
}

impl Error {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Inner::Policy(_) | Inner::File(_) | Inner::Workspace(_) => ErrorKind::Policy,
            Inner::Denied(_) => ErrorKind::Denied,
            Inner::Prepare(PrepareError::Program(reason)) if reason.code != Code::ExecNotFound => {
                ErrorKind::NotExecutable
            }
            Inner::Prepare(PrepareError::Program(_) | PrepareError::ProgramGone { .. })
            | Inner::Spawn(SpawnError::NotFound) => ErrorKind::NotFound,
            Inner::Spawn(SpawnError::NotExecutable(_)) => ErrorKind::NotExecutable,
            Inner::Prepare(_) | Inner::Spawn(_) => ErrorKind::Enforcement,
            Inner::Audit(_) => ErrorKind::Audit,
            Inner::Io(..) => ErrorKind::Io,
        }
    }

    /// The refusal, when the policy refused.
    #[must_use]
    pub fn denial(&self) -> Option<&Denial> {
        match &*self.0 {
            Inner::Denied(denial) => Some(denial),
            _ => None,
        }
    }

    /// The same with every next step, as one line.
    #[must_use]
    pub fn report(&self) -> String {
        told::one_line(&self.report_lines())
    }

    /// The same for people at a terminal: a line for what was denied, one for the rule and one for the next step.
    #[must_use]
    pub fn report_lines(&self) -> String {
        self.denial().map_or_else(|| self.to_string(), |denial| told::told(denial, None))
    }

    /// What is wrong with the policy's text.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match &*self.0 {
            Inner::Policy(diagnostics) => diagnostics,
            _ => &[],
        }
    }

    pub(crate) fn workspace(message: String) -> Self {
        Self(Box::new(Inner::Workspace(message)))
    }

    pub(crate) fn audit(error: &dyn fmt::Display) -> Self {
        Self(Box::new(Inner::Audit(error.to_string())))
    }

    pub(crate) fn io(doing: &'static str, error: io::Error) -> Self {
        Self(Box::new(Inner::Io(doing, error)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Inner::Policy(diagnostics) => match diagnostics.first() {
                Some(first) => first.fmt(f),
                None => f.write_str("the policy is not valid"),
            },
            Inner::File(error) => error.fmt(f),
            Inner::Denied(denial) => match denial.reasons.first() {
                Some(reason) => describe(f, reason),
                None => f.write_str("denied"),
            },
            Inner::Prepare(error) => error.fmt(f),
            Inner::Spawn(error) => error.fmt(f),
            Inner::Audit(message) => f.write_str(message),
            Inner::Workspace(message) => f.write_str(message),
            Inner::Io(doing, error) => write!(f, "cannot {doing}: {}", plain_io_error(error)),
        }
    }
}

/// An error of the system as part of a sentence: without Rust's `(os error 2)`, with a lower-case start.
#[must_use]
pub fn plain_io_error(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// One line: what, by which rule, and the way out.
fn describe(f: &mut fmt::Formatter<'_>, reason: &Reason) -> fmt::Result {
    write!(f, "denied: {}", reason.message)?;
    if let Some(rule) = &reason.rule {
        write!(f, " (rule {rule} `{}`)", rule.text)?;
    }
    match &reason.change {
        Some(change) => write!(f, "; to allow it: {change}"),
        None => Ok(()),
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            Inner::File(error) => Some(error),
            Inner::Prepare(error) => Some(error),
            Inner::Spawn(error) => Some(error),
            Inner::Io(_, error) => Some(error),
            _ => None,
        }
    }
}

impl From<Vec<Diagnostic>> for Error {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self(Box::new(Inner::Policy(diagnostics)))
    }
}

impl From<PolicyFileError> for Error {
    fn from(error: PolicyFileError) -> Self {
        match error {
            PolicyFileError::NotText(diagnostic) => vec![*diagnostic].into(),
            error => Self(Box::new(Inner::File(error))),
        }
    }
}

impl From<Denial> for Error {
    fn from(denial: Denial) -> Self {
        Self(Box::new(Inner::Denied(denial)))
    }
}

impl From<PrepareError> for Error {
    fn from(error: PrepareError) -> Self {
        Self(Box::new(Inner::Prepare(error)))
    }
}

impl From<SpawnError> for Error {
    fn from(error: SpawnError) -> Self {
        Self(Box::new(Inner::Spawn(error)))
    }
}
