//! Looks at a run now and then, for the limits that the kernel does not keep by itself.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::meter::{InMemory, Meter, Reading, Together, Wanted, Written};
use super::tally::Tally;
use crate::cgroup::Group;
use crate::outcome::Ending;
use crate::spawn::Supervision;
use crate::sweep::Sweeper;
use crate::sys::fd::Bell;
use crate::sys::pidfd;

// A process that does nothing else makes some ten others, or touches some megabytes, in a millisecond.
const SHORT: Duration = Duration::from_millis(20);
// For what grows no faster than time does, and for more processes than are made in that time.
const LONG: Duration = Duration::from_millis(100);
const MANY_PROCESSES: u64 = 1024;
// A look at a run of many processes, or of much memory that they share, takes long. A tenth of a core is enough.
const SHARE: u32 = 10;
// For what was written at the end. Nothing else is read by then, so it takes microseconds for each process.
const PATIENCE: Duration = Duration::from_secs(2);

/// The looks at one run.
#[derive(Debug)]
pub(crate) struct Looks {
    leader: Pid,
    started: Instant,
    interval: Option<Duration>,
    next: Option<Instant>,
    // What the meter reads meanwhile, and since when. It rings the bell.
    pending: Option<(Receiver<Reading>, Instant)>,
    bell: Arc<Bell>,
    // In nanoseconds, and in bytes.
    cpu: Sums,
    disk: Sums,
    memory: Together,
    // Where the kernel keeps some of them.
    group: Option<Group>,
}

impl Looks {
    pub(crate) fn new(
        leader: Pid,
        started: Instant,
        supervision: &Supervision,
        group: Option<Group>,
        bell: Arc<Bell>,
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
        let (cpu, disk, memory) = Default::default();
        Self { leader, started, interval, next, pending: None, bell, cpu, disk, memory, group }
    }

    /// When the next one is due. None is while the last one's answer is awaited, which rings the bell.
    pub(crate) const fn next(&self) -> Option<Instant> {
        if self.pending.is_some() { None } else { self.next }
    }

    /// Looks, if it is time, and never waits. Returns the limit that does not hold.
    pub(crate) fn look(&mut self, sweeper: &Sweeper<'_>, supervision: &Supervision) -> Option<Ending> {
        if let Some((answer, since)) = self.pending.take() {
            let reading = match answer.try_recv() {
                Ok(reading) => Some(reading),
                Err(TryRecvError::Empty) => {
                    self.pending = Some((answer, since));
                    return None;
                }
                Err(TryRecvError::Disconnected) => None,
            };
            self.pause(since);
            return self.judge(reading.unwrap_or_default(), sweeper, supervision);
        }
        let now = Instant::now();
        if self.next.is_none_or(|next| now < next) {
            return None;
        }
        let everyone = match self.at_once(sweeper, supervision) {
            Ok(everyone) => everyone,
            Err(ending) => return Some(ending),
        };
        let Supervision { cpu, memory, disk, meter, .. } = supervision;
        if cpu.is_none() && memory.is_none() && disk.is_none() {
            self.pause(now);
            return None;
        }
        let wanted =
            Wanted { processes: everyone, cpu: cpu.is_some(), memory: *memory, disk: disk.is_some() };
        match meter.as_ref().and_then(|meter| meter.read(wanted, Arc::clone(&self.bell))) {
            Some(answer) => {
                self.pending = Some((answer, now));
                None
            }
            None => self.judge(Reading::default(), sweeper, supervision),
        }
    }

    fn pause(&mut self, since: Instant) {
        let pause = self.interval.map(|interval| interval.max(since.elapsed() * SHARE));
        self.next = pause.and_then(|pause| Instant::now().checked_add(pause));
    }

