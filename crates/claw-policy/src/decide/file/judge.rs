//! One object of a file request against the hidden entries, the roots and the protected names.

use std::path::{Component, Path};

use super::super::ground::{Ground, GroundRoot, deepest};
use super::super::world::World;
use super::Names;
use crate::{Access, Code, FileAction, FileId, FileKind, Origin, Policy, Reason, ResolvedPath};

/// Everything that the rules are applied with.
#[derive(Debug)]
pub(super) struct Judge<'a, 'w> {
    pub(super) policy: &'a Policy,
    pub(super) world: &'a World<'w>,
    pub(super) ground: &'a Ground,
    pub(super) origin: Origin,
}

/// Devices without content of their own, for commands (`null(4)`, `full(4)`, `random(4)`).
pub(in crate::decide) const PLAIN_DEVICES: [&str; 5] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Links of `proc(5)` that lead to whatever a process has, as the process that looks sees it.
const MAGIC_LINKS: [&str; 7] = ["cwd", "exe", "fd", "map_files", "ns", "root", "mem"];

impl<'a, 'w> Judge<'a, 'w> {
    pub(super) fn new(policy: &'a Policy, world: &'a World<'w>, origin: Origin) -> Self {
        Self { policy, world, ground: world.ground(policy), origin }
    }

    /// The root that allows the action on the object.
    ///
    /// `removed` says that the entry at this name goes away or is replaced.
    pub(super) fn one(
        &self,
        action: FileAction,
        names: &Names<'a, '_>,
        removed: bool,
    ) -> Result<Allowed<'a>, Reason> {
        for name in names.reached_by() {
            self.not_hidden(name, None, needs(action))?;
            not_magic(name)?;
        }
        let allowed = self.object(action, names.object)?;
        if let Some(target) = names.target {
            self.object(action, target)?;
        }
        if removed {
            self.not_root(&names.object.real)?;
        }
        if needs(action) == Access::Write {
            names.reached_by().try_for_each(|name| self.not_protected(name))?;
        }
        Ok(allowed)
    }

    /// One object, by its own name and by the other names of the same inode.
    fn object(&self, action: FileAction, object: &'a ResolvedPath) -> Result<Allowed<'a>, Reason> {
        self.not_hidden(&object.real, object.id, needs(action))?;
        self.not_special(action, object)?;
        let allowed = self.access(&object.real, needs(action))?;
        if object.outside_names && !allowed.in_system {
            let message =
                format!("`{}` has a hard link outside of the policy's trees", object.real.display());
            return Err(Reason::new(Code::FileHardLink, message));
        }
        for alias in object.aliases.iter().filter(|alias| **alias != object.real) {
            self.not_hidden(alias, None, needs(action)).map_err(|reason| by_alias(reason, object, alias))?;
            self.right(alias, needs(action)).map_err(|reason| by_alias(reason, object, alias))?;
        }
        if needs(action) == Access::Write {
            self.not_protected(&object.real)?;
        }
        Ok(allowed)
    }

    /// `need` is what is asked for, so what a policy would have to grant.
    pub(super) fn not_hidden(&self, path: &Path, id: Option<FileId>, need: Access) -> Result<(), Reason> {
        let Some(rule) = self.ground.hidden(path, id) else { return Ok(()) };
        let message = format!("`{}` is hidden by `{}`", path.display(), rule.text);
        // The built-in profile cannot be edited; a policy takes a path back by listing it.
        let change = if &*rule.source == "built-in" {
            format!("list `{}` in `filesystem.{}`", path.display(), list_for(need))
        } else {
            format!("remove `{}` from `filesystem.hidden`", rule.text)
        };
        Err(Reason::new(Code::FileHidden, message).by(rule).with_change(change))
    }

    pub(super) fn not_protected(&self, path: &Path) -> Result<(), Reason> {
        let Some(rule) = self.ground.protected(path) else { return Ok(()) };
        let message = format!("`{}` is protected by `{}`", path.display(), rule.text);
        // A policy adds to what the built-in profile protects, or gives up all of it.
        let change = if &*rule.source == "built-in" {
            "change it outside of the sandbox; only `filesystem.protected: none`, which gives up every protection, lets a run do it".to_owned()
        } else {
            format!("remove `{}` from `filesystem.protected`", rule.text)
        };
        Err(Reason::new(Code::FileProtected, message).by(rule).with_change(change))
    }

    /// The right on a path by its name alone: what a member of a tree needs.
    pub(super) fn right(&self, path: &Path, need: Access) -> Result<(), Reason> {
        self.access(path, need)?;
        if need == Access::Write { self.not_protected(path) } else { Ok(()) }
    }

    /// No root covers it, so the rule is the workspace's, where it would have been fine.
    fn outside(&self, path: &Path, need: Access) -> Reason {
        let list = list_for(need);
        let shown = path.display();
        let message = format!("`{shown}` is outside of the workspace and of every listed path");
        let reason = Reason::new(Code::FileOutside, message)
            .with_change(format!("add `{shown}` to `filesystem.{list}`"));
        match self.policy.files.iter().find_map(|layer| layer.workspace.as_ref()) {
            Some(workspace) => reason.by(&workspace.rule),
            None => reason,
        }
    }

    pub(super) fn not_root(&self, path: &Path) -> Result<(), Reason> {
        let Some(root) = self.ground.root_at_or_beneath(path) else { return Ok(()) };
        let message = format!(
            "`{}` is or contains `{}`, which the policy is about: it may not be removed, renamed or replaced",
            path.display(),
            root.real.display()
        );
        Err(Reason::new(Code::FileRoot, message).by(&root.rule))
    }

    fn not_special(&self, action: FileAction, object: &ResolvedPath) -> Result<(), Reason> {
        let opens = matches!(action, FileAction::Read | FileAction::Write | FileAction::List);
        if object.kind != FileKind::Special || !opens {
            return Ok(());
        }
        if is_plain_device(&object.real) && self.origin == Origin::Command {
            return Ok(());
        }
        let message = format!("`{}` is a FIFO, a socket or a device", object.real.display());
        Err(Reason::new(Code::FileSpecial, message))
    }

    /// Every layer must allow it; the system profile may, for commands.
    pub(super) fn access<'p>(&self, path: &'p Path, need: Access) -> Result<Allowed<'p>, Reason>
    where
        'a: 'p,
    {
        let mut allowed = None;
        // The root of the first layer that refuses; `None` within when that layer has none.
        let mut refused: Option<Option<&GroundRoot>> = None;
        for layer in &self.ground.layers {
            match layer.root_of(path) {
                Some(root) if root.access >= need => {
                    if !layer.narrows {
                        allowed = allowed.or(Some(root));
                    }
                }
                None if layer.narrows => {}
                root => refused = refused.or(Some(root)),
            }
        }
        if let (Some(root), None) = (allowed, refused) {
            return Ok(Allowed { path, root, in_system: false });
        }
        if let Some(root) = self.system_root(path, need) {
            return Ok(Allowed { path, root, in_system: true });
        }
        Err(match refused.flatten() {
            Some(root) => read_only(path, root),
            None => self.outside(path, need),
        })
    }

    fn system_root(&self, path: &Path, need: Access) -> Option<&'a GroundRoot> {
        if self.origin != Origin::Command {
            return None;
        }
        deepest(&self.ground.system, path).filter(|root| root.access >= need)
    }
}

