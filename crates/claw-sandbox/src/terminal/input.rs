//! What is typed, on its way to a run's terminal.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SpecialCharacterIndices, tcgetattr};

// A line that a terminal takes at once (N_TTY_BUF_SIZE in linux/tty.h).
const CHUNK: usize = 4096;
// A program that changes the terminal's mode can lose an end of input that is under way, so it is told
// again while nothing is left for it to read. Fast for a person, and next to nothing in work.
const END_INTERVAL: Duration = Duration::from_millis(100);

/// Copies from a source to a terminal, and tells the terminal when the source has ended.
#[derive(Debug)]
pub(crate) struct Input {
    source: Option<OwnedFd>,
    master: Arc<OwnedFd>,
    // Open until the main process ends, so that a run that closes its streams is not taken for gone.
    peer: OwnedFd,
    held: Vec<u8>,
    told_end: Option<Instant>,
}

type Interest<'fd> = Option<(BorrowedFd<'fd>, PollFlags)>;

impl Input {
    pub(super) const fn new(source: OwnedFd, master: Arc<OwnedFd>, peer: OwnedFd) -> Self {
        Self { source: Some(source), master, peer, held: Vec::new(), told_end: None }
    }

    /// What `poll` has to wait for: source, then terminal.
    pub(crate) fn interest(&self) -> [Interest<'_>; 2] {
        match &self.source {
            _ if !self.held.is_empty() => [None, Some((self.master.as_fd(), PollFlags::POLLOUT))],
            Some(source) => [Some((source.as_fd(), PollFlags::POLLIN)), None],
            None => [None, None],
        }
    }

    /// When to come back without an event.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        let is_over = self.source.is_none() && self.held.is_empty();
        self.told_end.filter(|_| is_over)?.checked_add(END_INTERVAL)
    }

    /// Moves what can be moved without blocking. The arguments are what `poll` said.
    pub(crate) fn advance(&mut self, source: PollFlags, terminal: PollFlags) {
        if !source.is_empty() && self.held.is_empty() {
            self.fill();
        }
        if self.next_look().is_some_and(|due| due <= Instant::now()) && self.is_read_up() {
            self.tell_end();
        }
        if terminal.contains(PollFlags::POLLOUT) || !source.is_empty() {
            self.write();
        }
    }

    // One read after `poll` does not block, whether the source is a terminal or not.
    fn fill(&mut self) {
        let Some(source) = &self.source else { return };
        self.held.resize(CHUNK, 0);
        let read = nix::unistd::read(source, &mut self.held);
        self.held.truncate(read.unwrap_or(0));
        match read {
            Ok(0) => {
                self.source = None;
                self.tell_end();
            }
            Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => {}
            // The terminal that we read from is gone, or we may not read from it.
            Err(_) => self.source = None,
        }
    }

    fn write(&mut self) {
        if self.held.is_empty() {
            return;
        }
        match nix::unistd::write(&*self.master, &self.held) {
            Ok(written) => drop(self.held.drain(..written.min(self.held.len()))),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(_) => {
                self.held.clear();
                self.source = None;
            }
        }
    }

    // The end-of-file character; 0 is one that the run has switched off.
    fn tell_end(&mut self) {
        self.told_end = Some(Instant::now());
        let end = tcgetattr(&self.peer)
            .ok()
            .and_then(|settings| settings.control_chars.get(SpecialCharacterIndices::VEOF as usize).copied());
        self.held.extend(end.filter(|end| *end != 0));
    }

    fn is_read_up(&self) -> bool {
        let mut fds = [PollFd::new(self.peer.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO) == Ok(0)
    }
}
