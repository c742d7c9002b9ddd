//! The thread that starts a run, watches it and sweeps up after it.
//!
//! It is made by the launcher thread and so inherits its restrictions; one more Landlock layer of
//! its own scopes signals. The runs of one thread come one after the other, each swept before the
//! next, so a warm launch makes no thread. A run whose remains may stay ends its thread.
#![forbid(unsafe_code)]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::cgroup::Group;
use crate::launcher::{Guard, Pool};
use crate::limits::look::Looks;
use crate::observe::{Failed, Phase, Request, RunState};
use crate::outcome::{Ending, Outcome, Stream, Sweep, SweepMethod, Usage};
use crate::pump::{Progress, Pump};
use crate::seccomp::notify::Pass;
use crate::spawn::{ChildSpec, SpawnError, Streams, Supervision, resources};
use crate::supervisor::{Begun, Closed, Desk};
use crate::sweep::Sweeper;
use crate::sys::child::{self, Child, Image, Stack};
use crate::sys::fd::Bell;
use crate::sys::pidfd;
use crate::terminal::{Input, RunTerminal, Terminal};

// How often a run that should be dead is killed again: only what the session fallback finds can
// have escaped the first time.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// The caller's handle of an idle run thread.
#[derive(Debug)]
pub(crate) struct RunThread {
    pub(crate) jobs: Sender<Job>,
    pub(crate) bell: Arc<Bell>,
}

/// One run to do.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) spec: ChildSpec,
    pub(crate) state: Arc<RunState>,
    /// Who ends the run when this process is killed.
    pub(crate) guard: Arc<Guard>,
    /// The thread's own handle, to be put back into the pool.
    pub(crate) thread: RunThread,
}

/// What every run of a thread is started with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start<'a> {
    /// Where the runs are laid before the supervisor, if there is one.
    pub(crate) supervision: Option<&'a io::Result<Begun>>,
    /// The Landlock ruleset that each child takes before its program, so that it is below this thread and not beside it.
    pub(crate) child_layer: Option<&'a OwnedFd>,
}

/// Serves jobs until every handle of the thread is gone.
pub(crate) fn serve(jobs: &Receiver<Job>, pool: &Pool, sweeper: &Sweeper<'_>, with: Start<'_>) {
    let desk = with.supervision.and_then(|begun| begun.as_ref().ok()).map(|begun| &*begun.desk);
    let mut stack = Stack::new();
    while let Ok(Job { mut spec, state, guard, thread }) = jobs.recv() {
        let started = Instant::now();
        let relay = spec.terminal.as_ref().map(Terminal::relay);
        if let Some(relay) = &relay {
            relay.attach(&thread.bell);
        }
        let (child, pumps) = match start(&spec, &mut stack, with, &thread.bell) {
            Ok(started) => started,
            Err(error) => {
                drop(close(desk));
                pool.put_back(thread);
                state.enter(Phase::Failed(Box::new(Failed { error, spec })));
                continue;
            }
        };
        let supervision = spec.supervision.clone();
        let group = spec.group.take();
        let input = spec.terminal.take().map(Terminal::into_input);
        // Closes our copies of the run's ends of its streams.
        drop(spec);
        let id = child.id;
        state.enter(Phase::Started(id));
        let bell = Arc::clone(&thread.bell);
        let looks = Looks::new(id, started, &supervision, group, Arc::clone(&bell));
        let run = Run {
            child,
            pumps,
            input,
            relay,
            supervision,
            started,
            ending: None,
            state: &state,
            guard: &guard,
            bell: &bell,
            sweeper,
            desk,
            looks,
        };
        let outcome = run.observe();
        // Back in the pool first: who waits for the end may start the next run at once.
        // What may be left of a run keeps its filter, so the thread and its supervisor take no other run.
        if outcome.sweep.method == SweepMethod::Domain && outcome.sweep.complete {
            pool.put_back(thread);
        } else {
            drop(thread);
        }
        state.enter(Phase::Ended(id, Box::new(outcome)));
    }
}

