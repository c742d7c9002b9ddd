//! A command to be run in the sandbox, in the manner of `std::process::Command`.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output};
use std::time::Duration;

use crate::child::Child;
use crate::request::{CommandLine, DEFAULT_SHELL, ExecInput};
use crate::{Error, Sandbox, StdioPlan, StreamPlan, TtySize, pipeline};

/// Where a standard stream of a command comes from or goes to.
#[derive(Debug)]
pub struct Stdio(Kind);

#[derive(Debug)]
enum Kind {
    Inherit,
    Null,
    Piped,
    Descriptor(OwnedFd),
}

impl Stdio {
    /// Our own stream.
    #[must_use]
    pub const fn inherit() -> Self {
        Self(Kind::Inherit)
    }

    /// `/dev/null`.
    #[must_use]
    pub const fn null() -> Self {
        Self(Kind::Null)
    }

    /// A new pipe; our end is in the [`Child`].
    #[must_use]
    pub const fn piped() -> Self {
        Self(Kind::Piped)
    }
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Self {
        Self(Kind::Descriptor(fd))
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Self {
        Self(Kind::Descriptor(file.into()))
    }
}

impl From<PipeReader> for Stdio {
    fn from(pipe: PipeReader) -> Self {
        Self(Kind::Descriptor(pipe.into()))
    }
}

impl From<PipeWriter> for Stdio {
    fn from(pipe: PipeWriter) -> Self {
        Self(Kind::Descriptor(pipe.into()))
    }
}

/// A command to be run in a [`Sandbox`].
///
/// It mirrors `std::process::Command`, with three differences: a bare program name is looked up in the policy's
/// trusted directories, the environment starts empty but for what the policy passes of ours, and a command that the
/// policy denies is an error with the denial as data ([`Error::denial`]).
#[derive(Debug)]
pub struct Command {
    sandbox: Sandbox,
    line: CommandLine,
    cwd: Option<PathBuf>,
    inherits: bool,
    environment: BTreeMap<OsString, Option<OsString>>,
    stdin: Option<Stdio>,
    stdout: Option<Stdio>,
    stderr: Option<Stdio>,
    tty: Option<TtySize>,
    timeout: Option<Duration>,
}

impl Command {
    pub(crate) fn argv(sandbox: Sandbox, program: &OsStr) -> Self {
        Self::new(sandbox, CommandLine::Argv(vec![program.as_bytes().to_vec()]))
    }

    pub(crate) fn line(sandbox: Sandbox, line: &OsStr) -> Self {
        let (text, shell) = (line.as_bytes().to_vec(), DEFAULT_SHELL.as_bytes().to_vec());
        Self::new(sandbox, CommandLine::Line { text, shell })
    }

    const fn new(sandbox: Sandbox, line: CommandLine) -> Self {
        Self {
            sandbox,
            line,
            cwd: None,
            inherits: true,
            environment: BTreeMap::new(),
            stdin: None,
            stdout: None,
            stderr: None,
            tty: None,
            timeout: None,
        }
    }

    /// Adds an argument. A command that is a shell line has none: this is without effect there.
    pub fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Self {
        if let CommandLine::Argv(argv) = &mut self.line {
            argv.push(argument.as_ref().as_bytes().to_vec());
        }
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        for argument in arguments {
            self.arg(argument);
        }
        self
    }

    /// Asks to set a variable. The policy says whether it passes.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.environment.insert(name.as_ref().to_owned(), Some(value.as_ref().to_owned()));
        self
    }

    /// Asks to set variables.
    pub fn envs(
        &mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> &mut Self {
        for (name, value) in variables {
            self.env(name, value);
        }
        self
    }

    /// Does not pass a variable of ours.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.environment.insert(name.as_ref().to_owned(), None);
        self
    }

    /// Passes none of our variables.
    pub fn env_clear(&mut self) -> &mut Self {
        self.inherits = false;
        self.environment.clear();
        self
    }

