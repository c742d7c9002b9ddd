//! Compares a checkpoint with the trees as they are, side by side.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::digest::Digest;
use super::manifest::{Manifest, State};
use super::walk::{Found, Kind, Left, Walk};
use super::{CheckpointError, CheckpointErrorKind, Checkpoints};

/// The checkpoint and the trees, side by side.
#[derive(Debug)]
pub(super) struct Comparison<'c> {
    checkpoints: &'c Checkpoints,
    manifest: Manifest,
    roots: Vec<PathBuf>,
    /// The tree that is walked through.
    at: usize,
    walk: Option<Walk<'c>>,
    found: Option<Found>,
    /// The last directory that is on one side only: what is protected comes and goes with it.
    within: Option<(usize, PathBuf)>,
}

/// One path on both sides.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) root: usize,
    /// Beneath the root.
    pub(super) path: PathBuf,
    pub(super) then: Option<State>,
    pub(super) now: Option<Found>,
    pub(super) change: Change,
    pub(super) is_protected: bool,
}

/// What happened to it since.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Change {
    /// Nothing, or it is not kept.
    None,
    Added,
    Removed,
    /// Other bytes, another target, or another kind of thing.
    Content,
    Mode,
    /// It cannot be compared.
    Unknown(Left),
}

impl<'c> Comparison<'c> {
    /// Compares with a checkpoint, all of whose trees must still be trees of the policy.
    pub(super) fn new(checkpoints: &'c Checkpoints, manifest: Manifest) -> Result<Self, CheckpointError> {
        let roots = manifest.header.roots();
        let writable = super::walk::writable(&checkpoints.sandbox);
        if let Some(gone) = roots.iter().find(|root| !writable.contains(root)) {
            let message = format!(
                "a tree of the checkpoint is no writable tree of the policy any more: {}; use the policy that it was made with",
                gone.display()
            );
            return Err(CheckpointError::new(CheckpointErrorKind::Gone, message));
        }
        Ok(Self { checkpoints, manifest, roots, at: 0, walk: None, found: None, within: None })
    }

    pub(super) fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    /// The next path that is on either side.
    pub(super) fn next(&mut self) -> Result<Option<Pair>, CheckpointError> {
        self.look()?;
        let then = self.manifest.peek().map(|(root, path, ..)| (*root, path.as_path()));
        let now = self.found.as_ref().map(|found| (self.at, found.path.as_path()));
        let (takes_then, takes_now) = match (then, now) {
            (None, None) => return Ok(None),
            (Some(_), None) => (true, false),
            (None, Some(_)) => (false, true),
            (Some(then), Some(now)) => (then <= now, now <= then),
        };
        let then = if takes_then { self.manifest.take()? } else { None };
        let now = if takes_now { self.found.take() } else { None };
        let (root, path) = match (&then, &now) {
            (Some((root, path, ..)), _) => (*root, path.clone()),
            (None, Some(found)) => (self.at, found.path.clone()),
            (None, None) => return Ok(None),
        };
        let is_protected = now.as_ref().is_some_and(|found| found.is_protected)
            || then.as_ref().is_some_and(|(.., is_protected)| *is_protected);
        let then = then.map(|(_, _, state, _)| state);
        let is_within = self.within.as_ref().is_some_and(|(at, top)| *at == root && path.starts_with(top));
        let change =
            if is_protected && !is_within { Change::None } else { self.change(then.as_ref(), now.as_ref()) };
        if !is_within && change != Change::None && is_one_sided(then.as_ref(), now.as_ref()) {
            self.within = Some((root, path.clone()));
        }
        self.pass(root, &path, then.as_ref(), now.as_ref())?;
        Ok(Some(Pair { root, path, then, now, change, is_protected }))
    }

    /// Finds the next entry of the trees, unless it waits already.
    fn look(&mut self) -> Result<(), CheckpointError> {
        while self.found.is_none() {
            if self.walk.is_none() {
                let Some(root) = self.roots.get(self.at) else { return Ok(()) };
                self.walk = Some(Walk::new(&self.checkpoints.sandbox, root, &self.roots)?);
            }
            self.found = self.walk.as_mut().map_or(Ok(None), Walk::next)?;
            if self.found.is_none() {
                self.walk = None;
                self.at += 1;
            }
        }
        Ok(())
    }

    /// Passes over what lies in a directory that one side did not look into.
    fn pass(
        &mut self,
        root: usize,
        path: &Path,
        then: Option<&State>,
        now: Option<&Found>,
    ) -> Result<(), CheckpointError> {
        // Only with its counterpart: what the walk found last may be a later entry that waits.
        if now.is_some()
            && matches!(then, Some(State::Left { .. }))
            && let Some(walk) = &mut self.walk
        {
            walk.skip();
        }
        if now.is_some_and(|found| matches!(found.kind, Kind::Left(_))) {
            while self
                .manifest
                .peek()
                .is_some_and(|(at, beneath, ..)| *at == root && beneath.starts_with(path))
            {
                self.manifest.take()?;
            }
        }
        Ok(())
    }

    fn change(&self, then: Option<&State>, now: Option<&Found>) -> Change {
        match (then, now) {
            (Some(State::Left { .. }), _) | (None, None) => Change::None,
            (Some(_), None) => Change::Removed,
            (None, Some(found)) => match &found.kind {
                Kind::Left(Left::Unreadable) => Change::Unknown(Left::Unreadable),
                Kind::Left(_) => Change::None,
                _ => Change::Added,
            },
            (Some(state), Some(found)) => self.both(state, found),
        }
    }

    fn both(&self, state: &State, found: &Found) -> Change {
        let present = found.status.st_mode & 0o7777;
        match (state, &found.kind) {
            (_, Kind::Left(left)) => Change::Unknown(left.clone()),
            (State::File { .. }, Kind::File) if self.manifest.header.is_same(state, &found.status) => {
                Change::None
            }
            (State::File { hash, size, mode, .. }, Kind::File) => {
                match self.is_content(found, *hash, *size) {
                    false => Change::Content,
                    // Set-id bits are not brought back: the file may belong to somebody else now.
                    true if mode & 0o777 != present & 0o777 => Change::Mode,
                    true => Change::None,
                }
            }
            (State::Directory { mode }, Kind::Directory) if *mode == present => Change::None,
            (State::Directory { .. }, Kind::Directory) => Change::Mode,
            (State::Link { target }, Kind::Link(present)) if target.path() == *present => Change::None,
            _ => Change::Content,
        }
    }

    /// Whether a file has this content. One that cannot be read has not.
    fn is_content(&self, found: &Found, hash: Digest, size: u64) -> bool {
        if u64::try_from(found.status.st_size) != Ok(size) {
            return false;
        }
        let opened = self.walk.as_ref().map_or(Err(Errno::ESTALE), |walk| walk.open(found));
        let Ok((file, _)) = opened else { return false };
        Digest::of_stream(file, size.saturating_add(1)).is_ok_and(|present| present == hash)
    }
}

/// Whether a directory is there on one side only.
fn is_one_sided(then: Option<&State>, now: Option<&Found>) -> bool {
    let was = matches!(then, Some(State::Directory { .. }));
    let is = now.is_some_and(|found| found.kind == Kind::Directory);
    was != is
        && !matches!(then, Some(State::Left { .. }))
        && !now.is_some_and(|found| matches!(found.kind, Kind::Left(_)))
}