fn close(desk: Option<&Desk>) -> Option<Closed> {
    desk?.close()
}

// Lays the run before the supervisor.
fn open<'a>(
    begun: &'a io::Result<Begun>,
    spec: &ChildSpec,
    stderr: &OwnedFd,
    bell: &Arc<Bell>,
) -> Result<&'a Begun, SpawnError> {
    let begun = begun.as_ref().map_err(|error| {
        SpawnError::Restrict(format!("the supervisor's filter cannot be installed: {error}"))
    })?;
    let watch = spec.watch.clone().ok_or(SpawnError::LauncherEnded)?;
    begun.desk.open(watch, stderr.try_clone().ok(), Arc::clone(bell));
    Ok(begun)
}

fn start(
    spec: &ChildSpec,
    stack: &mut Stack,
    with: Start<'_>,
    bell: &Arc<Bell>,
) -> Result<(Child, Vec<Pump>), SpawnError> {
    let Streams { stdin, stdout, stderr } = &spec.streams;
    let mut pumps = Vec::new();
    if let Some(terminal) = &spec.terminal {
        let show = |error| resources("show a terminal", &error);
        let (shown, output) = terminal.shown().map_err(show)?;
        let limit = spec.supervision.output.unwrap_or(u64::MAX);
        pumps.push(Pump::of_terminal(shown, output, limit).map_err(|errno| show(errno.into()))?);
    }
    let mut count = |stream, destination: &OwnedFd| match spec.supervision.output {
        Some(limit) if spec.terminal.is_none() => {
            let (pump, sink) = Pump::new(stream, destination.try_clone()?, limit)?;
            pumps.push(pump);
            io::Result::Ok(Some(sink))
        }
        _ => Ok(None),
    };
    let counted_stdout =
        count(Stream::Stdout, stdout).map_err(|error| resources("count the output", &error))?;
    let counted_stderr =
        count(Stream::Stderr, stderr).map_err(|error| resources("count the output", &error))?;
    let open = |begun| open(begun, spec, counted_stderr.as_ref().unwrap_or(stderr), bell);
    let pass = with.supervision.map(open).transpose()?.and_then(|begun| begun.pass);
    let argv: Vec<&CStr> = spec.argv.iter().map(AsRef::as_ref).collect();
    let environment: Vec<&CStr> = spec.environment.iter().map(AsRef::as_ref).collect();
    let image = Image {
        program: &spec.program,
        argv: &argv,
        environment: &environment,
        directory: spec.directory.as_fd(),
        streams: [
            stdin.as_fd(),
            counted_stdout.as_ref().unwrap_or(stdout).as_fd(),
            counted_stderr.as_ref().unwrap_or(stderr).as_fd(),
        ],
        owns_terminal: spec.terminal.is_some(),
        limits: &spec.rlimits,
        group: spec.group.as_ref().map(Group::entrance),
        layer: with.child_layer.map(AsFd::as_fd),
        registers: pass.map(Pass::registers).unwrap_or_default(),
    };
    Ok((child::start(&image, stack)?, pumps))
}

// A child that runs, and all that is watched meanwhile.
struct Run<'a> {
    child: Child,
    pumps: Vec<Pump>,
    // What types into the run's terminal until the main process ends.
    input: Option<Input>,
    relay: Option<RunTerminal>,
    supervision: Supervision,
    started: Instant,
    // What we ended the run for.
    ending: Option<Ending>,
    state: &'a RunState,
    guard: &'a Guard,
    bell: &'a Bell,
    sweeper: &'a Sweeper<'a>,
    desk: Option<&'a Desk>,
    looks: Looks,
}

// What a wait came to.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    main_ended: bool,
    bell: bool,
    streams: bool,
}

