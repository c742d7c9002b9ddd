//! What makes a directory a git repository, and what of it git would execute.
//!
//! Git takes a directory for a repository by what lies in it (setup.c, `is_git_directory`): always a `HEAD`. So what the policy
//! protects in a `.git` is protected beside every `HEAD`, for commands and for the runtime's own file tools.
#![forbid(unsafe_code)]

mod shape;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::RwLock;

use claw_policy::{Code, Denial};

pub(crate) use self::shape::{Shape, because};

/// The order of all changes of ours that depend on more than the entry that was judged. Renames and links change what a path
/// means that is being judged for another run, and a `HEAD` makes a repository of what lies beside it: who does that, or
/// changes a part of what is or may become a repository, goes alone, from the judgement to the change.
pub(crate) static ORDER: RwLock<()> = RwLock::new(());

/// What of a repository's may be protected; `info` for its attributes, and where operations wait to be continued.
const PARTS: [&str; 7] =
    ["config", "config.worktree", "commondir", "hooks", "info", "rebase-merge", "sequencer"];

/// Those beneath which something may be protected.
const TREES: [&str; 4] = ["hooks", "info", "rebase-merge", "sequencer"];

/// How `git` ends the names of hooks that are not executed.
const SAMPLE: &[u8] = b".sample";

/// The name that a part of a repository would have in one that is called `.git`.
pub(crate) fn in_git(directory: &Path, part: &Path) -> PathBuf {
    directory.join(".git").join(part)
}

/// Whether it is denied because it is protected and for nothing else.
pub(crate) fn is_protection(denial: &Denial) -> bool {
    !denial.reasons.is_empty() && denial.reasons.iter().all(|reason| reason.code == Code::FileProtected)
}

pub(crate) fn is_called_git(directory: &Path) -> bool {
    directory.file_name().is_some_and(|name| name == ".git")
}

// What cannot be seen is taken for one.
pub(crate) fn is_repository(directory: &Path) -> bool {
    is_there(&directory.join("HEAD"))
}

pub(crate) fn is_there(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

/// Each directory above a path in which it would be a part that may be protected.
pub(crate) fn parts(path: &Path) -> impl Iterator<Item = (&Path, &Path)> {
    path.ancestors().filter_map(move |part| {
        let name = part.file_name()?.to_str().filter(|name| PARTS.contains(name))?;
        let directory = part.parent().filter(|directory| !is_called_git(directory))?;
        let rest = path.strip_prefix(directory).ok()?;
        // Beneath the others nothing lies.
        (part == path || TREES.contains(&name)).then_some((directory, rest))
    })
}

/// Whether a path is the `commondir` of a worktree of a repository.
pub(crate) fn is_of_worktree(path: &Path) -> bool {
    let worktrees = path.parent().and_then(Path::parent);
    path.ends_with("commondir")
        && worktrees.is_some_and(|path| path.ends_with("worktrees"))
        && worktrees.and_then(Path::parent).is_some_and(|path| is_called_git(path) || is_repository(path))
}

/// Whether a path is, or lies in, something of a repository.
pub(crate) fn is_in_repository(path: &Path) -> bool {
    path.ancestors().skip(1).any(is_called_git) || path.parent().is_some_and(is_repository)
}

/// Whether a file of `hooks` is an example.
pub(crate) fn is_sample(name: &[u8]) -> bool {
    name.ends_with(SAMPLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_repositories_are_found_by_name_at_any_depth() {
        let of = |path: &'static str| {
            let parts = parts(Path::new(path)).map(|(directory, part)| (directory.to_str(), part.to_str()));
            parts.map(|(directory, part)| (directory.unwrap(), part.unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(of("/w/r/config"), [("/w/r", "config")]);
        assert_eq!(of("/w/r/hooks/a/b"), [("/w/r", "hooks/a/b")]);
        assert_eq!(of("/w/hooks/r/config"), [("/w/hooks/r", "config"), ("/w", "hooks/r/config")]);
        assert_eq!(of("/w/config/x"), []);
        assert_eq!(of("/w/.git/config"), []);
        assert_eq!(of("/w/r/rebase-merge/git-rebase-todo"), [("/w/r", "rebase-merge/git-rebase-todo")]);
        assert_eq!(of("/w/file"), []);
    }

    #[test]
    fn a_worktree_belongs_to_a_repository() {
        assert!(is_of_worktree(Path::new("/w/.git/worktrees/x/commondir")));
        for path in
            ["/w/.git/worktrees/commondir", "/w/.git/x/y/commondir", "/w/worktrees/x/commondir", "/commondir"]
        {
            assert!(!is_of_worktree(Path::new(path)), "{path}");
        }
    }
}
