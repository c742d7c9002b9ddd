//! File requests: may this file be touched?
//!
//! The object that an operation reads or changes is judged, under every name that the policy can know
//! of it: hidden entries first, then the roots of every layer, then what is protected inside them.
//! Missing facts are recorded in the [`World`]; the answer that was made without them is thrown away.

mod execute;
mod judge;
#[cfg(test)]
mod properties;
mod spelling;
#[cfg(test)]
mod tests;
mod tree;

use std::path::PathBuf;

use self::judge::Judge;
pub(super) use self::judge::PLAIN_DEVICES;
use self::spelling::Spelling;
use super::world::World;
use crate::{
    Code, Decision, Denial, FactError, FileAction, FileGrant, FileKind, FileRequest, Grant, Origin, Policy,
    Reason, ResolvedPath,
};

/// What the rules say of a file request, before it becomes a decision of its own or a part of a
/// command's (a redirection, an output option).
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "judgements are moved once")]
pub(super) enum FileJudgement {
    /// Every layer allows it.
    Allow(FileAllowance),
    /// It may not happen; most important reason first, never empty.
    Deny(Vec<Reason>),
}

/// An allowed file request with what was looked at.
#[derive(Debug)]
pub(super) struct FileAllowance {
    pub(super) reasons: Vec<Reason>,
    /// The root that it falls in, canonical.
    pub(super) root: PathBuf,
    pub(super) path: ResolvedPath,
    pub(super) to: Option<ResolvedPath>,
}

pub(super) fn decide(policy: &Policy, world: &World<'_>, request: &FileRequest) -> Decision {
    match judge(policy, world, request) {
        FileJudgement::Allow(allowed) => Decision::Allow(Grant::File(FileGrant {
            action: request.action,
            path: allowed.path,
            to: allowed.to,
            root: allowed.root,
            reasons: allowed.reasons,
        })),
        FileJudgement::Deny(reasons) => Decision::Deny(Denial { reasons, commands: Vec::new() }),
    }
}

/// Judges a file request.
pub(super) fn judge(policy: &Policy, world: &World<'_>, request: &FileRequest) -> FileJudgement {
    match allowance(policy, world, request) {
        Ok(allowed) => FileJudgement::Allow(allowed),
        Err(reason) => FileJudgement::Deny(vec![reason]),
    }
}

fn allowance(policy: &Policy, world: &World<'_>, request: &FileRequest) -> Result<FileAllowance, Reason> {
    let judge = Judge::new(policy, world, request);
    let path = spell(world, &request.path, request);
    // Where a new symbolic link points to is not an object that is changed.
    let pair = matches!(request.action, FileAction::Rename | FileAction::Hardlink);
    let to = request.to.as_ref().filter(|_| pair).map(|to| spell(world, to, request));
    let path = path?;
    let is_own = path.is_standard_stream() || judge::is_plain_device(&path.path);
    if request.origin == Origin::Command && is_own && is_content(request.action) {
        return Ok(standard_stream(path));
    }
    if request.action == FileAction::Execute {
        return execute::judge(&judge, &path);
    }
    let links = links(request.action);
    let resolved = Names::new(world, &path, links)?;
    let Some(to) = to else {
        if pair {
            return Err(Reason::new(Code::FileUnresolved, "the second path is missing"));
        }
        let (root, reason) = judge.one(request.action, &resolved, is_removed(request.action))?;
        // Removing a directory that is not empty is an error, unless a tool takes it for the whole tree.
        if request.recursive || request.action == FileAction::Delete {
            tree::judge(&judge, request.action, resolved.object(), None)?;
        }
        return Ok(FileAllowance { reasons: vec![reason], root, path: resolved.into_object(), to: None });
    };
    let to = Names::new(world, &to?, Links::Keep)?;
    let (root, reason) = judge.one(request.action, &resolved, is_removed(request.action))?;
    let (_, second) = judge.one(request.action, &to, true)?;
    tree::judge(&judge, request.action, resolved.object(), Some(&to.object().real))?;
    let reasons = if reason == second { vec![reason] } else { vec![reason, second] };
    Ok(FileAllowance { reasons, root, path: resolved.into_object(), to: Some(to.into_object()) })
}

fn spell(world: &World<'_>, path: &[u8], request: &FileRequest) -> Result<Spelling, Reason> {
    Spelling::new(world, path, &request.cwd).unwrap_or_else(|| Err(unknown()))
}

