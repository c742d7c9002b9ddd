//! A terminal of a run's own.
//!
//! The run gets one side of a new pseudo-terminal as its controlling terminal and its three streams; the
//! other side stays with us, and we copy between it and what would have been the streams. So the run never
//! holds a terminal that somebody else reads commands from.
#![forbid(unsafe_code)]

mod input;
mod relay;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Weak};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};

use crate::spawn::Streams;
use crate::sys::pty;
pub(crate) use input::Input;
pub use relay::{RunTerminal, TerminalHold};

/// The size of a terminal's window in characters.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a window has two dimensions")]
pub struct TtySize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}

impl Default for TtySize {
    // The DEC VT100's, which programs assume where they are told nothing.
    fn default() -> Self {
        Self { rows: 24, columns: 80 }
    }
}

impl TtySize {
    /// The size of a terminal's window. `None` where `file` is no terminal or does not know its size.
    #[must_use]
    pub fn of(file: impl AsFd) -> Option<Self> {
        let [rows, columns] = pty::size(file).ok()?;
        (rows > 0 && columns > 0).then_some(Self { rows, columns })
    }
}

/// A new terminal and what it is connected to.
#[derive(Debug)]
pub(crate) struct Terminal {
    master: Arc<OwnedFd>,
    peer: OwnedFd,
    input: OwnedFd,
    output: OwnedFd,
    relay: RunTerminal,
}

impl Terminal {
    /// Opens a terminal that reads from `input` and shows on `output`. It takes over the settings of `input`;
    /// where that is no terminal nobody types, so nothing is echoed.
    pub(crate) fn open(size: TtySize, input: OwnedFd, output: OwnedFd) -> io::Result<Self> {
        let (master, peer) = pty::open_pair()?;
        pty::set_size(&master, [size.rows, size.columns])?;
        let settings = tcgetattr(&input).or_else(|_| {
            let mut settings = tcgetattr(&peer)?;
            settings.local_flags.remove(LocalFlags::ECHO);
            nix::Result::Ok(settings)
        })?;
        tcsetattr(&peer, SetArg::TCSANOW, &settings)?;
        Ok(Self { master: Arc::new(master), peer, input, output, relay: RunTerminal::default() })
    }

    /// The run's streams, all three on the terminal.
    pub(crate) fn streams(&self) -> io::Result<Streams> {
        Streams::of(&self.peer)
    }

    /// The run's side.
    pub(crate) fn peer(&self) -> BorrowedFd<'_> {
        self.peer.as_fd()
    }

    /// Where the terminal shows, and a descriptor of what it shows.
    pub(crate) fn shown(&self) -> io::Result<(OwnedFd, OwnedFd)> {
        Ok((self.master.try_clone()?, self.output.try_clone()?))
    }

    /// A handle to hold what it shows and gets.
    pub(crate) fn relay(&self) -> RunTerminal {
        self.relay.clone()
    }

    /// A handle to change the window's size while the run lasts.
    pub(crate) fn window(&self) -> Window {
        Window(Arc::downgrade(&self.master))
    }

    /// What types into the terminal for the rest of the run.
    pub(crate) fn into_input(self) -> Input {
        Input::new(self.input, self.master, self.peer)
    }
}

/// A terminal's window, which may be closed already.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window(Weak<OwnedFd>);

impl Window {
    /// Changes the size; the foreground job gets SIGWINCH. Without effect after the run's end.
    pub(crate) fn resize(&self, size: TtySize) {
        if let Some(master) = self.0.upgrade() {
            // It cannot fail on a pseudo-terminal, and nobody would be helped by knowing.
            let _ = pty::set_size(&*master, [size.rows, size.columns]);
        }
    }
}
