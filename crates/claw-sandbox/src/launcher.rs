//! The thread that restricts itself once and from which the runs of a policy start.
//!
//! Landlock domains, seccomp filters and capabilities belong to a thread and pass on to what it
//! makes. So each confinement has a launcher thread of its own; this process's other threads keep
//! their rights.
#![forbid(unsafe_code)]

mod cache;

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::mpsc::{Receiver, SendError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use nix::sys::signal::SigSet;

use crate::observe::{Failed, RunState, Running};
use crate::run_thread::{self, Job, RunThread};
use crate::seccomp::notify::Notified;
use crate::spawn::{ChildSpec, SpawnError};
use crate::supervisor::{self, Desk, Hands, HandsStart, Supervised};
use crate::sweep::{ProcessTable, Sweeper};
use crate::sys::child::Stack;
use crate::sys::fd::Bell;
use crate::sys::guardian::Guardian;
use crate::sys::pidfd::may_signal;
use crate::sys::sentinel::{self, Probe};
use crate::sys::signal::ScopeProof;
use crate::temporary::TemporaryDirectory;
use crate::terminal::Terminal;

pub use cache::LauncherCache;

// Threads that wait for a next run. More runs at once make more threads, which end afterwards.
const IDLE_THREADS: usize = 4;

/// Restricts the thread that calls it. The message of a failure is for people.
pub(crate) type Restrict = Box<dyn FnOnce() -> Result<(), String> + Send>;

/// Adds the Landlock layer that scopes signals to the thread that calls it.
pub(crate) type Scope = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What a launcher does to itself and to its run threads.
pub(crate) struct Restrictions {
    /// Once, on the launcher thread.
    pub(crate) domain: Restrict,
    /// Once, on the launcher thread, after the supervisor's hands are made.
    pub(crate) filters: Restrict,
    /// On each run thread; `None` where the kernel has no signal scope.
    pub(crate) scope: Option<Scope>,
    /// The Landlock ruleset that each child takes before its program; `None` without Landlock.
    pub(crate) child_layer: Option<Arc<OwnedFd>>,
    /// What each run thread asks its supervisor about; with nothing there is none.
    pub(crate) calls: Arc<[Notified]>,
    /// Whether a guardian ends the runs when this process is killed. Needs the signal scope.
    pub(crate) guarded: bool,
}

#[cfg(test)]
impl Restrictions {
    /// Gives nothing up.
    pub(crate) fn none() -> Self {
        Self {
            domain: Box::new(|| Ok(())),
            filters: Box::new(|| Ok(())),
            scope: None,
            child_layer: None,
            calls: Arc::default(),
            guarded: false,
        }
    }
}

/// A launcher thread and its run threads. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Launcher {
    pool: Arc<Pool>,
    // Closed before the thread is joined. A run thread is asked for by sending where it should go.
    orders: Mutex<Option<Sender<Order>>>,
    thread: Option<JoinHandle<()>>,
    temporary: Option<TemporaryDirectory>,
    calls: Arc<[Notified]>,
    hands: Option<Hands>,
    // The first run thread is asked for before anybody wants it.
    first: Mutex<Option<Receiver<io::Result<RunThread>>>>,
    guard: Arc<Guard>,
}

/// Who ends the runs when this process is killed, if anybody does.
#[derive(Debug, Default)]
pub(crate) struct Guard(Mutex<Option<Guardian>>);

impl Guard {
    /// Whether somebody stands by, with proof that it can.
    pub(crate) fn is_posted(&self) -> bool {
        self.lock().as_ref().is_some_and(Guardian::is_at_post)
    }

    // There is nothing left to guard. Dropping what this returns waits until the guardian has gone.
    fn dismiss(&self) -> Option<Guardian> {
        let guardian = self.lock().take();
        guardian.iter().for_each(Guardian::dismiss);
        guardian
    }

