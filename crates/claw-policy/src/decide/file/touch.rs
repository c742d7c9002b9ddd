//! What a process of a run does to one object, under the path that the kernel gave it.
//!
//! The kernel's own rules grant trees. This is what they cannot express: hidden, read-only and protected paths
//! inside a writable tree, and metadata, which they do not cover.

use std::path::Path;

use super::super::world::World;
use super::judge::{Judge, is_plain_device};
use crate::{Access, Code, Denial, Facts, FileId, Origin, Policy, Reason};

/// What happens to an object.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Touch {
    /// It is opened.
    Read,
    /// Its content changes, or something is made at its path.
    Change,
    /// The entry at its path goes away or is replaced.
    Remove,
    /// Its mode, owner, times or attributes change.
    Metadata,
}

/// An object that a process of a run is about to touch.
#[derive(Clone, Copy, Debug)]
pub struct TouchRequest<'a> {
    /// Its canonical path, whether something is there or not.
    pub path: &'a Path,
    /// What is there.
    pub id: Option<FileId>,
    /// What happens to it.
    pub touch: Touch,
}

/// Judges one object, beside what the kernel's rules on whole trees grant anyway.
///
/// `facts` has what [`queries`](crate::queries) asks for.
///
/// # Errors
///
/// Why it must not happen.
pub fn decide_touch(policy: &Policy, facts: &Facts, request: &TouchRequest<'_>) -> Result<(), Denial> {
    let world = World::new(facts);
    let judged = judge(policy, &world, request);
    // Facts that are missing now are a bug of the caller's, and an unknown is a denial.
    let judged = if world.into_missing().is_empty() { judged } else { Err(super::unknown()) };
    judged.map_err(|reason| Denial { reasons: vec![reason], commands: Vec::new() })
}

fn judge(policy: &Policy, world: &World<'_>, request: &TouchRequest<'_>) -> Result<(), Reason> {
    let TouchRequest { path, id, touch } = *request;
    let judge = Judge::new(policy, world, Origin::Command);
    let need = if touch == Touch::Read { Access::Read } else { Access::Write };
    judge.not_hidden(path, id, need)?;
    if touch == Touch::Read || touch == Touch::Change && is_plain_device(path) {
        return Ok(());
    }
    if touch == Touch::Remove {
        judge.not_root(path)?;
    }
    match judge.access(path, Access::Write) {
        // No tree of the policy: the kernel's rules have the answer, but for what they do not cover.
        Err(reason) if reason.code == Code::FileOutside && touch != Touch::Metadata => Ok(()),
        Err(reason) => Err(reason),
        Ok(_) => judge.not_protected(path),
    }
}
