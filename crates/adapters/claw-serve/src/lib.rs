//! The sandbox for a program that keeps one child: JSON-RPC 2.0 over a pair of pipes, one message a line.
//!
//! The peer started us and holds our pipes, so what it says about who asks is
//! [`Trust::Embedded`](claw_wire::Trust::Embedded). Requests are worked on side by side; answers come in any order. What a
//! command writes comes as notifications, and a peer that does not read them holds up that command and nothing else: ending
//! one does not wait for the peer. When the peer's end of our input closes, everything that it started is ended.
//!
//! Methods and messages are in `docs/serve.md`.
//!
//! Not protected against: a peer that lies about who asks.
#![forbid(unsafe_code)]

mod asker;
mod exec;
mod files;
mod jobs;
mod lines;
mod message;
mod methods;
mod outbox;

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use claw_sandbox::Proxy;

pub use asker::Asker;

use crate::jobs::Jobs;
use crate::lines::{Line, Lines};
use crate::message::{Incoming, RpcError, read};
use crate::outbox::Outbox;

/// The version of the protocol. A change that a peer has to know of makes a new one.
pub const PROTOCOL: u32 = 1;

/// Requests that are worked on at once; one more is answered with an error that says so.
pub const MAX_WORKERS: usize = 64;

/// How long the peer may take to read what is left for it after the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the requests of one connection share.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) proxy: Proxy,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) asker: Arc<Asker>,
    pub(crate) jobs: Jobs,
    workers: AtomicUsize,
}

/// Serves one peer until its end of `input` closes, and leaves nothing of what it started.
///
/// `asker` is the approver that the proxy's sandbox was built with: questions go to the peer, once it has said that it can ask.
///
/// # Errors
///
/// When the input cannot be read. Output that cannot be written ends the session without an error: nobody is there.
///
/// ```
/// use claw_sandbox::{Proxy, Sandbox, built_in_policy};
/// use claw_serve::{Asker, serve};
///
/// let directory = std::env::temp_dir();
/// let asker = Asker::new(None);
/// let sandbox = Sandbox::builder(built_in_policy(&directory)?).approver(asker.clone()).build()?;
/// let request = br#"{"jsonrpc":"2.0","id":1,"method":"decide","params":{"request":{"exec":{"command":"ls"}}}}"#;
/// let mut answers = Vec::new();
/// let (reader, writer) = std::io::pipe()?;
/// serve(Proxy::new(sandbox), asker, &request[..], writer)?;
/// std::io::Read::read_to_end(&mut &reader, &mut answers)?;
/// assert!(String::from_utf8(answers)?.contains(r#""effect":"allow""#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn serve(
    proxy: Proxy,
    asker: Arc<Asker>,
    input: impl Read,
    output: impl Write + Send + 'static,
) -> io::Result<()> {
    let session = Arc::new(Session {
        proxy,
        outbox: Outbox::new(),
        asker,
        jobs: Jobs::default(),
        workers: AtomicUsize::new(0),
    });
    let (written, all_written) = sync_channel::<()>(0);
    let theirs = Arc::clone(&session);
    let drain = move || {
        // Whoever cannot be told what a command does must not leave it running.
        if theirs.outbox.drain(output).is_break() {
            theirs.jobs.end();
        }
        drop(written);
    };
    thread::Builder::new().name("claw-serve-out".into()).spawn(drain)?;
    let outcome = session.listen(input);
    session.end();
    session.outbox.finish();
    // A peer that does not read keeps nobody.
    let _ = all_written.recv_timeout(FAREWELL);
    outcome
}

/// A place among the workers, given back when it is dropped.
struct Worker(Arc<Session>);

impl Worker {
    fn of(session: &Arc<Session>) -> Option<Self> {
        let worker = Self(Arc::clone(session));
        (session.workers.fetch_add(1, Ordering::AcqRel) < MAX_WORKERS).then_some(worker)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.workers.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Session {
    fn listen(self: &Arc<Self>, input: impl Read) -> io::Result<()> {
        let mut lines = Lines::new(input);
        while let Some(line) = lines.next()? {
            let taken = match line {
                Line::TooLong => self.outbox.reply(RpcError::too_long().answer(None)),
                Line::Text(text) if text.iter().all(u8::is_ascii_whitespace) => true,
                Line::Text(text) => self.take(&text),
            };
            if !taken {
                break;
            }
        }
        Ok(())
    }

    /// Takes one message. `false`: the peer cannot be answered any more.
    fn take(self: &Arc<Self>, text: &[u8]) -> bool {
        match read(text) {
            Err((id, error)) => self.outbox.reply(error.answer(id)),
            Ok(Incoming::Answer { id, result }) => {
                self.asker.answered(&id, result);
                true
            }
            Ok(Incoming::Call { id, method, params }) => {
                // What ends or feeds a command must not wait behind other work.
                match methods::at_once(self, &method, params) {
                    Ok(answer) => id.is_none_or(|id| self.outbox.reply(message::answer(&id, answer))),
                    Err(params) => self.work(id, method, params),
                }
            }
        }
    }

    fn work(self: &Arc<Self>, id: Option<message::Id>, method: String, params: serde_json::Value) -> bool {
        let busy = id.clone();
        let worker = Worker::of(self).map(|worker| {
            let work = move || {
                let session = &worker.0;
                let (answer, then) = match methods::call(session, &method, params) {
                    Ok(done) => (Ok(done.answer), done.then),
                    Err(error) => (Err(error), None),
                };
                // A notification wants no answer.
                if let Some(id) = id {
                    session.outbox.reply(message::answer(&id, answer));
                }
                if let Some(then) = then {
                    then();
                }
            };
            thread::Builder::new().name("claw-serve-work".into()).spawn(work)
        });
        match worker {
            Some(Ok(_)) => true,
            // A run may have all the processes that the user may have: that is its doing, and not the session's end.
            Some(Err(_)) | None => busy.is_none_or(|id| self.outbox.reply(RpcError::busy().answer(Some(id)))),
        }
    }

    /// Ends everything that the peer started. Nothing here waits for the peer.
    fn end(&self) {
        self.asker.nobody_answers();
        self.jobs.end();
        self.outbox.hurry();
        // What is being worked on ends by itself: commands are swept, questions denied.
        while self.workers.load(Ordering::Acquire) > 0 {
            thread::sleep(Duration::from_millis(1));
            self.jobs.end();
        }
        self.jobs.join();
    }
}
