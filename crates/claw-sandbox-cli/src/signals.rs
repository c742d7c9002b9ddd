//! Signals that ask this command to end, passed on to the run.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use claw_sandbox::Child;
use nix::sys::signal::{SigSet, Signal};

use crate::exit::Exit;
use crate::terminal;

/// What ends a command from outside.
const ENDING: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

/// What else would end us, and leave our terminal in raw mode.
const ENDING_TOO: [Signal; 9] = [
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGIO,
    Signal::SIGPWR,
    Signal::SIGXCPU,
    Signal::SIGSTKFLT,
];

/// How long the run may take to end by itself after a signal; then it is swept.
const GRACE: Duration = Duration::from_secs(2);

/// The ending signals, held back until [`Signals::forward`] says for whom they are.
#[derive(Debug)]
pub(crate) struct Signals {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    // The thread lives as long as the process, so it must not keep the run from being dropped.
    run: Option<Weak<Child>>,
    // The first tells how we end.
    received: Option<Signal>,
}

impl Signals {
    /// Holds the signals back. Threads inherit that, so it comes before the first of them.
    /// With a terminal these are all that could end us while it is in raw mode.
    ///
    /// The thread that will pass them on is made here and not when there is a run: when a run's first process ends
    /// and no task of this machine is younger, the library knows that the run has left nothing to look for.
    pub(crate) fn hold(tty: bool) -> Self {
        let mut set: SigSet = ENDING.into_iter().collect();
        if tty {
            set.extend(ENDING_TOO);
            set.extend([Signal::SIGWINCH, Signal::SIGCONT]);
        }
        // The call fails only for an operation that does not exist.
        let _ = set.thread_block();
        let state = Arc::default();
        let theirs = Arc::clone(&state);
        thread::spawn(move || pass_on(set, &theirs));
        Self { state }
    }

    /// Passes them on to `run` from now on, and the one that came before.
    pub(crate) fn forward(&self, run: &Arc<Child>) {
        let mut state = locked(&self.state);
        state.run = Some(Arc::downgrade(run));
        if let Some(early) = state.received {
            let run = Arc::clone(run);
            thread::spawn(move || end(&run, early));
        }
    }

    /// The status to end with when a signal came.
    pub(crate) fn exit(&self) -> Option<Exit> {
        locked(&self.state).received.map(|signal| Exit::of_signal(signal as u8))
    }

    /// Whether a signal came, for somebody who waits for something else.
    pub(crate) fn came(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let state = Arc::clone(&self.state);
        move || locked(&state).received.is_some()
    }
}

fn locked(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pass_on(set: SigSet, state: &Mutex<State>) {
    while let Ok(signal) = set.wait() {
        match signal {
            Signal::SIGWINCH => {
                if let Some(run) = run_of(&locked(state)) {
                    run.resize(terminal::size());
                }
            }
            Signal::SIGCONT => terminal::renew(),
            _ if is_ignored(signal) => {}
            _ => {
                let mut state = locked(state);
                state.received.get_or_insert(signal);
                let run = run_of(&state);
                drop(state);
                if let Some(run) = run {
                    end(&run, signal);
                }
            }
        }
    }
}

fn run_of(state: &State) -> Option<Arc<Child>> {
    state.run.as_ref().and_then(Weak::upgrade)
}

/// Tells the run, and ends it if it does not listen.
fn end(run: &Child, signal: Signal) {
    run.signal(signal as i32);
    if !run.ends_within(GRACE) {
        run.kill();
    }
}

/// Whether whoever started us wants this signal to have no effect (`nohup`, a shell's background job): a
/// signal that is held back arrives all the same.
fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (signal as u32 - 1)) != 0
}
