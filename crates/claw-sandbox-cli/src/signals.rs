//! Signals that ask this command to end, passed on to the run.

use std::fs;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock, Weak};
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

/// The ending signals, held back until [`Signals::forward`] takes them.
#[derive(Debug)]
pub(crate) struct Signals {
    run: Sender<Weak<Child>>,
    received: Arc<OnceLock<Signal>>,
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
        let (run, runs) = channel();
        let received = Arc::default();
        let theirs = Arc::clone(&received);
        thread::spawn(move || pass_on(set, &runs, &theirs));
        Self { run, received }
    }

    /// Passes them on to `run` from now on.
    pub(crate) fn forward(&self, run: &Arc<Child>) {
        // The thread lives as long as the process, so it must not keep the run from being dropped. It is there: it waits.
        let _ = self.run.send(Arc::downgrade(run));
    }

    /// The status to end with when a signal came.
    pub(crate) fn exit(&self) -> Option<Exit> {
        self.received.get().map(|signal| Exit::of_signal(*signal as u8))
    }
}

fn pass_on(set: SigSet, runs: &Receiver<Weak<Child>>, received: &OnceLock<Signal>) {
    let Ok(run) = runs.recv() else { return };
    while let Ok(signal) = set.wait() {
        let Some(run) = run.upgrade() else { continue };
        match signal {
            Signal::SIGWINCH => run.resize(terminal::size()),
            Signal::SIGCONT => terminal::renew(),
            _ if is_ignored(signal) => {}
            _ => end(&run, signal, received),
        }
    }
}

/// Tells the run, and ends it if it does not listen. The first signal tells how we end.
fn end(run: &Child, signal: Signal, received: &OnceLock<Signal>) {
    let _ = received.set(signal);
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
