//! Questions that wait in a directory of the user's, to be answered from another terminal or by a chat adapter.
//!
//! A question is one file. It is about one digest (what would run, for whom, under which policy), has a deadline, and its answer is
//! used once: whoever takes an answer removes the file. Files are replaced by a rename, so that a crash leaves the old or the new
//! one, and all steps happen under a lock.
//!
//! Not protected against: other processes of the same user that run outside of a sandbox. They could answer, as they could
//! change the policy.
#![forbid(unsafe_code)]

mod directory;
mod question;
#[cfg(test)]
mod tests;
mod wait;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use self::directory::Directory;
pub use self::question::OpenQuestion;
use super::{Approval, ApprovalRequest, Approver};

/// Questions that are open at once: a person answers a few. More are refused.
const MOST: usize = 64;

/// The most bytes of a question's text. A command line of 64 KiB that is escaped throughout has less.
const MOST_BYTES: usize = 1 << 20;

/// How long a question can be answered, and its answer used.
const PATIENCE: Duration = Duration::from_secs(600);

/// The longest that anybody may ask for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Asks by a directory that `claw-sandbox approvals`, `approve` and `deny` look into. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Broker {
    directory: Arc<Directory>,
    patience: Duration,
    waits: bool,
}

/// Why the broker cannot do what it is asked to.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BrokerError(String);

/// What is known about a question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// Nobody has answered.
    Open,
    /// Somebody has.
    Answered(Approval),
}

