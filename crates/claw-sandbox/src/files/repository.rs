//! Repositories that are not called `.git` are protected like those that are.
#![forbid(unsafe_code)]

use std::path::Path;
use std::sync::{PoisonError, RwLockWriteGuard};

use claw_policy::{FileAction, FileGrant, Touch, TouchRequest};

use nix::errno::Errno;
use nix::sys::stat::fstat;

use super::place::Place;
use super::{Failed, FileError, Files};
use crate::opened::id_of;
use crate::repository::{ORDER, in_git, is_called_git, is_protection, is_repository, is_there, parts};

/// Waits until no run of ours changes what a path means, and keeps them from it.
pub(super) fn alone() -> RwLockWriteGuard<'static, ()> {
    ORDER.write().unwrap_or_else(PoisonError::into_inner)
}

impl Files {
    /// Judges again, right before a content takes its place, what may have become of its directory since: a repository,
    /// or another path. Nobody changes that while what is returned is held.
    pub(super) fn judge_last(
        &self,
        grant: &FileGrant,
        place: &Place,
    ) -> Result<RwLockWriteGuard<'static, ()>, Failed> {
        let order = alone();
        self.judge_repository(grant)?;
        let now = self.roots.place(grant.root(), &grant.path().real)?;
        if id_of(&fstat(&now.directory)?) != id_of(&fstat(&place.directory)?) {
            return Err(Errno::ESTALE.into());
        }
        Ok(order)
    }

    /// Judges what a granted change would be in a repository called `.git`.
    pub(super) fn judge_repository(&self, grant: &FileGrant) -> Result<(), FileError> {
        let changes = !matches!(
            grant.action(),
            FileAction::Read | FileAction::List | FileAction::Stat | FileAction::Execute
        );
        let paths = [Some(grant.path()), grant.to()].into_iter().flatten().filter(|_| changes);
        paths.into_iter().try_for_each(|path| {
            self.judge_part(&path.real)?;
            self.judge_mark(&path.real)
        })
    }

    fn judge_part(&self, path: &Path) -> Result<(), FileError> {
        let repositories = parts(path).filter(|(directory, _)| is_repository(directory));
        repositories.into_iter().try_for_each(|(directory, part)| self.judge_in_git(path, directory, part))
    }

    /// A `HEAD` makes a repository of what lies beside it.
    fn judge_mark(&self, path: &Path) -> Result<(), FileError> {
        let Some(directory) =
            path.parent().filter(|directory| path.ends_with("HEAD") && !is_called_git(directory))
        else {
            return Ok(());
        };
        let there = ["config", "config.worktree", "commondir", "hooks"].map(Path::new);
        let found =
            there.into_iter().filter(|part| is_there(&directory.join(part)) && !is_repository(directory));
        found.into_iter().try_for_each(|part| self.judge_in_git(path, directory, part))
    }

    fn judge_in_git(&self, path: &Path, directory: &Path, part: &Path) -> Result<(), FileError> {
        let inner = in_git(directory, part);
        let request = TouchRequest { path: &inner, id: None, touch: Touch::Change };
        match self.sandbox.parts().judge.touch(&request) {
            Err(mut denial) if is_protection(&denial) => {
                for reason in &mut denial.reasons {
                    let (path, directory) = (path.display(), directory.display());
                    reason.message = format!(
                        "`{path}` is protected as in a `.git`: `{directory}` is or becomes a git repository"
                    )
                    .into();
                }
                Err(FileError::denied(path, denial))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Decided;
    use super::*;
    use crate::{Sandbox, built_in_policy};

    #[test]
    fn what_became_of_a_directory_is_judged_again_before_a_content_takes_its_place() {
        let scene = tempfile::tempdir().unwrap();
        let workspace = scene.path().canonicalize().unwrap();
        fs::create_dir(workspace.join("r")).unwrap();
        let files = Sandbox::new(built_in_policy(&workspace).unwrap()).unwrap().files();
        let path = Path::new("r/config");
        let Decided { grant, .. } = files.decide(&files.request(FileAction::Create, path), path).unwrap();
        files.judge_repository(&grant).unwrap();
        let place = files.roots.place(grant.root(), &grant.path().real).unwrap();
        let order = files.judge_last(&grant, &place).unwrap();
        assert!(ORDER.try_read().is_err(), "nobody changes anything meanwhile");
        drop(order);
        // As a run does while the draft goes to the disk.
        fs::rename(workspace.join("r"), workspace.join("moved")).unwrap();
        fs::create_dir(workspace.join("r")).unwrap();
        let moved = files.judge_last(&grant, &place).map(drop);
        assert!(matches!(moved, Err(Failed::System(Errno::ESTALE))), "{moved:?}");
        fs::write(workspace.join("r/HEAD"), "ref: refs/heads/main").unwrap();
        let place = files.roots.place(grant.root(), &grant.path().real).unwrap();
        let marked = files.judge_last(&grant, &place).map(drop);
        assert!(matches!(&marked, Err(Failed::File(error)) if error.denial().is_some()), "{marked:?}");
        assert!(files.write(path, b"x", crate::WriteMode::Create).is_err());
        assert!(!workspace.join("r/config").exists());
    }
}
