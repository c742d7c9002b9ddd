//! Reads what processes use of memory and disk.
//!
//! The kernel tells that through `/proc`, which no thread of a launcher may open, so a thread that is not restricted
//! reads it for them.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;
use std::time::Duration;

use claw_policy::FileId;
use nix::sys::signal::SigSet;
use nix::unistd::Pid;

use super::objects::objects_of;
use crate::cgroup::Group;
use crate::sys::fd::Bell;

type Work = Box<dyn FnOnce() + Send>;

/// Where questions of one run are handed in. The thread ends when all of them are gone.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    works: Sender<Work>,
    // Set when nobody waits for a long sum any more.
    is_over: Arc<AtomicBool>,
}

/// What is to be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) processes: Vec<Pid>,
    pub(crate) cpu: bool,
    /// The limit, beyond which nobody needs to know more.
    pub(crate) memory: Option<u64>,
    pub(crate) disk: bool,
}

/// What was read of what was wanted.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// The CPU time of each process with the children that it waited for.
    pub(crate) cpu: Option<Vec<(Pid, Duration)>>,
    /// Nobody, when all of them together have certainly less than the limit.
    pub(crate) memory: Option<Vec<InMemory>>,
    pub(crate) disk: Option<Vec<Written>>,
}

/// What a process and the children that it waited for have written to disk.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) process: Pid,
    /// Its own bytes, by thread.
    pub(crate) own: Vec<(Pid, u64)>,
    /// With its threads and children that have gone.
    pub(crate) whole: u64,
}

/// What a process has in memory.
#[derive(Clone, Debug)]
pub(crate) struct InMemory {
    pub(crate) process: Pid,
    // Private memory.
    own: u64,
    // Pages of mapped memory that can be shared and has no file on a disk.
    shared: u64,
    // What lies behind that, mapped or not.
    objects: HashMap<FileId, u64>,
}

/// What several processes have in memory together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Together {
    own: u64,
    shared: u64,
    objects: HashMap<FileId, u64>,
    in_objects: u64,
}

impl Together {
    pub(crate) fn of<'a>(each: impl IntoIterator<Item = &'a InMemory>) -> Self {
        let mut together = Self::default();
        each.into_iter().for_each(|process| together.add(process));
        together
    }

    fn add(&mut self, process: &InMemory) {
        self.own = self.own.saturating_add(process.own);
        self.shared = self.shared.saturating_add(process.shared);
        process.objects.iter().for_each(|(object, size)| self.note(*object, *size));
    }

    // An object that several have counts once, with the most that one of them knows of.
    fn note(&mut self, object: FileId, size: u64) {
        let known = self.objects.entry(object).or_default();
        self.in_objects = self.in_objects.saturating_add(size.saturating_sub(*known));
        *known = size.max(*known);
    }

    /// An object never shrinks: what was seen of one before that is still there counts.
    pub(crate) fn remember(&mut self, before: &Self) {
        let still: Vec<_> = self.objects.keys().copied().collect();
        for object in still {
            if let Some(size) = before.objects.get(&object) {
                self.note(object, *size);
            }
        }
    }

    /// An object that is mapped is shared memory too, so the larger of the two counts.
    pub(crate) fn total(&self) -> u64 {
        self.own.saturating_add(self.shared.max(self.in_objects))
    }
}

impl Meter {
    /// Starts the thread. To be called on a thread that is not restricted.
    pub(crate) fn start() -> io::Result<Self> {
        let (works, to_do) = channel();
        Builder::new().name("claw-meter".into()).spawn(move || {
            // Handlers of this program must not run on our threads.
            if SigSet::all().thread_block().is_ok() {
                serve(&to_do);
            }
        })?;
        Ok(Self { works, is_over: Arc::default() })
    }

    /// Reads, and rings when it is done. What a run of many processes has in memory takes seconds to sum up, so nobody
    /// should wait for it who has anything else to do. `None` when the thread has ended.
    pub(crate) fn read(&self, wanted: Wanted, bell: Arc<Bell>) -> Option<Receiver<Reading>> {
        let is_over = Arc::clone(&self.is_over);
        self.ask(move || read(&wanted, &is_over), move || bell.ring())
    }

    /// No long sum is wanted any more; one that is being made is given up.
    pub(crate) fn hurry(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Removes a control group and returns when it is gone.
    pub(crate) fn let_go(&self, group: Group) {
        if let Some(gone) = self.ask(move || drop(group), || {}) {
            let _ = gone.recv();
        }
    }

    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        done: impl FnOnce() + Send + 'static,
    ) -> Option<Receiver<T>> {
        let (answer, answered) = channel();
        let work = move || {
            // Who has gone needs no answer.
            let _ = answer.send(work());
            done();
        };
        self.works.send(Box::new(work)).ok()?;
        Some(answered)
    }
}

fn serve(works: &Receiver<Work>) {
    while let Ok(work) = works.recv() {
        work();
    }
}

/// Whether the kernel counts what processes write (`CONFIG_TASK_IO_ACCOUNTING`).
pub(crate) fn counts_writes() -> bool {
    // It is there with that setting only (fs/proc/base.c).
    fs::exists("/proc/self/io").unwrap_or(false)
}

