//! The private temporary directory of a launcher.
#![forbid(unsafe_code)]

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

// The kernel's random bytes make a second try all but impossible; a few are for a broken clock of luck.
const ATTEMPTS: usize = 8;

/// A directory that only we can use and that is removed with its contents when dropped.
#[derive(Debug)]
pub(crate) struct TemporaryDirectory(PathBuf);

/// Where temporary directories are made: what `TMPDIR` says if it says anything, or else `/tmp`.
pub(crate) fn parent() -> PathBuf {
    let stated = std::env::var_os("TMPDIR").filter(|directory| !directory.is_empty());
    stated.map_or_else(|| PathBuf::from("/tmp"), PathBuf::from)
}

impl TemporaryDirectory {
    /// Makes a directory with a random name beneath `parent`.
    pub(crate) fn create(parent: &Path) -> io::Result<Self> {
        // Canonical, because Landlock rules and the path given to commands must name one object.
        let parent = parent.canonicalize()?;
        let mut last = io::ErrorKind::AlreadyExists.into();
        for _ in 0..ATTEMPTS {
            let path = parent.join(format!("claw-sandbox-{}", random_name()?));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Its canonical path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl TemporaryDirectory {
    /// Removes it and what is in it. Nothing of its runs may be alive.
    pub(crate) fn remove(&self) {
        // Most commands leave nothing there.
        if std::fs::remove_dir(&self.0).is_ok() || std::fs::remove_dir_all(&self.0).is_ok() {
            return;
        }
        // A command may have taken away our own permission to look into its directories.
        make_removable(&self.0);
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        self.remove();
    }
}

// INVARIANT: nothing of the run is alive, so no directory turns into a link while we walk.
fn make_removable(directory: &Path) {
    let _ = std::fs::set_permissions(directory, Permissions::from_mode(0o700));
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_removable(&entry.path());
        }
    }
}

fn random_name() -> io::Result<String> {
    let bytes = crate::sys::fd::random_bytes()?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
