//! Ends everything that belongs to a run.
//!
//! With a signal scope (Landlock ABI 6) one `kill(-1)` from the run thread reaches exactly the run's
//! processes, whatever session, group or parent they escaped to. Without it only those that stayed
//! in the main process's group or session are found, and the outcome says so.
#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, fstatat};
use nix::unistd::{Pid, getsid};

use crate::opened::links_of;
use crate::outcome::{Sweep, SweepMethod};
use crate::sys::pidfd;
use crate::sys::signal::{ScopeProof, reaches, signal_domain, signal_group, signal_process};

// A process in uninterruptible sleep keeps SIGKILL pending; the run's end does not wait longer.
const PATIENCE: Duration = Duration::from_secs(2);
// In this time no machine makes the 32,768 tasks (the smallest usual pid_max) that it takes to give
// out an id again: that would be 650,000 a second.
const SHORT_RUN: Duration = Duration::from_millis(50);
// Asking for 512 ids takes about as long as reading /proc once.
const FEW_IDS: i32 = 512;
// Before another look at what could not be waited for.
const PAUSE: Duration = Duration::from_millis(1);

/// `/proc`, opened before the launcher restricts itself, which may not open it any more.
#[derive(Debug)]
pub(crate) struct ProcessTable {
    // One open directory has one position, so readers take turns.
    entries: Mutex<Dir>,
    load: File,
}

impl ProcessTable {
    pub(crate) fn open() -> io::Result<Self> {
        let entries =
            Dir::open("/proc", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        Ok(Self { entries: Mutex::new(entries), load: File::open("/proc/loadavg")? })
    }

    /// All process ids that are visible to us.
    fn ids(&self) -> Vec<Pid> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let names = entries.iter().flatten();
        let ids = names.filter_map(|entry| entry.file_name().to_str().ok()?.parse().ok());
        ids.filter(|id| *id > 1).map(Pid::from_raw).collect()
    }

    // All ids that may have been given out since `first`, if they are few. They are given out in
    // turn, so it is the range up to the last one, unless they went around in between.
    fn ids_since(&self, first: Pid, when: Instant) -> Option<Vec<Pid>> {
        if when.elapsed() >= SHORT_RUN {
            return None;
        }
        let born = first.as_raw().checked_add(1)?..=self.last_id()?.as_raw();
        let are_few = !born.is_empty() && born.end() - born.start() < FEW_IDS;
        are_few.then(|| born.map(Pid::from_raw).collect())
    }

    /// The id that was given out last (proc_loadavg(5)).
    fn last_id(&self) -> Option<Pid> {
        let mut text = [0; 96];
        let length = self.load.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(text.get(..length)?).ok()?;
        let id = text.split_ascii_whitespace().nth(4)?.parse().ok()?;
        Some(Pid::from_raw(id))
    }

    /// How many tasks a process has: its task directory has the usual two more links.
    fn tasks_of(&self, process: Pid) -> u64 {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let status = fstatat(&*entries, format!("{process}/task").as_str(), AtFlags::empty());
        status.map_or(0, |status| links_of(&status).saturating_sub(2))
    }
}

/// Reaches the processes of the runs of one run thread. It cannot leave that thread.
#[derive(Debug)]
pub(crate) struct Sweeper<'a> {
    scope: Option<ScopeProof>,
    table: Option<&'a ProcessTable>,
}

impl<'a> Sweeper<'a> {
    pub(crate) const fn new(scope: Option<ScopeProof>, table: Option<&'a ProcessTable>) -> Self {
        Self { scope, table }
    }

    /// How processes are found.
    pub(crate) const fn method(&self) -> SweepMethod {
        if self.scope.is_some() { SweepMethod::Domain } else { SweepMethod::Session }
    }

    /// Asks every process of the run of `leader` to end. Stopped ones are woken so that they can.
    pub(crate) fn terminate(&self, leader: Pid) {
        self.signal(leader, Signal::SIGTERM);
        self.signal(leader, Signal::SIGCONT);
    }

