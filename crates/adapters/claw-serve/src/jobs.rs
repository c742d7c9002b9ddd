//! The commands that a peer has started.

use std::collections::BTreeMap;
use std::io::{PipeWriter, Write as _};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use claw_sandbox::Child;

use crate::message::RpcError;

/// Pieces of standard input that wait for a command to read them.
const MAX_PIECES: usize = 64;

/// The commands that run, by the names that the peer got for them.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    running: BTreeMap<String, Arc<Job>>,
    watchers: Vec<JoinHandle<()>>,
    /// Nothing is started any more.
    ended: bool,
}

/// A command that runs.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) child: Child,
    stdin: Mutex<Option<SyncSender<Vec<u8>>>>,
}

impl Jobs {
    /// Takes a command in, and gives it a name that no other has had. `None`: the session is over, and so is the command.
    pub(crate) fn add(&self, mut child: Child) -> Option<Arc<Job>> {
        let stdin = child.stdin.take().and_then(feeder);
        let mut state = self.lock();
        state.last += 1;
        let name = format!("j{}", state.last);
        let job = Arc::new(Job { name: name.clone(), child, stdin: Mutex::new(stdin) });
        if state.ended {
            job.child.kill();
            return None;
        }
        state.running.insert(name, Arc::clone(&job));
        Some(job)
    }

    /// The thread that sees a command to its end.
    pub(crate) fn watched(&self, watcher: JoinHandle<()>) {
        let mut state = self.lock();
        state.watchers.retain(|watcher| !watcher.is_finished());
        state.watchers.push(watcher);
    }

    pub(crate) fn find(&self, name: &str) -> Result<Arc<Job>, RpcError> {
        let found = self.lock().running.get(name).cloned();
        found.ok_or_else(|| {
            let message = format!("there is no job {name:?}, or it has ended");
            RpcError::named(-32006, message, "serve.no-such-job", false)
        })
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.lock().running.keys().cloned().collect()
    }

    pub(crate) fn forget(&self, name: &str) {
        self.lock().running.remove(name);
    }

    /// Ends them all, and all that will come.
    pub(crate) fn end(&self) {
        let running: Vec<_> = {
            let mut state = self.lock();
            state.ended = true;
            state.running.values().cloned().collect()
        };
        running.iter().for_each(|job| job.child.kill());
    }

    /// Waits until their ends are seen and recorded.
    pub(crate) fn join(&self) {
        let watchers = std::mem::take(&mut self.lock().watchers);
        for watcher in watchers {
            let _ = watcher.join();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    /// Gives the command a piece of standard input, or its end. Never waits for the command.
    pub(crate) fn feed(&self, bytes: Vec<u8>, last: bool) -> Result<(), RpcError> {
        let mut stdin = self.stdin.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = |message: &str, name, retryable| RpcError::named(-32007, message, name, retryable);
        let closed = || refused("the job has no open standard input", "serve.stdin-closed", false);
        let sender = stdin.as_ref().ok_or_else(closed)?;
        if !bytes.is_empty() {
            sender.try_send(bytes).map_err(|error| match error {
                TrySendError::Full(_) => {
                    let message = "the job has not read what it was given before; try again";
                    refused(message, "serve.stdin-full", true)
                }
                TrySendError::Disconnected(_) => closed(),
            })?;
        }
        if last {
            *stdin = None;
        }
        Ok(())
    }
}

/// A thread that writes to a command which may not read.
fn feeder(mut pipe: PipeWriter) -> Option<SyncSender<Vec<u8>>> {
    let (sender, pieces): (_, Receiver<Vec<u8>>) = sync_channel(MAX_PIECES);
    let feed = move || {
        while let Ok(piece) = pieces.recv() {
            if pipe.write_all(&piece).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("claw-serve-in".into()).spawn(feed).ok().map(|_| sender)
}
