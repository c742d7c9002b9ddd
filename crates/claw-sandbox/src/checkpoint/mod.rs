//! Checkpoints of the trees that commands may change, and the way back to them.
//!
//! A checkpoint is a list of all entries of the policy's writable trees; contents are kept once under their SHA-256, in a
//! directory that no command can reach. What commands may not see is not read, what they cannot change is not kept. An
//! undo compares the list with the trees and changes what differs: through no link, judged by the policy path by path, after a checkpoint of
//! what was there. It compares again until nothing differs, so one that was interrupted is finished by doing it again.
//!
//! Not brought back: owners, times, extended attributes, set-id bits of files; hard links become files of their own.
#![forbid(unsafe_code)]

mod compare;
mod create;
mod diff;
mod digest;
mod error;
mod manifest;
mod prune;
mod record;
mod step;
mod store;
#[cfg(test)]
mod tests;
mod undo;
mod walk;

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

pub use self::diff::{Difference, DifferenceKind};
use self::digest::Digest;
pub use self::error::{CheckpointError, CheckpointErrorKind};
use self::manifest::{Footer, Header};
pub use self::prune::Pruned;
use self::record::Act;
pub(crate) use self::record::PathEvent;
use self::store::{Locked, Store};
pub use self::undo::{NotRestored, Undone};
use crate::Sandbox;
use crate::audit::AuditLog;

/// Bounds on what is kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckpointLimits {
    /// Larger files are not kept.
    pub file_bytes: u64,
    /// Bytes of all contents together, and of one checkpoint's.
    pub total_bytes: u64,
    /// Checkpoints.
    pub count: usize,
    /// How old a checkpoint becomes.
    pub age: Duration,
}

impl Default for CheckpointLimits {
    /// Files of 256 MiB, 4 GiB in total, 100 checkpoints, 30 days.
    fn default() -> Self {
        Self {
            file_bytes: 256 << 20,
            total_bytes: 4 << 30,
            count: 100,
            age: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

/// The checkpoints of one workspace. Any number of processes may work on them; one at a time does.
///
/// ```
/// use claw_sandbox::checkpoint::Checkpoints;
/// use claw_sandbox::{Sandbox, built_in_policy};
///
/// let place = std::env::temp_dir().join("claw-sandbox-checkpoint-example");
/// std::fs::create_dir_all(place.join("work"))?;
/// std::fs::write(place.join("work/notes"), "mine")?;
/// let sandbox = Sandbox::new(built_in_policy(place.join("work"))?)?;
/// let checkpoints = Checkpoints::open(place.join("kept"), &sandbox)?;
/// let before = checkpoints.checkpoint("before the run")?;
/// std::fs::write(place.join("work/notes"), "theirs")?;
/// checkpoints.undo(before.id)?;
/// assert_eq!(std::fs::read(place.join("work/notes"))?, b"mine");
/// # std::fs::remove_dir_all(place)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Checkpoints {
    sandbox: Sandbox,
    store: Store,
    limits: CheckpointLimits,
}

/// One checkpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// Its number; later ones are larger.
    pub id: u64,
    /// What it was called.
    pub label: String,
    /// The checkpoint that an undo brought back, when this one was made before it.
    pub before_undo_of: Option<u64>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// The trees.
    pub roots: Vec<PathBuf>,
    /// How many entries it lists.
    pub entries: u64,
    /// How many of them are not kept: hidden, protected, too large, no regular file.
    pub left_out: u64,
    /// The size of all its contents, some of which other checkpoints share.
    pub bytes: u64,
}

impl Checkpoint {
    fn new(header: Header, footer: &Footer) -> Self {
        Self {
            id: header.id,
            before_undo_of: header.before_undo_of,
            created: header.started,
            roots: header.roots(),
            label: header.label,
            entries: footer.entries,
            left_out: footer.left,
            bytes: footer.bytes,
        }
    }
}

impl Checkpoints {
    /// The checkpoints in a directory, which is made when it is not there.
    ///
    /// # Errors
    ///
    /// When commands can write there, others can look into it, or it cannot be made.
    pub fn open(store: impl AsRef<Path>, sandbox: &Sandbox) -> Result<Self, CheckpointError> {
        let store = std::path::absolute(store.as_ref())
            .map_err(|error| CheckpointError::io("open the store", store.as_ref(), error))?;
        crate::sandbox::check_exposed(sandbox.policy(), "the checkpoints lie", &store)
            .map_err(|error| CheckpointError::exposed(&error))?;
        let store = Store::open(&store)?;
        Ok(Self { sandbox: sandbox.clone(), store, limits: CheckpointLimits::default() })
    }

