//! Reads what processes use of memory and disk.
//!
//! The kernel tells that through `/proc`, which no thread of a launcher may open, so a thread that is not restricted
//! reads it for them.
#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::fs;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;
use std::time::Duration;

use claw_policy::FileId;
use nix::sys::signal::SigSet;
use nix::sys::stat::stat;
use nix::unistd::Pid;

use crate::cgroup::Group;
use crate::opened::id_of;

type Work = Box<dyn FnOnce() + Send>;

/// Where questions are handed in. The thread ends when all of them are gone.
#[derive(Clone, Debug)]
pub(crate) struct Meter(Sender<Work>);

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
#[derive(Clone, Copy, Debug)]
pub(crate) struct InMemory {
    pub(crate) process: Pid,
    // Private memory.
    own: u64,
    // Mapped memory that can be shared and has no file on a disk.
    shared: u64,
    // Files in memory (memfd_create(2)) that it has open and no process before it has, mapped or not.
    files: u64,
}

impl InMemory {
    /// What all of them have together. A file that is mapped is shared memory too, so the larger of the two counts.
    pub(crate) fn total<'a>(each: impl IntoIterator<Item = &'a Self>) -> u64 {
        let (mut own, mut shared, mut files) = (0_u64, 0_u64, 0_u64);
        for process in each {
            own = own.saturating_add(process.own);
            shared = shared.saturating_add(process.shared);
            files = files.saturating_add(process.files);
        }
        own.saturating_add(shared.max(files))
    }
}

impl Meter {
    /// Starts the thread. To be called on a thread that is not restricted.
    pub(crate) fn start() -> io::Result<Self> {
        let (work, works) = channel();
        Builder::new().name("claw-meter".into()).spawn(move || {
            // Handlers of this program must not run on our threads.
            if SigSet::all().thread_block().is_ok() {
                serve(&works);
            }
        })?;
        Ok(Self(work))
    }

    /// What each of the processes has in memory. `None` when the thread has ended.
    ///
    /// First what is quickly known and may be too high, because pages that several share are counted with each; then,
    /// if that is more than `limit`, each page once.
    pub(crate) fn memory(&self, processes: &[Pid], limit: u64) -> Option<Vec<InMemory>> {
        let processes = processes.to_vec();
        self.ask(move || {
            let quick = in_memory(&processes, resident);
            if InMemory::total(&quick) > limit { in_memory(&processes, shared_out) } else { quick }
        })
    }

    /// What each of the processes has written. `None` when the thread has ended.
    pub(crate) fn written(&self, processes: &[Pid]) -> Option<Vec<Written>> {
        let processes = processes.to_vec();
        self.ask(move || processes.into_iter().map(written).collect())
    }

    /// The CPU time of each of the processes with the children that it waited for. `None` when the thread has ended.
    pub(crate) fn cpu_times(&self, processes: &[Pid]) -> Option<Vec<(Pid, Duration)>> {
        let processes = processes.to_vec();
        self.ask(move || processes.into_iter().map(|process| (process, cpu_time(process))).collect())
    }

    /// Removes a control group and returns when it is gone.
    pub(crate) fn let_go(&self, group: Group) {
        let _ = self.ask(move || drop(group));
    }

    fn ask<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (answer, answered) = channel();
        self.0.send(Box::new(move || drop(answer.send(work())))).ok()?;
        answered.recv().ok()
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

type OwnAndShared = [u64; 2];

fn in_memory(processes: &[Pid], read: fn(Pid) -> OwnAndShared) -> Vec<InMemory> {
    let mut seen = HashSet::new();
    let mut read = |process| {
        let [own, shared] = read(process);
        InMemory { process, own, shared, files: files_in_memory(process, &mut seen) }
    };
    processes.iter().map(|process| read(*process)).collect()
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

// Those that are not in `seen` yet.
fn files_in_memory(process: Pid, seen: &mut HashSet<FileId>) -> u64 {
    let links = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let in_memory = links.filter(|link| {
        fs::read_link(link.path())
            .is_ok_and(|name| name.as_os_str().as_encoded_bytes().starts_with(b"/memfd:"))
    });
    let mut sum = 0_u64;
    for status in in_memory.filter_map(|link| stat(&link.path()).ok()) {
        if seen.insert(id_of(&status)) {
            // In units of 512 bytes, whatever the block size (stat(2)).
            sum = sum.saturating_add(u64::try_from(status.st_blocks).unwrap_or(0).saturating_mul(512));
        }
    }
    sum
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

    #[test]
    fn memory_that_is_touched_is_counted_and_no_page_twice() {
        let meter = Meter::start().unwrap();
        let block = vec![1_u8; 64 << 20];
        let now = |limit| InMemory::total(&meter.memory(&[Pid::this()], limit).unwrap());
        let [quick, exact] = [u64::MAX, 0].map(now);
        for now in [quick, exact] {
            // Other tests of this process have memory too.
            assert!(now >= 64 << 20, "{now} {}", block.len());
        }
    }

    #[test]
    fn a_file_in_memory_is_counted_once_whoever_has_it_open() {
        let flags = nix::sys::memfd::MFdFlags::MFD_CLOEXEC;
        let file = fs::File::from(nix::sys::memfd::memfd_create(c"test", flags).unwrap());
        let again = file.try_clone().unwrap();
        let before = files_in_memory(Pid::this(), &mut HashSet::new());
        (&file).write_all(&vec![1; 8 << 20]).unwrap();
        let mut seen = HashSet::new();
        let after = files_in_memory(Pid::this(), &mut seen);
        assert!((8 << 20..16 << 20).contains(&(after - before)), "{before} {after} {again:?}");
        assert_eq!(files_in_memory(Pid::this(), &mut seen), 0);
    }

    #[test]
    fn a_file_that_is_mapped_is_no_second_memory() {
        let of = |own, shared, files| InMemory { process: Pid::this(), own, shared, files };
        assert_eq!(InMemory::total(&[of(1, 10, 0), of(2, 0, 10), of(4, 0, 0)]), 17);
        assert_eq!(InMemory::total(&[of(u64::MAX, 1, 2), of(1, 0, 0)]), u64::MAX);
    }

    #[test]
    fn what_is_written_is_counted_with_its_thread() {
        let mut file =
            tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).or_else(|_| tempfile::tempfile()).unwrap();
        let task = nix::unistd::gettid();
        let meter = Meter::start().unwrap();
        let own = || {
            let written = meter.written(&[Pid::this()]).unwrap().remove(0);
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
        let us = Pid::this();
        let before = meter.cpu_times(&[us]).unwrap();
        let burn = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        std::process::Command::new("sh").args(["-c", burn]).status().unwrap();
        let after = meter.cpu_times(&[us]).unwrap();
        assert!(after[0].1 > before[0].1, "{before:?} {after:?}");
    }

    #[test]
    fn nobody_uses_nothing() {
        let nobody = Pid::from_raw(i32::MAX);
        let meter = Meter::start().unwrap();
        assert_eq!(InMemory::total(&meter.memory(&[nobody], 0).unwrap()), 0);
        let written = meter.written(&[nobody]).unwrap().remove(0);
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