fn read(wanted: &Wanted, is_over: &AtomicBool) -> Reading {
    let processes = &wanted.processes;
    let cpu = || processes.iter().map(|process| (*process, cpu_time(*process))).collect();
    let disk = || processes.iter().map(|process| written(*process)).collect();
    Reading {
        cpu: wanted.cpu.then(cpu),
        memory: wanted.memory.map(|limit| in_memory(processes, limit, is_over)),
        disk: wanted.disk.then(disk),
    }
}

type OwnAndShared = [u64; 2];

// First what is quickly known and may be too high, because private pages that several have are counted with each; then,
// if that is more than `limit`, each page once, until that is more than it too.
fn in_memory(processes: &[Pid], limit: u64, is_over: &AtomicBool) -> Vec<InMemory> {
    let quick = |process: &Pid| {
        let [own, shared] = resident(*process);
        InMemory { process: *process, own, shared, objects: HashMap::new() }
    };
    let mut quick: Vec<_> = processes.iter().map(quick).collect();
    let own = Together::of(&quick).own;
    if own.saturating_add(shared_of_all()) <= limit {
        return Vec::new();
    }
    for process in &mut quick {
        process.objects = objects_of(process.process);
    }
    if Together::of(&quick).total() <= limit {
        return quick;
    }
    let mut together = Together::default();
    let mut exact = Vec::new();
    for process in quick {
        if is_over.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let [own, shared] = shared_out(process.process);
        let process = InMemory { own, shared, ..process };
        together.add(&process);
        exact.push(process);
        if together.total() > limit {
            break;
        }
    }
    exact
}

// The most that anybody can have in shared memory: what the machine has, in memory or swapped out. proc_meminfo(5).
fn shared_of_all() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let [shared, swap, free] = ["Shmem:", "SwapTotal:", "SwapFree:"].map(|name| kibibytes(&text, &[name]));
    let swapped = swap.unwrap_or(0).saturating_sub(free.unwrap_or(0));
    shared.map_or(u64::MAX, |shared| shared.saturating_add(swapped))
}

// proc_pid_status(5).
fn resident(process: Pid) -> OwnAndShared {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    [&["RssAnon:", "VmSwap:"][..], &["RssShmem:"]].map(|names| kibibytes(&status, names).unwrap_or(0))
}

// The same with pages that several processes map shared out among them (proc_pid_smaps_rollup(5)). Where that cannot be
// read (before Linux 5.4, or a program file that its user may not read) the higher number stands.
fn shared_out(process: Pid) -> OwnAndShared {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let read = [&["Pss_Anon:", "SwapPss:"][..], &["Pss_Shmem:"]].map(|names| kibibytes(&rollup, names));
    match read {
        [Some(own), Some(shared)] => [own, shared],
        _ => resident(process),
    }
}

fn kibibytes(text: &str, names: &[&str]) -> Option<u64> {
    let fields = names.iter().map(|name| field(text, name));
    fields.sum::<Option<u64>>().map(|sum| sum.saturating_mul(1024))
}

fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

fn cpu_time(process: Pid) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    Duration::from_secs_f64(ticks(&stat).unwrap_or(0) as f64 / ticks_per_second())
}

// The name before them may have blanks and parentheses. proc_pid_stat(5): the fields 14 to 17 are its own time and that
// of its children, in user mode and in the kernel.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let times = fields.split_ascii_whitespace().skip(11).take(4);
    times.map(|time| time.parse::<u64>().ok()).try_fold(0_u64, |sum, time| Some(sum.saturating_add(time?)))
}

fn ticks_per_second() -> f64 {
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten();
    // USER_HZ is 100 on every architecture that we have a system call table for.
    ticks.filter(|ticks| *ticks > 0).map_or(100.0, |ticks| ticks as f64)
}

