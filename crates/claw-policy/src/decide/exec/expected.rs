//! Paths through directories that an earlier part of the line may make: `mkdir build && cd build && cmake .. > ../log`.
//!
//! The kernel does not resolve `build/..` before `build` is there, so nothing would be known of the file. What lies
//! beside a directory that will be there is known all the same. Should the line make a link of that name instead, the path leads
//! elsewhere when it runs: then the kernel's rules and the broker judge where, as they judge every path.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use claw_shell::{Command, CommandId, Lookup, Script, Span};

use super::{Judge, Scope};
use crate::decide::world::World;
use crate::{FactError, FileKind};

/// Whether a program ran before something in a script.
#[derive(Clone, Copy)]
pub(super) struct Before<'s> {
    pub(super) script: &'s Script,
    /// Whether one ran before all of the script.
    pub(super) outer: bool,
}

impl Before<'_> {
    /// Whether one ran before what stands at `span`, which is a part of the command `own`.
    pub(super) fn runs_a_program(self, span: Span, own: Option<CommandId>) -> bool {
        let own = own.and_then(|id| self.script.commands.get(id.0));
        let is_before = |command: &&Command| command.span.end <= span.start;
        let is_other = |command: &&Command| own.is_none_or(|own| !std::ptr::eq(own, *command));
        let mut before = self.script.commands.iter().filter(is_before).filter(is_other);
        self.outer || before.any(|command| !matches!(command.lookup, Lookup::Builtin(_)))
    }
}

/// Whether nothing is at a path yet.
pub(super) fn is_missing(path: &Path, world: &World<'_>) -> bool {
    match world.path(path, true) {
        Some(Ok(found)) => found.kind == FileKind::Missing,
        Some(Err(error)) => *error == FactError::NotFound,
        None => false,
    }
}

impl Judge<'_> {
    /// The path that is meant at `span` in the command `own`, if it leads through what is not there yet.
    pub(super) fn expected<'p>(
        &self,
        scope: &Scope<'_>,
        span: Span,
        own: Option<CommandId>,
        path: &'p Path,
    ) -> Cow<'p, Path> {
        let has_dots = path.components().any(|component| component == Component::ParentDir);
        if !has_dots || !scope.before.runs_a_program(span, own) {
            return Cow::Borrowed(path);
        }
        without_missing(path, self.world).map_or(Cow::Borrowed(path), Cow::Owned)
    }
}

/// The path without its `..`s: what is there is followed as the kernel does, and what is not will be a directory. `None`
/// when all of it is there, or it is not known.
fn without_missing(path: &Path, world: &World<'_>) -> Option<PathBuf> {
    let mut name = PathBuf::new();
    let mut is_missing = false;
    for component in path.components() {
        if component != Component::ParentDir {
            name.push(component);
            continue;
        }
        match world.path(&name, true)? {
            Ok(found) => {
                match found.kind {
                    FileKind::Missing => is_missing = true,
                    FileKind::Directory => {}
                    // Nothing lies beneath a file, `..` neither.
                    _ => return None,
                }
                name.clone_from(&found.real);
            }
            Err(FactError::NotFound) => is_missing = true,
            Err(_) => return None,
        }
        name.pop();
    }
    is_missing.then_some(name)
}
