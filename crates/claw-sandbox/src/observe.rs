//! A run that has started, as its caller sees it.
//!
//! The run thread does the work; this side asks and waits. Everything here may be used from any
//! number of threads.
#![forbid(unsafe_code)]

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::Outcome;
use crate::launcher::Launcher;
use crate::spawn::{ChildSpec, SpawnError};
use crate::sys::fd::Bell;
use crate::sys::signal::signal_group;
use crate::terminal::{TtySize, Window};

// A process in uninterruptible sleep can outlive SIGKILL for as long as its device likes; dropping
// a run does not wait for that.
pub(crate) const DROP_PATIENCE: Duration = Duration::from_secs(2);

/// A run that has started.
///
/// Dropping it before its end kills the run, all of its processes, and waits until they are gone.
#[derive(Debug)]
#[must_use = "dropping a run kills it"]
pub struct Running {
    id: Pid,
    state: Arc<RunState>,
    window: Window,
    // Keeps the private temporary directory and the launcher until the run's end.
    _launcher: Arc<Launcher>,
}

impl Running {
    pub(crate) fn new(id: Pid, state: Arc<RunState>, window: Window, launcher: Arc<Launcher>) -> Self {
        Self { id, state, window, _launcher: launcher }
    }

    /// The main process's id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id.as_raw().unsigned_abs()
    }

    /// Waits until the run has ended and nothing of it is left.
    #[must_use]
    pub fn wait(&self) -> Outcome {
        self.state.wait()
    }

    /// Waits for at most `patience`. `None` when the run has not ended by then.
    #[must_use]
    pub fn wait_for(&self, patience: Duration) -> Option<Outcome> {
        self.state.wait_until(Instant::now().checked_add(patience))
    }

    /// The outcome if the run has ended.
    #[must_use]
    pub fn try_wait(&self) -> Option<Outcome> {
        self.state.lock().outcome()
    }

    /// Asks for the end of the run: every process gets SIGKILL, however it tries to escape.
    ///
    /// Returns at once; [`Self::wait`] returns when they are gone.
    pub fn kill(&self) {
        self.state.request(Request::Kill);
    }

    /// Asks for the end of the run: every process gets SIGTERM, then after the grace SIGKILL.
    pub fn terminate(&self) {
        self.state.request(Request::Terminate);
    }

    /// Changes the size of the run's terminal, as a window that is dragged does. Without effect where the run
    /// has no terminal of its own.
    pub fn resize(&self, size: TtySize) {
        self.window.resize(size);
    }

    /// Sends `signal` to the main process's group, as a terminal would. Ignored after its end.
    pub fn signal(&self, signal: Signal) {
        let phase = self.state.lock();
        // INVARIANT: the run thread reaps under this lock, so the id is still the run's.
        if let Phase::Started(id) = *phase {
            signal_group(id, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.try_wait().is_none() {
            self.kill();
            let _ = self.wait_for(DROP_PATIENCE);
        }
    }
}

/// What a caller asks of the run thread.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Request {
    Terminate,
    Kill,
}

/// Shared between the caller and the run thread.
#[derive(Debug)]
pub(crate) struct RunState {
    phase: Mutex<Phase>,
    changed: Condvar,
    request: Mutex<Option<Request>>,
    bell: Arc<Bell>,
}

#[derive(Debug)]
pub(crate) enum Phase {
    Starting,
    Failed(Box<Failed>),
    Started(Pid),
    /// The main process has been reaped; the rest of the run may be there still.
    Reaped(Pid),
    Ended(Pid, Box<Outcome>),
}

/// A launch that failed, and what it was made of, so that it can be tried again.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: SpawnError,
    pub(crate) spec: ChildSpec,
}

impl Phase {
    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Ended(_, outcome) => Some((**outcome).clone()),
            _ => None,
        }
    }
}

impl RunState {
    pub(crate) fn new(bell: Arc<Bell>) -> Self {
        Self { phase: Mutex::new(Phase::Starting), changed: Condvar::new(), request: Mutex::new(None), bell }
    }

    /// The current phase. Holding it keeps the run from going on to the next.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Phase> {
        // No code that can panic runs under the lock.
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(&self, phase: Phase) {
        *self.lock() = phase;
        self.changed.notify_all();
    }

    /// Waits until the child runs or has failed to.
    pub(crate) fn started(&self) -> Result<Pid, Box<Failed>> {
        let mut phase = self.lock();
        loop {
            phase = match std::mem::replace(&mut *phase, Phase::Starting) {
                Phase::Starting => self.changed.wait(phase).unwrap_or_else(PoisonError::into_inner),
                Phase::Failed(failed) => return Err(failed),
                // A short run may have ended before its caller woke up.
                started @ (Phase::Started(id) | Phase::Reaped(id) | Phase::Ended(id, _)) => {
                    *phase = started;
                    return Ok(id);
                }
            };
        }
    }

    /// The strongest request so far.
    pub(crate) fn requested(&self) -> Option<Request> {
        self.bell.silence();
        *self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn request(&self, request: Request) {
        let mut pending = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        *pending = (*pending).max(Some(request));
        self.bell.ring();
    }

    fn wait(&self) -> Outcome {
        loop {
            if let Some(outcome) = self.wait_until(None) {
                return outcome;
            }
        }
    }

    // Without a deadline this returns only with an outcome.
    fn wait_until(&self, deadline: Option<Instant>) -> Option<Outcome> {
        let mut phase = self.lock();
        loop {
            if let Some(outcome) = phase.outcome() {
                return Some(outcome);
            }
            phase = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(phase).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return None,
                Some(left) => {
                    self.changed.wait_timeout(phase, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}
