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
mod touch;
mod tree;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

pub(super) use self::judge::PLAIN_DEVICES;
use self::judge::{Allowed, Judge};
use self::spelling::Spelling;
pub use self::touch::{Touch, TouchRequest, decide_touch};
use super::world::World;
use crate::normal::is_within;
use crate::{
    Code, Decision, Denial, FactError, FileAction, FileGrant, FileKind, FileRequest, Grant, Origin, Policy,
    Reason, ResolvedPath, RuleRef,
};

/// A file request as it is judged: a request of its own, or a part of a command's (a redirection, an
/// output option).
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'r> {
    pub(super) action: FileAction,
    pub(super) path: &'r [u8],
    pub(super) to: Option<&'r [u8]>,
    pub(super) recursive: bool,
    pub(super) cwd: &'r Path,
    pub(super) origin: Origin,
}

/// Why a request is allowed, with what was looked at. Nothing is put into words before somebody asks.
#[derive(Debug)]
pub(super) enum Allowance<'a> {
    /// Roots hold the object, and the second one of rename and hardlink.
    Roots { path: &'a ResolvedPath, by: Allowed<'a>, second: Option<(&'a ResolvedPath, Allowed<'a>)> },
    /// The caller's own descriptors, or a device without content.
    Stream(PathBuf),
    /// A file that may be executed.
    Program { path: &'a ResolvedPath, root: &'a Path, real: &'a Path, rule: &'a RuleRef },
}

pub(super) fn decide(policy: &Policy, world: &World<'_>, request: &FileRequest) -> Decision {
    let asked = Asked {
        action: request.action,
        path: &request.path,
        to: request.to.as_deref(),
        recursive: request.recursive,
        cwd: &request.cwd,
        origin: request.origin,
    };
    match judge(policy, world, asked) {
        Ok(allowance) => Decision::Allow(Grant::File(allowance.into_grant(request.action))),
        Err(reason) => Decision::Deny(Denial { reasons: vec![reason], commands: Vec::new() }),
    }
}

/// Judges a file request.
pub(super) fn judge<'a>(
    policy: &'a Policy,
    world: &'a World<'_>,
    asked: Asked<'_>,
) -> Result<Allowance<'a>, Reason> {
    let action = asked.action;
    let judge = Judge::new(policy, world, asked.origin);
    let path = spell(world, asked.path, asked.cwd);
    // Where a new symbolic link points to is not an object that is changed.
    let pair = matches!(action, FileAction::Rename | FileAction::Hardlink);
    let to = asked.to.filter(|_| pair).map(|to| spell(world, to, asked.cwd));
    let path = path?;
    let is_own = path.is_standard_stream() || judge::is_plain_device(&path.path);
    if asked.origin == Origin::Command && is_own && is_content(action) {
        return Ok(Allowance::Stream(path.path.into_owned()));
    }
    if action == FileAction::Execute {
        return execute::judge(&judge, &path);
    }
    let names = Names::new(world, &path, links(action))?;
    let Some(to) = to else {
        if pair {
            return Err(Reason::new(Code::FileUnresolved, "the second path is missing"));
        }
        let by = judge.one(action, &names, is_removed(action))?;
        // Removing a directory that is not empty is an error, unless a tool takes it for the whole tree.
        if asked.recursive || action == FileAction::Delete {
            tree::judge(&judge, action, names.object, None)?;
        }
        return Ok(Allowance::Roots { path: names.object, by, second: None });
    };
    let to = to?;
    let to = Names::new(world, &to, Links::Keep)?;
    let by = judge.one(action, &names, is_removed(action))?;
    let by_second = judge.one(action, &to, true)?;
    tree::judge(&judge, action, names.object, Some(&to.object.real))?;
    Ok(Allowance::Roots { path: names.object, by, second: Some((to.object, by_second)) })
}

