//! Forwards an output stream and counts it.
//!
//! Nothing is buffered beyond one chunk: the pipe between the run and us stays full when the
//! destination is slow, so the run is slowed down as it would be without us. The destination's
//! mode is never changed (it is shared with other processes), so we write only what `poll` says
//! can be written without blocking.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::PollFlags;
use nix::sys::stat::{SFlag, fstat};

use crate::opened::kind_of;
use crate::outcome::Stream;
use crate::sys::fd::splice_from_pipe;

// The default capacity of a pipe, so one chunk can empty it (pipe(7)).
const CHUNK: usize = 64 * 1024;
// What `poll` promises about a writable pipe or terminal: PIPE_BUF on Linux (pipe(7)).
const CAUTIOUS_CHUNK: usize = 4096;

/// One output stream on its way.
#[derive(Debug)]
pub(crate) struct Pump {
    stream: Stream,
    ends: Option<Ends>,
    limit: u64,
    forwarded: u64,
}

#[derive(Debug)]
struct Ends {
    // Read end of the run's pipe or our side of its terminal, non-blocking.
    source: OwnedFd,
    destination: OwnedFd,
    waits_for: WaitsFor,
    can_splice: bool,
    // How much may be written at once without blocking, after `poll` said so.
    write_chunk: usize,
    // Bytes that were read and not written yet. Used where `splice` does not work.
    held: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum WaitsFor {
    Source,
    Destination,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Progress {
    /// Some bytes moved, or something else may have to be waited for.
    Moved,
    /// The run wrote more than the limit.
    Exceeded,
    /// Nothing more will come: the stream ended, or nobody reads it.
    Ended,
}

impl Pump {
    /// A pump for `stream` to `destination`, and the end that the run writes to.
    pub(crate) fn new(stream: Stream, destination: OwnedFd, limit: u64) -> nix::Result<(Self, OwnedFd)> {
        let (source, sink) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
        // Only our end: the run must see an ordinary blocking pipe. The two ends are separate open
        // file descriptions.
        nix::fcntl::fcntl(&source, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok((Self::between(source, destination, stream, limit, true)?, sink))
    }

    /// A pump for what a terminal shows: `source` is our side of it, non-blocking. It counts as standard output.
    pub(crate) fn of_terminal(source: OwnedFd, destination: OwnedFd, limit: u64) -> nix::Result<Self> {
        Self::between(source, destination, Stream::Stdout, limit, false)
    }

    fn between(
        source: OwnedFd,
        destination: OwnedFd,
        stream: Stream,
        limit: u64,
        is_pipe: bool,
    ) -> nix::Result<Self> {
        let kind = kind_of(&fstat(&destination)?);
        let is_file = kind == SFlag::S_IFREG;
        let ends = Ends {
            source,
            destination,
            waits_for: WaitsFor::Source,
            // Elsewhere (terminals, sockets) a splice of a whole chunk may block.
            can_splice: is_pipe && (is_file || kind == SFlag::S_IFIFO),
            write_chunk: if is_file { CHUNK } else { CAUTIOUS_CHUNK },
            held: Vec::new(),
        };
        Ok(Self { stream, ends: Some(ends), limit, forwarded: 0 })
    }

    /// Which stream it is.
    pub(crate) const fn stream(&self) -> Stream {
        self.stream
    }

    /// Bytes that reached the destination.
    pub(crate) const fn forwarded(&self) -> u64 {
        self.forwarded
    }

    /// What `poll` has to wait for: source, then destination. Nothing when the stream has ended.
    ///
    /// While the source is quiet the destination is watched too (for errors only), so that a run
    /// whose reader goes away gets SIGPIPE at its next write. While the destination is full the
    /// source is not watched: the end of a run would be reported without pause.
    pub(crate) fn interest(&self) -> [Option<(BorrowedFd<'_>, PollFlags)>; 2] {
        let Some(ends) = &self.ends else {
            return [None, None];
        };
        let (source, destination) = (ends.source.as_fd(), ends.destination.as_fd());
        match ends.waits_for {
            WaitsFor::Source => [Some((source, PollFlags::POLLIN)), Some((destination, PollFlags::empty()))],
            WaitsFor::Destination => [None, Some((destination, PollFlags::POLLOUT))],
        }
    }

    /// Whether nothing more will come.
    pub(crate) const fn has_ended(&self) -> bool {
        self.ends.is_none()
    }

    /// Gives the stream up: what has not been forwarded is lost.
    pub(crate) fn abandon(&mut self) {
        self.ends = None;
    }

    /// Moves what can be moved without blocking. `source` and `destination` are what `poll` said.
    pub(crate) fn advance(&mut self, source: PollFlags, destination: PollFlags) -> Progress {
        let Some(ends) = &mut self.ends else {
            return Progress::Ended;
        };
        // What a pipe, socket or terminal reports when its other side is gone.
        if destination.intersects(PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL) {
            self.abandon();
            return Progress::Ended;
        }
        match ends.waits_for {
            WaitsFor::Source if source.is_empty() => Progress::Moved,
            WaitsFor::Source => {
                ends.waits_for = WaitsFor::Destination;
                Progress::Moved
            }
            WaitsFor::Destination if !destination.contains(PollFlags::POLLOUT) => Progress::Moved,
            WaitsFor::Destination => self.forward(),
        }
    }

    fn forward(&mut self) -> Progress {
        let left = self.limit.saturating_sub(self.forwarded);
        let Some(ends) = &mut self.ends else {
            return Progress::Ended;
        };
        let moved = if left == 0 { ends.probe() } else { ends.transfer(left) };
        match moved {
            Ok(0) => {
                self.abandon();
                Progress::Ended
            }
            Ok(_) if left == 0 => Progress::Exceeded,
            Ok(count) => {
                self.forwarded = self.forwarded.saturating_add(count as u64);
                Progress::Moved
            }
            // The source was drained, or the destination filled up meanwhile.
            Err(Errno::EAGAIN) if ends.held.is_empty() => {
                ends.waits_for = WaitsFor::Source;
                Progress::Moved
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Progress::Moved,
            // EPIPE, ENOSPC, EIO: nobody takes it any more. Closing our end lets the run know.
            Err(_) => {
                self.abandon();
                Progress::Ended
            }
        }
    }
}

impl Ends {
    // Moves between 1 and `left` bytes; 0 at the end of the stream.
    fn transfer(&mut self, left: u64) -> nix::Result<usize> {
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        if self.can_splice {
            match splice_from_pipe(self.source.as_fd(), self.destination.as_fd(), left.min(CHUNK)) {
                // An O_APPEND file cannot splice.
                Err(Errno::EINVAL) => self.can_splice = false,
                result => return result,
            }
        }
        if self.held.is_empty() {
            self.fill(left.min(self.write_chunk))?;
        }
        if self.held.is_empty() {
            return Ok(0);
        }
        let written = nix::unistd::write(&self.destination, &self.held)?;
        self.held.drain(..written.min(self.held.len()));
        Ok(written)
    }

    // Whether there is at least one more byte. 0 at the end of the stream.
    fn probe(&self) -> nix::Result<usize> {
        read(&self.source, &mut [0; 1])
    }

    fn fill(&mut self, length: usize) -> nix::Result<()> {
        self.held.resize(length, 0);
        let result = read(&self.source, &mut self.held);
        self.held.truncate(result.unwrap_or(0));
        result.map(|_| ())
    }
}

fn read(source: &OwnedFd, buffer: &mut [u8]) -> nix::Result<usize> {
    match nix::unistd::read(source, buffer) {
        // How a terminal says that nobody has its other side open any more.
        Err(Errno::EIO) => Ok(0),
        result => result,
    }
}
