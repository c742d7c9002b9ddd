//! What waits to be written to the peer.
//!
//! Two queues, because they may fill for different reasons: what commands write waits until there is room, and so do the
//! commands; answers are few, and a peer that lets a thousand of them pile up is not there.

use std::collections::VecDeque;
use std::io::Write;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// Bytes of commands' output that wait. A pipe holds 64 KiB; this is a few of them.
const MAX_OUTPUT: usize = 1 << 20;

/// Answers that wait, and their bytes. A file may be 64 MiB, which base64 makes 86.
const MAX_ANSWERS: usize = 1024;
const MAX_ANSWER_BYTES: usize = 256 << 20;

/// The queues, and the thread that empties them.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    answers: VecDeque<Vec<u8>>,
    answer_bytes: usize,
    output: VecDeque<Vec<u8>>,
    output_bytes: usize,
    /// The session ends: what finds no room is dropped.
    hurries: bool,
    /// Nothing more is taken; what waits is still written.
    finished: bool,
    /// Nothing more is written.
    closed: bool,
}

impl Outbox {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Queues an answer or a question; never waits. `false`: nobody reads.
    pub(crate) fn reply(&self, message: Value) -> bool {
        let line = line(&message);
        let mut state = self.lock();
        if state.answers.len() >= MAX_ANSWERS || state.answer_bytes + line.len() > MAX_ANSWER_BYTES {
            state.closed = true;
        }
        if state.closed {
            self.changed.notify_all();
            return false;
        }
        state.answer_bytes += line.len();
        state.answers.push_back(line);
        self.changed.notify_all();
        true
    }

    /// Queues what a command wrote, when there is room. `false`: nobody reads.
    pub(crate) fn output(&self, message: Value) -> bool {
        let line = line(&message);
        let mut state = self.lock();
        while !state.has_room(line.len()) && !state.is_over() {
            if state.hurries {
                return false;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_over() {
            return false;
        }
        state.output_bytes += line.len();
        state.output.push_back(line);
        self.changed.notify_all();
        true
    }

    /// Nobody waits for room any more.
    pub(crate) fn hurry(&self) {
        self.lock().hurries = true;
        self.changed.notify_all();
    }

    /// Takes nothing more.
    pub(crate) fn finish(&self) {
        self.lock().finished = true;
        self.changed.notify_all();
    }

    /// Writes until nothing more comes, or nobody reads, which is a break.
    pub(crate) fn drain(&self, mut output: impl Write) -> ControlFlow<()> {
        while let Some(line) = self.next() {
            if output.write_all(&line).and_then(|()| output.flush()).is_err() {
                self.lock().closed = true;
                self.changed.notify_all();
            }
        }
        if self.lock().closed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn next(&self) -> Option<Vec<u8>> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(line) = state.answers.pop_front() {
                state.answer_bytes -= line.len();
                return Some(line);
            }
            if let Some(line) = state.output.pop_front() {
                state.output_bytes -= line.len();
                self.changed.notify_all();
                return Some(line);
            }
            if state.finished {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    const fn has_room(&self, length: usize) -> bool {
        self.output_bytes == 0 || self.output_bytes + length <= MAX_OUTPUT
    }

    const fn is_over(&self) -> bool {
        self.finished || self.closed
    }
}

fn line(message: &Value) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).unwrap_or_default();
    line.push(b'\n');
    line
}