    /// Kills every process of the run of `leader`, without waiting for them.
    pub(crate) fn kill(&self, leader: Pid) {
        self.signal(leader, Signal::SIGKILL);
    }

    /// Kills what is left of the run of `leader`, which started at `started`, and waits until it is gone.
    ///
    /// INVARIANT: `leader` has ended and has not been reaped, so its id is still its own.
    pub(crate) fn sweep(&self, leader: Pid, started: Instant) -> Sweep {
        if self.nothing_was_born_since(leader) || self.nothing_is_left_since(leader, started) {
            return Sweep { method: self.method(), swept: Some(0), complete: true };
        }
        let deadline = Instant::now() + PATIENCE;
        let mut ended = Ended::default();
        let found =
            self.members(leader, started).map(|members| self.wait_for(leader, &members, None, &mut ended));
        let mut known = found.as_ref().map_or_else(Vec::new, |seen| seen.left.clone());
        loop {
            self.signal(leader, Signal::SIGKILL);
            // Their end takes all processors, so nothing else is done until the last of them is gone.
            self.wait_for(leader, &std::mem::take(&mut known), Some(deadline), &mut ended);
            // Whoever has SIGKILL pending cannot fork any more, so with a scope this look misses nobody.
            let Some(members) = self.members_but(&ended, leader, started) else {
                return Sweep { method: self.method(), swept: None, complete: false };
            };
            let seen = self.wait_for(leader, &members, Some(deadline), &mut ended);
            // Without one, what was alive at the look may have forked before its signal came.
            let is_over = seen.alive == 0 || (self.scope.is_some() && seen.left.is_empty());
            if is_over || Instant::now() >= deadline {
                return Sweep {
                    method: self.method(),
                    swept: found.map(|seen| seen.alive),
                    complete: is_over,
                };
            }
            if !seen.left.is_empty() {
                sleep(PAUSE);
            }
        }
    }

    /// The processes of the run of `leader`, which started at `started`: all that are seen, zombies included.
    pub(crate) fn everyone(&self, leader: Pid, started: Instant) -> Vec<Pid> {
        let mut everyone = vec![leader];
        if !self.nothing_was_born_since(leader) {
            let members = self.members(leader, started).unwrap_or_default();
            // A thread has an id too, but no descriptor of a process.
            everyone.extend(members.into_iter().filter(|member| pidfd::open(*member).is_ok()));
        }
        everyone
    }

    /// Whether the process is the leader or another one of its run.
    pub(crate) fn is_of(&self, leader: Pid, process: Pid) -> bool {
        process == leader || self.is_member(leader, process)
    }

    /// How many tasks the living among the processes have.
    pub(crate) fn tasks(&self, processes: &[Pid]) -> u64 {
        let Some(table) = self.table else { return 0 };
        let alive = processes.iter().filter(|process| is_alive(**process));
        alive.map(|process| table.tasks_of(*process)).sum()
    }

    // The ids of new tasks are given out in turn, and the unreaped leader still holds its own: when
    // that was the last one, no task has been made after it. Most commands end here.
    fn nothing_was_born_since(&self, leader: Pid) -> bool {
        self.table.and_then(ProcessTable::last_id) == Some(leader)
    }

    // Whether what was born after the leader was threads of it, or children that somebody has waited for: a signal to
    // everybody costs more than a look at the few ids.
    //
    // INVARIANT: the ids are looked at in the order in which they were given out, and none is given out meanwhile. A
    // process that does not have its id yet, when that is looked at, has a parent that is alive then, with an id that was
    // looked at before: so that one would have been seen.
    fn nothing_is_left_since(&self, leader: Pid, started: Instant) -> bool {
        let (Some(_), Some(table)) = (&self.scope, self.table) else { return false };
        let Some(last) = table.last_id() else { return false };
        let is_empty = |ids: Vec<Pid>| !ids.into_iter().any(reaches);
        table.ids_since(leader, started).is_some_and(is_empty) && table.last_id() == Some(last)
    }

