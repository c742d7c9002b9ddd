//! What a change would be if the directory that it lies in were called `.git`.
//!
//! What is protected in a `.git` is protected beside a `HEAD`. And where a `HEAD` appears nothing may be there before that
//! git would execute: but for `info/attributes`, which only names drivers, and these are settings. Commands and the
//! runtime's own file tools are judged by the same, whatever else each of them makes of the answer.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use claw_policy::{Denial, Touch, TouchRequest};

use super::{
    in_git, is_called_git, is_of_worktree, is_protection, is_repository, is_sample, is_there, parts,
};

/// How a change of one object is judged by its path.
type Judge<'a> = dyn Fn(&TouchRequest<'_>) -> Result<(), Denial> + 'a;

/// Where git keeps operations that wait to be continued, and what it executes then.
const WAITING: [(&str, &str); 2] =
    [("rebase-merge", "rebase-merge/git-rebase-todo"), ("sequencer", "sequencer/opts")];

/// What must not be beside a `HEAD` that appears, and the part that tells whether it is protected.
const MARKED: [(&str, &str); 6] = [
    ("config", "config"),
    ("config.worktree", "config.worktree"),
    ("commondir", "commondir"),
    ("hooks", "hooks"),
    WAITING[0],
    WAITING[1],
];

/// Judges changes by the shape of what lies around them.
pub(crate) struct Shape<'a> {
    judge: &'a Judge<'a>,
}

/// What is in the way of a `HEAD`.
pub(crate) struct Obstacle {
    /// Its name, beside the `HEAD`.
    pub(crate) name: &'static str,
    /// Why it must not be there.
    pub(crate) denial: Denial,
}

impl<'a> Shape<'a> {
    pub(crate) const fn new(judge: &'a Judge<'a>) -> Self {
        Self { judge }
    }

    /// Whether what the change of a path is depends on what lies around it. Then nobody else may change that meanwhile.
    pub(crate) fn matters(&self, path: &Path) -> bool {
        self.may_mark(path) || parts(path).any(|(directory, part)| self.in_git(directory, part).is_some())
    }

    /// Judges a change of a repository's part as that of the same part in a `.git`.
    pub(crate) fn judge_part(&self, path: &Path) -> Result<(), Denial> {
        for (directory, part) in parts(path) {
            if let Some(denial) = self.in_git(directory, part)
                && (is_repository(directory) || is_of_worktree(path))
            {
                let what = format!("`{}` is a git repository", directory.display());
                return Err(because(denial, path, &what));
            }
        }
        Ok(())
    }

    /// What is in the way of a name that appears and makes a repository of its directory.
    pub(crate) fn obstacles(&self, path: &Path) -> Vec<Obstacle> {
        let Some(directory) = path.parent().filter(|_| self.may_mark(path)) else { return Vec::new() };
        if is_repository(directory) {
            return Vec::new();
        }
        let what = format!("`{}` would be a git repository with it", directory.display());
        let found = MARKED.iter().filter(|(name, _)| is_in_the_way(&directory.join(name)));
        let denied = found.filter_map(|(name, part)| {
            let denial = self.in_git(directory, Path::new(part))?;
            Some(Obstacle { name, denial: because(denial, &directory.join(name), &what) })
        });
        denied.collect()
    }

    /// Judges that a name goes away without which what a worktree depends on would be protected no longer.
    pub(crate) fn judge_unmark(&self, path: &Path) -> Result<(), Denial> {
        let Some(directory) = path.parent().filter(|_| path.ends_with("HEAD")) else { return Ok(()) };
        if is_called_git(directory) || !is_there(&directory.join("worktrees")) {
            return Ok(());
        }
        self.unless(directory, "config", path, "worktrees depend on it")
    }

    /// Judges a member of a directory that moves: a `commondir` that would lead elsewhere.
    pub(crate) fn judge_moved(&self, member: &Path, to: &Path) -> Result<(), Denial> {
        // `../..` from there lies in what moves.
        if !member.ends_with("commondir") || member.components().count() > 2 {
            return Ok(());
        }
        self.unless(to, "commondir", &to.join(member), "it would lead elsewhere")
    }

    /// Judges a link that appears where git keeps what waits to be continued: what it leads to is called otherwise, so it
    /// is not protected.
    pub(crate) fn judge_link(&self, path: &Path) -> Result<(), Denial> {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
        let is_git = || is_called_git(directory) || is_repository(directory);
        match WAITING.iter().find(|(waiting, _)| name == OsStr::new(waiting)) {
            Some((_, part)) if is_git() => self.unless(directory, part, path, "git would follow it"),
            _ => Ok(()),
        }
    }

    /// Judges such links in a directory that moves to where they would be in the way.
    pub(crate) fn judge_links_in(&self, from: &Path, to: &Path) -> Result<(), Denial> {
        let are_followed = is_called_git(to);
        let links = WAITING.iter().filter(|(name, _)| are_followed && is_link(&from.join(name)));
        links.into_iter().try_for_each(|(name, _)| self.judge_link(&to.join(name)))
    }

