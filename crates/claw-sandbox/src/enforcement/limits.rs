//! What keeps each limit.
#![forbid(unsafe_code)]

use std::fmt;

use claw_policy::{Confinement, Limits};

use super::has_broker;
use crate::KernelFeatures;
use crate::cgroup::Bounds;

/// A limit that a policy states, and what keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct KeptLimit {
    /// Its key in the policy.
    pub name: &'static str,
    /// What keeps it; nothing on this host when there is none.
    pub mechanisms: Vec<LimitMechanism>,
}

/// What keeps a limit.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum LimitMechanism {
    /// The kernel, for the whole run, which has a control group of its own (version 2).
    Cgroup,
    /// The kernel, for each process or for each file by itself: `setrlimit(2)`.
    Rlimit,
    /// We do, for the whole run: we look, or make the calls ourselves, and end it.
    Supervisor,
}

impl LimitMechanism {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cgroup => "cgroup",
            Self::Rlimit => "rlimit",
            Self::Supervisor => "supervisor",
        }
    }
}

impl fmt::Display for KeptLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mechanisms: Vec<&str> = self.mechanisms.iter().map(|mechanism| mechanism.name()).collect();
        write!(f, "{}: {}", self.name, mechanisms.join(" and "))
    }
}

/// The limits that a confinement states, in the order of the documentation.
pub(super) fn kept(confinement: &Confinement, kernel: &KernelFeatures) -> Vec<KeptLimit> {
    use LimitMechanism::{Cgroup, Rlimit, Supervisor};
    let Limits { time, output, cpu, memory, processes, open_files, file_size, disk, new_files } =
        &confinement.limits;
    // The kernel does not bound root's processes (copy_process in kernel/fork.c).
    let bounded: &[_] = if kernel.root { &[Supervisor] } else { &[Supervisor, Rlimit] };
    let has_group = Bounds::of(confinement, kernel).is_some();
    let bounded = if has_group { &[Cgroup, Supervisor] } else { bounded };
    let remembered: &[_] = if has_group { &[Cgroup, Rlimit] } else { &[Supervisor, Rlimit] };
    let looked_at = |is_seen: bool| -> &[LimitMechanism] { if is_seen { &[Supervisor] } else { &[] } };
    let rows = [
        ("time", time.is_some(), &[Supervisor][..]),
        ("output", output.is_some(), &[Supervisor]),
        ("cpu", cpu.is_some(), &[Supervisor, Rlimit]),
        ("memory", memory.is_some(), remembered),
        ("processes", processes.is_some(), bounded),
        ("openFiles", open_files.is_some(), &[Rlimit]),
        ("fileSize", file_size.is_some(), &[Rlimit]),
        ("disk", disk.is_some(), looked_at(kernel.write_accounting)),
        ("newFiles", new_files.is_some(), looked_at(has_broker(kernel))),
    ];
    let stated = rows.into_iter().filter(|(_, is_stated, _)| *is_stated);
    stated.map(|(name, _, mechanisms)| KeptLimit { name, mechanisms: mechanisms.to_vec() }).collect()
}