impl Run<'_> {
    fn observe(mut self) -> Outcome {
        let mut deadline = self.supervision.time.and_then(|time| self.started.checked_add(time));
        let mut asked = None;
        loop {
            let seen = self.wait(true, self.next_look(deadline));
            if seen.main_ended {
                return self.finish(deadline);
            }
            let request = if seen.bell { self.state.requested() } else { asked };
            if request > asked {
                asked = request;
                deadline = self.end(Ending::Killed, request == Some(Request::Kill));
            } else if seen.bell && self.ending.is_none() && self.has_made_too_much() {
                deadline = self.end(Ending::NewFilesLimit, true);
            } else if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                // The second time it is the grace that is over.
                deadline = self.end(Ending::TimedOut, self.ending.is_some());
            } else if self.ending.is_none()
                && let Some(ending) = self.looks.look(self.sweeper, &self.supervision)
            {
                deadline = self.end(ending, true);
            }
        }
    }

    // Ends the whole run, at once or with a grace. Returns when to try again.
    fn end(&mut self, ending: Ending, at_once: bool) -> Option<Instant> {
        self.ending.get_or_insert(ending);
        if at_once {
            self.sweeper.kill(self.child.id);
            return Instant::now().checked_add(RETRY_INTERVAL);
        }
        self.sweeper.terminate(self.child.id);
        Instant::now().checked_add(self.supervision.grace)
    }

    fn finish(mut self, deadline: Option<Instant>) -> Outcome {
        if self.ending.is_none() {
            let made = self.has_made_too_much().then_some(Ending::NewFilesLimit);
            self.ending = made.or_else(|| self.looks.last(self.sweeper, &self.supervision));
        }
        let sweep = self.sweep();
        self.looks.end(&self.supervision);
        let (status, usage) = self.reap();
        let closed = close(self.desk);
        // What keeps the run's terminal open on our side, or its end would never be read.
        self.input = None;
        // What is left of its output is shown, whoever is asked something.
        if let Some(relay) = self.relay.take() {
            relay.end();
        }
        self.drain(deadline);
        let denials = closed.map(Closed::denials).unwrap_or_default();
        let forwarded = |stream| self.pumps.iter().find(|pump| pump.stream() == stream).map(Pump::forwarded);
        Outcome {
            status,
            ending: self.ending.or_else(|| self.signalled(status)).unwrap_or(Ending::Exited),
            wall: self.started.elapsed(),
            usage,
            stdout: forwarded(Stream::Stdout),
            stderr: forwarded(Stream::Stderr),
            sweep,
            guarded: self.guard.is_posted(),
            denials,
        }
    }

    fn has_made_too_much(&self) -> bool {
        self.desk.is_some_and(Desk::has_made_too_much)
    }

    // The kernel ends a process that does not heed a limit with a signal of that name.
    fn signalled(&self, status: Option<ExitStatus>) -> Option<Ending> {
        match status.and_then(|status| status.signal())? {
            libc::SIGXCPU if self.supervision.cpu.is_some() => Some(Ending::CpuLimit),
            libc::SIGXFSZ if self.supervision.file_size => Some(Ending::FileSizeLimit),
            _ => None,
        }
    }

    fn sweep(&self) -> Sweep {
        if self.supervision.detach && self.ending.is_none() {
            return Sweep { method: SweepMethod::Detached, swept: None, complete: false };
        }
        self.sweeper.sweep(self.child.id, self.started)
    }

    fn reap(&self) -> (Option<ExitStatus>, Usage) {
        // Under the lock, so that nobody signals an id that is free again.
        let mut phase = self.state.lock();
        *phase = Phase::Reaped(self.child.id);
        match pidfd::reap(self.child.fd.as_fd()) {
            Ok((status, usage)) => (Some(status), usage),
            Err(_) => (None, Usage::default()),
        }
    }

    // Forwards what the run has written before its end. A reader that does not read holds that up
    // as it would hold up the run, but no longer than the time limit. A run that we ended, or
    // whose survivors keep a stream open, gets what can be forwarded at once.
    fn drain(&mut self, deadline: Option<Instant>) {
        let at_once = self.ending.is_some() || self.supervision.detach;
        while self.pumps.iter().any(|pump| !pump.has_ended()) {
            let seen = self.wait(false, if at_once { Some(Instant::now()) } else { deadline });
            let is_over = deadline.is_some_and(|deadline| deadline <= Instant::now());
            if is_over || (at_once && !seen.streams) || (seen.bell && self.state.requested().is_some()) {
                break;
            }
        }
        self.pumps.iter_mut().for_each(Pump::abandon);
    }

    fn next_look(&self, deadline: Option<Instant>) -> Option<Instant> {
        let input = self.input.as_ref().filter(|_| !self.is_held()).and_then(Input::next_look);
        let looks = self.looks.next().filter(|_| self.ending.is_none());
        [deadline, looks, input].into_iter().flatten().min()
    }

    fn is_held(&self) -> bool {
        self.relay.as_ref().is_some_and(RunTerminal::is_held)
    }

    // Waits for anything to happen and moves output.
    fn wait(&mut self, watch_main: bool, deadline: Option<Instant>) -> Seen {
        let is_held = self.is_held();
        let main = watch_main.then_some((self.child.fd.as_fd(), PollFlags::POLLIN));
        let bell = Some((self.bell.as_fd(), PollFlags::POLLIN));
        let typed = self.input.as_ref().filter(|_| !is_held).map_or([None, None], Input::interest);
        let streams = self.pumps.iter().flat_map(|pump| if is_held { [None, None] } else { pump.interest() });
        let events = poll_all([main, bell].into_iter().chain(typed).chain(streams), deadline);
        let mut events = events.into_iter();
        let mut next = || events.next().unwrap_or(PollFlags::empty());
        let mut seen = Seen { main_ended: !next().is_empty(), bell: !next().is_empty(), streams: false };
        let (source, terminal) = (next(), next());
        if let Some(input) = self.input.as_mut().filter(|_| !is_held) {
            input.advance(source, terminal);
        }
        let mut exceeded = None;
        for pump in &mut self.pumps {
            let (source, destination) = (next(), next());
            seen.streams |= !(source | destination).is_empty();
            if pump.advance(source, destination) == Progress::Exceeded {
                exceeded = Some(pump.stream());
            }
        }
        if let Some(stream) = exceeded {
            // The kill comes first, or the run might see a broken pipe and end by that.
            self.end(Ending::OutputLimit(stream), true);
            self.pumps.iter_mut().filter(|pump| pump.stream() == stream).for_each(Pump::abandon);
        }
        if self.pumps.iter().all(Pump::has_ended) {
            // A terminal that shows nowhere any more is closed: what reads from it gets SIGHUP.
            self.input = None;
        }
        seen
    }
}

type Interest<'fd> = Option<(BorrowedFd<'fd>, PollFlags)>;

// What happened to each of `interests`; nothing happens to an absent one.
fn poll_all<'fd>(
    interests: impl Iterator<Item = Interest<'fd>>,
    deadline: Option<Instant>,
) -> Vec<PollFlags> {
    let interests: Vec<Interest<'fd>> = interests.collect();
    let mut fds: Vec<PollFd<'_>> =
        interests.iter().flatten().map(|(fd, flags)| PollFd::new(*fd, *flags)).collect();
    if poll(&mut fds, timeout(deadline)).is_err() {
        // EINTR or ENOMEM: the caller looks again.
        return Vec::new();
    }
    let mut fds = fds.into_iter();
    let events =
        |interest: &Interest<'_>| interest.and_then(|_| fds.next()?.revents()).unwrap_or(PollFlags::empty());
    interests.iter().map(events).collect()
}

fn timeout(deadline: Option<Instant>) -> PollTimeout {
    let Some(deadline) = deadline else {
        return PollTimeout::NONE;
    };
    let left = deadline.saturating_duration_since(Instant::now());
    // `poll` counts in milliseconds: round up, not to spin through the last one.
    let milliseconds = left.as_micros().div_ceil(1000);
    PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
}
