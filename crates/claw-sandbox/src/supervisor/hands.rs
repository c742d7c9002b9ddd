//! The thread that makes calls on files in place of the processes of runs.
//!
//! It has the launcher's Landlock domain, no capability and no privilege to gain, but not its system call filters:
//! whatever it is asked to do, it can do no more than the caller itself.
//!
//! Each call on a file is a turn to this thread and back. The turns are taken over pipes, because a pipe tells the
//! scheduler that its writer is about to wait: reader and writer take turns on one processor, where a futex would wake
//! another one up.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{pipe2, read, write};

type Work = Box<dyn FnOnce() + Send>;

/// Where work is handed in. The thread ends when all of them are gone.
#[derive(Clone, Debug)]
pub(crate) struct Hands {
    works: Arc<Works>,
    // One byte for each work.
    bell: Arc<OwnedFd>,
}

#[derive(Default)]
struct Works(Mutex<VecDeque<Work>>);

/// One supervisor's way to the hands and back.
#[derive(Debug)]
pub(crate) struct HandsOfOne {
    hands: Hands,
    is_done: Mutex<OwnedFd>,
    done: Arc<OwnedFd>,
}

// Says that a work is over, done or not.
struct Over(Arc<OwnedFd>);

impl Drop for Over {
    fn drop(&mut self) {
        ring(&self.0);
    }
}

// What is in the way when the thread ends: whoever waits for a work is told that it is not done.
struct End<'a> {
    works: &'a Works,
    bell: Option<OwnedFd>,
}

impl End<'_> {
    fn serve(&self) {
        while self.bell.as_ref().is_some_and(is_rung) {
            let work = self.works.lock().pop_front();
            if let Some(work) = work {
                // One call that fails must not leave the others without an answer.
                let _ = catch_unwind(AssertUnwindSafe(work));
            }
        }
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        // From now on no work is handed in, and what was before is dropped.
        drop(self.bell.take());
        let left = std::mem::take(&mut *self.works.lock());
        drop(left);
    }
}

impl Works {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Work>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Works {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Works").finish_non_exhaustive()
    }
}

/// Hands that are yet to be started.
pub(crate) struct HandsStart {
    works: Arc<Works>,
    bell: OwnedFd,
}

impl HandsStart {
    /// Starts the thread. To be called on the launcher thread, between its two steps.
    ///
    /// Nobody waits for it: it has its restrictions from the moment it is made. If it cannot get a file mode creation
    /// mask of its own, to be set to each caller's, it does no work and every call is denied.
    pub(crate) fn start(self) -> io::Result<()> {
        let Self { works, bell } = self;
        Builder::new().name("claw-hands".into()).spawn(move || {
            let end = End { works: &works, bell: Some(bell) };
            if unshare(CloneFlags::CLONE_FS).is_ok() {
                end.serve();
            }
        })?;
        Ok(())
    }
}

impl Hands {
    /// Hands whose thread is started elsewhere.
    pub(crate) fn new() -> io::Result<(Self, HandsStart)> {
        let (bell_end, bell) = pipe2(OFlag::O_CLOEXEC)?;
        let works = Arc::new(Works::default());
        let start = HandsStart { works: Arc::clone(&works), bell: bell_end };
        Ok((Self { works, bell: Arc::new(bell) }, start))
    }

    /// For one supervisor, whose thread has every signal blocked.
    pub(crate) fn of_one(self) -> io::Result<HandsOfOne> {
        let (is_done, done) = pipe2(OFlag::O_CLOEXEC)?;
        Ok(HandsOfOne { hands: self, is_done: Mutex::new(is_done), done: Arc::new(done) })
    }

    // `false` when the thread has ended.
    fn hand_in(&self, work: Work) -> bool {
        self.works.lock().push_back(work);
        ring(&self.bell)
    }
}

impl HandsOfOne {
    /// Has `work` done and waits for it. `None` when the thread has ended.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let is_done = self.is_done.lock().unwrap_or_else(PoisonError::into_inner);
        let result = Arc::new(Mutex::new(None));
        let (theirs, over) = (Arc::clone(&result), Over(Arc::clone(&self.done)));
        let work = move || {
            // Dropped last.
            let _over = over;
            let done = work();
            *theirs.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        };
        if !self.hands.hand_in(Box::new(work)) || !is_rung(&is_done) {
            return None;
        }
        result.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Has `work` done that may take long, on another thread with the same restrictions. `failed` is called instead
    /// when there is none.
    pub(crate) fn detach(
        &self,
        work: impl FnOnce() + Send + 'static,
        failed: impl Fn() + Send + Sync + 'static,
    ) {
        let failed = Arc::new(failed);
        let their_failed = Arc::clone(&failed);
        let begin = move || {
            if Builder::new().name("claw-hands".into()).spawn(work).is_err() {
                their_failed();
            }
        };
        if !self.hands.hand_in(Box::new(begin)) {
            failed();
        }
    }
}

fn ring(bell: &OwnedFd) -> bool {
    loop {
        match write(bell, &[0]) {
            Err(Errno::EINTR) => {}
            written => return written.is_ok(),
        }
    }
}

// Waits. `false` when nobody can ring any more.
fn is_rung(bell: &OwnedFd) -> bool {
    loop {
        match read(bell, &mut [0]) {
            Err(Errno::EINTR) => {}
            length => return length == Ok(1),
        }
    }
}
