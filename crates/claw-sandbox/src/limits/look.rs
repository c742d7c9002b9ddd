//! Looks at a run now and then, for the limits that the kernel does not keep by itself.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::meter::InMemory;
use super::tally::Tally;
use crate::cgroup::Group;
use crate::outcome::Ending;
use crate::spawn::Supervision;
use crate::sweep::Sweeper;
use crate::sys::pidfd;

// A process that does nothing else makes some ten others, or touches some megabytes, in a millisecond.
const SHORT: Duration = Duration::from_millis(20);
// For what grows no faster than time does, and for more processes than are made in that time.
const LONG: Duration = Duration::from_millis(100);
const MANY_PROCESSES: u64 = 1024;
// A look at a run of many processes, or of much memory that they share, takes long. A tenth of a core is enough.
const SHARE: u32 = 10;

/// The looks at one run.
#[derive(Debug)]
pub(crate) struct Looks {
    leader: Pid,
    started: Instant,
    interval: Option<Duration>,
    next: Option<Instant>,
    // In nanoseconds, and in bytes.
    cpu: Sums,
    disk: Sums,
    // Where the kernel keeps some of them.
    group: Option<Group>,
}

impl Looks {
    pub(crate) fn new(
        leader: Pid,
        started: Instant,
        supervision: &Supervision,
        group: Option<Group>,
    ) -> Self {
        let Supervision { processes, cpu, memory, disk, .. } = supervision;
        let is_fast = group.is_some()
            || memory.is_some()
            || disk.is_some()
            || processes.is_some_and(|limit| limit < MANY_PROCESSES);
        let interval = match (is_fast, processes.is_some() || cpu.is_some()) {
            (true, _) => Some(SHORT),
            (false, true) => Some(LONG),
            (false, false) => None,
        };
        let next = interval.and_then(|interval| started.checked_add(interval));
        Self { leader, started, interval, next, cpu: Sums::default(), disk: Sums::default(), group }
    }

    /// When the next one is due.
    pub(crate) const fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Looks, if it is time. Returns the limit that does not hold.
    pub(crate) fn look(&mut self, sweeper: &Sweeper<'_>, supervision: &Supervision) -> Option<Ending> {
        let now = Instant::now();
        if self.next.is_none_or(|next| now < next) {
            return None;
        }
        let ending = self.exceeded(sweeper, supervision);
        let pause = self.interval.map(|interval| interval.max(now.elapsed() * SHARE));
        self.next = pause.and_then(|pause| Instant::now().checked_add(pause));
        ending
    }

    fn exceeded(&mut self, sweeper: &Sweeper<'_>, supervision: &Supervision) -> Option<Ending> {
        let Supervision { processes, cpu, memory, .. } = supervision;
        if let Some(ending) = self.group.as_ref().and_then(Group::exceeded) {
            return Some(ending);
        }
        let everyone = sweeper.everyone(self.leader, self.started);
        if processes.is_some_and(|limit| sweeper.tasks(&everyone) > limit) {
            return Some(Ending::ProcessLimit);
        }
        if cpu
            .is_some_and(|limit| self.cpu_time(&everyone, sweeper, supervision) > limit.saturating_add(LONG))
        {
            return Some(Ending::CpuLimit);
        }
        if memory.is_some_and(|limit| self.memory(&everyone, limit, sweeper, supervision) > limit) {
            return Some(Ending::MemoryLimit);
        }
        self.disk_exceeded(&everyone, sweeper, supervision)
    }

    /// The last look, when the main process has ended and has not been reaped: what it and its children have written.
    pub(crate) fn last(&mut self, sweeper: &Sweeper<'_>, supervision: &Supervision) -> Option<Ending> {
        if let Some(ending) = self.group.as_ref().and_then(Group::exceeded) {
            return Some(ending);
        }
        supervision.disk?;
        self.disk_exceeded(&sweeper.everyone(self.leader, self.started), sweeper, supervision)
    }

    /// Removes what the run alone had. Nothing of it is alive.
    pub(crate) fn end(&mut self, supervision: &Supervision) {
        if let (Some(group), Some(meter)) = (self.group.take(), &supervision.meter) {
            meter.let_go(group);
        }
    }

    // The limit is a little later than the kernel's, which tells a single process with SIGXCPU.
    fn cpu_time(&mut self, everyone: &[Pid], sweeper: &Sweeper<'_>, supervision: &Supervision) -> Duration {
        let Some(read) = supervision.meter.as_ref().and_then(|meter| meter.cpu_times(everyone)) else {
            // Nobody can say that it is little.
            return Duration::MAX;
        };
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let mut whole = 0_u64;
        for (process, time) in read.into_iter().filter(|(process, _)| sweeper.is_of(self.leader, *process)) {
            whole = whole.saturating_add(nanoseconds(time));
            self.cpu.note(process, nanoseconds(pidfd::cpu_time(process).unwrap_or_default()));
        }
        self.cpu.note_whole(whole);
        Duration::from_nanos(self.cpu.most())
    }

    fn memory(&self, everyone: &[Pid], limit: u64, sweeper: &Sweeper<'_>, supervision: &Supervision) -> u64 {
        let Some(read) = supervision.meter.as_ref().and_then(|meter| meter.memory(everyone, limit)) else {
            // Nobody can say that it is little.
            return u64::MAX;
        };
        // An id may have passed on while it was read.
        InMemory::total(read.iter().filter(|read| sweeper.is_of(self.leader, read.process)))
    }

    fn disk_exceeded(
        &mut self,
        everyone: &[Pid],
        sweeper: &Sweeper<'_>,
        supervision: &Supervision,
    ) -> Option<Ending> {
        let limit = supervision.disk?;
        let Some(read) = supervision.meter.as_ref().and_then(|meter| meter.written(everyone)) else {
            return Some(Ending::DiskLimit);
        };
        let mut whole = 0_u64;
        for process in read.into_iter().filter(|written| sweeper.is_of(self.leader, written.process)) {
            whole = whole.saturating_add(process.whole);
            process.own.into_iter().for_each(|(task, bytes)| self.disk.note(task, bytes));
        }
        self.disk.note_whole(whole);
        (self.disk.most() > limit).then_some(Ending::DiskLimit)
    }
}

/// What a run has used. Two sums, neither of which is ever too high.
#[derive(Debug, Default)]
struct Sums {
    // What each task was seen to use. It lacks what they used after the last look at them.
    own: Tally,
    // The most that all had used at one time, with the children that they waited for. It lacks orphans that ended.
    whole: u64,
}

impl Sums {
    fn note(&mut self, task: Pid, used: u64) {
        self.own.note(task, used);
    }

    fn note_whole(&mut self, used: u64) {
        self.whole = self.whole.max(used);
    }

    fn most(&self) -> u64 {
        self.own.sum().max(self.whole)
    }
}
