//! What was allowed for always: one line of JSON for each program, argument vector and directory.
#![forbid(unsafe_code)]

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Asked;

/// A person says "always" a few hundred times; this is room for thousands.
const MAX_BYTES: u64 = 4 << 20;

/// The user's approvals file. Opened anew for each question: other processes write to it too.
#[derive(Clone, Debug)]
pub struct ApprovalStore {
    path: PathBuf,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the approvals file {} {what}", path.display())]
pub struct ApprovalError {
    path: PathBuf,
    what: String,
}

/// What an approval is bound to. A program that was replaced or written to is another one.
#[derive(Debug)]
pub(super) struct Key(Value);

impl Key {
    /// `None` for what JSON cannot say: it is asked about each time.
    pub(super) fn of(asked: &Asked<'_>) -> Option<Self> {
        let program = asked.program?;
        let argv: Result<Vec<&str>, _> = asked.argv.iter().map(|word| std::str::from_utf8(word)).collect();
        let line = asked.line.map(std::str::from_utf8).transpose().ok()?;
        Some(Self(json!({
            "program": program.real.to_str()?,
            "device": program.id.device,
            "inode": program.id.inode,
            "written": super::written(program),
            "argv": argv.ok()?,
            "line": line,
            "cwd": asked.cwd.to_str()?,
        })))
    }
}

impl ApprovalStore {
    /// The store at `path`; the file is made with the first approval.
    ///
    /// It must lie where no command of the policy can write; [`crate::SandboxBuilder::approvals`] checks it.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn contains(&self, key: &Key) -> Result<bool, ApprovalError> {
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW;
        let file = match File::options().read(true).custom_flags(flags).open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(self.error(format!("cannot be read: {error}"))),
        };
        self.check(&file)?;
        let mut text = String::new();
        let read = file.take(MAX_BYTES + 1).read_to_string(&mut text);
        let length = read.map_err(|error| self.error(format!("cannot be read: {error}")))?;
        if length as u64 > MAX_BYTES {
            return Err(self.error("is larger than 4 MiB; remove old lines".to_owned()));
        }
        // A line that is no approval approves nothing.
        Ok(text.lines().any(|line| serde_json::from_str::<Value>(line).is_ok_and(|value| value == key.0)))
    }

    pub(super) fn add(&self, key: &Key) -> Result<(), ApprovalError> {
        let failed = |error: io::Error| self.error(format!("cannot be written: {error}"));
        if let Some(directory) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        }
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
        let mut options = File::options();
        options.append(true).create(true).mode(0o600).custom_flags(flags);
        let mut file = options.open(&self.path).map_err(failed)?;
        self.check(&file)?;
        // One write, so that lines of several processes do not mix.
        file.write_all(format!("{}\n", key.0).as_bytes()).map_err(failed)
    }

    // What is checked is the opened file, not the path.
    fn check(&self, file: &File) -> Result<(), ApprovalError> {
        let metadata = file.metadata().map_err(|error| self.error(format!("cannot be read: {error}")))?;
        if !metadata.is_file() {
            return Err(self.error("is not a regular file; remove it".to_owned()));
        }
        if metadata.uid() != nix::unistd::geteuid().as_raw() {
            return Err(self.error(format!("belongs to user {}; it has to belong to you", metadata.uid())));
        }
        if metadata.mode() & 0o022 != 0 {
            return Err(
                self.error(format!("can be written by others; run `chmod 600 {}`", self.path.display()))
            );
        }
        Ok(())
    }

    fn error(&self, what: String) -> ApprovalError {
        ApprovalError { path: self.path.clone(), what }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn key(word: &str) -> Key {
        Key(json!({ "program": "/bin/x", "argv": [word] }))
    }

    #[test]
    fn what_was_added_is_there_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let store = ApprovalStore::new(directory.path().join("a/approvals.jsonl"));
        assert!(!store.contains(&key("one")).unwrap());
        store.add(&key("one")).unwrap();
        store.add(&key("two\nthree")).unwrap();
        assert!(store.contains(&key("one")).unwrap() && store.contains(&key("two\nthree")).unwrap());
        assert!(!store.contains(&key("three")).unwrap());
        assert_eq!(fs::metadata(store.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn broken_lines_approve_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let store = ApprovalStore::new(directory.path().join("approvals.jsonl"));
        fs::write(store.path(), "not json\n{\"argv\": [\"one\"]}\n").unwrap();
        fs::set_permissions(store.path(), fs::Permissions::from_mode(0o600)).unwrap();
        assert!(!store.contains(&key("one")).unwrap());
    }

    #[test]
    fn a_file_that_others_can_write_or_that_is_a_link_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let store = ApprovalStore::new(directory.path().join("approvals.jsonl"));
        store.add(&key("one")).unwrap();
        fs::set_permissions(store.path(), fs::Permissions::from_mode(0o622)).unwrap();
        assert!(store.contains(&key("one")).unwrap_err().to_string().contains("chmod 600"));
        assert!(store.add(&key("two")).is_err());
        let link = ApprovalStore::new(directory.path().join("link"));
        symlink(store.path(), link.path()).unwrap();
        assert!(link.contains(&key("one")).is_err() && link.add(&key("two")).is_err());
    }
}
