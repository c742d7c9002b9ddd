//! Repositories that are not called `.git` are protected like those that are.
#![forbid(unsafe_code)]

use std::path::Path;
use std::sync::{PoisonError, RwLockWriteGuard};

use claw_policy::{FileAction, FileGrant, TouchRequest};

use nix::errno::Errno;
use nix::sys::stat::fstat;

use super::place::Place;
use super::{Failed, FileError, Files};
use crate::opened::id_of;
use crate::repository::{ORDER, Shape};

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
        let judge = |request: &TouchRequest<'_>| self.sandbox.parts().judge.touch(request);
        let shape = Shape::new(&judge);
        for path in changed(grant) {
            let judged = shape.judge_part(path).and_then(|()| {
                // Nothing is made anew here, so whatever is there is in the way.
                shape.obstacles(path).into_iter().next().map_or(Ok(()), |obstacle| Err(obstacle.denial))
            });
            judged.map_err(|denial| FileError::denied(path, denial))?;
        }
        let (from, new) = (&grant.path().real, grant.to().unwrap_or(grant.path()));
        let judged = match grant.action() {
            FileAction::Symlink | FileAction::Hardlink => shape.judge_link(&new.real),
            FileAction::Rename => {
                shape.judge_link(&new.real).and_then(|()| shape.judge_links_in(from, &new.real))
            }
            _ => Ok(()),
        };
        judged.map_err(|denial| FileError::denied(&new.real, denial))
    }
}

/// The paths that a grant lets change.
fn changed(grant: &FileGrant) -> impl Iterator<Item = &Path> {
    let changes = !matches!(
        grant.action(),
        FileAction::Read | FileAction::List | FileAction::Stat | FileAction::Execute
    );
    let paths = [Some(grant.path()), grant.to()].into_iter().flatten().filter(move |_| changes);
    paths.map(|path| path.real.as_path())
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
