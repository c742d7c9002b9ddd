//! The thread that makes calls on files in place of the processes of runs.
//!
//! It has the launcher's Landlock domain, no capability and no privilege to gain, but not its system call filters:
//! whatever it is asked to do, it can do no more than the caller itself.
#![forbid(unsafe_code)]

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;

use nix::sched::{CloneFlags, unshare};

type Work = Box<dyn FnOnce() + Send>;

/// Where work is handed in. The thread ends when all of them are gone.
#[derive(Clone, Debug)]
pub(crate) struct Hands(Sender<Work>);

impl Hands {
    /// Starts the thread. To be called on the launcher thread, between its two steps.
    ///
    /// Nobody waits for it: it has its restrictions from the moment it is made. If it cannot get a file mode creation
    /// mask of its own, to be set to each caller's, it does no work and every call is denied.
    pub(crate) fn start() -> io::Result<Self> {
        let (work, works) = channel();
        Builder::new().name("claw-hands".into()).spawn(move || {
            if unshare(CloneFlags::CLONE_FS).is_ok() {
                serve(&works);
            }
        })?;
        Ok(Self(work))
    }

    /// Has `work` done and waits for it. `None` when the thread has ended.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (done, is_done) = channel();
        self.0.send(Box::new(move || drop(done.send(work())))).ok()?;
        is_done.recv().ok()
    }

    /// Has `work` done that may take long, on another thread with the same restrictions. `failed` is called instead
    /// when there is none.
    pub(crate) fn detach(
        &self,
        work: impl FnOnce() + Send + 'static,
        failed: impl FnOnce() + Send + 'static,
    ) {
        let begin = move || {
            if Builder::new().name("claw-hands".into()).spawn(work).is_err() {
                failed();
            }
        };
        let _ = self.0.send(Box::new(begin));
    }
}

fn serve(works: &Receiver<Work>) {
    while let Ok(work) = works.recv() {
        // One call that fails must not leave the others without an answer.
        let _ = catch_unwind(AssertUnwindSafe(work));
    }
}