    fn may_mark(&self, path: &Path) -> bool {
        path.ends_with("HEAD")
            && path.parent().is_some_and(|directory| {
                !is_called_git(directory) && self.in_git(directory, Path::new("config")).is_some()
            })
    }

    fn unless(&self, directory: &Path, part: &str, path: &Path, what: &str) -> Result<(), Denial> {
        let denial = self.in_git(directory, Path::new(part));
        denial.map_or(Ok(()), |denial| Err(because(denial, path, what)))
    }

    // Why the part could not be changed if the directory were called `.git`.
    fn in_git(&self, directory: &Path, part: &Path) -> Option<Denial> {
        let path = if is_called_git(directory) { directory.join(part) } else { in_git(directory, part) };
        let request = TouchRequest { path: &path, id: None, touch: Touch::Change };
        (self.judge)(&request).err().filter(is_protection)
    }
}

/// The same denial with what it is about and why.
pub(crate) fn because(mut denial: Denial, path: &Path, what: &str) -> Denial {
    for reason in &mut denial.reasons {
        reason.message = format!("`{}` is protected: {what}", path.display()).into();
    }
    denial
}

fn is_in_the_way(path: &Path) -> bool {
    is_there(path) && !(path.ends_with("hooks") && has_samples_only(path))
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

fn has_samples_only(hooks: &Path) -> bool {
    let is_directory = fs::symlink_metadata(hooks).is_ok_and(|metadata| metadata.is_dir());
    let is_harmless = |entry: std::io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| is_sample(entry.file_name().as_encoded_bytes()))
    };
    is_directory && fs::read_dir(hooks).is_ok_and(|mut entries| entries.all(is_harmless))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use claw_policy::{Code, Reason};

    use super::*;

    // Of a `.git` these are protected.
    fn protects(request: &TouchRequest<'_>) -> Result<(), Denial> {
        let parts = [".git/config", ".git/commondir", ".git/hooks"].iter();
        if parts.chain(WAITING.iter().map(|(_, part)| part)).any(|part| request.path.ends_with(part)) {
            let reason = Reason {
                code: Code::FileProtected,
                message: "".into(),
                rule: None,
                span: None,
                change: None,
            };
            return Err(Denial { reasons: vec![reason], commands: Vec::new() });
        }
        Ok(())
    }

    #[test]
    fn a_part_is_judged_where_a_head_is() {
        let place = tempfile::tempdir().unwrap();
        let shape = Shape::new(&protects);
        let config = place.path().join("config");
        assert!(shape.matters(&config) && shape.judge_part(&config).is_ok());
        assert!(!shape.matters(&place.path().join("file")));
        fs::write(place.path().join("HEAD"), "").unwrap();
        for part in ["config", "commondir", "hooks", "sequencer/opts"] {
            assert!(shape.judge_part(&place.path().join(part)).is_err(), "{part}");
        }
        for part in ["file", "hooks.old", "sequencer/head", "sequencer/opts.lock"] {
            assert!(shape.judge_part(&place.path().join(part)).is_ok(), "{part}");
        }
        assert!(
            Shape::new(&|_: &TouchRequest<'_>| Ok(())).judge_part(&config).is_ok(),
            "nothing is protected"
        );
    }

    #[test]
    fn what_git_would_execute_is_in_the_way_of_a_head() {
        let place = tempfile::tempdir().unwrap();
        let shape = Shape::new(&protects);
        let head = place.path().join("HEAD");
        let found = || shape.obstacles(&head).iter().map(|found| found.name).collect::<Vec<_>>();
        fs::create_dir(place.path().join("hooks")).unwrap();
        fs::write(place.path().join("hooks/x.sample"), "").unwrap();
        assert!(found().is_empty(), "examples are not executed");
        fs::write(place.path().join("hooks/pre-commit"), "").unwrap();
        fs::write(place.path().join("config"), "").unwrap();
        symlink("elsewhere", place.path().join("rebase-merge")).unwrap();
        assert_eq!(found(), ["config", "hooks", "rebase-merge"]);
        fs::write(&head, "").unwrap();
        assert!(found().is_empty(), "it is a repository already");
    }

    #[test]
    fn no_link_appears_where_git_keeps_what_waits() {
        let place = tempfile::tempdir().unwrap();
        let shape = Shape::new(&protects);
        let (git, other) = (place.path().join(".git"), place.path().join("q"));
        assert!(shape.judge_link(&git.join("rebase-merge")).is_err());
        assert!(shape.judge_link(&git.join("sequencer")).is_err());
        assert!(shape.judge_link(&git.join("rebase-apply")).is_ok());
        assert!(shape.judge_link(&other.join("sequencer")).is_ok());
        fs::create_dir(&other).unwrap();
        assert!(shape.judge_links_in(&other, &git).is_ok());
        symlink("elsewhere", other.join("sequencer")).unwrap();
        assert!(shape.judge_links_in(&other, &git).is_err());
        assert!(shape.judge_links_in(&other, &place.path().join("p")).is_ok());
        fs::write(other.join("HEAD"), "").unwrap();
        assert!(shape.judge_link(&other.join("sequencer")).is_err());
    }
}