    fn lock(&self) -> MutexGuard<'_, Option<Guardian>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// What a launcher thread that has begun does next.
enum Step {
    Work(Box<dyn FnOnce() + Send>),
    Restrict(Restrictions, Option<HandsStart>),
}

/// A launcher thread that has begun and waits for the rest of what it gives up.
#[derive(Debug)]
pub(crate) struct Beginning {
    pool: Arc<Pool>,
    orders: Sender<Order>,
    steps: Sender<Step>,
    is_ready: Receiver<Result<Option<Guardian>, String>>,
    thread: JoinHandle<()>,
}

impl Beginning {
    /// Has the thread do something while it waits. It has no privileges any more.
    pub(crate) fn meanwhile(&self, work: Box<dyn FnOnce() + Send>) {
        // A thread that has ended drops the work, and whoever waits for it learns that.
        let _ = self.steps.send(Step::Work(work));
    }

    /// Restricts the thread and returns when it is done.
    ///
    /// `temporary` is removed when the launcher is dropped.
    pub(crate) fn complete(
        self,
        restrictions: Restrictions,
        temporary: Option<TemporaryDirectory>,
    ) -> Result<Launcher, SpawnError> {
        let Self { pool, orders, steps, is_ready, thread } = self;
        let calls = Arc::clone(&restrictions.calls);
        let hands = supervisor::needs_hands(&calls).then(Hands::new).transpose();
        let (hands, hands_start) = hands.map_err(|error| thread_error(&error))?.unzip();
        // A thread that has ended says why below.
        let _ = steps.send(Step::Restrict(restrictions, hands_start));
        let mut launcher = Launcher {
            pool,
            orders: Mutex::new(Some(orders)),
            thread: Some(thread),
            temporary,
            calls,
            hands,
            first: Mutex::default(),
            guard: Arc::default(),
        };
        // Meanwhile. There is no launcher without a run.
        let first = launcher.order_thread()?;
        launcher.first = Mutex::new(Some(first));
        let guardian = is_ready.recv().map_err(|_| SpawnError::LauncherEnded)?;
        launcher.guard = Arc::new(Guard(Mutex::new(guardian.map_err(SpawnError::Restrict)?)));
        Ok(launcher)
    }
}

/// A run thread is asked for by sending where it should go, and its half of the supervision.
struct Order {
    reply: Sender<io::Result<RunThread>>,
    supervised: Option<Supervised>,
}

impl Launcher {
    /// Begins a launcher thread. What it gives up whatever the policy says is given up while the caller prepares
    /// the rest.
    pub(crate) fn begin(privileges: Restrict) -> Result<Beginning, SpawnError> {
        let pool = Arc::new(Pool::default());
        let (orders, orders_end) = channel();
        let (ready, is_ready) = channel();
        let (steps, steps_end) = channel();
        let their_pool = Arc::clone(&pool);
        let thread = Builder::new()
            .name("claw-launcher".into())
            .spawn(move || launch(privileges, &steps_end, &orders_end, &their_pool, &ready))
            .map_err(|error| thread_error(&error))?;
        Ok(Beginning { pool, orders, steps, is_ready, thread })
    }

    /// A launcher thread that gives up no privileges.
    #[cfg(test)]
    pub(crate) fn start(
        restrictions: Restrictions,
        temporary: Option<TemporaryDirectory>,
    ) -> Result<Self, SpawnError> {
        Self::begin(Box::new(|| Ok(())))?.complete(restrictions, temporary)
    }

    /// Leaves nothing behind outside of this process's memory and threads. No run may start afterwards.
    pub(crate) fn finish(&self) {
        let _gone_at_the_end = self.guard.dismiss();
        if let Some(temporary) = &self.temporary {
            temporary.remove();
        }
    }

    /// The private temporary directory.
    pub(crate) const fn temporary(&self) -> Option<&TemporaryDirectory> {
        self.temporary.as_ref()
    }

