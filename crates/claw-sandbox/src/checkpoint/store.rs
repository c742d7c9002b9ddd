//! The directory that keeps checkpoints: contents by their hash, lists, and the journal of an undo.
//!
//! ```text
//! lock                    held while anything is changed
//! objects/ab/cdef...      a content under its SHA-256
//! manifests/00000007.jsonl  a checkpoint
//! undo.json               an undo that is not finished
//! drafts/                 what has not taken its place yet; nothing refers to it
//! ```
//!
//! Each file is written as a draft, synchronised and renamed into place, a list after all contents that it names.
#![forbid(unsafe_code)]

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::digest::{Digest, to_hex};
use super::manifest::Manifest;
use super::step::step;
use super::{CheckpointError, CheckpointErrorKind};

/// How long another process is waited for. A checkpoint of 100,000 files takes seconds.
const PATIENCE: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(20);

/// Up to so many files are synchronised one by one; beyond it the whole file system at once is cheaper.
const FEW: usize = 32;

/// Drafts that wait for their place.
const BATCH: usize = 4_096;

/// The directory.
#[derive(Clone, Debug)]
pub(super) struct Store {
    path: PathBuf,
}

/// The store while no other process can change it.
#[derive(Debug)]
pub(super) struct Locked<'s> {
    store: &'s Store,
    _lock: File,
}

/// Contents on their way into the store.
#[derive(Debug)]
pub(super) struct Batch<'s> {
    store: &'s Store,
    waiting: Vec<(PathBuf, Digest)>,
}

impl Store {
    /// The store at this path, which is made when it is not there. Nobody else may look into it.
    pub(super) fn open(path: &Path) -> Result<Self, CheckpointError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        for name in ["objects", "manifests", "drafts"] {
            let directory = path.join(name);
            builder
                .create(&directory)
                .map_err(|error| CheckpointError::io("make the store", &directory, error))?;
        }
        let metadata =
            fs::metadata(path).map_err(|error| CheckpointError::io("read the store", path, error))?;
        let shown = path.display();
        if metadata.uid() != nix::unistd::geteuid().as_raw() {
            let message =
                format!("the store belongs to user {}: {shown}; it has to be yours", metadata.uid());
            return Err(CheckpointError::new(CheckpointErrorKind::Exposed, message));
        }
        if metadata.mode() & 0o077 != 0 {
            let message = format!("others can look into the store: {shown}; run `chmod 700 {shown}`");
            return Err(CheckpointError::new(CheckpointErrorKind::Exposed, message));
        }
        Ok(Self { path: path.to_owned() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for its turn, and clears what an interrupted process left.
    pub(super) fn lock(&self) -> Result<Locked<'_>, CheckpointError> {
        let path = self.path.join("lock");
        let failed = |error| CheckpointError::io("lock the store", &path, error);
        let mut options = File::options();
        // O_NONBLOCK: what is no lock file must not hold us up.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
        let lock = options.open(&path).map_err(failed)?;
        let since = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if since.elapsed() < PATIENCE => std::thread::sleep(AGAIN),
                Err(TryLockError::WouldBlock) => {
                    let message = format!(
                        "another process works on the store: {}; wait for its end",
                        self.path.display()
                    );
                    return Err(CheckpointError::new(CheckpointErrorKind::Busy, message));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        self.clear_drafts()?;
        Ok(Locked { store: self, _lock: lock })
    }

    pub(super) fn clear_drafts(&self) -> Result<(), CheckpointError> {
        let drafts = self.path.join("drafts");
        for entry in list(&drafts)? {
            fs::remove_file(&entry).map_err(|error| CheckpointError::io("remove a draft", &entry, error))?;
        }
        Ok(())
    }

    /// The numbers of all checkpoints, the oldest first.
    pub(super) fn ids(&self) -> Result<Vec<u64>, CheckpointError> {
        let entries = list(&self.path.join("manifests"))?;
        let number = |path: &PathBuf| path.file_stem()?.to_str()?.parse().ok();
        let mut ids: Vec<u64> = entries.iter().filter_map(number).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    pub(super) fn manifest(&self, id: u64) -> Result<Manifest, CheckpointError> {
        let path = self.manifest_path(id);
        if !path.exists() {
            let message = format!(
                "there is no checkpoint {id}: {}; see `claw-sandbox checkpoint list`",
                self.path.display()
            );
            return Err(CheckpointError::new(CheckpointErrorKind::NotFound, message));
        }
        Manifest::open(&path)
    }

    pub(super) fn manifest_path(&self, id: u64) -> PathBuf {
        self.path.join(format!("manifests/{id:08}.jsonl"))
    }

    pub(super) fn object_path(&self, digest: Digest) -> PathBuf {
        let text = digest.to_string();
        let (directory, name) = text.split_at_checked(2).unwrap_or_default();
        self.path.join("objects").join(directory).join(name)
    }

    /// Whether a content of this size is there. Its bytes are compared with its name when it is used.
    pub(super) fn has(&self, digest: Digest, size: u64) -> bool {
        fs::symlink_metadata(self.object_path(digest))
            .is_ok_and(|found| found.is_file() && found.len() == size)
    }

    /// A content whose bytes were found to be those that it is named after.
    pub(super) fn object(&self, digest: Digest) -> Result<File, CheckpointError> {
        use std::io::Seek as _;
        let path = self.object_path(digest);
        let failed = |error| CheckpointError::io("read a kept content", &path, error);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(CheckpointError::damaged(&path, "a kept content is missing"));
            }
            other => other.map_err(failed)?,
        };
        if Digest::of_stream(&mut file, u64::MAX).map_err(failed)? != digest {
            return Err(CheckpointError::damaged(&path, "a kept content has changed"));
        }
        file.rewind().map_err(failed)?;
        Ok(file)
    }

    pub(super) fn objects(&self) -> Result<Vec<PathBuf>, CheckpointError> {
        let mut all = Vec::new();
        for directory in list(&self.path.join("objects"))? {
            all.extend(list(&directory)?);
        }
        Ok(all)
    }

    /// An open file without a place, and its path.
    pub(super) fn draft(&self) -> Result<(File, PathBuf), CheckpointError> {
        let random = crate::sys::fd::random_bytes()
            .map_err(|error| CheckpointError::io("make a draft", &self.path, error))?;
        let path = self.path.join("drafts").join(to_hex(&random));
        let mut options = File::options();
        options.read(true).write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(&path).map_err(|error| CheckpointError::io("make a draft", &path, error))?;
        Ok((file, path))
    }
}

impl Locked<'_> {
    /// Puts a draft, which is on the disk, in its place.
    pub(super) fn publish(&self, draft: &Path, place: &Path) -> Result<(), CheckpointError> {
        step();
        fs::rename(draft, place)
            .map_err(|error| CheckpointError::io("put a file in its place", place, error))?;
        step();
        sync_directory(place.parent().unwrap_or(&self.store.path))
    }