/// Stands for an answer that waits for facts.
fn unknown() -> Reason {
    Reason::new(Code::FileUnresolved, "not looked up yet")
}

const fn is_content(action: FileAction) -> bool {
    matches!(action, FileAction::Read | FileAction::Write | FileAction::Create | FileAction::Stat)
}

/// Whether the action takes the entry at its first path away, or puts another in its place.
const fn is_removed(action: FileAction) -> bool {
    matches!(action, FileAction::Delete | FileAction::Rename | FileAction::Symlink)
}

fn standard_stream(spelling: Spelling) -> FileAllowance {
    let path = spelling.path;
    let message = format!("`{}` is a standard stream or a device without content", path.display());
    let resolved = ResolvedPath {
        real: path.clone(),
        visited: vec![path.clone()],
        kind: FileKind::Special,
        id: None,
        aliases: Vec::new(),
        outside_names: false,
        mount_point: false,
    };
    FileAllowance {
        reasons: vec![Reason::new(Code::FileAllowed, message)],
        root: path,
        path: resolved,
        to: None,
    }
}

/// What an operation does with a link in the last component.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Links {
    /// Acts on what it leads to.
    Follow,
    /// Acts on the link itself.
    Keep,
    /// The kernel acts on the link or refuses; a tool may still follow it, so both must be allowed.
    Both,
}

const fn links(action: FileAction) -> Links {
    match action {
        FileAction::Read
        | FileAction::Write
        | FileAction::List
        | FileAction::Chmod
        | FileAction::Execute
        | FileAction::Stat => Links::Follow,
        FileAction::Delete | FileAction::Rename | FileAction::Symlink | FileAction::Mkdir => Links::Keep,
        FileAction::Create | FileAction::Hardlink => Links::Both,
    }
}

/// A path under every name that is known of it.
#[derive(Debug)]
struct Names {
    /// As asked for, without `..`.
    spelled: Option<PathBuf>,
    /// The object, and for [`Links::Both`] what the link leads to.
    objects: Vec<ResolvedPath>,
}

impl Names {
    fn new(world: &World<'_>, spelling: &Spelling, links: Links) -> Result<Self, Reason> {
        let follow = links == Links::Follow || spelling.wants_directory;
        let first = lookup(world, spelling, follow)?;
        if spelling.wants_directory && !matches!(first.kind, FileKind::Directory | FileKind::Missing) {
            return Err(unresolved(spelling, FactError::NotDirectory));
        }
        let mut objects = vec![first.clone()];
        if links == Links::Both && first.kind == FileKind::Link {
            objects.push(lookup(world, spelling, true)?.clone());
        }
        Ok(Self { spelled: spelling.name(world), objects })
    }

    #[expect(clippy::indexing_slicing, reason = "`new` puts the object in")]
    fn object(&self) -> &ResolvedPath {
        &self.objects[0]
    }

    fn into_object(mut self) -> ResolvedPath {
        self.objects.swap_remove(0)
    }

    /// Names under which the request reaches the object. Ancestors of the object itself are left out:
    /// the object's own name stands for them.
    fn reached_by(&self) -> impl Iterator<Item = &PathBuf> {
        let visited = self.objects.iter().flat_map(|object| &object.visited);
        let real = |name: &&PathBuf| !self.objects.iter().any(|object| object.real.starts_with(name));
        self.spelled.iter().chain(visited).filter(real)
    }
}

fn lookup<'w>(world: &World<'w>, spelling: &Spelling, follow: bool) -> Result<&'w ResolvedPath, Reason> {
    match world.path(&spelling.path, follow) {
        None => Err(unknown()),
        Some(Ok(resolved)) => Ok(resolved),
        Some(Err(error)) => Err(unresolved(spelling, *error)),
    }
}

fn unresolved(spelling: &Spelling, error: FactError) -> Reason {
    let path = spelling.path.display();
    let message = match error {
        FactError::NotFound => format!("`{path}` does not resolve: a directory on the way is missing"),
        FactError::IsDirectory => format!("`{path}` is a directory"),
        FactError::NotDirectory => format!("`{path}` uses a file as a directory"),
        FactError::LinkLoop => format!("`{path}` goes through too many symbolic links"),
        FactError::TooLong => format!("`{path}` is too long"),
        FactError::Invalid => format!("`{path}` is not a valid path"),
        FactError::NoAccess => format!("`{path}` cannot be looked at"),
    };
    Reason::new(Code::FileUnresolved, message)
}
