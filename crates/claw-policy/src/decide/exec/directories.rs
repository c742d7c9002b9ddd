//! The directories in which the parts of a script may run.

use std::path::{Component, Path, PathBuf};

use claw_shell::{Cwd, CwdId, Word};

use super::expected::{Before, is_missing};
use super::words;
use crate::FileKind;
use crate::decide::world::World;

/// More possible directories than this at one point count as unknown.
const MOST: usize = 8;

/// For every [`CwdId`] of a script the directories that it may mean; `None` when not knowable.
pub(super) struct Directories {
    possible: Vec<Option<Vec<PathBuf>>>,
}

impl Directories {
    pub(super) fn new(before: Before<'_>, world: &World<'_>, start: Option<Vec<PathBuf>>) -> Self {
        let cwds = &before.script.cwds;
        let mut directories = Self { possible: Vec::with_capacity(cwds.len().max(1)) };
        directories.possible.push(start);
        // Entry 0 is the start, and an entry refers to earlier ones only.
        for cwd in cwds.iter().skip(1) {
            let possible = directories.evaluate(cwd, before, world);
            directories.possible.push(possible);
        }
        directories
    }

    /// The directories that `id` may mean.
    pub(super) fn at(&self, id: CwdId) -> Option<&[PathBuf]> {
        self.possible.get(id.0)?.as_deref()
    }

    fn evaluate(&self, cwd: &Cwd, before: Before<'_>, world: &World<'_>) -> Option<Vec<PathBuf>> {
        let mut all: Vec<PathBuf> = Vec::new();
        match cwd {
            Cwd::Start => all.extend(self.at(CwdId(0))?.iter().cloned()),
            Cwd::Cd { from, target, certain } => {
                // What a program may have made is entered.
                let is_made =
                    |to: &PathBuf| before.runs_a_program(target.span, None) && is_missing(to, world);
                for directory in self.at(*from)? {
                    let (to, is_there) = moved(directory, target, world)?;
                    if !certain && !is_there && !to.iter().all(is_made) {
                        all.push(directory.clone());
                    }
                    all.extend(to);
                }
            }
            Cwd::Either(left, right) => {
                all.extend(self.at(*left)?.iter().cloned());
                all.extend(self.at(*right)?.iter().cloned());
            }
            Cwd::Unknown => return None,
        }
        all.sort();
        all.dedup();
        (all.len() <= MOST).then_some(all)
    }
}

/// Where `cd target` leads from `from`, and whether these are directories; `None` when the text does not tell.
fn moved(from: &Path, target: &Word, world: &World<'_>) -> Option<(Vec<PathBuf>, bool)> {
    // `cd -` goes where nobody knows, and a bare `cd` is written by the parser as `~`.
    if target.as_literal().is_some_and(|text| &*text == b"-") {
        return None;
    }
    let spelled = words::path(target, Some(from), world)?;
    let mut all = vec![without_dots(&spelled)];
    all.extend(physical(&spelled, all.first()?, world));
    let is_directory =
        |to: &PathBuf| matches!(world.path(to, true), Some(Ok(path)) if path.kind == FileKind::Directory);
    let is_there = all.iter().all(is_directory);
    Some((all, is_there))
}

/// Where `spelled` leads when `..` is read as the kernel does, if that is not where `logical` leads. A shell that was
/// started in another directory than its `PWD` says (`env -C link`, an unset `PWD`) reads it so, `cd -L` or not.
fn physical(spelled: &Path, logical: &Path, world: &World<'_>) -> Option<PathBuf> {
    if !spelled.components().any(|component| component == Component::ParentDir) {
        return None;
    }
    let real = |path| Some(&world.path(path, true)?.as_ref().ok()?.real);
    let physical = real(spelled)?;
    (real(logical) != Some(physical)).then(|| physical.clone())
}

/// `..` as `cd` reads it: a shell removes the name before it, link or not (`cd -L`).
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::Normal(name) => plain.push(name),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    plain
}
