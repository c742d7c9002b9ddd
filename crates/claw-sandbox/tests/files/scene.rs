//! Where the tests work.

use std::fs;
use std::path::PathBuf;

use claw_sandbox::{FileError, FileErrorKind, Files, Sandbox, policy_from_yaml};
use tempfile::TempDir;

/// A workspace, and a directory outside of it.
pub(crate) struct Scene {
    directory: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let directory = TempDir::with_prefix("claw-files-").unwrap();
        for name in ["work", "outside"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        fs::write(directory.path().join("outside/secret"), "SECRET").unwrap();
        Self { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn files(&self) -> Files {
        self.files_with("")
    }

    pub(crate) fn files_with(&self, more: &str) -> Files {
        let text = format!("workspace: {}\n{more}", self.path("work").display());
        Sandbox::new(policy_from_yaml(&text, self.path("work")).unwrap()).unwrap().files()
    }
}

pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T, FileError>) -> FileErrorKind {
    result.unwrap_err().kind()
}