impl Allowance<'_> {
    fn into_grant(self, action: FileAction) -> FileGrant {
        match self {
            Self::Roots { path, by, second } => {
                let mut reasons = vec![by.reason()];
                let second_reason = second.as_ref().map(|(_, by)| by.reason());
                reasons.extend(second_reason.filter(|second| !reasons.contains(second)));
                let (to, to_root) = second.map(|(path, by)| (path.clone(), by.root.real.clone())).unzip();
                FileGrant { action, path: path.clone(), to, root: by.root.real.clone(), to_root, reasons }
            }
            Self::Stream(path) => {
                let message =
                    format!("`{}` is a standard stream or a device without content", path.display());
                FileGrant {
                    action,
                    path: stream(&path),
                    to: None,
                    root: path,
                    to_root: None,
                    reasons: vec![Reason::new(Code::FileAllowed, message)],
                }
            }
            Self::Program { path, root, real, rule } => {
                let message = format!("`{}` may be executed", real.display());
                let reasons = vec![Reason::new(Code::ExecAllowed, message).by(rule)];
                FileGrant {
                    action,
                    path: path.clone(),
                    to: None,
                    root: root.to_owned(),
                    to_root: None,
                    reasons,
                }
            }
        }
    }
}

fn stream(path: &Path) -> ResolvedPath {
    ResolvedPath {
        real: path.to_owned(),
        visited: vec![path.to_owned()],
        kind: FileKind::Special,
        id: None,
        aliases: Vec::new(),
        outside_names: false,
        mount_point: false,
    }
}

fn spell<'p>(world: &World<'_>, path: &'p [u8], cwd: &Path) -> Result<Spelling<'p>, Reason> {
    Spelling::new(world, path, cwd).unwrap_or_else(|| Err(unknown()))
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
struct Names<'a, 's> {
    /// As asked for, without `..`.
    spelled: Option<Cow<'s, Path>>,
    object: &'a ResolvedPath,
    /// For [`Links::Both`], what the link leads to.
    target: Option<&'a ResolvedPath>,
}

impl<'a, 's> Names<'a, 's> {
    fn new(world: &'a World<'_>, spelling: &'s Spelling<'_>, links: Links) -> Result<Self, Reason> {
        let follow = links == Links::Follow || spelling.wants_directory;
        let object = lookup(world, spelling, follow)?;
        if spelling.wants_directory && !matches!(object.kind, FileKind::Directory | FileKind::Missing) {
            return Err(unresolved(spelling, FactError::NotDirectory));
        }
        let is_followed = links == Links::Both && object.kind == FileKind::Link;
        let target = if is_followed { followed(world, spelling)? } else { None };
        Ok(Self { spelled: spelling.name(world), object, target })
    }

    /// The object, and what a link leads to that a tool may follow.
    fn objects(&self) -> impl Iterator<Item = &'a ResolvedPath> + use<'a> {
        std::iter::once(self.object).chain(self.target)
    }

    /// Names under which the request reaches the object. Ancestors of the object itself are left out:
    /// the object's own name stands for them.
    fn reached_by(&self) -> impl Iterator<Item = &Path> {
        let visited = self.objects().flat_map(|object| &object.visited).map(PathBuf::as_path);
        let is_other = |name: &&Path| !self.objects().any(|object| is_within(&object.real, name));
        self.spelled.as_deref().into_iter().chain(visited).filter(is_other)
    }
}

fn lookup<'w>(world: &World<'w>, spelling: &Spelling<'_>, follow: bool) -> Result<&'w ResolvedPath, Reason> {
    match world.path(&spelling.path, follow) {
        None => Err(unknown()),
        Some(Ok(resolved)) => Ok(resolved),
        Some(Err(error)) => Err(unresolved(spelling, *error)),
    }
}

/// What a link leads to, if it leads anywhere: whoever follows one that does not gets an error, and no object.
fn followed<'w>(world: &World<'w>, spelling: &Spelling<'_>) -> Result<Option<&'w ResolvedPath>, Reason> {
    match world.path(&spelling.path, true) {
        Some(Err(FactError::NotFound | FactError::NotDirectory | FactError::LinkLoop)) => Ok(None),
        _ => lookup(world, spelling, true).map(Some),
    }
}

fn unresolved(spelling: &Spelling<'_>, error: FactError) -> Reason {
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
