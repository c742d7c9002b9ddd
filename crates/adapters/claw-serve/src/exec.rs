//! Commands: started, fed, signalled and seen to their end.

use std::io::{self, PipeReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};

use claw_sandbox::{Outcome, Performed, Stdio, Streams, TtySize};
use claw_wire::{Action, AskSurface, Bytes, Request};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Session;
use crate::jobs::Job;
use crate::message::{Answered, RpcError, notification, params};
use crate::methods::Done;

/// Bytes of output in one notification. Base64 makes them 44 KiB at most.
const PIECE: usize = 32 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    request: Request,
    /// Whether there will be `exec.write`s; without, the command's standard input is empty.
    #[serde(default)]
    stdin: bool,
    #[serde(default)]
    tty: Option<Size>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Size {
    rows: u16,
    columns: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    job: String,
    #[serde(default)]
    data: Bytes,
    #[serde(default)]
    end: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signal {
    job: String,
    signal: i32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resize {
    job: String,
    rows: u16,
    columns: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    job: String,
}

/// `exec`: starts a command. What it writes, and its end, come as notifications after the answer.
pub(crate) fn start(session: &Arc<Session>, given: Value) -> Result<Done, RpcError> {
    let Start { request, stdin, tty } = params(given)?;
    if !matches!(request.action, Action::Exec(_)) {
        return Err(RpcError::new(-32602, "`exec` wants a request with `exec`"));
    }
    let request = session.believed(request);
    let decided = session.proxy.decide(&request);
    let decision = decided.decision().clone();
    let streams = Streams {
        stdin: stdin.then(Stdio::piped),
        tty: tty.map(|Size { rows, columns }| TtySize { rows, columns }),
        ..Streams::default()
    };
    let started = session.proxy.perform(decided, streams).map_err(|error| match error.denial() {
        Some(_) if decision.is_allowed() => RpcError::named(-32001, error.report(), "exec.denied", false),
        Some(_) => RpcError::denied(&decision),
        None => RpcError::start(&error),
    })?;
    let Performed::Started(mut child) = started else {
        return Err(RpcError::new(-32603, "a command was not started as one"));
    };
    let outputs = (child.stdout.take(), child.stderr.take());
    let gone = || RpcError::named(-32008, "the session is over", "serve.closed", false);
    let job = session.jobs.add(child).ok_or_else(gone)?;
    let answer = json!({ "job": job.name });
    let session = Arc::clone(session);
    Ok(Done::then(answer, move || watch(&session, &job, outputs)))
}

/// Passes on what a command writes, sees its end, and tells it when everything that it wrote is on its way.
fn watch(session: &Arc<Session>, job: &Arc<Job>, (stdout, stderr): (Option<PipeReader>, Option<PipeReader>)) {
    let (theirs, ours) = (Arc::clone(session), Arc::clone(job));
    let watcher = move || {
        let (outcome, missing) = thread::scope(|scope| {
            let pumps = [("stdout", stdout), ("stderr", stderr)].map(|(stream, pipe)| {
                let pump = || pump(&theirs, &ours.name, stream, pipe);
                let pump = thread::Builder::new().spawn_scoped(scope, pump);
                // Nobody would read what it writes.
                pump.inspect_err(|_| ours.child.kill())
            });
            // The end is not behind the peer's reading: a command that is ended is gone when this returns.
            let outcome = ours.child.observe();
            let is_whole = |pump: io::Result<ScopedJoinHandle<'_, bool>>| {
                pump.is_ok_and(|pump| pump.join().unwrap_or(false))
            };
            (outcome, pumps.map(is_whole).contains(&false))
        });
        theirs.jobs.forget(&ours.name);
        let end = match &outcome {
            Ok(outcome) => ended(&ours.name, outcome, missing),
            Err(error) => json!({ "job": ours.name, "error": error.to_string() }),
        };
        theirs.outbox.output(notification("exec.ended", &end));
    };
    match thread::Builder::new().name("claw-serve-job".into()).spawn(watcher) {
        Ok(watcher) => session.jobs.watched(watcher),
        Err(error) => {
            job.child.kill();
            session.jobs.forget(&job.name);
            let end = json!({ "job": job.name, "error": format!("no thread can be made: {error}") });
            session.outbox.reply(notification("exec.ended", &end));
        }
    }
}

/// `false`: the peer does not read, or the pipe broke, so something is missing.
fn pump(session: &Session, job: &str, stream: &str, pipe: Option<PipeReader>) -> bool {
    let Some(mut pipe) = pipe else { return true };
    let mut piece = vec![0; PIECE];
    loop {
        match pipe.read(&mut piece) {
            Ok(0) => return true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
            Ok(length) => {
                let data = Bytes::from(piece.get(..length).unwrap_or_default());
                let message = json!({ "job": job, "stream": stream, "data": data });
                if !session.outbox.output(notification("exec.output", &message)) {
                    return false;
                }
            }
        }
    }
}

fn ended(job: &str, outcome: &Outcome, missing: bool) -> Value {
    let milliseconds = u64::try_from(outcome.wall.as_millis()).unwrap_or(u64::MAX);
    json!({
        "job": job,
        "ending": outcome.ending.name(),
        "status": outcome.status.and_then(|status| status.code()),
        "signal": outcome.status.and_then(|status| status.signal()),
        "wallMilliseconds": milliseconds,
        "denials": outcome.denials.count(),
        "outputMissing": missing,
    })
}

/// `exec.write`.
pub(crate) fn write(session: &Session, given: Value) -> Answered {
    let Write { job, data, end } = params(given)?;
    session.jobs.find(&job)?.feed(data.0, end).map(|()| json!({}))
}

/// `exec.signal`: to the main process's group.
pub(crate) fn signal(session: &Session, given: Value) -> Answered {
    let Signal { job, signal } = params(given)?;
    if !(1..=64).contains(&signal) {
        return Err(RpcError::new(-32602, "`signal` is a number from 1 to 64"));
    }
    session.jobs.find(&job)?.child.signal(signal);
    Ok(json!({}))
}

/// `exec.resize`.
pub(crate) fn resize(session: &Session, given: Value) -> Answered {
    let Resize { job, rows, columns } = params(given)?;
    session.jobs.find(&job)?.child.resize(TtySize { rows, columns });
    Ok(json!({}))
}

/// `exec.cancel`: the command and everything that it started.
pub(crate) fn cancel(session: &Session, given: Value) -> Answered {
    let Named { job } = params(given)?;
    session.jobs.find(&job)?.child.kill();
    Ok(json!({}))
}

/// `exec.list`.
pub(crate) fn list(session: &Session) -> Answered {
    Ok(json!({ "jobs": session.jobs.names() }))
}

impl Session {
    /// The request as it is believed: the peer holds our pipes, and how it can ask it has said at the beginning.
    pub(crate) fn believed(&self, mut request: Request) -> Request {
        request.context.ask = if self.asker.can_ask() { AskSurface::Broker } else { AskSurface::None };
        request
    }
}
