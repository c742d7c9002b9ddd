//! What is counted: runs by sort and ending, and what this process holds.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use claw_sandbox::audit::{entries, verify};

/// Runs by what became of them.
#[derive(Debug, Default)]
pub(crate) struct Accounts(Mutex<BTreeMap<String, usize>>);

impl Accounts {
    pub(crate) fn note(&self, what: String) {
        *self.0.lock().unwrap().entry(what).or_default() += 1;
    }

    pub(crate) fn total(&self) -> usize {
        self.0.lock().unwrap().values().sum()
    }

    pub(crate) fn summary(&self) -> String {
        let accounts = self.0.lock().unwrap();
        accounts.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
    }
}

/// What this process holds.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Held {
    pub(crate) descriptors: Vec<String>,
    pub(crate) threads: Vec<String>,
    pub(crate) children: Vec<String>,
}

impl Held {
    pub(crate) fn now() -> Self {
        let tasks: Vec<_> =
            fs::read_dir("/proc/self/task").unwrap().flatten().map(|task| task.path()).collect();
        let read =
            |path: std::path::PathBuf| fs::read_to_string(path).unwrap_or_default().trim_end().to_owned();
        let mut held = Self {
            descriptors: descriptors(),
            threads: tasks.iter().map(|task| read(task.join("comm"))).collect(),
            children: tasks
                .iter()
                .map(|task| read(task.join("children")))
                .filter(|text| !text.is_empty())
                .collect(),
        };
        held.descriptors.sort_unstable();
        held.threads.sort_unstable();
        held
    }

    /// Waits for the kernel to do what it does in its own time: a thread that was joined is in the list a moment more.
    pub(crate) fn returns_to(before: &Self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let now = Self::now();
            if now == *before {
                return;
            }
            assert!(Instant::now() < deadline, "before: {before:#?}\nafter: {now:#?}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// What the descriptors lead to. The one of the listing itself is gone when it is asked for.
fn descriptors() -> Vec<String> {
    let links: Vec<_> = fs::read_dir("/proc/self/fd").unwrap().flatten().map(|link| link.path()).collect();
    links.iter().filter_map(|link| fs::read_link(link).ok()).map(|to| to.display().to_string()).collect()
}

/// Decisions in a log that allowed a run, decisions that refused one, and ends of runs.
pub(crate) fn audited(log: &Path) -> (usize, usize, usize) {
    let verified = verify(log, None).unwrap();
    assert!(verified.is_intact(), "{verified:?}");
    let mut counts = (0, 0, 0);
    for entry in entries(log).unwrap() {
        match (entry.field("event"), entry.field("decision")) {
            (Some("exec.decision"), Some("allow")) => counts.0 += 1,
            (Some("exec.decision"), _) => counts.1 += 1,
            (Some("exec.outcome"), _) => counts.2 += 1,
            _ => {}
        }
    }
    counts
}

/// Whether a process that is no zombie has this as an argument.
pub(crate) fn is_there(mark: &str) -> bool {
    claw_testkit::scene::processes().any(|process| {
        let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == mark.as_bytes())
            && claw_testkit::scene::is_alive(process)
    })
}