    /// Starts a run. A failure gives the specification back.
    pub(crate) fn spawn(self: &Arc<Self>, mut spec: ChildSpec) -> Result<Running, Box<Failed>> {
        if let Err(error) = spec.equip() {
            return Err(Box::new(Failed { error, spec }));
        }
        let thread = match self.pool.take().map_or_else(|| self.new_thread(), Ok) {
            Ok(thread) => thread,
            Err(error) => return Err(Box::new(Failed { error, spec })),
        };
        let state = Arc::new(RunState::new(Arc::clone(&thread.bell)));
        let jobs = thread.jobs.clone();
        let window = spec.terminal.as_ref().map(Terminal::window).unwrap_or_default();
        let guard = Arc::clone(&self.guard);
        if let Err(SendError(job)) = jobs.send(Job { spec, state: Arc::clone(&state), guard, thread }) {
            return Err(Box::new(Failed { error: SpawnError::LauncherEnded, spec: job.spec }));
        }
        let id = state.started()?;
        Ok(Running::new(id, state, window, Arc::clone(self)))
    }

    fn new_thread(&self) -> Result<RunThread, SpawnError> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = first.map_or_else(|| self.order_thread(), Ok)?.recv();
        thread.map_err(|_| SpawnError::LauncherEnded)?.map_err(|error| thread_error(&error))
    }

    // Asks for a run thread, whose restrictions must not be older than the launcher's.
    fn order_thread(&self) -> Result<Receiver<io::Result<RunThread>>, SpawnError> {
        let (reply, answer) = channel();
        // From here, because what the launcher makes is restricted.
        let supervised = (!self.calls.is_empty())
            .then(|| self.supervise())
            .transpose()
            .map_err(|error| thread_error(&error))?;
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = orders.as_ref().map(|orders| orders.send(Order { reply, supervised }));
        // One that could not restrict itself says so elsewhere, and the answer does not come.
        sent.map(|_| answer).ok_or(SpawnError::LauncherEnded)
    }

    fn supervise(&self) -> io::Result<Supervised> {
        let desk = Arc::new(Desk::default());
        let (listener, listener_end) = channel();
        supervisor::start(Arc::clone(&desk), listener_end, self.hands.clone())?;
        Ok(Supervised { desk, listener, calls: Arc::clone(&self.calls) })
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        self.pool.close();
        // An idle run thread ends with its handle.
        self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = self.thread.take() {
            // It only panics with a bug of ours, and a drop must not panic.
            let _ = thread.join();
        }
    }
}

fn thread_error(error: &io::Error) -> SpawnError {
    crate::spawn::resources("make a thread", error)
}

/// Idle run threads.
#[derive(Debug, Default)]
pub(crate) struct Pool(Mutex<Idle>);

#[derive(Debug, Default)]
struct Idle {
    threads: Vec<RunThread>,
    is_closed: bool,
}

impl Pool {
    fn take(&self) -> Option<RunThread> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).threads.pop()
    }

    /// Takes a thread back; it ends if there are enough.
    pub(crate) fn put_back(&self, thread: RunThread) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !idle.is_closed && idle.threads.len() < IDLE_THREADS {
            idle.threads.push(thread);
        }
    }

    fn close(&self) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.is_closed = true;
        idle.threads.clear();
    }
}

