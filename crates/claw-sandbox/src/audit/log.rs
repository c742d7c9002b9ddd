//! Appends events to a log that several processes may share.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use claw_policy::Policy;
use serde_json::json;

use super::behind::{Behind, Closer};
use super::error::AuditError;
use super::files::{LastLines, is_same, is_same_file, last_lines, open_file, refuse_exposed};
use super::lines::LINE_LIMIT;
use super::pending::Pending;
use super::seal::{self, Fields, GENESIS, Head, Sealed, Torn};

/// The size at which a log is rotated: a week of an agent's commands, and still quick to verify.
const ROTATE_BYTES: u64 = 64 << 20;
/// What is written at once.
const BATCH_BYTES: usize = 256 << 10;
/// An append holds the lock for well under a millisecond.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(1);

/// An open audit log. Clones share it; it may be used from many threads and processes at once.
///
/// A written event is in the hands of the kernel: it survives the end of this process, but a loss of power only as
/// far as the file system does. Events of allowed reads by [`crate::Files`] are written a moment after the read, and at the
/// latest before anything else is, when the last clone of the log is dropped, and at a normal end of the process.
#[derive(Clone, Debug)]
pub struct AuditLog {
    shared: Arc<Shared>,
    // The last clone to go ends the writer.
    closer: Arc<Closer>,
}

#[derive(Debug)]
pub(super) struct Shared {
    path: PathBuf,
    rotate_at: u64,
    state: Mutex<State>,
    /// Taken only by whoever holds `state`.
    pub(super) behind: Behind,
}

#[derive(Debug)]
struct State {
    file: File,
    /// As long as the lock is held, nobody else changes it.
    length: u64,
    /// The last event that we know of, and the file's length with it.
    known: Option<(u64, Head)>,
}

