//! Reads what processes use of memory and disk.
//!
//! The kernel tells that through `/proc`, which no thread of a launcher may open, so a thread that is not restricted
//! reads it for them.
#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;

use nix::sys::signal::SigSet;
use nix::unistd::Pid;

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
    pub(crate) fn memory(&self, processes: &[Pid], limit: u64) -> Option<Vec<(Pid, u64)>> {
        let processes = processes.to_vec();
        self.ask(move || {
            let each =
                |read: fn(Pid) -> u64| processes.iter().map(|process| (*process, read(*process))).collect();
            let most: Vec<(Pid, u64)> = each(resident);
            let sum = most.iter().fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
            if sum > limit { each(shared_out) } else { most }
        })
    }

    /// What each of the processes has written. `None` when the thread has ended.
    pub(crate) fn written(&self, processes: &[Pid]) -> Option<Vec<Written>> {
        let processes = processes.to_vec();
        self.ask(move || processes.into_iter().map(written).collect())
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
    fs::read_to_string("/proc/self/io").is_ok_and(|text| field(&text, "write_bytes:").is_some())
}

// Memory that is the process's own or shared without a file, as proc_pid_status(5) states it.
fn resident(process: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    kibibytes(&status, &["RssAnon:", "RssShmem:", "VmSwap:"]).unwrap_or(0)
}

// The same with pages that several processes map shared out among them (proc_pid_smaps_rollup(5)). Where that cannot be
// read (before Linux 5.4, or a program file that its user may not read) the higher number stands.
fn shared_out(process: Pid) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    kibibytes(&rollup, &["Pss_Anon:", "Pss_Shmem:", "SwapPss:"]).unwrap_or_else(|| resident(process))
}

fn kibibytes(text: &str, names: &[&str]) -> Option<u64> {
    names
        .iter()
        .map(|name| field(text, name))
        .try_fold(0_u64, |sum, field| Some(sum.saturating_add(field?)))
        .map(|sum| sum.saturating_mul(1024))
}

fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_ascii_whitespace().next()?.parse().ok()
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
        let before = meter.memory(&[Pid::this()], 0).unwrap();
        let block = vec![1_u8; 64 << 20];
        let [(us, quick)] = meter.memory(&[Pid::this()], u64::MAX).unwrap()[..] else { panic!() };
        let [(_, exact)] = meter.memory(&[Pid::this()], 0).unwrap()[..] else { panic!() };
        assert_eq!(us, Pid::this());
        for now in [quick, exact] {
            // Other tests of this process come and go.
            assert!(now >= 64 << 20, "{before:?} {now} {}", block.len());
        }
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
    fn nobody_uses_nothing() {
        let nobody = Pid::from_raw(i32::MAX);
        let meter = Meter::start().unwrap();
        assert_eq!(meter.memory(&[nobody], 0), Some(vec![(nobody, 0)]));
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
