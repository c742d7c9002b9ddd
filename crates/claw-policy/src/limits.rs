//! Bounds on a run.

use std::time::Duration;

/// Bounds on a run; `None` is no bound.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Limits {
    /// Wall-clock time of the run.
    pub time: Option<Duration>,
    /// Bytes on each of standard output and standard error.
    pub output: Option<u64>,
    /// CPU time of each process, and of all together.
    pub cpu: Option<Duration>,
    /// Bytes of private memory of each process, and of what all together have in memory.
    pub memory: Option<u64>,
    /// Processes and threads of the run.
    pub processes: Option<u64>,
    /// Open descriptors of each process.
    pub open_files: Option<u64>,
    /// Bytes of a single file written.
    pub file_size: Option<u64>,
    /// Bytes written to disk by the run.
    pub disk: Option<u64>,
    /// Files, directories, links and nodes made by the run.
    pub new_files: Option<u64>,
}
