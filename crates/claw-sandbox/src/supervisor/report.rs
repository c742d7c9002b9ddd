//! Lines for a run's standard error.
//!
//! A pipe that nobody reads would hold up whoever writes into it, and the mode of the caller's open file is not ours to
//! change. So a thread of its own writes, one for each run that has anything to be told. Whoever reports waits a moment
//! for it, so that a line comes before what the denied program says about it; a reader that does not read costs the run
//! that moment once, and the lines that do not fit are counted.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io::IsTerminal as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::told::one_line;

// How long a line is waited for. A reader that is slower has stopped reading.
const PATIENCE: Duration = Duration::from_millis(100);
// How often a writer that waits for a reader looks whether it still should.
const LOOK_MS: u8 = 50;
// As many as are kept in words: no run that is read loses one.
const LINES: usize = 64;
// What a pipe takes whole, and what `poll` promises room for (PIPE_BUF, pipe(7)).
const LINE_BYTES: usize = 4096;

/// Tells a run's standard error what was denied.
#[derive(Debug)]
pub(super) struct Reporter(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    // People read there: what is said may take several lines.
    is_terminal: bool,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    // Taken by the writer.
    stderr: Option<OwnedFd>,
    lines: VecDeque<Vec<u8>>,
    is_writing: bool,
    has_writer: bool,
    stage: Stage,
    unsaid: u64,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Stage {
    #[default]
    Open,
    // No line is taken any more; those that were are written.
    Closing,
    Over,
}

impl State {
    fn is_behind(&mut self) -> bool {
        self.is_writing || !self.lines.is_empty()
    }
}

impl Reporter {
    /// A reporter to `stderr`, or one that can only count.
    pub(super) fn new(stderr: Option<OwnedFd>) -> Self {
        let is_terminal = stderr.as_ref().is_some_and(OwnedFd::is_terminal);
        let state = Mutex::new(State { stderr, ..State::default() });
        Self(Arc::new(Shared { state, is_terminal, changed: Condvar::new() }))
    }

    /// Has a line written.
    pub(super) fn say(&self, message: &str) {
        let mut state = self.0.lock();
        let was_behind = state.is_behind();
        if state.stage != Stage::Open || state.lines.len() >= LINES || !self.0.has_writer(&mut state) {
            state.unsaid += 1;
            return;
        }
        state.lines.push_back(if self.0.is_terminal { line(message) } else { line(&one_line(message)) });
        self.0.changed.notify_all();
        if !was_behind {
            drop(self.0.await_writer(state));
        }
    }

    /// Takes no line any more. Standard error is closed when what was said is written.
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        if state.stage == Stage::Open {
            state.stage = Stage::Closing;
            state.stderr = None;
            self.0.changed.notify_all();
        }
    }

    /// Gives up what is not written in a moment. Returns how many lines were not.
    pub(super) fn finish(&self) -> u64 {
        self.close();
        let mut state = self.0.await_writer(self.0.lock());
        if state.stage != Stage::Over {
            state.stage = Stage::Over;
            // The one that is being written may still arrive.
            state.unsaid += state.lines.len() as u64 + u64::from(state.is_writing);
            state.lines.clear();
            self.0.changed.notify_all();
        }
        state.unsaid
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn await_writer<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        let waited = self.changed.wait_timeout_while(state, PATIENCE, State::is_behind);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    // Starts it for the first line. Without standard error, or without a thread, there is none.
    fn has_writer(self: &Arc<Self>, state: &mut State) -> bool {
        if let Some(stderr) = state.stderr.take() {
            let shared = Arc::clone(self);
            let writer = std::thread::Builder::new().name("claw-reporter".into());
            state.has_writer = writer.spawn(move || shared.write_all(&stderr)).is_ok();
        }
        state.has_writer
    }

    fn write_all(&self, stderr: &OwnedFd) {
        let mut state = self.lock();
        loop {
            if let Some(line) = state.lines.pop_front() {
                state.is_writing = true;
                drop(state);
                let is_said = self.write(stderr, &line);
                state = self.lock();
                state.is_writing = false;
                // After the end it has been counted already.
                state.unsaid += u64::from(!is_said && state.stage != Stage::Over);
                self.changed.notify_all();
            } else if state.stage == Stage::Open {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else {
                break;
            }
        }
    }

    // Between `poll` and the call others may fill a pipe: then this thread waits, and nobody waits for it.
    fn write(&self, stderr: &OwnedFd, mut line: &[u8]) -> bool {
        while !line.is_empty() {
            let mut fds = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
            match poll(&mut fds, PollTimeout::from(LOOK_MS)) {
                Ok(0) | Err(Errno::EINTR) if self.lock().stage == Stage::Over => return false,
                Ok(0) | Err(Errno::EINTR) => continue,
                Err(_) => return false,
                Ok(_) => {}
            }
            match nix::unistd::write(stderr, line) {
                Ok(written) => line = line.get(written..).unwrap_or_default(),
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(_) => return false,
            }
        }
        true
    }
}

fn line(message: &str) -> Vec<u8> {
    let mut line = format!("claw-sandbox: {message}").into_bytes();
    line.truncate(LINE_BYTES - 1);
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Write as _};
    use std::time::Instant;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use nix::unistd::pipe2;

    use super::*;

    // A pipe, and how many bytes fit in it.
    fn full_pipe() -> (File, File, usize) {
        let (read, write) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let size = fcntl(&write, FcntlArg::F_GETPIPE_SZ).unwrap().unsigned_abs() as usize;
        let (read, mut write) = (File::from(read), File::from(write));
        write.write_all(&vec![b'.'; size]).unwrap();
        (read, write, size)
    }

    #[test]
    fn lines_arrive_in_their_order_before_their_reporters_go_on() {
        let (mut read, write) =
            pipe2(OFlag::O_CLOEXEC).map(|(read, write)| (File::from(read), write)).unwrap();
        let reporter = Reporter::new(Some(write));
        let mut bytes = [0; 64];
        for number in 0..200 {
            reporter.say(&number.to_string());
            let length = read.read(&mut bytes).unwrap();
            assert_eq!(&bytes[..length], format!("claw-sandbox: {number}\n").as_bytes());
        }
        assert_eq!(reporter.finish(), 0);
        assert_eq!(read.read(&mut bytes).unwrap(), 0, "its end is closed");
    }

    #[test]
    fn a_reader_that_does_not_read_costs_a_moment_and_what_is_lost_is_counted() {
        let (mut read, write, size) = full_pipe();
        let reporter = Reporter::new(Some(write.into()));
        let started = Instant::now();
        for _ in 0..1000 {
            reporter.say("denied");
        }
        // One is being written, and so many wait.
        assert_eq!(reporter.finish(), 1000);
        // A thousand moments would be 100 s.
        assert!(started.elapsed() < Duration::from_secs(20));
        reporter.say("too late");
        assert_eq!(reporter.finish(), 1001);
        // The writer ends and closes its end, whoever reads then.
        let mut left = Vec::new();
        read.read_to_end(&mut left).unwrap();
        assert!(left.len() >= size && left.len() <= size + "claw-sandbox: denied\n".len());
    }

    #[test]
    fn a_reader_that_comes_back_in_time_loses_nothing() {
        let (mut read, write, _) = full_pipe();
        let reporter = Reporter::new(Some(write.into()));
        for number in 0..LINES {
            reporter.say(&number.to_string());
        }
        reporter.close();
        let mut all = String::new();
        read.read_to_string(&mut all).unwrap();
        assert_eq!(all.trim_start_matches('.').lines().count(), LINES);
        assert_eq!(reporter.finish(), 0);
    }

    #[test]
    fn without_a_standard_error_lines_are_counted() {
        let reporter = Reporter::new(None);
        reporter.say("denied");
        assert_eq!(reporter.finish(), 1);
        let (read, write) = pipe2(OFlag::O_CLOEXEC).unwrap();
        drop(read);
        let reporter = Reporter::new(Some(write));
        reporter.say("denied");
        assert_eq!(reporter.finish(), 1);
    }
}
