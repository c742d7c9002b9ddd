//! Turns a policy's limits into resource limits and supervision.
#![forbid(unsafe_code)]

pub(crate) mod look;
pub(crate) mod meter;
mod objects;
mod tally;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use claw_policy::Limits;

use crate::sys::rlimit::{Resource, ResourceLimit};

// RLIMIT_NPROC counts all tasks of the user, so ours have to be counted first. They come and go;
// counting again for every command would cost more than the command.
const COUNT_LIFETIME: Duration = Duration::from_secs(1);
// It only keeps a fork bomb small until the next look at the run: the user's other programs may make so many tasks
// meanwhile before a run with few processes of its own is refused one.
const ROOM: u64 = 1024;

/// The resource limits that each process of a run gets.
///
/// A limit above our own hard limit becomes our own: raising it takes a privilege.
pub(crate) fn resource_limits(limits: &Limits) -> nix::Result<Vec<ResourceLimit>> {
    let mut resolved = vec![ResourceLimit::new(Resource::Core, 0, 0)];
    if let Some(cpu) = limits.cpu {
        let seconds = cpu.as_secs() + u64::from(cpu.subsec_nanos() > 0);
        // SIGXCPU first, SIGKILL a second later.
        resolved.push(bounded(Resource::Cpu, seconds, seconds.saturating_add(1))?);
    }
    let same = [
        (Resource::Data, limits.memory),
        (Resource::FileSize, limits.file_size),
        (Resource::OpenFiles, limits.open_files),
    ];
    for (resource, limit) in same {
        if let Some(limit) = limit {
            resolved.push(bounded(resource, limit, limit)?);
        }
    }
    // The kernel exempts the real user id 0 (copy_process in kernel/fork.c).
    if let Some(limit) = limits.processes.filter(|_| !nix::unistd::getuid().is_root()) {
        let limit = tasks_of_user().saturating_add(limit).saturating_add(ROOM);
        resolved.push(bounded(Resource::Processes, limit, limit)?);
    }
    Ok(resolved)
}

fn bounded(resource: Resource, soft: u64, hard: u64) -> nix::Result<ResourceLimit> {
    let ours = resource.hard_limit()?;
    Ok(ResourceLimit::new(resource, soft.min(ours), hard.min(ours)))
}

fn tasks_of_user() -> u64 {
    static LAST: Mutex<Option<(Instant, u64)>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((when, count)) = *last
        && when.elapsed() < COUNT_LIFETIME
    {
        return count;
    }
    let count = count_tasks(nix::unistd::getuid().as_raw());
    *last = Some((Instant::now(), count));
    count
}

// A task directory has one entry for each task and the usual two more links.
fn count_tasks(user: u32) -> u64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbered =
        processes.filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit));
    let tasks = numbered.filter_map(|entry| fs::metadata(entry.path().join("task")).ok());
    tasks.filter(|tasks| tasks.uid() == user).map(|tasks| tasks.nlink().saturating_sub(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_threads_are_counted() {
        let barrier = std::sync::Barrier::new(21);
        let during = std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| barrier.wait());
            }
            let during = count_tasks(nix::unistd::getuid().as_raw());
            barrier.wait();
            during
        });
        // Others of this user come and go; these 20 and the one that made them are there.
        assert!(during >= 21, "{during} tasks");
    }
}
