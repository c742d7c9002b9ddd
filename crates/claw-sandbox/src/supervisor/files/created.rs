//! How many files a run may make.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nix::errno::Errno;

use super::{Done, Result, Task};
use crate::sys::fd::Bell;

/// What a run has made: files, directories, links and nodes, whether they are still there or not.
#[derive(Debug)]
pub(crate) struct Created {
    limit: u64,
    made: AtomicU64,
    is_exceeded: AtomicBool,
    // Wakes the run thread.
    bell: Arc<Bell>,
}

impl Created {
    pub(crate) fn new(limit: Option<u64>, bell: Arc<Bell>) -> Self {
        let limit = limit.unwrap_or(u64::MAX);
        Self { limit, made: AtomicU64::default(), is_exceeded: AtomicBool::default(), bell }
    }

    /// Whether the run wanted to make more than it may.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.is_exceeded.load(Ordering::Acquire)
    }

    // One thread answers the calls of a run, so nobody counts between this and the next.
    fn admit(&self) -> nix::Result<()> {
        if self.made.load(Ordering::Relaxed) < self.limit {
            return Ok(());
        }
        self.is_exceeded.store(true, Ordering::Release);
        self.bell.ring();
        Err(Errno::EDQUOT)
    }

    fn count(&self) {
        self.made.fetch_add(1, Ordering::Relaxed);
    }
}

impl Task<'_> {
    /// Makes something new, if there may be more.
    pub(super) fn creating(&self, create: impl FnOnce() -> Result<Done>) -> Result<Done> {
        self.created.admit()?;
        let done = create()?;
        self.created.count();
        Ok(done)
    }
}