    /// Starts in this directory instead of ours.
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.cwd = Some(directory.as_ref().to_owned());
        self
    }

    /// Standard input.
    pub fn stdin(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
        self.stdin = Some(stdio.into());
        self
    }

    /// Standard output.
    pub fn stdout(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
        self.stdout = Some(stdio.into());
        self
    }

    /// Standard error.
    pub fn stderr(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
        self.stderr = Some(stdio.into());
        self
    }

    /// Gives it a terminal of its own, with a window of this size, as its three streams and its controlling
    /// terminal. The terminal reads from what is set as standard input (a terminal there passes its settings on)
    /// and shows on what is set as standard output; standard error is not used.
    ///
    /// Job control works inside, and it cannot push input into the terminal that we run on. Who wants every key to
    /// arrive as it is typed sets his own terminal to raw mode while it runs.
    pub fn tty(&mut self, size: TtySize) -> &mut Self {
        self.tty = Some(size);
        self
    }

    /// Ends the run after this time; the policy's own limit still holds.
    pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
        self.timeout = Some(timeout);
        self
    }

    /// The shell that reads a line, by bare name or absolute path. Without effect on a command that is none.
    pub fn shell_program(&mut self, program: impl AsRef<OsStr>) -> &mut Self {
        if let CommandLine::Line { shell, .. } = &mut self.line {
            *shell = program.as_ref().as_bytes().to_vec();
        }
        self
    }

    /// The request that would be decided.
    ///
    /// # Errors
    ///
    /// When our own working directory is gone.
    pub fn input(&self) -> Result<ExecInput, Error> {
        let ours = || std::env::current_dir().map_err(|error| Error::io("use the current directory", error));
        let cwd = match &self.cwd {
            Some(cwd) if cwd.is_absolute() => cwd.clone(),
            Some(cwd) => ours()?.join(cwd),
            None => ours()?,
        };
        let command = self.line.clone();
        Ok(ExecInput { command, cwd, environment: self.passed(), timeout: self.timeout })
    }

    fn passed(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all: BTreeMap<OsString, OsString> =
            if self.inherits { std::env::vars_os().collect() } else { BTreeMap::new() };
        for (name, value) in &self.environment {
            match value {
                Some(value) => all.insert(name.clone(), value.clone()),
                None => all.remove(name),
            };
        }
        let bytes = |text: OsString| text.into_encoded_bytes();
        all.into_iter().map(|(name, value)| (bytes(name), bytes(value))).collect()
    }

    /// Starts it. Streams that are not set are ours.
    ///
    /// # Errors
    ///
    /// When the policy denies it, when the kernel cannot enforce what the policy demands, or when it cannot start.
    /// Nothing has started then.
    pub fn spawn(&mut self) -> Result<Child, Error> {
        self.start([Stdio::inherit, Stdio::inherit, Stdio::inherit])
    }

    /// Runs it to its end with our streams.
    ///
    /// # Errors
    ///
    /// As [`Self::spawn`].
    pub fn status(&mut self) -> Result<ExitStatus, Error> {
        self.spawn()?.wait()
    }

    /// Runs it to its end and collects what it writes. Streams that are not set are `/dev/null` and pipes.
    ///
    /// # Errors
    ///
    /// As [`Self::spawn`].
    pub fn output(&mut self) -> Result<Output, Error> {
        self.start(Streams::COLLECTED)?.wait_with_output()
    }

    // Streams are used up by one start; a second one has the defaults.
    fn start(&mut self, defaults: [fn() -> Stdio; 3]) -> Result<Child, Error> {
        let input = self.input()?;
        let streams = Streams {
            stdin: self.stdin.take(),
            stdout: self.stdout.take(),
            stderr: self.stderr.take(),
            tty: self.tty,
        };
        let (io, ends) = streams.plan(defaults)?;
        Ok(ends.of(pipeline::launch(self.sandbox.parts(), &input, io)?))
    }
}

/// The standard streams of a command. What is not set is `/dev/null` for input and a pipe for output.
#[derive(Debug, Default)]
pub struct Streams {
    /// Standard input.
    pub stdin: Option<Stdio>,
    /// Standard output.
    pub stdout: Option<Stdio>,
    /// Standard error.
    pub stderr: Option<Stdio>,
    /// A terminal of the command's own, of this size; see [`Command::tty`].
    pub tty: Option<TtySize>,
}

impl Streams {
    /// Our own streams, as a command at a terminal has them.
    #[must_use]
    pub const fn inherited() -> Self {
        Self {
            stdin: Some(Stdio::inherit()),
            stdout: Some(Stdio::inherit()),
            stderr: Some(Stdio::inherit()),
            tty: None,
        }
    }

    pub(crate) fn plan(self, defaults: [fn() -> Stdio; 3]) -> Result<(StdioPlan, Ends), Error> {
        let [stdin, stdout, stderr] = defaults;
        let (stdin, to_child) = incoming(self.stdin.unwrap_or_else(stdin))?;
        let (stdout, from_stdout) = outgoing(self.stdout.unwrap_or_else(stdout))?;
        let stderr = if self.tty.is_some() { Stdio::null } else { stderr };
        let (stderr, from_stderr) = outgoing(self.stderr.unwrap_or_else(stderr))?;
        let io = StdioPlan { stdin, stdout, stderr, tty: self.tty };
        Ok((io, Ends { stdin: to_child, stdout: from_stdout, stderr: from_stderr }))
    }

    /// The defaults of a command whose output is collected.
    pub(crate) const COLLECTED: [fn() -> Stdio; 3] = [Stdio::null, Stdio::piped, Stdio::piped];
}

/// Our ends of a command's pipes.
#[derive(Debug)]
pub(crate) struct Ends {
    stdin: Option<PipeWriter>,
    stdout: Option<PipeReader>,
    stderr: Option<PipeReader>,
}

impl Ends {
    pub(crate) fn of(self, launched: pipeline::Launched) -> Child {
        Child::new(launched, self.stdin, self.stdout, self.stderr)
    }
}

fn incoming(stdio: Stdio) -> Result<(StreamPlan, Option<PipeWriter>), Error> {
    if let Kind::Piped = stdio.0 {
        let (theirs, ours) = pipe()?;
        return Ok((StreamPlan::Descriptor(theirs.into()), Some(ours)));
    }
    Ok((plain(stdio), None))
}

fn outgoing(stdio: Stdio) -> Result<(StreamPlan, Option<PipeReader>), Error> {
    if let Kind::Piped = stdio.0 {
        let (ours, theirs) = pipe()?;
        return Ok((StreamPlan::Descriptor(theirs.into()), Some(ours)));
    }
    Ok((plain(stdio), None))
}

fn pipe() -> Result<(PipeReader, PipeWriter), Error> {
    io::pipe().map_err(|error| Error::io("make a pipe", error))
}

fn plain(stdio: Stdio) -> StreamPlan {
    match stdio.0 {
        Kind::Inherit | Kind::Piped => StreamPlan::Inherit,
        Kind::Null => StreamPlan::Null,
        Kind::Descriptor(fd) => StreamPlan::Descriptor(fd),
    }
}
