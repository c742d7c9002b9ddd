//! What a run's terminal shows and gets, held for as long as a person is asked something on the same terminal.
#![forbid(unsafe_code)]

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::sys::fd::Bell;

// How long the run thread may take to notice. It waits for nothing else for long.
const PATIENCE: Duration = Duration::from_secs(2);

/// The terminal of a run ([`crate::Command::tty`]), while one of its processes waits for an answer.
///
/// What it shows goes to our terminal, and what is typed there goes to it: whoever asks there has to hold both, or the run
/// could draw over the question and would get the answer.
#[derive(Clone, Debug, Default)]
pub struct RunTerminal(Arc<Shared>);

/// The run's terminal is silent until this is dropped. The run goes on, as far as it does not wait for the terminal.
#[derive(Debug)]
#[must_use = "dropping it ends the silence"]
pub struct TerminalHold(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    // Wakes the run thread.
    bell: OnceLock<Arc<Bell>>,
}

#[derive(Debug, Default)]
struct State {
    holds: usize,
    // The run thread knows of a hold.
    is_silent: bool,
    is_over: bool,
}

impl RunTerminal {
    /// Holds what is shown and what is typed. Returns when that is so; `None` when it cannot be had, as after the end of
    /// the run.
    #[must_use]
    pub fn hold(&self) -> Option<TerminalHold> {
        self.0.lock().holds += 1;
        let hold = TerminalHold(Arc::clone(&self.0));
        self.0.ring();
        let begins = |state: &mut State| !state.is_silent && !state.is_over;
        let waited = self.0.changed.wait_timeout_while(self.0.lock(), PATIENCE, begins);
        let is_silent = waited.unwrap_or_else(PoisonError::into_inner).0.is_silent;
        // Not inside of the lock: a hold that is dropped takes it.
        is_silent.then_some(hold)
    }

    /// States who copies.
    pub(crate) fn attach(&self, bell: &Arc<Bell>) {
        let _ = self.0.bell.set(Arc::clone(bell));
    }

    /// Whether nothing may be copied now. Asked before each wait by the thread that copies.
    pub(crate) fn is_held(&self) -> bool {
        let mut state = self.0.lock();
        let is_held = state.holds > 0 && !state.is_over;
        if state.is_silent != is_held {
            state.is_silent = is_held;
            self.0.changed.notify_all();
        }
        is_held
    }

    /// Ends all holds: the run is over, and so is every question of its processes.
    pub(crate) fn end(&self) {
        let mut state = self.0.lock();
        (state.is_over, state.is_silent) = (true, false);
        self.0.changed.notify_all();
    }
}

impl Drop for TerminalHold {
    fn drop(&mut self) {
        self.0.lock().holds -= 1;
        self.0.ring();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        if let Some(bell) = self.bell.get() {
            bell.ring();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_begins_when_the_run_thread_knows_and_not_after_the_end() {
        let terminal = RunTerminal::default();
        let bell = Arc::new(Bell::new().unwrap());
        terminal.attach(&bell);
        let theirs = terminal.clone();
        let asking = std::thread::spawn(move || (theirs.hold(), theirs));
        while !terminal.is_held() {
            std::thread::yield_now();
        }
        let (hold, theirs) = asking.join().unwrap();
        assert!(hold.is_some() && terminal.is_held());
        drop(hold);
        assert!(!terminal.is_held());
        terminal.end();
        assert!(theirs.hold().is_none() && !terminal.is_held());
    }
}
