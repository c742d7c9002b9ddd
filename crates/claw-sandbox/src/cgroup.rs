//! A control group of a run's own, where somebody has delegated version 2 of them to us.
//!
//! The kernel then bounds the memory and the tasks of the whole run, and refuses before a bound is passed. A process
//! can be moved there only if we may write to the group that its old and its new group have in common, and a group
//! that has processes itself hands no controller on. So the runs' groups are made beneath the nearest group above our
//! own that hands on both and that we may write to.
#![forbid(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use claw_policy::Confinement;
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use nix::unistd::{AccessFlags, access};

use crate::KernelFeatures;
use crate::outcome::Ending;

// The built-in profile states this for every run (`profile/built-in.yaml` in claw-policy). Moving a process costs the
// kernel a grace period, which is more than most commands cost, so that bound alone does not make a group.
const USUAL_PROCESSES: u64 = 4096;
const PREFIX: &str = "claw-sandbox-";
// More than a process that was killed can have left behind: it ran as many at once.
const NAMES: u32 = 10_000;
// A group is entered at once, or its launch has failed.
const OLD: Duration = Duration::from_secs(600);

/// What a run's own group bounds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Bounds {
    parent: PathBuf,
    memory: Option<u64>,
    processes: Option<u64>,
}

impl Bounds {
    /// Those of a confinement; `None` where its runs have no group.
    pub(crate) fn of(confinement: &Confinement, kernel: &KernelFeatures) -> Option<Self> {
        let limits = &confinement.limits;
        let parent = kernel.cgroups.clone()?;
        let is_worth_it =
            limits.memory.is_some() || limits.processes.is_some_and(|limit| limit != USUAL_PROCESSES);
        // What a run leaves behind would keep its group, and nobody would remove it.
        let is_wanted = is_worth_it && !confinement.detach;
        is_wanted.then_some(Self { parent, memory: limits.memory, processes: limits.processes })
    }

    /// A group that only holds its run together.
    #[cfg(test)]
    pub(crate) fn unbounded(parent: &Path) -> Self {
        Self { parent: parent.to_owned(), memory: None, processes: None }
    }

    pub(crate) const fn bounds_memory(&self) -> bool {
        self.memory.is_some()
    }
}

/// A run's group. It is removed when this is dropped, which has to happen on a thread that may do so.
#[derive(Debug)]
pub(crate) struct Group {
    path: PathBuf,
    // All opened before anybody is restricted.
    processes: File,
    memory_events: Option<File>,
    pids_events: Option<File>,
}

impl Group {
    /// Makes it. To be called on a thread that is not restricted.
    pub(crate) fn make(bounds: &Bounds) -> io::Result<Self> {
        static TIDIED: Once = Once::new();
        TIDIED.call_once(|| remove_left_behind(&bounds.parent));
        let path = make_directory(&bounds.parent)?;
        Self::bound(&path, bounds).inspect_err(|_| drop(fs::remove_dir(&path)))
    }

    fn bound(path: &Path, bounds: &Bounds) -> io::Result<Self> {
        if let Some(limit) = bounds.memory {
            set(path, "memory.max", limit)?;
            // All of them are ended, not the largest alone.
            set(path, "memory.oom.group", 1)?;
            // Not there on a kernel without swap.
            match set(path, "memory.swap.max", 0) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if let Some(limit) = bounds.processes {
            set(path, "pids.max", limit)?;
        }
        let events = |is_bounded: bool, name| is_bounded.then(|| File::open(path.join(name))).transpose();
        Ok(Self {
            processes: OpenOptions::new().write(true).open(path.join("cgroup.procs"))?,
            memory_events: events(bounds.memory.is_some(), "memory.events")?,
            pids_events: events(bounds.processes.is_some(), "pids.events")?,
            path: path.to_owned(),
        })
    }

    /// Where a process writes `0` to enter.
    pub(crate) fn entrance(&self) -> BorrowedFd<'_> {
        self.processes.as_fd()
    }

    /// The bound that the kernel had to keep.
    pub(crate) fn exceeded(&self) -> Option<Ending> {
        let happened =
            |events: &Option<File>, name| events.as_ref().is_some_and(|events| count(events, name) > 0);
        if happened(&self.memory_events, "oom_kill") {
            return Some(Ending::MemoryLimit);
        }
        happened(&self.pids_events, "max").then_some(Ending::ProcessLimit)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Fails while somebody is in it, who would have to be in uninterruptible sleep.
        let _ = fs::remove_dir(&self.path);
    }
}

// One that was killed leaves its groups behind, and its id may be ours now: then the next number is free.
fn make_directory(parent: &Path) -> io::Result<PathBuf> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    for _ in 0..NAMES {
        let path = parent.join(name(std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| path),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn name(process: u32, number: u64) -> String {
    format!("{PREFIX}{process}-{number}")
}

fn maker(name: &str) -> Option<u32> {
    let (process, number) = name.strip_prefix(PREFIX)?.split_once('-')?;
    number.parse::<u64>().ok()?;
    process.parse().ok()
}

// Removes the groups of those that were killed. One that has processes is not removed by the kernel; one that is about
// to get its first may be of a process that we cannot see, and is young.
fn remove_left_behind(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(maker) else { continue };
        let age =
            entry.metadata().and_then(|group| group.modified()).ok().and_then(|made| made.elapsed().ok());
        if age.is_some_and(|age| age >= OLD) && !Path::new(&format!("/proc/{process}")).exists() {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

fn set(group: &Path, name: &str, value: u64) -> io::Result<()> {
    OpenOptions::new().write(true).open(group.join(name))?.write_all(value.to_string().as_bytes())
}

// Of a file with a name and a number in each line. What cannot be read has not happened.
fn count(events: &File, name: &str) -> u64 {
    let mut text = [0; 512];
    let length = events.read_at(&mut text, 0).unwrap_or(0);
    let text = text.get(..length).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

/// The group beneath which runs may have theirs.
pub(crate) fn delegated() -> Option<PathBuf> {
    // Where version 2 is elsewhere, version 1 is here and has both controllers.
    let mount = Path::new("/sys/fs/cgroup");
    if statfs(mount).ok()?.filesystem_type() != CGROUP2_SUPER_MAGIC {
        return None;
    }
    let own = own_group(mount, &fs::read_to_string("/proc/self/cgroup").ok()?).filter(|own| own.is_dir())?;
    let found = own.ancestors().take_while(|group| group.starts_with(mount)).find(|group| hands_on(group))?;
    Some(found.to_owned())
}

// Our own group; `None` when it lies outside of what we see of them (cgroup_namespaces(7)).
fn own_group(mount: &Path, own: &str) -> Option<PathBuf> {
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let is_seen = Path::new(own).components().all(|part| part.as_os_str() != "..");
    is_seen.then(|| mount.join(own))
}

fn hands_on(group: &Path) -> bool {
    let controllers = fs::read_to_string(group.join("cgroup.subtree_control")).unwrap_or_default();
    let has = |wanted: &str| controllers.split_ascii_whitespace().any(|controller| controller == wanted);
    has("memory")
        && has("pids")
        && access(group, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
        && access(&group.join("cgroup.procs"), AccessFlags::W_OK).is_ok()
}

#[cfg(test)]
mod tests;
