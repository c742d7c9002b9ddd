//! Repositories that are not called `.git`.
//!
//! Git takes a directory for a repository by what lies in it (setup.c, `is_git_directory`): always a `HEAD`. It looks
//! for one where it is called, and where a `.git` that is a file or a link leads. So what is protected in a `.git` is
//! protected beside a `HEAD`, and where a `HEAD` appears nothing of that may be there before that
//! git would execute: but for `info/attributes`, which only names drivers, and these are settings.
#![forbid(unsafe_code)]

use std::ffi::CStr;
use std::fs;
use std::path::{Path, PathBuf};

use claw_policy::{Denial, Touch, TouchRequest};

use super::call::Operation;
use super::place::Place;
use super::{Refusal, Result, Task};
use crate::repository::{in_git, is_called_git, is_protection, is_repository, is_there, parts};

/// How `git` ends the names of hooks that are not executed.
const SAMPLE: &[u8] = b".sample";

impl Task<'_> {
    /// Judges a change of a repository's part as that of the same part in a `.git`.
    pub(super) fn judge_part(&self, path: &Path, is_there: bool) -> Result<()> {
        for (directory, part) in parts(path) {
            let Some(denial) = self.in_git(directory, part) else { continue };
            self.alone()?;
            if is_repository(directory) || is_of_worktree(path) {
                let what = format!("`{}` is a git repository", directory.display());
                return Err(denied(path, is_there, denial, &what));
            }
        }
        Ok(())
    }

    /// Judges that a name appears which may make a repository of the directory.
    pub(super) fn judge_mark<'p>(&self, place: &'p Place) -> Result<Option<Mark<'p>>> {
        let Some(directory) = place.path.parent().filter(|_| place.path.ends_with("HEAD")) else {
            return Ok(None);
        };
        if is_called_git(directory) {
            return Ok(None);
        }
        let Some(denial) = self.in_git(directory, Path::new("config")) else { return Ok(None) };
        self.alone()?;
        if is_repository(directory) {
            return Ok(None);
        }
        let mut mark = Mark { place, directory, denial, parts: Vec::new() };
        if is_there(&directory.join("config.worktree")) {
            return Err(mark.refused("config.worktree"));
        }
        if !has_samples_only(&directory.join("hooks")) {
            return Err(mark.refused("hooks"));
        }
        for part in [c"config", c"commondir"] {
            let name = part.to_str().unwrap_or_default();
            let path = directory.join(name);
            // Where it was protected by its name nobody has it open.
            let request = TouchRequest { path: &path, id: None, touch: Touch::Change };
            let was_open = self.watch.oversight.touch(&request).is_ok();
            if was_open && is_there(&path) {
                if !self.is_harmless_part(place, part, path)? {
                    return Err(mark.refused(name));
                }
                mark.parts.push(part);
            }
        }
        Ok(Some(mark))
    }

    /// Makes anew what is there before a mark appears, once it is recorded that this is allowed.
    pub(super) fn make_anew(&self, operation: &Operation, mark: Option<Mark<'_>>) -> Result<()> {
        let Some(mark) = mark else { return Ok(()) };
        for part in &mark.parts {
            self.allowed(operation, &mark.path_of(part), true)?;
        }
        for part in &mark.parts {
            if !self.make_fresh(mark.place, part, mark.path_of(part))? {
                return Err(mark.refused(&part.to_string_lossy()));
            }
        }
        Ok(())
    }

    /// Judges that a name goes away without which what a worktree depends on would be protected no longer.
    pub(super) fn judge_unmark(&self, path: &Path) -> Result<()> {
        let Some(directory) = path.parent().filter(|_| path.ends_with("HEAD")) else { return Ok(()) };
        if is_called_git(directory) || !is_there(&directory.join("worktrees")) {
            return Ok(());
        }
        match self.in_git(directory, Path::new("config")) {
            Some(denial) => Err(denied(path, true, denial, "worktrees depend on it")),
            None => Ok(()),
        }
    }

    /// Judges a member of a directory that moves: a `commondir` that would lead elsewhere.
    pub(super) fn judge_moved(&self, member: &Path, to: &Path) -> Result<()> {
        // `../..` from there lies in what moves.
        if !member.ends_with("commondir") || member.components().count() > 2 {
            return Ok(());
        }
        let path = to.join(member);
        match self.in_git(to, Path::new("commondir")) {
            Some(denial) => Err(denied(&path, true, denial, "it would lead elsewhere")),
            None => Ok(()),
        }
    }

    // Why the part could not be changed if the directory were called `.git`.
    fn in_git(&self, directory: &Path, part: &Path) -> Option<Denial> {
        let path = in_git(directory, part);
        let request = TouchRequest { path: &path, id: None, touch: Touch::Change };
        self.watch.oversight.touch(&request).err().filter(is_protection)
    }
}

/// A name that makes a repository of its directory, and what lies there that others may have open.
pub(super) struct Mark<'p> {
    place: &'p Place,
    directory: &'p Path,
    denial: Denial,
    parts: Vec<&'static CStr>,
}

impl Mark<'_> {
    fn path_of(&self, part: &CStr) -> PathBuf {
        self.directory.join(part.to_string_lossy().as_ref())
    }

    fn refused(&self, part: &str) -> Refusal {
        let what = format!("`{}` would be a git repository with it", self.directory.display());
        denied(&self.directory.join(part), true, self.denial.clone(), &what)
    }
}

fn denied(path: &Path, is_there: bool, mut denial: Denial, what: &str) -> Refusal {
    for reason in &mut denial.reasons {
        reason.message = format!("`{}` is protected as in a `.git`: {what}", path.display()).into();
    }
    Refusal::Denied { path: path.to_owned(), is_there, denial }
}

/// Whether a path is the `commondir` of a worktree of a repository.
pub(super) fn is_of_worktree(path: &Path) -> bool {
    let worktrees = path.parent().and_then(Path::parent);
    path.ends_with("commondir")
        && worktrees.is_some_and(|path| path.ends_with("worktrees"))
        && worktrees.and_then(Path::parent).is_some_and(|path| is_called_git(path) || is_repository(path))
}

/// Whether a path is, or lies in, something of a repository.
pub(super) fn is_in_repository(path: &Path) -> bool {
    path.ancestors().skip(1).any(is_called_git) || path.parent().is_some_and(is_repository)
}

/// Whether a file of `hooks` is an example.
pub(super) fn is_sample(name: &[u8]) -> bool {
    name.ends_with(SAMPLE)
}

fn has_samples_only(hooks: &Path) -> bool {
    if !is_there(hooks) {
        return true;
    }
    let is_directory = fs::symlink_metadata(hooks).is_ok_and(|metadata| metadata.is_dir());
    let is_harmless = |entry: std::io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| is_sample(entry.file_name().as_encoded_bytes()))
    };
    is_directory && fs::read_dir(hooks).is_ok_and(|mut entries| entries.all(is_harmless))
}

#[cfg(test)]
mod tests {
    use super::*;

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