    // What needs no reading, and otherwise whom to read about.
    fn at_once(&self, sweeper: &Sweeper<'_>, supervision: &Supervision) -> Result<Vec<Pid>, Ending> {
        if let Some(ending) = self.group.as_ref().and_then(Group::exceeded) {
            return Err(ending);
        }
        let everyone = sweeper.everyone(self.leader, self.started);
        if supervision.processes.is_some_and(|limit| sweeper.tasks(&everyone) > limit) {
            return Err(Ending::ProcessLimit);
        }
        Ok(everyone)
    }

    // What could not be read is too much: nobody can say that it is little.
    fn judge(
        &mut self,
        reading: Reading,
        sweeper: &Sweeper<'_>,
        supervision: &Supervision,
    ) -> Option<Ending> {
        let Reading { cpu, memory, disk } = reading;
        if supervision.cpu.is_some_and(|limit| {
            cpu.is_none_or(|cpu| self.cpu_time(cpu, sweeper) > limit.saturating_add(LONG))
        }) {
            return Some(Ending::CpuLimit);
        }
        if supervision
            .memory
            .is_some_and(|limit| memory.is_none_or(|memory| self.in_memory(&memory, sweeper) > limit))
        {
            return Some(Ending::MemoryLimit);
        }
        let limit = supervision.disk?;
        disk.is_none_or(|disk| self.written(disk, sweeper) > limit).then_some(Ending::DiskLimit)
    }

    /// The last look, when the main process has ended and has not been reaped: what it and its children have written.
    pub(crate) fn last(&mut self, sweeper: &Sweeper<'_>, supervision: &Supervision) -> Option<Ending> {
        if let Some(ending) = self.group.as_ref().and_then(Group::exceeded) {
            return Some(ending);
        }
        let limit = supervision.disk?;
        let processes = sweeper.everyone(self.leader, self.started);
        let wanted = Wanted { processes, disk: true, ..Wanted::default() };
        let read = |meter: &Meter| {
            meter.hurry();
            meter.read(wanted, Arc::clone(&self.bell))?.recv_timeout(PATIENCE).ok()?.disk
        };
        let disk = supervision.meter.as_ref().and_then(read);
        disk.is_none_or(|disk| self.written(disk, sweeper) > limit).then_some(Ending::DiskLimit)
    }

    /// Removes what the run alone had. Nothing of it is alive.
    pub(crate) fn end(&mut self, supervision: &Supervision) {
        let Some(meter) = &supervision.meter else { return };
        meter.hurry();
        if let Some(group) = self.group.take() {
            meter.let_go(group);
        }
    }

    // The limit is a little later than the kernel's, which tells a single process with SIGXCPU.
    fn cpu_time(&mut self, read: Vec<(Pid, Duration)>, sweeper: &Sweeper<'_>) -> Duration {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let mut whole = 0_u64;
        for (process, time) in read.into_iter().filter(|(process, _)| sweeper.is_of(self.leader, *process)) {
            whole = whole.saturating_add(nanoseconds(time));
            self.cpu.note(process, nanoseconds(pidfd::cpu_time(process).unwrap_or_default()));
        }
        self.cpu.note_whole(whole);
        Duration::from_nanos(self.cpu.most())
    }

    fn in_memory(&mut self, read: &[InMemory], sweeper: &Sweeper<'_>) -> u64 {
        // An id may have passed on while it was read.
        let mut now = Together::of(read.iter().filter(|read| sweeper.is_of(self.leader, read.process)));
        now.remember(&self.memory);
        let total = now.total();
        self.memory = now;
        total
    }

    fn written(&mut self, read: Vec<Written>, sweeper: &Sweeper<'_>) -> u64 {
        let mut whole = 0_u64;
        for process in read.into_iter().filter(|written| sweeper.is_of(self.leader, written.process)) {
            whole = whole.saturating_add(process.whole);
            process.own.into_iter().for_each(|(task, bytes)| self.disk.note(task, bytes));
        }
        self.disk.note_whole(whole);
        self.disk.most()
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