    /// Removes a file of the store.
    pub(super) fn remove(&self, path: &Path) -> Result<(), CheckpointError> {
        step();
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(CheckpointError::io("remove a file of the store", path, error))
            }
            _ => Ok(()),
        }
    }

    /// The checkpoint that an interrupted undo was to bring back.
    pub(super) fn interrupted(&self) -> Result<Option<u64>, CheckpointError> {
        let path = self.journal();
        match fs::read(&path) {
            Ok(text) => match serde_json::from_slice(&text) {
                Ok(id) => Ok(Some(id)),
                Err(_) => Err(CheckpointError::damaged(&path, "it is no journal")),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CheckpointError::io("read the journal", &path, error)),
        }
    }

    /// Notes that an undo begins.
    pub(super) fn begin(&self, id: u64) -> Result<(), CheckpointError> {
        let (mut file, draft) = self.store.draft()?;
        file.write_all(format!("{id}\n").as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|error| CheckpointError::io("write the journal", &draft, error))?;
        self.publish(&draft, &self.journal())
    }

    /// Notes that it is done.
    pub(super) fn end(&self) -> Result<(), CheckpointError> {
        self.remove(&self.journal())?;
        step();
        sync_directory(&self.store.path)
    }

    fn journal(&self) -> PathBuf {
        self.store.path.join("undo.json")
    }
}

impl<'s> Batch<'s> {
    pub(super) const fn new(store: &'s Store) -> Self {
        Self { store, waiting: Vec::new() }
    }

    /// Keeps a content that is in memory.
    pub(super) fn add(&mut self, content: &[u8]) -> Result<Digest, CheckpointError> {
        let digest = Digest::of(content);
        // A damaged one is replaced: nobody else can make it whole again.
        if !fs::read(self.store.object_path(digest)).is_ok_and(|kept| kept == content) {
            let (mut file, path) = self.store.draft()?;
            file.write_all(content).map_err(|error| CheckpointError::io("keep a content", &path, error))?;
            self.wait(path, digest)?;
        }
        Ok(digest)
    }

    /// Keeps a content that was written into a draft.
    pub(super) fn wait(&mut self, draft: PathBuf, digest: Digest) -> Result<(), CheckpointError> {
        self.waiting.push((draft, digest));
        if self.waiting.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    /// Puts the drafts in their places, once their bytes are on the disk.
    pub(super) fn flush(&mut self) -> Result<(), CheckpointError> {
        let is_few = self.waiting.len() <= FEW;
        self.synchronise(self.waiting.iter().map(|(draft, _)| draft.as_path()))?;
        let mut directories = std::collections::BTreeSet::new();
        for (draft, digest) in &self.waiting {
            let place = self.store.object_path(*digest);
            let directory = place.parent().unwrap_or(&self.store.path);
            if directories.insert(directory.to_owned()) {
                let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
                made.map_err(|error| CheckpointError::io("make a directory", directory, error))?;
            }
            step();
            fs::rename(draft, &place)
                .map_err(|error| CheckpointError::io("keep a content", &place, error))?;
        }
        step();
        self.waiting.clear();
        if is_few {
            directories.insert(self.store.path.join("objects"));
        } else {
            directories.clear();
            directories.insert(self.store.path.clone());
            self.synchronise_all()?;
        }
        directories.iter().try_for_each(|directory| sync_directory(directory))
    }

    fn synchronise<'p>(&self, mut drafts: impl Iterator<Item = &'p Path>) -> Result<(), CheckpointError> {
        if self.waiting.len() > FEW {
            return self.synchronise_all();
        }
        drafts.try_for_each(|draft| {
            File::open(draft)
                .and_then(|file| file.sync_all())
                .map_err(|error| CheckpointError::io("keep a content", draft, error))
        })
    }

    fn synchronise_all(&self) -> Result<(), CheckpointError> {
        let path = &self.store.path;
        let failed = |error: io::Error| CheckpointError::io("synchronise the store", path, error);
        let directory = File::open(path).map_err(failed)?;
        nix::unistd::syncfs(&directory).map_err(|errno| failed(errno.into()))
    }
}

fn sync_directory(path: &Path) -> Result<(), CheckpointError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| CheckpointError::io("synchronise a directory", path, error))
}

/// What is in a directory of the store.
fn list(directory: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    let failed = |error| CheckpointError::io("read the store", directory, error);
    fs::read_dir(directory)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()).map_err(failed))
        .collect()
}
