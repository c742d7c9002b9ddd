//! Our own terminal while a run has one of its own: what is typed goes there as it is.

use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use claw_sandbox::TtySize;
use nix::errno::Errno;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};

use crate::failure::Failure;

/// The settings to go back to, while standard input is a terminal in raw mode.
static FORMER: Mutex<Option<Termios>> = Mutex::new(None);

/// The size of the window that we run in, or the default one.
pub(crate) fn size() -> TtySize {
    let streams = [TtySize::of(io::stdin()), TtySize::of(io::stdout()), TtySize::of(io::stderr())];
    streams.into_iter().flatten().next().unwrap_or_default()
}

/// Raw mode on standard input. Dropping it brings the former mode back.
#[derive(Debug)]
pub(crate) struct Raw(());

impl Raw {
    /// Switches to raw mode where standard input is a terminal. In the background this waits until we are in the
    /// foreground, as for every command that changes its terminal.
    pub(crate) fn enter() -> Result<Self, Failure> {
        let raw = Self(());
        if io::stdin().is_terminal() {
            let failed = |errno: Errno| {
                Failure::new(format_args!("the terminal cannot be used: {}; run without --tty", errno.desc()))
            };
            let mut former = lock();
            let settings = tcgetattr(io::stdin()).map_err(failed)?;
            make_raw(settings.clone()).map_err(failed)?;
            *former = Some(settings);
        }
        Ok(raw)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

/// Goes back to raw mode after we were stopped and a shell used the terminal. Without effect when it is over.
pub(crate) fn renew() {
    if let Some(settings) = &*lock() {
        // What cannot be set now was not set by us either.
        let _ = make_raw(settings.clone());
    }
}

/// Brings the former mode back, if there is one.
pub(crate) fn restore() {
    let Some(settings) = lock().take() else { return };
    // In the background the terminal is another's, and a change would stop us. A terminal that is not our
    // controlling one knows no background.
    if tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground != getpgrp()) {
        return;
    }
    let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &settings);
}

fn make_raw(mut settings: Termios) -> nix::Result<()> {
    cfmakeraw(&mut settings);
    tcsetattr(io::stdin(), SetArg::TCSANOW, &settings)
}

fn lock() -> MutexGuard<'static, Option<Termios>> {
    FORMER.lock().unwrap_or_else(PoisonError::into_inner)
}
