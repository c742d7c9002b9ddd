//! Execs that a person is asked about.
//!
//! An answer takes as long as a person does, and the supervisor has other calls to answer: those of the same run, and,
//! when the run is over, those of the next one. So each question waits on a thread of its own, and its answer comes back
//! to the supervisor, which alone may hold the caller in its exec.
#![forbid(unsafe_code)]

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;

use nix::errno::Errno;

use super::exec::Pending;
use super::oversight::{Inquiry, Verdict};
use crate::sys::fd::Bell;

// Questions of one run thread that are open at the same time. Each is a thread of ours, and more than a person answers.
const MOST: usize = 32;

const NO_ANSWER: &str = "denied: nobody could be asked: whoever asks has failed";

/// The questions that are open.
#[derive(Debug)]
pub(super) struct Questions {
    open: Arc<AtomicUsize>,
    answer: Sender<(Pending, Verdict)>,
    answers: Receiver<(Pending, Verdict)>,
    /// Rings when there is an answer.
    pub(super) bell: Arc<Bell>,
}

impl Questions {
    pub(super) fn new() -> io::Result<Self> {
        let (answer, answers) = channel();
        Ok(Self { open: Arc::default(), answer, answers, bell: Arc::new(Bell::new()?) })
    }

    /// Asks. An error is the caller's answer.
    pub(super) fn put(&self, pending: Pending, inquiry: Inquiry) -> nix::Result<()> {
        if self.open.load(Ordering::Relaxed) >= MOST {
            return Err(Errno::EAGAIN);
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        let (open, answer, bell) = (Arc::clone(&self.open), self.answer.clone(), Arc::clone(&self.bell));
        let ask = move || {
            // Whatever an approver does, the caller gets an answer.
            let verdict = catch_unwind(AssertUnwindSafe(|| inquiry(pending.terminal())));
            open.fetch_sub(1, Ordering::Relaxed);
            // A supervisor that has ended took the listener with it.
            let _ = answer.send((pending, verdict.unwrap_or_else(|_| Verdict::Deny(NO_ANSWER.into()))));
            bell.ring();
        };
        Builder::new().name("claw-question".into()).spawn(ask).map(drop).map_err(|_| {
            self.open.fetch_sub(1, Ordering::Relaxed);
            Errno::EAGAIN
        })
    }

    /// What has been answered.
    pub(super) fn answered(&self) -> impl Iterator<Item = (Pending, Verdict)> {
        self.bell.silence();
        self.answers.try_iter()
    }
}