/// Where an allowed object lies.
#[derive(Debug)]
pub(in crate::decide) struct Allowed<'a> {
    path: &'a Path,
    pub(super) root: &'a GroundRoot,
    in_system: bool,
}

impl Allowed<'_> {
    pub(super) fn reason(&self) -> Reason {
        let Self { path, root, .. } = self;
        let what = if root.access == Access::Write { "writable" } else { "readable" };
        let message = format!("`{}` lies in `{}`, which is {what}", path.display(), root.real.display());
        Reason::new(Code::FileAllowed, message).by(&root.rule)
    }
}

pub(super) fn is_plain_device(path: &Path) -> bool {
    PLAIN_DEVICES.iter().any(|device| path == Path::new(device))
}

/// The key that lists trees with this right.
const fn list_for(need: Access) -> &'static str {
    match need {
        Access::Read => "readOnly",
        Access::Write => "writable",
    }
}

/// The right that an action needs on its object.
pub(super) const fn needs(action: FileAction) -> Access {
    match action {
        FileAction::Read | FileAction::List | FileAction::Stat | FileAction::Execute => Access::Read,
        FileAction::Write
        | FileAction::Create
        | FileAction::Delete
        | FileAction::Rename
        | FileAction::Mkdir
        | FileAction::Symlink
        | FileAction::Hardlink
        | FileAction::Chmod => Access::Write,
    }
}

fn read_only(path: &Path, root: &GroundRoot) -> Reason {
    let message = format!("`{}` lies in `{}`, which is read-only", path.display(), root.real.display());
    let change = format!("remove `{}` from the read-only paths", root.rule.text);
    Reason::new(Code::FileReadOnly, message).by(&root.rule).with_change(change)
}

fn by_alias(reason: Reason, object: &ResolvedPath, alias: &Path) -> Reason {
    let message = format!(
        "`{}` is the same file as `{}`, and {}",
        object.real.display(),
        alias.display(),
        reason.message
    );
    Reason { message: message.into(), ..reason }
}

/// Denies `/proc/PID/root` and the like: what they lead to depends on the process that follows them.
fn not_magic(path: &Path) -> Result<(), Reason> {
    let mut components = path.components();
    let is_proc = components.next() == Some(Component::RootDir)
        && components.next() == Some(Component::Normal("proc".as_ref()));
    if !is_proc {
        return Ok(());
    }
    let is_process = components.next().is_some_and(|name| {
        let name = name.as_os_str().as_encoded_bytes();
        name == b"self" || name == b"thread-self" || name.iter().all(u8::is_ascii_digit)
    });
    let is_magic = components.any(|name| MAGIC_LINKS.iter().any(|magic| name.as_os_str() == *magic));
    if is_process && is_magic {
        let message = format!("`{}` depends on the process that opens it", path.display());
        return Err(Reason::new(Code::FileSpecial, message));
    }
    Ok(())
}
