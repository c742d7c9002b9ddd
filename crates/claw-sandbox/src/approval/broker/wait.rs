//! Waits for a change of the directory.
#![forbid(unsafe_code)]

use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::BrokerError;

/// How often it is looked whether anybody still waits for the answer, as at the terminal.
const LOOK_AFTER: Duration = Duration::from_millis(200);

pub(super) struct Watch(Inotify);

impl Watch {
    pub(super) fn new(directory: &Path) -> Result<Self, BrokerError> {
        let watch = || -> Result<Self, Errno> {
            let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
            let events =
                AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_DELETE | AddWatchFlags::IN_DELETE_SELF;
            inotify.add_watch(directory, events)?;
            Ok(Self(inotify))
        };
        watch().map_err(|errno| {
            BrokerError(format!("the directory of questions cannot be watched: {}", errno.desc()))
        })
    }

    /// Returns when something has changed, when it is time to look who waits, or at the deadline.
    pub(super) fn wait(&self, deadline: Instant) -> Result<(), BrokerError> {
        let left = deadline.saturating_duration_since(Instant::now()).min(LOOK_AFTER);
        let timeout = PollTimeout::try_from(left.as_millis()).unwrap_or(PollTimeout::ZERO);
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(0) | Err(Errno::EINTR) => Ok(()),
            Ok(_) => {
                // What happened is looked up by name.
                let _ = self.0.read_events();
                Ok(())
            }
            Err(errno) => Err(BrokerError(format!("cannot wait for an answer: {}", errno.desc()))),
        }
    }
}
