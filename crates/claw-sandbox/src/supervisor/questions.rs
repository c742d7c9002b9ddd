//! Execs that a person is asked about.
//!
//! An answer takes as long as a person does, and the supervisor has other calls to answer: those of the same run, and,
//! when the run is over, those of the next one. So each question waits on a thread of its own, and its answer comes back
//! to the supervisor, which alone may hold the caller in its exec.
#![forbid(unsafe_code)]

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::Builder;

use super::exec::Pending;
use super::oversight::{Inquiry, Verdict};
use crate::sys::fd::Bell;
use crate::sys::notify::Listener;

// Questions of one run that are open at the same time. Each is a thread of ours, and more than a person answers.
const MOST: usize = 32;
// Of the runs of one run thread together: an approver that asks about runs which have ended keeps their threads.
const MOST_OF_ALL: usize = 256;

const NO_ANSWER: &str = "denied: nobody could be asked: whoever asks has failed";

/// The questions that are open.
#[derive(Debug)]
pub(super) struct Questions {
    open: Arc<AtomicUsize>,
    answer: Sender<(Arc<Pending>, Verdict)>,
    answers: Receiver<(Arc<Pending>, Verdict)>,
    /// Rings when there is an answer.
    pub(super) bell: Arc<Bell>,
}

impl Questions {
    pub(super) fn new() -> io::Result<Self> {
        let (answer, answers) = channel();
        Ok(Self { open: Arc::default(), answer, answers, bell: Arc::new(Bell::new()?) })
    }

    /// Asks, if the run has few open questions, `of_run`. Gives back what nobody is asked about.
    pub(super) fn put(
        &self,
        pending: Pending,
        inquiry: Inquiry,
        of_run: &OpenQuestions,
        listener: &Arc<Listener>,
    ) -> Result<(), Arc<Pending>> {
        let pending = Arc::new(pending);
        let Some(slots) = Slot::take(&of_run.0, MOST).zip(Slot::take(&self.open, MOST_OF_ALL)) else {
            return Err(pending);
        };
        let (answer, bell, listener) =
            (self.answer.clone(), Arc::clone(&self.bell), Arc::downgrade(listener));
        let asked = Arc::clone(&pending);
        let ask = move || {
            let waits = || Weak::upgrade(&listener).is_some_and(|listener| asked.waits(&listener));
            // Whatever an approver does, the caller gets an answer.
            let verdict = catch_unwind(AssertUnwindSafe(|| inquiry(asked.terminal(), &waits)));
            drop(slots);
            // A supervisor that has ended took the listener with it.
            let _ = answer.send((asked, verdict.unwrap_or_else(|_| Verdict::Deny(NO_ANSWER.into()))));
            bell.ring();
        };
        match Builder::new().name("claw-question".into()).spawn(ask) {
            Ok(_) => Ok(()),
            Err(_) => Err(pending),
        }
    }

    /// What has been answered.
    pub(super) fn answered(&self) -> impl Iterator<Item = (Arc<Pending>, Verdict)> {
        self.bell.silence();
        self.answers.try_iter()
    }
}

/// How many questions of a run are open.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenQuestions(Arc<AtomicUsize>);

// A place among those that may be open.
struct Slot(Arc<AtomicUsize>);

impl Slot {
    fn take(open: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        // The supervisor alone takes them, so nobody is faster between the two.
        let is_free = open.load(Ordering::Relaxed) < most;
        is_free.then(|| {
            open.fetch_add(1, Ordering::Relaxed);
            Self(Arc::clone(open))
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
