//! Questions that a person answers: a policy that asks (`exec.ask`) leaves some commands to somebody who may say yes.
//!
//! The question holds the command, or the exec of one of its processes, until it is answered. A yes is about exactly
//! what was shown: the program is checked again before it runs, and for a process of the run its arguments too, where
//! execs are verified (`exec.verify`).
//!
//! Not protected against: a person who says yes to what does harm, and an [`Approver`] that answers by itself.
#![forbid(unsafe_code)]

mod shown;
mod store;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use claw_policy::{Code, ProgramFact, Question, Reason};

pub use crate::terminal::{RunTerminal, TerminalHold};
pub use store::{ApprovalError, ApprovalStore};

/// What somebody is asked to allow.
#[derive(Clone, Copy, Debug)]
pub struct ApprovalRequest<'a> {
    /// Every simple command that would run, as argument vectors. Show all of it: what is cut off is where harm hides.
    pub commands: &'a [Vec<Vec<u8>>],
    /// The line for a shell, when there is one.
    pub line: Option<&'a [u8]>,
    /// The program file, if it was found.
    pub program: Option<&'a Path>,
    /// Where it would run.
    pub cwd: &'a Path,
    /// The process that asks, in words; `None` for the command that the agent asks for.
    pub caller: Option<&'a str>,
    /// Why it is asked about.
    pub reasons: &'a [Reason],
    /// The terminal of the run that the caller belongs to, when the run has one of its own: to be held while the question
    /// is put to the person at our terminal.
    pub terminal: Option<&'a RunTerminal>,
    /// Whether anybody still waits for the answer: a process that was killed, or whose run has ended, does not.
    pub waits: Waits<'a>,
}

/// Tells whether somebody still waits for an answer.
#[derive(Clone, Copy)]
pub struct Waits<'a>(Option<&'a (dyn Fn() -> bool + Sync)>);

impl<'a> Waits<'a> {
    /// Somebody does, until there is an answer.
    #[must_use]
    pub const fn always() -> Self {
        Self(None)
    }

    pub(crate) const fn while_true(waits: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self(Some(waits))
    }

    /// Whether somebody does now. To be asked now and then while the answer takes long.
    #[must_use]
    pub fn still(&self) -> bool {
        self.0.is_none_or(|waits| waits())
    }
}

impl fmt::Debug for Waits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waits").field(&self.still()).finish()
    }
}

/// What somebody says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Approval {
    /// This time.
    Once,
    /// This time, and whenever the same program is to run with the same arguments in the same directory.
    Always,
    /// No. Also when nobody answers in time, or there is nobody to ask.
    Denied,
}

/// Somebody who can be asked. The caller waits, so an approver has to come to an end by itself.
pub trait Approver: fmt::Debug + Send + Sync {
    /// Asks. Called from any thread, one call for each question.
    fn ask(&self, request: &ApprovalRequest<'_>) -> Approval;
}

/// Who is asked, and what was said before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Approvals {
    pub(crate) approver: Option<Arc<dyn Approver>>,
    pub(crate) store: Option<Arc<ApprovalStore>>,
}

/// A question about one thing.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) program: Option<&'a ProgramFact>,
    pub(crate) line: Option<&'a [u8]>,
    pub(crate) argv: &'a [Vec<u8>],
    pub(crate) cwd: &'a Path,
    pub(crate) caller: Option<String>,
    pub(crate) terminal: Option<&'a RunTerminal>,
    pub(crate) waits: Waits<'a>,
}

impl<'a> Asked<'a> {
    /// What somebody is shown.
    pub(crate) fn request(&self, question: &'a Question) -> ApprovalRequest<'_> {
        ApprovalRequest {
            commands: &question.commands,
            line: self.line,
            program: self.program.map(|program| program.real.as_path()),
            cwd: self.cwd,
            caller: self.caller.as_deref(),
            reasons: &question.reasons,
            terminal: self.terminal,
            waits: self.waits,
        }
    }
}

impl Approvals {
    /// Whether it was allowed for always. A store that cannot be read remembers nothing.
    pub(crate) fn remembers(&self, asked: &Asked<'_>) -> bool {
        let (Some(store), Some(key)) = (&self.store, store::Key::of(asked)) else { return false };
        store.contains(&key).unwrap_or(false)
    }

    /// Writes down that it is allowed for always, where that can be written down.
    pub(crate) fn remember(&self, asked: &Asked<'_>) -> Result<(), ApprovalError> {
        match (&self.store, store::Key::of(asked)) {
            (Some(store), Some(key)) => store.add(&key),
            _ => Ok(()),
        }
    }

    /// Whether it is allowed. The reasons of a no say why.
    pub(crate) fn settle(&self, question: &Question, asked: &Asked<'_>) -> Result<(), Vec<Reason>> {
        let key = store::Key::of(asked);
        if let (Some(store), Some(key)) = (&self.store, &key)
            && store.contains(key).map_err(|error| refused(question, &error.to_string()))?
        {
            return Ok(());
        }
        let Some(approver) = &self.approver else { return Err(question.reasons.clone()) };
        if !asked.waits.still() {
            return Err(refused(question, "nobody waits for an answer"));
        }
        match approver.ask(&asked.request(question)) {
            Approval::Once => Ok(()),
            // What cannot be written down is allowed this time.
            Approval::Always => self.remember(asked).map_err(|error| refused(question, &error.to_string())),
            Approval::Denied => Err(refused(question, "nobody has allowed it")),
        }
    }
}

pub(crate) fn refused(question: &Question, why: &str) -> Vec<Reason> {
    let mut reasons = question.reasons.clone();
    if let Some(first) = reasons.first_mut() {
        first.message = format!("{}; {why}", first.message).into();
        first.code = Code::ExecAsk;
    }
    reasons
}

/// `~/.config/claw-sandbox/approvals.jsonl`, or beneath `XDG_CONFIG_HOME`; `None` without a home.
#[must_use]
pub fn default_path() -> Option<PathBuf> {
    crate::config_directory().map(|directory| directory.join("claw-sandbox/approvals.jsonl"))
}
