//! From a host's words to the decision point's.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use claw_policy::{Code, Denial, FileRequest, Origin, Reason};
use claw_wire::{Exec, File, Request};

use crate::{CommandLine, DEFAULT_SHELL, ExecInput, Sandbox};

/// Where a request is about; the workspace when it does not say.
pub(super) fn directory(sandbox: &Sandbox, request: &Request) -> PathBuf {
    match &request.cwd {
        Some(cwd) => PathBuf::from(OsStr::from_bytes(&cwd.0)),
        None => sandbox.policy().workspace().unwrap_or(Path::new("/")).to_owned(),
    }
}

pub(super) fn command(exec: &Exec, cwd: PathBuf) -> ExecInput {
    let bytes = |words: &[claw_wire::Bytes]| words.iter().map(|word| word.0.clone()).collect();
    let command = match (&exec.command, &exec.argv) {
        (Some(text), _) => {
            let shell = exec.shell.as_deref().unwrap_or(DEFAULT_SHELL).into();
            CommandLine::Line { text: text.0.clone(), shell }
        }
        (None, argv) => CommandLine::Argv(argv.as_deref().map(bytes).unwrap_or_default()),
    };
    let environment =
        exec.env.iter().map(|(name, value)| (name.clone().into_bytes(), value.0.clone())).collect();
    ExecInput { command, cwd, environment, timeout: exec.timeout_ms.map(Duration::from_millis) }
}

pub(super) fn file(file: &File, cwd: PathBuf) -> FileRequest {
    FileRequest {
        action: file.action,
        path: file.path.0.clone(),
        to: file.to.as_ref().map(|to| to.0.clone()),
        recursive: file.recursive,
        cwd,
        origin: Origin::Runtime,
    }
}

/// What makes no sense before any policy is asked.
pub(super) fn refuse(exec: Option<&Exec>, cwd: &Path) -> Result<(), Denial> {
    if !cwd.is_absolute() {
        return Err(denial(Code::CwdInvalid, "the working directory is not an absolute path"));
    }
    match exec {
        Some(exec) if exec.clone().checked().is_err() => {
            Err(denial(Code::ShellSyntax, "a command is either a line for a shell or an argument vector"))
        }
        _ => Ok(()),
    }
}

/// A refusal that no rule of the policy makes.
pub(super) fn denial(code: Code, message: impl Into<claw_policy::Message>) -> Denial {
    let reason = Reason { code, message: message.into(), rule: None, span: None, change: None };
    Denial { reasons: vec![reason], commands: Vec::new() }
}