// `io` of a process is with what has gone, that of a task is its own (do_io_accounting in fs/proc/base.c).
fn written(process: Pid) -> Written {
    let bytes = |path: String| {
        let text = fs::read_to_string(path).unwrap_or_default();
        field(&text, "write_bytes:").unwrap_or(0)
    };
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let tasks = tasks.filter_map(|task| task.file_name().to_str()?.parse().ok()).map(Pid::from_raw);
    let own = tasks.map(|task| (task, bytes(format!("/proc/{process}/task/{task}/io")))).collect();
    Written { process, own, whole: bytes(format!("/proc/{process}/io")) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn reading(meter: &Meter, wanted: Wanted) -> Reading {
        let bell = Arc::new(Bell::new().unwrap());
        meter.read(wanted, bell).unwrap().recv().unwrap()
    }

    fn memory(limit: u64) -> u64 {
        let meter = Meter::start().unwrap();
        let wanted = Wanted { processes: vec![Pid::this()], memory: Some(limit), ..Wanted::default() };
        Together::of(&reading(&meter, wanted).memory.unwrap()).total()
    }

    #[test]
    fn memory_that_is_touched_is_counted_and_little_is_not_summed_up() {
        let block = vec![1_u8; 64 << 20];
        // Other tests of this process have memory too.
        assert!(memory(0) >= 64 << 20, "{}", block.len());
        assert_eq!(memory(u64::MAX), 0);
    }

    #[test]
    fn the_sum_is_given_up_at_the_limit_and_when_nobody_wants_it() {
        let processes = [Pid::this(); 40];
        let is_over = AtomicBool::new(false);
        assert_eq!(in_memory(&processes, 0, &is_over).len(), 1);
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(in_memory(&processes, 0, &is_over).len(), 0);
    }

    #[test]
    fn the_bell_rings_when_it_has_been_read() {
        let meter = Meter::start().unwrap();
        let bell = Arc::new(Bell::new().unwrap());
        let reading = meter.read(Wanted::default(), Arc::clone(&bell)).unwrap();
        let mut fds =
            [nix::poll::PollFd::new(std::os::fd::AsFd::as_fd(&*bell), nix::poll::PollFlags::POLLIN)];
        assert_eq!(nix::poll::poll(&mut fds, nix::poll::PollTimeout::NONE), Ok(1));
        assert!(reading.try_recv().is_ok());
    }

    #[test]
    fn an_object_that_is_mapped_is_no_second_memory_and_one_of_several_counts_once() {
        let of = |own, shared, objects: &[(u64, u64)]| InMemory {
            process: Pid::this(),
            own,
            shared,
            objects: objects
                .iter()
                .map(|(inode, size)| (FileId { device: 1, inode: *inode }, *size))
                .collect(),
        };
        let total = |each: &[InMemory]| Together::of(each).total();
        assert_eq!(total(&[of(1, 10, &[]), of(2, 0, &[(7, 10)]), of(4, 0, &[])]), 17);
        assert_eq!(total(&[of(0, 0, &[(7, 10)]), of(0, 0, &[(7, 30), (8, 5)]), of(0, 0, &[(7, 20)])]), 35);
        assert_eq!(total(&[of(u64::MAX, 1, &[(7, 2)]), of(1, 0, &[])]), u64::MAX);
        let before = Together::of(&[of(0, 0, &[(7, 100), (9, 1000)])]);
        let mut now = Together::of(&[of(0, 0, &[(7, 10), (8, 1)])]);
        now.remember(&before);
        assert_eq!(now.total(), 101);
    }

    #[test]
    fn what_is_written_is_counted_with_its_thread() {
        let mut file =
            tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).or_else(|_| tempfile::tempfile()).unwrap();
        let task = nix::unistd::gettid();
        let meter = Meter::start().unwrap();
        let own = || {
            let wanted = Wanted { processes: vec![Pid::this()], disk: true, ..Wanted::default() };
            let written = reading(&meter, wanted).disk.unwrap().remove(0);
            (written.own.iter().find(|(id, _)| *id == task).unwrap().1, written.whole)
        };
        let before = own();
        file.write_all(&vec![1; 1 << 20]).unwrap();
        let after = own();
        let grown = after.0 - before.0;
        // A file system in memory writes to no disk.
        assert!(grown == 0 || grown >= 1 << 20, "{grown}");
        assert!(after.1 - before.1 >= grown);
    }

    #[test]
    fn the_time_of_children_that_were_waited_for_counts() {
        let stat = "7 (a) b) S 1 1 1 0 -1 0 0 0 0 0 10 20 300 4000 20 0 1 0 5";
        assert_eq!(ticks(stat), Some(4330));
        assert_eq!(ticks("7 (a) S 1 1"), Some(0));
        assert_eq!(ticks(""), None);
        let meter = Meter::start().unwrap();
        let cpu = || {
            let wanted = Wanted { processes: vec![Pid::this()], cpu: true, ..Wanted::default() };
            reading(&meter, wanted).cpu.unwrap()
        };
        let before = cpu();
        let burn = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        std::process::Command::new("sh").args(["-c", burn]).status().unwrap();
        let after = cpu();
        assert!(after[0].1 > before[0].1, "{before:?} {after:?}");
    }

    #[test]
    fn nobody_uses_nothing() {
        let nobody = Pid::from_raw(i32::MAX);
        let meter = Meter::start().unwrap();
        let wanted = Wanted { processes: vec![nobody], memory: Some(0), disk: true, cpu: true };
        let reading = reading(&meter, wanted);
        assert_eq!(Together::of(&reading.memory.unwrap()).total(), 0);
        assert_eq!(reading.cpu.unwrap(), [(nobody, Duration::ZERO)]);
        let written = reading.disk.unwrap().remove(0);
        assert_eq!((written.own.len(), written.whole), (0, 0));
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "cancelled_write_bytes: 7\nwrite_bytes: 5\nVmSwap:\t  12 kB\n";
        assert_eq!(field(text, "write_bytes:"), Some(5));
        assert_eq!(field(text, "read_bytes:"), None);
        assert_eq!(kibibytes(text, &["VmSwap:"]), Some(12 << 10));
        assert_eq!(kibibytes(text, &["VmSwap:", "RssAnon:"]), None);
    }
}