impl AuditLog {
    /// Opens a log, or makes it with mode 0600.
    ///
    /// # Errors
    ///
    /// When it cannot be written, is not a regular file of ours, or others can write it. A link is not followed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, AuditError> {
        Self::with_rotation(path.as_ref(), ROTATE_BYTES)
    }

    /// Opens or creates a log for runs under `policy`.
    ///
    /// # Errors
    ///
    /// As [`Self::open`], and when commands under the policy could write there. Nothing is created then.
    pub fn open_for(policy: &Policy, path: impl AsRef<Path>) -> Result<Self, AuditError> {
        refuse_exposed(policy, path.as_ref())?;
        Self::open(path)
    }

    pub(super) fn with_rotation(path: &Path, rotate_at: u64) -> Result<Self, AuditError> {
        let path = std::path::absolute(path).map_err(|error| AuditError::io("open", path, error))?;
        let file = open_file(&path)?;
        let state = Mutex::new(State { file, length: 0, known: None });
        let shared = Arc::new(Shared { path, rotate_at, state, behind: Behind::default() });
        let closer = Arc::new(Closer::new(Arc::clone(&shared)));
        Ok(Self { shared, closer })
    }

    /// The log that a policy asks for: its `logFile`, else [`AuditLog::default_path`].
    ///
    /// `None` when the policy does not audit commands or files.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or lies where commands may write.
    pub fn of_policy(policy: &Policy) -> Result<Option<Self>, AuditError> {
        let logging = policy.logging();
        if !logging.audit_commands && !logging.audit_file_access {
            return Ok(None);
        }
        if let Some(path) = &logging.log_file {
            refuse_exposed(policy, path)?;
            return Self::open(path).map(Some);
        }
        let path = Self::default_path();
        refuse_exposed(policy, &path)?;
        if let Some(directory) = path.parent() {
            let failed = |error| AuditError::io("make a directory for", &path, error);
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(directory).map_err(failed)?;
            // In a shared place somebody else may have made it before.
            if fs::metadata(directory).map_err(failed)?.uid() != nix::unistd::geteuid().as_raw() {
                return Err(failed(io::Error::from_raw_os_error(libc::EPERM)));
            }
        }
        Self::open(path).map(Some)
    }

    /// Where the log is when nobody says: `~/.local/state/claw-sandbox/audit.jsonl`, or beneath `XDG_STATE_HOME`.
    ///
    /// Without a home of our own (a service account, another user's `HOME`) it is
    /// `/var/tmp/claw-sandbox-UID/audit.jsonl`.
    #[must_use]
    pub fn default_path() -> PathBuf {
        let stated = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let user = nix::unistd::geteuid().as_raw();
        let is_ours = |home: &PathBuf| fs::metadata(home).is_ok_and(|metadata| metadata.uid() == user);
        let state = stated.or_else(|| crate::home().filter(is_ours).map(|home| home.join(".local/state")));
        match state {
            Some(state) => state.join("claw-sandbox/audit.jsonl"),
            None => PathBuf::from(format!("/var/tmp/claw-sandbox-{user}/audit.jsonl")),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Fails when a command under `policy` could write the log.
    pub(crate) fn refuse_exposed(&self, policy: &Policy) -> Result<(), AuditError> {
        refuse_exposed(policy, &self.shared.path)
    }

    /// Appends an event, after all that wait.
    pub(crate) fn append(&self, pending: &Pending) -> Result<(), AuditError> {
        let length = pending.line_bytes();
        if length > LINE_LIMIT {
            return Err(AuditError::TooLong { path: self.shared.path.clone(), length });
        }
        self.shared.write_out(Some(pending))
    }

    /// Appends an event of a read soon, or now when that cannot be trusted to happen.
    pub(crate) fn append_behind(&self, pending: Pending) -> Result<(), AuditError> {
        if pending.line_bytes() > LINE_LIMIT {
            return self.append(&pending);
        }
        self.closer.queue(pending).or_else(|pending| self.append(&pending))
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    #[cfg(test)]
    pub(super) fn closer(&self) -> &Closer {
        &self.closer
    }

    /// Nobody writes meanwhile.
    #[cfg(test)]
    pub(super) fn hold(&self) -> impl Sized {
        self.shared.state.lock().unwrap()
    }

    /// Writes what waits. Returns how many events still do.
    pub(crate) fn flush(&self) -> (usize, Result<(), AuditError>) {
        let written = self.shared.write_out(None);
        (self.shared.behind.waiting(), written)
    }
}

impl Shared {
    fn error(&self, doing: &'static str) -> impl FnOnce(io::Error) -> AuditError {
        move |error| AuditError::io(doing, &self.path, error)
    }

    /// Locks the file that the path names now: another process may have rotated the one that we have, and again while we
    /// waited for the next.
    fn lock(&self, state: &mut State) -> Result<(), AuditError> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            self.wait_for_lock(&state.file, deadline)?;
            let ours = state.file.metadata().map_err(self.error("look at"))?;
            if fs::symlink_metadata(&self.path).is_ok_and(|named| is_same(&named, &ours)) {
                state.length = ours.len();
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(AuditError::Locked(self.path.clone()));
            }
            state.file = open_file(&self.path)?;
        }
    }

    fn wait_for_lock(&self, file: &File, deadline: Instant) -> Result<(), AuditError> {
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::WouldBlock) => return Err(AuditError::Locked(self.path.clone())),
                Err(TryLockError::Error(error)) => return Err(AuditError::io("lock", &self.path, error)),
            }
        }
    }

    /// Writes what waits, and then `own`.
    pub(super) fn write_out(&self, own: Option<&Pending>) -> Result<(), AuditError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = self.behind.take();
        if waiting.is_empty() && own.is_none() {
            return Ok(());
        }
        let written = self.lock(&mut state).and_then(|()| {
            let written = self.write_locked(&mut state, &mut waiting, own);
            let unlocked = state.file.unlock().map_err(self.error("unlock"));
            written.and(unlocked)
        });
        self.behind.put_back(waiting, written.is_err());
        written
    }

    fn write_locked(
        &self,
        state: &mut State,
        waiting: &mut VecDeque<Pending>,
        mut own: Option<&Pending>,
    ) -> Result<(), AuditError> {
        let mut head = self.find_head(state)?;
        while !waiting.is_empty() || own.is_some() {
            if state.length >= self.rotate_at
                && let Some(last) = &head
            {
                head = Some(self.rotate(state, last)?);
            }
            let count = self.write_some(state, &mut head, waiting.iter().chain(own))?;
            if count > waiting.len() {
                own = None;
            }
            waiting.drain(..count.min(waiting.len()));
        }
        Ok(())
    }

    /// Writes as many events at once as fit. Returns how many: all of them are written, or none.
    fn write_some<'p>(
        &self,
        state: &mut State,
        head: &mut Option<Head>,
        events: impl Iterator<Item = &'p Pending>,
    ) -> Result<usize, AuditError> {
        let (mut text, mut count, mut last) = (String::new(), 0, head.clone());
        let mut time = (None, String::new());
        for pending in events {
            let now = pending.time.as_millisecond();
            if time.0 != Some(now) {
                time = (Some(now), format!("{:.3}", pending.time));
            }
            last = Some(seal::seal(&mut text, last.as_ref(), &time.1, pending.event, |line| {
                pending.write_to(line);
            }));
            text.push('\n');
            count += 1;
            if text.len() >= BATCH_BYTES || state.length + text.len() as u64 >= self.rotate_at {
                break;
            }
        }
        if let Some(last) = &last {
            self.write_text(state, &text, last)?;
        }
        *head = last;
        Ok(count)
    }

    /// The last event; an empty file gets its first one, and a line that was cut short its end.
    fn find_head(&self, state: &mut State) -> Result<Option<Head>, AuditError> {
        let length = state.length;
        if let Some((known, head)) = &state.known {
            if *known == length {
                return Ok(Some(head.clone()));
            }
            if length == 0 {
                // Somebody took the old log away: the chain goes on all the same.
                let head = head.clone();
                return self.write(state, Some(&head), "log.continued", &Vec::new()).map(Some);
            }
        }
        if length == 0 {
            let actor = format!("user:{}", nix::unistd::getuid());
            return self.write(state, None, "log.opened", &vec![("actor", json!(actor))]).map(Some);
        }
        let LastLines { last, torn } = last_lines(&state.file, &self.path, length)?;
        let head = match last {
            Some(line) => {
                let sealed = seal::open(&line).map_err(|_| AuditError::Damaged(self.path.clone()))?;
                Some(Head { seq: sealed.seq, hash: sealed.hash })
            }
            None => None,
        };
        torn.map_or(Ok(head.clone()), |line| self.recover(state, head.as_ref(), &line).map(Some))
    }

    fn recover(&self, state: &mut State, head: Option<&Head>, line: &[u8]) -> Result<Head, AuditError> {
        state.file.write_all(b"\n").map_err(self.error("write"))?;
        state.length += 1;
        let is_next = |sealed: &Sealed| sealed.prev == head.map_or(GENESIS, |head| &head.hash);
        if let Some(whole) = seal::open(line).ok().filter(is_next) {
            // Nothing but the newline was missing.
            return Ok(Head { seq: whole.seq, hash: whole.hash });
        }
        let Torn { bytes, sha256 } = Torn::of(line);
        self.write(state, head, "log.recovered", &vec![("torn", json!({ "bytes": bytes, "sha256": sha256 }))])
    }

    /// Gives the file another name and puts a new one in its place at once, so that no process finds none.
    fn rotate(&self, state: &mut State, last: &Head) -> Result<Head, AuditError> {
        let beside = |end: String| {
            let mut name = self.path.clone().into_os_string();
            name.push(end);
            PathBuf::from(name)
        };
        let target = beside(format!(".{:012}", self.first_event(&state.file).unwrap_or(last.seq)));
        let new = beside(".new".to_owned());
        // What a crash left. Only the holder of the old file's lock makes it.
        let _ = fs::remove_file(&new);
        let mut fresh = State { file: open_file(&new)?, length: 0, known: None };
        self.wait_for_lock(&fresh.file, Instant::now() + LOCK_PATIENCE)?;
        let previous = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let head =
            self.write(&mut fresh, Some(last), "log.continued", &vec![("previous", json!(previous))])?;
        match fs::hard_link(&self.path, &target) {
            // A crash came between the two steps.
            Err(_) if is_same_file(&self.path, &target) => {}
            result => result.map_err(self.error("rotate"))?,
        }
        fs::rename(&new, &self.path).map_err(self.error("rotate"))?;
        // Closes the old file. Whoever waits for its lock sees that it has another name now.
        *state = fresh;
        Ok(head)
    }

    /// The number of the file's first event.
    fn first_event(&self, file: &File) -> Option<u64> {
        let mut start = vec![0; 64 << 10];
        let length = file.read_at(&mut start, 0).ok()?;
        let line = start.get(..length)?.split(|byte| *byte == b'\n').next()?;
        Some(seal::open(line).ok()?.seq)
    }

    fn write(
        &self,
        state: &mut State,
        head: Option<&Head>,
        event: &str,
        fields: &Fields,
    ) -> Result<Head, AuditError> {
        let time = format!("{:.3}", jiff::Timestamp::now());
        let mut line = String::new();
        let head = seal::seal(&mut line, head, &time, event, |line| line.push_str(&seal::rendered(fields)));
        line.push('\n');
        self.write_text(state, &line, &head)?;
        Ok(head)
    }

    /// Writes lines, of which `head` is the last.
    fn write_text(&self, state: &mut State, lines: &str, head: &Head) -> Result<(), AuditError> {
        if let Err(error) = state.file.write_all(lines.as_bytes()) {
            // A full disk takes a part of a line. Nobody else writes: we hold the lock.
            let _ = state.file.set_len(state.length);
            return Err(AuditError::io("write", &self.path, error));
        }
        state.length += lines.len() as u64;
        state.known = Some((state.length, head.clone()));
        Ok(())
    }
}
