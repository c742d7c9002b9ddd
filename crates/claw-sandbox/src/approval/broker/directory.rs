//! The directory, under its lock.
#![forbid(unsafe_code)]

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::question::is_id;
use super::{BrokerError, MOST_BYTES, OpenQuestion};
use crate::audit::hexadecimal;

/// Steps under the lock take milliseconds; whoever holds it longer was stopped.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// A question's file: its text escaped once more, and a little around it.
const FILE_BYTES: u64 = 2 * MOST_BYTES as u64 + 4096;

/// Entries that are looked at: those that can be there, some that a crash left, and no more.
const ENTRIES: usize = 1024;

/// Bytes of randomness in a name: a person types few letters, and a guess gains nothing but the text of a question.
const ID_BYTES: usize = 4;

#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
}

/// The directory while nobody else changes it.
pub(super) struct Locked<'a> {
    path: &'a Path,
    // Closing it gives the lock back.
    _lock: File,
}

impl Directory {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it when it is not there.
    pub(super) fn lock(&self) -> Result<Locked<'_>, BrokerError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(|error| self.failed("cannot be made", &error))?;
        self.lock_existing()?.ok_or_else(|| self.error("was taken away"))
    }

    /// `None` when it is not there.
    pub(super) fn lock_existing(&self) -> Result<Option<Locked<'_>>, BrokerError> {
        match self.check() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("cannot be used", &error)),
            Ok(()) => {}
        }
        let mut options = File::options();
        options.write(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let lock =
            options.open(self.path.join("lock")).map_err(|error| self.failed("cannot be locked", &error))?;
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Some(Locked { path: &self.path, _lock: lock })),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::WouldBlock) => return Err(self.error("is locked by another process")),
                Err(TryLockError::Error(error)) => return Err(self.failed("cannot be locked", &error)),
            }
        }
    }

    // Whoever may write into the directory may answer.
    fn check(&self) -> io::Result<()> {
        let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let metadata = File::options().read(true).custom_flags(flags).open(&self.path)?.metadata()?;
        let is_ours = metadata.uid() == nix::unistd::geteuid().as_raw();
        match (is_ours, metadata.mode() & 0o077) {
            (true, 0) => Ok(()),
            (false, _) => Err(io::Error::other("it belongs to somebody else")),
            (true, _) => Err(io::Error::other("others can reach it; run `chmod 700` on it")),
        }
    }

    fn failed(&self, what: &str, error: &io::Error) -> BrokerError {
        self.error(&format!("{what}: {}", crate::plain_io_error(error)))
    }

    fn error(&self, what: &str) -> BrokerError {
        BrokerError(format!("the directory of questions {what}: {}", self.path.display()))
    }
}

impl Locked<'_> {
    /// Every question that is there. What is no question of ours is passed over.
    pub(super) fn questions(&self) -> Result<Vec<OpenQuestion>, BrokerError> {
        let entries = fs::read_dir(self.path).map_err(|error| failed("read", &error))?;
        let names = entries.take(ENTRIES).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter_map(|name| self.read(name.strip_suffix(".json").filter(|id| is_id(id))?)).collect())
    }

    fn read(&self, id: &str) -> Option<OpenQuestion> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = File::options().read(true).custom_flags(flags).open(self.file(id)).ok()?;
        let metadata = file.metadata().ok()?;
        let is_ours = metadata.uid() == nix::unistd::geteuid().as_raw() && metadata.mode() & 0o077 == 0;
        if !metadata.is_file() || !is_ours || metadata.len() > FILE_BYTES {
            return None;
        }
        let mut text = Vec::new();
        file.take(FILE_BYTES).read_to_end(&mut text).ok()?;
        serde_json::from_slice::<OpenQuestion>(&text).ok().filter(|question| question.id == id)
    }

    /// The question with this digest whose time is not over.
    pub(super) fn find(&self, digest: &str, now: u64) -> Result<Option<OpenQuestion>, BrokerError> {
        let mut questions = self.questions()?.into_iter();
        Ok(questions.find(|question| question.digest == digest && !question.is_over(now)))
    }

    /// Removes those whose time is over, and says how many are left.
    pub(super) fn discard_old(&self, now: u64) -> Result<usize, BrokerError> {
        let mut left = 0;
        for question in self.questions()? {
            if question.is_over(now) {
                self.remove(&question.id)?;
            } else {
                left += 1;
            }
        }
        Ok(left)
    }

    pub(super) fn free_id(&self) -> Result<String, BrokerError> {
        for _ in 0..16 {
            let bytes = crate::sys::fd::random_bytes().map_err(|error| failed("name", &error))?;
            let id = hexadecimal(bytes.get(..ID_BYTES).unwrap_or(&bytes));
            if fs::symlink_metadata(self.file(&id)).is_err() {
                return Ok(id);
            }
        }
        Err(BrokerError("no name for a question is free".to_owned()))
    }

    /// Whole or not at all, also when we or the machine end meanwhile.
    pub(super) fn write(&self, question: &OpenQuestion) -> Result<(), BrokerError> {
        let text = serde_json::to_vec(question).map_err(|error| BrokerError(error.to_string()))?;
        let draft = self.path.join("draft");
        let written = || -> io::Result<()> {
            // What a crash left.
            match fs::remove_file(&draft) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&draft, self.file(&question.id))
        };
        written().map_err(|error| failed("write", &error))
    }

    /// Whoever removes a question has its answer: it is gone for good before it is used.
    pub(super) fn remove(&self, id: &str) -> Result<(), BrokerError> {
        let removed = || -> io::Result<()> {
            fs::remove_file(self.file(id))?;
            File::open(self.path)?.sync_all()
        };
        removed().map_err(|error| failed("remove", &error))
    }

    fn file(&self, id: &str) -> PathBuf {
        self.path.join(format!("{id}.json"))
    }
}

fn failed(doing: &str, error: &io::Error) -> BrokerError {
    BrokerError(format!("cannot {doing} a question: {}", crate::plain_io_error(error)))
}
