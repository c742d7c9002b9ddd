//! Our own terminal while a run has one of its own: what is typed goes there as it is.

use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use claw_sandbox::TtySize;
use nix::errno::Errno;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};

use crate::failure::Failure;

/// What we have done to standard input.
static MODE: Mutex<Mode> = Mutex::new(Mode { former: None, suspended: false });

/// The mode of standard input, where it is a terminal.
struct Mode {
    /// The settings to go back to, from the beginning of raw mode to its end.
    former: Option<Termios>,
    /// Raw mode is left for as long as a question lasts.
    suspended: bool,
}

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
            let mut mode = lock();
            let settings = tcgetattr(io::stdin()).map_err(failed)?;
            // A question that is open already is answered in the former mode.
            if !mode.suspended {
                make_raw(settings.clone()).map_err(failed)?;
            }
            mode.former = Some(settings);
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
    let mode = lock();
    if let Some(settings) = mode.former.as_ref().filter(|_| !mode.suspended) {
        // What cannot be set now was not set by us either.
        let _ = make_raw(settings.clone());
    }
}

/// The former mode for a while, in which a person sees what he types. Dropping it goes back to raw mode, if that is not
/// over. Without effect on a terminal that is not in raw mode.
#[derive(Debug)]
pub(crate) struct Cooked(());

impl Cooked {
    /// Begins.
    pub(crate) fn enter() -> Self {
        let mut mode = lock();
        mode.suspended = true;
        if let Some(settings) = &mode.former {
            // A question that shows badly is still one.
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, settings);
        }
        Self(())
    }
}

impl Drop for Cooked {
    fn drop(&mut self) {
        lock().suspended = false;
        renew();
    }
}

/// Brings the former mode back, if there is one.
pub(crate) fn restore() {
    let Some(settings) = lock().former.take() else { return };
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

fn lock() -> MutexGuard<'static, Mode> {
    MODE.lock().unwrap_or_else(PoisonError::into_inner)
}