// The launcher thread's life.
fn launch(
    privileges: Restrict,
    steps: &Receiver<Step>,
    orders: &Receiver<Order>,
    pool: &Arc<Pool>,
    ready: &Sender<Result<Option<Guardian>, String>>,
) {
    // Handlers of this program must not run on our threads, nor in a child that shares our memory.
    let blocked = SigSet::all().thread_block().map_err(|errno| format!("signals cannot be blocked: {errno}"));
    // Without /proc the sweep is blind but still works.
    let table = ProcessTable::open().ok().map(Arc::new);
    let begun = blocked.and_then(|()| privileges());
    let (restrictions, hands) = loop {
        match steps.recv() {
            Ok(Step::Work(work)) => work(),
            Ok(Step::Restrict(restrictions, hands)) => break (restrictions, hands),
            // The caller could not prepare it.
            Err(_) => return,
        }
    };
    let Restrictions { domain, filters, scope, child_layer, calls: _, guarded } = restrictions;
    let restricted = begun.and_then(|()| domain()).and_then(|()| {
        let guardian = post_guardian(guarded)?;
        // Restricted as far as files go, so that they can make the calls that the filters would ask about.
        let hands = hands.map_or(Ok(()), HandsStart::start);
        hands.map_err(|error| format!("no thread can be made for calls on files: {error}"))?;
        filters().map(|()| guardian)
    });
    let is_restricted = restricted.is_ok();
    let outsider = restricted.as_ref().ok().and_then(Option::as_ref).and_then(outsider);
    // Nobody listens any more when the caller is gone.
    if ready.send(restricted).is_err() || !is_restricted {
        return;
    }
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    let mut stack = Stack::new();
    while let Ok(Order { reply, supervised }) = orders.recv() {
        threads.retain(|thread| !thread.is_finished());
        let scope = scope.clone();
        let outsider = outsider.clone().filter(|outsider| may_signal(outsider.as_fd()).is_ok());
        let scope = scope.map(|scope| RunScope { scope, outsider });
        let start = Start { supervised, child_layer: child_layer.clone() };
        let made = make_run_thread(scope, table.clone(), Arc::clone(pool), start, &mut stack);
        let _ = reply.send(made.map(|(thread, handle)| {
            threads.push(handle);
            thread
        }));
    }
    for thread in threads {
        let _ = thread.join();
    }
}

fn post_guardian(guarded: bool) -> Result<Option<Guardian>, String> {
    let guardian = guarded.then(Guardian::post).transpose();
    guardian.map_err(|error| format!("no guardian can be posted: {error}"))
}

// The guardian's process, to prove the scopes of runs on. It stays longer than the launcher has runs.
fn outsider(guardian: &Guardian) -> Option<Arc<OwnedFd>> {
    guardian.process().try_clone_to_owned().ok().map(Arc::new)
}

// What scopes the signals of a run thread, and the process outside that proves it.
struct RunScope {
    scope: Scope,
    // Without one a sentinel is made for the purpose.
    outsider: Option<Arc<OwnedFd>>,
}

// What a run thread needs to start children.
struct Start {
    supervised: Option<Supervised>,
    child_layer: Option<Arc<OwnedFd>>,
}

fn make_run_thread(
    scope: Option<RunScope>,
    table: Option<Arc<ProcessTable>>,
    pool: Arc<Pool>,
    start: Start,
    stack: &mut Stack,
) -> io::Result<(RunThread, JoinHandle<()>)> {
    let (jobs, jobs_end) = channel();
    let bell = Arc::new(Bell::new()?);
    let needs_sentinel = scope.as_ref().is_some_and(|scope| scope.outsider.is_none());
    let (sentinel, probe) = needs_sentinel.then(sentinel::pair).transpose()?.unzip();
    let thread = Builder::new().name("claw-run".into()).spawn(move || {
        let scope = scope.and_then(|scope| scope.enter(probe));
        // Above its runs nothing of this process can be read by them.
        let keeps_secrets = start.child_layer.is_some();
        let supervision = start.supervised.map(|supervised| supervised.begin(keeps_secrets));
        let (supervision, child_layer) = (supervision.as_ref(), start.child_layer.as_deref());
        let start = run_thread::Start { supervision, child_layer };
        run_thread::serve(&jobs_end, &pool, &Sweeper::new(scope, table.as_deref()), start);
    })?;
    if let Some(sentinel) = sentinel {
        sentinel.stand(stack);
    }
    Ok((RunThread { jobs, bell }, thread))
}

impl RunScope {
    // Without proof the session fallback sweeps, and the outcome says so.
    fn enter(self, probe: Option<Probe>) -> Option<ScopeProof> {
        let Self { scope, outsider } = self;
        match (outsider, probe) {
            (Some(outsider), _) => ScopeProof::by_change(outsider.as_fd(), || scope()),
            (None, Some(probe)) => {
                scope().ok()?;
                probe.run()
            }
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests;