    /// Where the checkpoints of a workspace are when nobody says: beneath the directory of the audit log,
    /// `~/.local/state/claw-sandbox/checkpoints`, under a hash of its canonical path.
    #[must_use]
    pub fn default_store(sandbox: &Sandbox) -> PathBuf {
        let workspace = sandbox.policy().workspace().unwrap_or(Path::new("/"));
        let real = std::fs::canonicalize(workspace).unwrap_or_else(|_| workspace.to_owned());
        let name = Digest::of(real.as_os_str().as_bytes()).to_string();
        let log = AuditLog::default_path();
        log.with_file_name("checkpoints").join(name)
    }

    /// The same with other bounds.
    #[must_use]
    pub fn limits(mut self, limits: CheckpointLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Where they are kept.
    #[must_use]
    pub fn store(&self) -> &Path {
        self.store.path()
    }

    /// Keeps the trees as they are, and gives up old checkpoints as the limits say.
    ///
    /// # Errors
    ///
    /// When a tree or the store cannot be read or written, or an undo was interrupted. Nothing half made is left.
    pub fn checkpoint(&self, label: &str) -> Result<Checkpoint, CheckpointError> {
        let locked = self.store.lock()?;
        let make = |act: &Act| self.checkpoint_locked(&locked, act, label);
        self.recorded("create", None, make, |made| {
            vec![
                ("checkpoint", json!(made.id)),
                ("entries", json!(made.entries)),
                ("leftOut", json!(made.left_out)),
                ("bytes", json!(made.bytes)),
            ]
        })
    }

    fn checkpoint_locked(
        &self,
        locked: &Locked<'_>,
        act: &Act,
        label: &str,
    ) -> Result<Checkpoint, CheckpointError> {
        if let Some(id) = locked.interrupted()? {
            let message = format!(
                "an undo of checkpoint {id} was interrupted: {}; finish it with `claw-sandbox checkpoint recover`",
                self.store.path().display()
            );
            return Err(CheckpointError::new(CheckpointErrorKind::Interrupted, message));
        }
        let made = self.made(locked, label, None)?;
        self.prune_when_needed(locked, act, &[made.id])?;
        Ok(made)
    }

    /// What there is, the oldest first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn list(&self) -> Result<Vec<Checkpoint>, CheckpointError> {
        let mut all = Vec::new();
        for id in self.store.ids()? {
            match self.store.manifest(id) {
                Ok(manifest) => all.push(Checkpoint::new(manifest.header.clone(), &manifest.footer)),
                // Another process gave it up meanwhile.
                Err(error) if error.kind() == CheckpointErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// The newest checkpoint that somebody asked for: what an undo without a number goes back to.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or there is none.
    pub fn newest(&self) -> Result<u64, CheckpointError> {
        let newest = self.list()?.into_iter().rev().find(|checkpoint| checkpoint.before_undo_of.is_none());
        newest.map(|checkpoint| checkpoint.id).ok_or_else(|| {
            let message = format!(
                "there is no checkpoint: {}; make one with `claw-sandbox checkpoint create`",
                self.store.path().display()
            );
            CheckpointError::new(CheckpointErrorKind::NotFound, message)
        })
    }

    /// Makes a checkpoint; contents that were kept for one that failed go away again.
    fn made(
        &self,
        locked: &Locked<'_>,
        label: &str,
        before_undo_of: Option<u64>,
    ) -> Result<Checkpoint, CheckpointError> {
        let made = self.make(locked, label, before_undo_of);
        if made.is_err() {
            // The first error is the one that matters.
            let _ = self.store.clear_drafts().and_then(|()| self.sweep(locked));
        }
        made
    }
}