impl Broker {
    /// The broker of this directory, which is made when it is first needed. See [`Self::default_path`].
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { directory: Arc::new(Directory::new(path.into())), patience: PATIENCE, waits: true }
    }

    /// The same, with another time for a question to be answered and for its answer to be used; at most a day.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience.min(LONGEST);
        self
    }

    /// The same, that waits for nobody: a question is a denial that says how to allow it, and the same command passes once
    /// after that.
    #[must_use]
    pub const fn deferring(mut self) -> Self {
        self.waits = false;
        self
    }

    /// Beside the audit log: `~/.local/state/claw-sandbox/approvals`, or beneath `XDG_STATE_HOME`.
    #[must_use]
    pub fn default_path() -> PathBuf {
        crate::audit::AuditLog::default_path().with_file_name("approvals")
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The questions that can still be answered, the oldest first.
    ///
    /// # Errors
    ///
    /// When the directory cannot be used: it belongs to somebody else, or others can write to it.
    pub fn open_questions(&self) -> Result<Vec<OpenQuestion>, BrokerError> {
        let Some(locked) = self.directory.lock_existing()? else { return Ok(Vec::new()) };
        let mut questions = locked.questions()?;
        questions.retain(|question| question.answer.is_none() && !question.is_over(now()));
        questions.sort_by_key(|question| question.asked_ms);
        Ok(questions)
    }

    /// Answers a question. `id` may be its beginning, of four characters or more, if no other has it.
    ///
    /// # Errors
    ///
    /// When there is no such question, it was answered before, or its time is over.
    pub fn answer(&self, id: &str, approval: Approval) -> Result<OpenQuestion, BrokerError> {
        let none = || {
            BrokerError(format!(
                "there is no question `{}`; `claw-sandbox approvals` lists them",
                shown_id(id)
            ))
        };
        let locked = self.directory.lock_existing()?.ok_or_else(none)?;
        let mut found = locked.questions()?;
        found.retain(|question| id.len() >= 4 && question.id.starts_with(id));
        let question = match (found.pop(), found.is_empty()) {
            (Some(question), true) => question,
            (Some(_), false) => {
                return Err(BrokerError(format!(
                    "several questions begin with `{}`; name more of it",
                    shown_id(id)
                )));
            }
            (None, _) => return Err(none()),
        };
        if question.is_over(now()) {
            locked.remove(&question.id)?;
            return Err(BrokerError(format!(
                "question {} is too old to be answered; run the command again",
                question.id
            )));
        }
        if question.answer.is_some() {
            return Err(BrokerError(format!("question {} is answered already", question.id)));
        }
        let answered = OpenQuestion { answer: Some(approval), ..question };
        locked.write(&answered)?;
        Ok(answered)
    }

    /// What is known about the question with this digest.
    pub(crate) fn state(&self, digest: &str) -> Result<Option<(String, State)>, BrokerError> {
        let Some(locked) = self.directory.lock_existing()? else { return Ok(None) };
        Ok(locked.find(digest, now())?.map(|question| {
            let state = question.answer.map_or(State::Open, State::Answered);
            (question.id, state)
        }))
    }

    /// Puts a question, unless it is there already, and gives its name.
    pub(crate) fn post(&self, request: &ApprovalRequest<'_>) -> Result<String, BrokerError> {
        let locked = self.directory.lock()?;
        if let Some(question) = locked.find(request.digest, now())? {
            return Ok(question.id);
        }
        let open = locked.discard_old(now())?;
        if open >= MOST {
            return Err(BrokerError(too_many()));
        }
        let detail = request.shown();
        if detail.len() > MOST_BYTES {
            return Err(BrokerError("the command is too long to be shown to a person".to_owned()));
        }
        let asked_ms = now();
        let id = locked.free_id()?;
        let question = OpenQuestion {
            id,
            digest: request.digest.to_owned(),
            asked_ms,
            expires_ms: asked_ms.saturating_add(milliseconds(self.patience)),
            detail,
            answer: None,
        };
        locked.write(&question)?;
        Ok(question.id)
    }

    /// Uses the answer to a question up. `None` when there is none, or somebody was faster.
    pub(crate) fn take(&self, digest: &str) -> Result<Option<Approval>, BrokerError> {
        let Some(locked) = self.directory.lock_existing()? else { return Ok(None) };
        let Some(question) = locked.find(digest, now())? else { return Ok(None) };
        let Some(approval) = question.answer else { return Ok(None) };
        locked.remove(&question.id)?;
        Ok(Some(approval))
    }

    // Nobody waits for it any more: an answer would come too late.
    fn withdraw(&self, digest: &str) {
        if let Ok(Some(locked)) = self.directory.lock_existing()
            && let Ok(Some(question)) = locked.find(digest, now())
        {
            let _ = locked.remove(&question.id);
        }
    }

    fn ask_and_wait(&self, request: &ApprovalRequest<'_>) -> Result<Approval, BrokerError> {
        let deadline = Instant::now() + self.patience;
        if let Some(approval) = self.take(request.digest)? {
            return Ok(approval);
        }
        let id = self.post(request)?;
        if !self.waits {
            return Ok(Approval::Denied);
        }
        let watch = wait::Watch::new(self.path())?;
        loop {
            if let Some(approval) = self.take(request.digest)? {
                return Ok(approval);
            }
            // Another run of the same command may have used the answer up.
            if self.state(request.digest)?.is_none_or(|(other, _)| other != id) {
                return Ok(Approval::Denied);
            }
            if Instant::now() >= deadline || !request.waits.still() {
                self.withdraw(request.digest);
                return Ok(Approval::Denied);
            }
            watch.wait(deadline)?;
        }
    }
}

impl Approver for Broker {
    fn ask(&self, request: &ApprovalRequest<'_>) -> Approval {
        self.ask_and_wait(request).unwrap_or(Approval::Denied)
    }

    fn hint(&self, request: &ApprovalRequest<'_>) -> Option<String> {
        // Who waited had a no, or none in time.
        if self.waits {
            return None;
        }
        match self.state(request.digest) {
            Ok(Some((id, State::Open))) => Some(how_to(&id)),
            Ok(_) if self.open_questions().is_ok_and(|open| open.len() >= MOST) => Some(too_many()),
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        }
    }
}

fn too_many() -> String {
    format!("{MOST} questions are open already; answer some of them (`claw-sandbox approvals`)")
}

/// What a person can do about a question.
pub(crate) fn how_to(id: &str) -> String {
    format!("run `claw-sandbox approve {id}`, then try again")
}

// What was typed as an id is shown, and may be anything.
fn shown_id(id: &str) -> String {
    id.chars().take(40).collect::<String>().escape_default().to_string()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Since 1970, in milliseconds. The deadline is for people: it is by the clock on the wall.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, milliseconds)
}
