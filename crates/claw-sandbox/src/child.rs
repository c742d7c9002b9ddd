//! A command that runs in the sandbox, in the manner of `std::process::Child`.
#![forbid(unsafe_code)]

use std::io::{PipeReader, PipeWriter, Read as _};
use std::process::{ExitStatus, Output};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::pipeline::Launched;
use crate::{Enforcement, Error, Outcome, TtySize};

/// A command that runs in the sandbox.
///
/// Unlike `std::process::Child`, dropping it kills the run with all of its processes.
#[derive(Debug)]
#[must_use = "dropping a child kills its run"]
pub struct Child {
    // The first to be dropped: a command must not take the end of a dropped pipe for the end of its input.
    launched: Launched,
    /// Our end of its standard input, when it is piped.
    pub stdin: Option<PipeWriter>,
    /// Our end of its standard output, when it is piped.
    pub stdout: Option<PipeReader>,
    /// Our end of its standard error, when it is piped.
    pub stderr: Option<PipeReader>,
}

impl Child {
    pub(crate) const fn new(
        launched: Launched,
        stdin: Option<PipeWriter>,
        stdout: Option<PipeReader>,
        stderr: Option<PipeReader>,
    ) -> Self {
        Self { launched, stdin, stdout, stderr }
    }

    /// The main process's id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.launched.running.id()
    }

    /// What is enforced, and how.
    #[must_use]
    pub const fn enforcement(&self) -> &Enforcement {
        &self.launched.enforcement
    }

    /// Kills the run, all of its processes. Returns at once.
    pub fn kill(&self) {
        self.launched.running.kill();
    }

    /// Asks every process of the run to end; what is left after two seconds is killed.
    pub fn terminate(&self) {
        self.launched.running.terminate();
    }

    /// Changes the size of the terminal that [`crate::Command::tty`] gave it.
    pub fn resize(&self, size: TtySize) {
        self.launched.running.resize(size);
    }

    /// Sends a signal to the main process's group. An unknown number is ignored.
    pub fn signal(&self, signal: i32) {
        if let Ok(signal) = Signal::try_from(signal) {
            self.launched.running.signal(signal);
        }
    }

    /// Waits until the run has ended and nothing of it is left. Closes our end of its standard input first.
    ///
    /// # Errors
    ///
    /// When the end cannot be recorded in the audit log.
    pub fn wait(&mut self) -> Result<ExitStatus, Error> {
        self.outcome().map(|outcome| Launched::status(&outcome))
    }

    /// As [`Self::wait`], with everything that is known about the run.
    ///
    /// # Errors
    ///
    /// When the end cannot be recorded in the audit log.
    pub fn outcome(&mut self) -> Result<Outcome, Error> {
        drop(self.stdin.take());
        self.observe()
    }

    /// As [`Self::outcome`] for a child that others look at too: our end of its standard input stays open.
    ///
    /// # Errors
    ///
    /// When the end cannot be recorded in the audit log.
    pub fn observe(&self) -> Result<Outcome, Error> {
        let outcome = self.launched.running.wait();
        self.launched.record(&outcome)?;
        Ok(outcome)
    }

    /// Whether the run ends within `patience`.
    #[must_use]
    pub fn ends_within(&self, patience: Duration) -> bool {
        self.launched.running.wait_for(patience).is_some()
    }

    /// The status if the run has ended.
    ///
    /// # Errors
    ///
    /// When the end cannot be recorded in the audit log.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        let Some(outcome) = self.launched.running.try_wait() else { return Ok(None) };
        self.launched.record(&outcome)?;
        Ok(Some(Launched::status(&outcome)))
    }

    /// Waits for the end and collects what it writes to its pipes.
    ///
    /// # Errors
    ///
    /// When reading fails, or the end cannot be recorded in the audit log.
    pub fn wait_with_output(mut self) -> Result<Output, Error> {
        drop(self.stdin.take());
        let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
        let (stdout, stderr) = thread::scope(|scope| {
            let stderr = scope.spawn(|| read(stderr));
            let stdout = read(stdout);
            (stdout, stderr.join().unwrap_or_else(|_| Ok(Vec::new())))
        });
        let status = self.wait()?;
        Ok(Output { status, stdout: stdout?, stderr: stderr? })
    }
}

fn read(pipe: Option<PipeReader>) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes).map_err(|error| Error::io("read the output", error))?;
    }
    Ok(bytes)
}
