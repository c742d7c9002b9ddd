//! Questions that a person answers: a policy that asks (`exec.ask`) leaves some commands to somebody who may say yes.
//!
//! The question holds the command, or the exec of one of its processes, until it is answered. A yes is about exactly
//! what was shown: the program is checked again before it runs, and for a process of the run its arguments too, where
//! execs are verified (`exec.verify`).
//!
//! Not protected against: a person who says yes to what does harm, and an [`Approver`] that answers by itself.
#![forbid(unsafe_code)]

mod broker;
mod shown;
mod store;

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use claw_policy::{Code, Policy, ProgramFact, Question, Reason};
use claw_wire::{AskSurface, Context};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub use crate::terminal::{RunTerminal, TerminalHold};
pub use broker::{Broker, BrokerError, OpenQuestion};
pub(crate) use broker::{State, how_to};
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
    /// SHA-256, hexadecimal, of what would run, for whom and under which policy: an answer is about nothing else.
    pub digest: &'a str,
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
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
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

    /// What can be done after a no that was nobody's answer.
    fn hint(&self, _request: &ApprovalRequest<'_>) -> Option<String> {
        None
    }
}

/// Who is asked, and what was said before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Approvals {
    pub(crate) approver: Option<Arc<dyn Approver>>,
    pub(crate) store: Option<Arc<ApprovalStore>>,
    /// Where a question can be put without waiting.
    pub(crate) broker: Option<Broker>,
    /// Whether the broker is the approver.
    pub(crate) broker_asks: bool,
    /// A digest of the policy, where it asks.
    pub(crate) policy: Arc<str>,
    /// Who asks, as JSON.
    pub(crate) who: Arc<str>,
    /// Commands of the line that this run is about, when a person said yes to it: they were shown.
    pub(crate) shown: Arc<[Vec<Vec<u8>>]>,
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
    /// What an answer is bound to. Not to the call or the session: a retry has others.
    pub(crate) fn digest(&self, question: &Question, approvals: &Approvals) -> String {
        let program = self.program.map(|program| {
            let name = program.real.as_os_str().as_encoded_bytes();
            json!([name, program.id.device, program.id.inode, written(program)])
        });
        let bound = json!({
            "policy": &*approvals.policy,
            "who": &*approvals.who,
            "of": if self.caller.is_some() { "process" } else { "command" },
            "line": self.line,
            "argv": self.argv,
            "commands": question.commands,
            "cwd": self.cwd.as_os_str().as_encoded_bytes(),
            "program": program,
            "environment": question.environment(),
        });
        crate::audit::digest(bound.to_string().as_bytes())
    }

    /// What somebody is shown.
    pub(crate) fn request(&'a self, question: &'a Question, digest: &'a str) -> ApprovalRequest<'a> {
        ApprovalRequest {
            commands: &question.commands,
            line: self.line,
            program: self.program.map(|program| program.real.as_path()),
            cwd: self.cwd,
            caller: self.caller.as_deref(),
            reasons: &question.reasons,
            terminal: self.terminal,
            digest,
            waits: self.waits,
        }
    }
}

/// When a program's content was last written, as far as nobody can set it back: its size and the time of its last change. A
/// script in the workspace stays the same file when a command writes something else into it. `null` when the file is
/// not there, or is another one by now.
fn written(program: &ProgramFact) -> Value {
    match std::fs::metadata(&program.real) {
        Ok(there) if (there.dev(), there.ino()) == (program.id.device, program.id.inode) => {
            json!([there.size(), there.ctime(), there.ctime_nsec()])
        }
        _ => Value::Null,
    }
}

impl Approvals {
    /// The same, about this policy.
    pub(crate) fn about(self, policy: &Policy) -> Self {
        if !policy.may_ask() {
            return self;
        }
        let mut hash = Sha256::new();
        let workspace = policy.workspace().map(|workspace| workspace.as_os_str().as_encoded_bytes());
        let texts =
            policy.sources().iter().flat_map(|source| [source.name().as_bytes(), source.text().as_bytes()]);
        for part in texts.chain(workspace) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self { policy: crate::audit::hexadecimal(&hash.finalize()).into(), ..self }
    }

    /// The same for those who ask in this context, by the way that it names.
    pub(crate) fn in_context(&self, context: &Context) -> Self {
        let deferring = || Some(Arc::new(self.broker.clone()?.deferring()) as Arc<dyn Approver>);
        let approver = match context.ask {
            AskSurface::Broker => self.approver.clone(),
            // What the host can ask about is the command as a whole.
            AskSurface::Inline | AskSurface::None => deferring(),
        };
        Self { approver, ..self.clone() }.asked_by(context)
    }

    /// The same for those who ask in this context.
    pub(crate) fn asked_by(self, context: &Context) -> Self {
        let Context { host, principal, chat, channel, agent, .. } = context;
        Self { who: json!([host, principal, chat, channel, agent]).to_string().into(), ..self }
    }

    /// The same for one run, of whose commands these were shown to a person who said yes.
    pub(crate) fn of_run(&self, shown: Vec<Vec<Vec<u8>>>) -> Self {
        Self { shown: shown.into(), ..self.clone() }
    }

    /// Whether a person said yes to this command as a part of the line that the run is about: it was found where the line's own
    /// would be, and has the very arguments that were shown.
    pub(crate) fn covers(&self, argv: &[Vec<u8>], program: &ProgramFact, trusted: &[PathBuf]) -> bool {
        let Some(name) = argv.first().filter(|_| self.shown.iter().any(|shown| shown == argv)) else {
            return false;
        };
        let name = Path::new(OsStr::from_bytes(name));
        let named = |found: &Path| trusted.iter().any(|directory| directory.join(name) == found);
        match name.is_absolute() {
            true => program.found == name || program.real == name,
            false => name.components().count() == 1 && (named(&program.found) || named(&program.real)),
        }
    }

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
        let digest = asked.digest(question, self);
        let request = asked.request(question, &digest);
        let approval = approver.ask(&request);
        if approval != Approval::Denied && asked.digest(question, self) != digest {
            return Err(refused(question, "the program was changed while the question was open"));
        }
        match approval {
            Approval::Once => Ok(()),
            // What cannot be written down is allowed this time.
            Approval::Always => self.remember(asked).map_err(|error| refused(question, &error.to_string())),
            Approval::Denied => Err(match approver.hint(&request) {
                Some(hint) => needs_approval(question, hint),
                None => refused(question, "nobody has allowed it"),
            }),
        }
    }
}

/// The reasons of a question that waits for its answer while its command does not.
pub(crate) fn needs_approval(question: &Question, hint: String) -> Vec<Reason> {
    let mut reasons = question.reasons.clone();
    if let Some(first) = reasons.first_mut() {
        first.code = Code::ExecNeedsApproval;
        first.change = Some(hint);
    }
    reasons
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