    fn signal(&self, leader: Pid, signal: Signal) {
        if let Some(scope) = &self.scope {
            signal_domain(scope, signal);
            return;
        }
        signal_group(leader, signal);
        let Some(table) = self.table else {
            return;
        };
        for id in table.ids().into_iter().filter(|id| self.is_member(leader, *id)) {
            signal_process(id, signal);
        }
    }

    // The run's processes other than the leader; zombies are among them. `None` without `/proc`.
    fn members(&self, leader: Pid, started: Instant) -> Option<Vec<Pid>> {
        self.members_but(&Ended::default(), leader, started)
    }

    // Without those that have ended.
    fn members_but(&self, ended: &Ended, leader: Pid, started: Instant) -> Option<Vec<Pid>> {
        let table = self.table?;
        let us = Pid::this();
        let mut ids = table.ids_since(leader, started).unwrap_or_else(|| table.ids());
        let is_gone = ended.now();
        ids.retain(|id| *id != leader && *id != us && !is_gone(*id) && self.is_member(leader, *id));
        Some(ids)
    }

    fn is_member(&self, leader: Pid, id: Pid) -> bool {
        match &self.scope {
            Some(_) => reaches(id),
            None => getsid(Some(id)) == Ok(leader),
        }
    }

    // Looks at each of the members and waits until it is gone, but not after `deadline`.
    // One after another, so that a fork bomb costs us one descriptor.
    fn wait_for(&self, leader: Pid, members: &[Pid], deadline: Option<Instant>, ended: &mut Ended) -> Seen {
        let mut seen = Seen::default();
        // The signal reached the oldest first, so who waits for the youngest is woken up once.
        for member in members.iter().rev() {
            match pidfd::open(*member) {
                // The id may have passed to another process before it was opened. Ours cannot be
                // given away while we look: it would have to be reaped first.
                Ok(_) if !self.is_member(leader, *member) => {}
                Ok(fd) if has_ended(&fd, PollTimeout::ZERO) => ended.bury(*member, &fd),
                Ok(fd) => {
                    seen.alive += 1;
                    if deadline.is_some_and(|deadline| has_ended(&fd, until(deadline))) {
                        ended.bury(*member, &fd);
                    } else {
                        seen.left.push(*member);
                    }
                }
                // It is gone already, or it is a thread, whose process is looked at by itself.
                Err(Errno::ESRCH | Errno::EINVAL | Errno::ENOENT) => {}
                Err(_) => {
                    seen.alive += 1;
                    seen.left.push(*member);
                }
            }
        }
        seen
    }
}

// How many processes were alive when they were looked at, and which still were when they had been waited for.
#[derive(Debug, Default)]
struct Seen {
    alive: u64,
    left: Vec<Pid>,
}

// Processes that were seen to have ended. Their zombies may stay for long, also those of earlier runs: they are
// other processes' to reap.
#[derive(Debug)]
struct Ended {
    since: Instant,
    ids: HashSet<Pid>,
}

impl Default for Ended {
    fn default() -> Self {
        Self { since: Instant::now(), ids: HashSet::new() }
    }
}

impl Ended {
    // An orphan's zombie is its new parent's to reap. That is us when we are the init process of a
    // container or a subreaper.
    fn bury(&mut self, id: Pid, process: &OwnedFd) {
        self.ids.insert(id);
        let _ = pidfd::reap(process.as_fd());
    }

    // Whether an id that was listed before now is that of one of them.
    fn now(&self) -> impl Fn(Pid) -> bool {
        let is_recent = self.since.elapsed() < SHORT_RUN;
        move |id| is_recent && self.ids.contains(&id)
    }
}

fn until(deadline: Instant) -> PollTimeout {
    let left = deadline.saturating_duration_since(Instant::now());
    PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO)
}

fn is_alive(process: Pid) -> bool {
    pidfd::open(process).is_ok_and(|fd| !has_ended(&fd, PollTimeout::ZERO))
}

fn has_ended(process: &OwnedFd, timeout: PollTimeout) -> bool {
    let mut fds = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, timeout).is_ok_and(|ready| ready > 0)
}
