//! Repositories that are not called `.git` are protected like those that are.
#![forbid(unsafe_code)]

use std::path::Path;

use claw_policy::{FileAction, FileGrant, Touch, TouchRequest};

use super::{FileError, Files};
use crate::repository::{in_git, is_called_git, is_protection, is_repository, is_there, parts};

impl Files {
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
