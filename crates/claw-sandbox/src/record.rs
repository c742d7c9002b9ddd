//! The pipeline's side of the audit log: a decision before the run, an outcome after it.
#![forbid(unsafe_code)]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use claw_policy::{Decision, Denial, DescendantGrant, ExecGrant, FileRequest, Logging, Reason};

use crate::audit::{self, AuditError, AuditLog, Body, Content, EventId, Fields, Pending};
use crate::checkpoint::PathEvent;
use crate::files::{Change, FileError};
use crate::request::ExecInput;
use crate::supervisor::{ExecAttempt, FileAttempt, NetworkAttempt};
use crate::{Enforcement, Error, Outcome};

/// Denials of one run's processes that are written one by one. Who reads a thousand attempts learns nothing from the next, a
/// loop makes ten thousand in a second, and each is up to some kilobytes.
const DENIALS: u64 = 1000;

/// Writes events, or nothing when there is no log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder {
    sink: Sink,
    commands: bool,
    actor: Arc<str>,
    continues: bool,
    missing: Arc<Mutex<Missing>>,
    // Denials of the processes of the run that this one is about.
    denials: Arc<AtomicU64>,
    /// Who asks, for every event.
    context: Option<Arc<str>>,
    ids: Arc<Ids>,
}

/// Events that are not in the log although they happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Missing {
    /// How many.
    pub(crate) count: u64,
    /// Why the first one is.
    pub(crate) reason: Option<String>,
}

/// Where events go.
#[derive(Clone, Debug, Default)]
pub(crate) enum Sink {
    /// Nobody wants them.
    #[default]
    None,
    /// A log.
    Log(AuditLog),
    /// A log that cannot be opened, for this reason, under a policy that says to go on all the same.
    Lost(Arc<str>),
}

/// A decision that was recorded; its outcome refers to it.
#[derive(Debug)]
#[must_use = "every decision has an outcome"]
pub(crate) struct Ticket {
    id: String,
    // Denials of the run's processes so far.
    denials: Arc<AtomicU64>,
}

/// Ids of events of which there are many: a random beginning and a number.
#[derive(Debug, Default)]
struct Ids {
    prefix: OnceLock<u64>,
    number: AtomicU64,
}

impl Ids {
    fn next(&self) -> Result<EventId, Error> {
        let prefix = match self.prefix.get() {
            Some(prefix) => *prefix,
            None => {
                let random = random_bytes()?.into_iter().take(8);
                let random = random.fold(0, |number, byte| number << 8 | u64::from(byte));
                *self.prefix.get_or_init(|| random)
            }
        };
        Ok(EventId { prefix, number: self.number.fetch_add(1, Ordering::Relaxed) })
    }
}

fn random_bytes() -> Result<[u8; 16], Error> {
    crate::sys::fd::random_bytes().map_err(|error| Error::io("get random bytes", error))
}

impl Ticket {
    /// The id of the decision; empty when nothing is recorded.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    // How many denials have no event of their own.
    fn unwritten(&self) -> u64 {
        self.denials.load(Ordering::Relaxed).saturating_sub(DENIALS)
    }
}

impl Recorder {
    /// A recorder of files as the caller asks, and of commands if `commands`.
    pub(crate) fn new(sink: Sink, commands: bool, logging: &Logging) -> Self {
        let actor = format!("user:{}", nix::unistd::getuid()).into();
        Self {
            sink,
            commands,
            actor,
            continues: logging.continue_without_log,
            missing: Arc::default(),
            denials: Arc::default(),
            context: None,
            ids: Arc::default(),
        }
    }

    /// The same, with who asks in every event.
    pub(crate) fn in_context(&self, context: serde_json::Value) -> Self {
        let context = audit::rendered(&vec![("context", context)]);
        Self { context: Some(context.into()), ..self.clone() }
    }

    /// The recorder of what the processes of a run do. What they are allowed is always written; of what they are denied the
    /// first thousand, then one event that says so, and the rest is a number in the run's outcome.
    pub(crate) fn of_run(&self, ticket: &Ticket) -> Self {
        Self { denials: Arc::clone(&ticket.denials), ..self.clone() }
    }

    // Whether a denial is only counted, from now on.
    fn is_flooded(&self, run: &str) -> bool {
        if matches!(self.sink, Sink::None) {
            return false;
        }
        let before = self.denials.fetch_add(1, Ordering::Relaxed);
        if before == DENIALS {
            self.note(self.append("run.flooded", || audit::flooded(&self.actor, run, DENIALS)));
        }
        before >= DENIALS
    }

    /// An event will never be written.
    pub(crate) fn miss(&self, reason: &str) {
        let mut missing = self.lock();
        missing.count += 1;
        missing.reason.get_or_insert_with(|| reason.to_owned());
    }

    fn lock(&self) -> MutexGuard<'_, Missing> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a decision before anything starts.
    pub(crate) fn decision(
        &self,
        input: &ExecInput,
        decided: Result<&ExecGrant, &Denial>,
    ) -> Result<Ticket, Error> {
        let ticket = Ticket { id: self.id()?, denials: Arc::default() };
        self.append_command("exec.decision", || audit::decision(&self.actor, &ticket.id, input, decided))?;
        Ok(ticket)
    }

    /// Records a decision about a file.
    pub(crate) fn file(&self, request: &FileRequest, decision: &Decision) -> Result<Ticket, Error> {
        let ticket = Ticket { id: self.id()?, denials: Arc::default() };
        self.append("file.decision", || audit::file_decision(&self.actor, &ticket.id, request, decision))?;
        Ok(ticket)
    }

    /// Records an allowed read, which is written soon.
    pub(crate) fn read(&self, request: &FileRequest, decision: &Decision) -> Result<Ticket, Error> {
        let ticket = Ticket { id: self.id()?, denials: Arc::default() };
        self.append_behind(|| {
            let fields = audit::file_decision(&self.actor, &ticket.id, request, decision);
            self.pending("file.decision", &fields)
        })?;
        Ok(ticket)
    }

    /// What [`Self::known_read`] says of a read that is allowed for these reasons.
    pub(crate) fn told(&self, request: &FileRequest, reasons: &[Reason]) -> Arc<str> {
        audit::rendered(&audit::file_judged(&self.actor, request, "allow", reasons)).into()
    }

    /// Records that a decision about a read holds again.
    pub(crate) fn known_read(&self, told: &Arc<str>) -> Result<EventId, Error> {
        let id = self.ids.next()?;
        self.append_behind(|| {
            let body = Body::Known { id, told: Arc::clone(told) };
            Pending::now("file.decision", body, self.context.clone())
        })?;
        Ok(id)
    }

    /// Records what came of it.
    pub(crate) fn known_read_outcome(&self, id: EventId, content: Content, ending: &'static str) {
        self.note(self.append_behind(|| {
            let body = Body::Read { id, actor: Arc::clone(&self.actor), ending, content };
            Pending::now("file.outcome", body, self.context.clone())
        }));
    }

    /// Records what came of a read, soon.
    pub(crate) fn read_outcome(
        &self,
        ticket: Ticket,
        request: &FileRequest,
        change: &Change,
        error: Option<&FileError>,
    ) {
        self.note(self.append_behind(|| {
            let fields = audit::file_outcome(&self.actor, &ticket.id, request, change, error);
            self.pending("file.outcome", &fields)
        }));
    }

    /// Writes what is to be written soon. What cannot be is missing for now.
    pub(crate) fn flush(&self) -> Missing {
        let mut missing = self.lock().clone();
        if let Sink::Log(log) = &self.sink {
            let (waiting, written) = log.flush();
            missing.count += waiting as u64;
            if let (Err(error), true) = (written, waiting > 0) {
                missing.reason.get_or_insert_with(|| error.to_string());
            }
        }
        missing
    }

    /// Records a decision about a tool that is known by its name alone.
    pub(crate) fn tool(&self, tool: &str, decision: &Decision) -> Result<(), Error> {
        let id = self.id()?;
        self.append_command("tool.decision", || audit::tool(&self.actor, &id, tool, decision))
    }

    /// Records what came of an allowed operation on a file. It is done; that the event is missing is not forgotten.
    pub(crate) fn file_outcome(
        &self,
        ticket: Ticket,
        request: &FileRequest,
        change: &Change,
        error: Option<&FileError>,
    ) {
        let fields = || audit::file_outcome(&self.actor, &ticket.id, request, change, error);
        self.note(self.append("file.outcome", fields));
    }

    /// Records a decision about a program that a process of a run is about to execute.
    pub(crate) fn descendant(
        &self,
        run: &str,
        attempt: &ExecAttempt,
        judged: Result<&DescendantGrant, &Denial>,
    ) -> Result<(), Error> {
        if judged.is_err() && self.commands && self.is_flooded(run) {
            return Ok(());
        }
        self.append_command("exec.descendant", || audit::descendant(&self.actor, run, attempt, judged))
    }

    /// Records a call on a file of a process of a run.
    pub(crate) fn touched(
        &self,
        run: &str,
        attempt: &FileAttempt<'_>,
        judged: Result<(), &Denial>,
    ) -> Result<(), Error> {
        if judged.is_err() && self.is_flooded(run) {
            return Ok(());
        }
        self.append("file.descendant", || audit::touched(&self.actor, run, attempt, judged))
    }

    /// Records that an allowed exec was ended because it was another one by then.
    pub(crate) fn lost_race(&self, run: &str, attempt: &ExecAttempt) {
        if self.commands && self.is_flooded(run) {
            return;
        }
        self.note(self.append_command("exec.descendant", || audit::lost_race(&self.actor, run, attempt)));
    }

    /// Records that a process of a run was denied an address.
    pub(crate) fn network(&self, run: &str, attempt: &NetworkAttempt, denial: &Denial) {
        if self.commands && self.is_flooded(run) {
            return;
        }
        let fields = || audit::network(&self.actor, run, attempt, denial);
        self.note(self.append_command("network.denied", fields));
    }

    // What did not happen needs no record that it may happen; that there is none is not forgotten.
    fn note(&self, recorded: Result<(), Error>) {
        if let Err(error) = recorded {
            self.miss(&error.to_string());
        }
    }

    /// Records that a granted run did not start.
    pub(crate) fn failure(&self, ticket: Ticket, error: &Error) -> Result<(), Error> {
        self.append_command("exec.outcome", || {
            audit::not_started(&self.actor, &ticket.id, &error.to_string())
        })
    }

    /// Records the end of a run.
    pub(crate) fn outcome(
        &self,
        ticket: Ticket,
        outcome: &Outcome,
        enforcement: &Enforcement,
    ) -> Result<(), Error> {
        let unwritten = ticket.unwritten();
        let fields = || audit::outcome(&self.actor, &ticket.id, outcome, unwritten, enforcement);
        // What was counted must be told.
        if self.commands || unwritten > 0 { self.append("exec.outcome", fields) } else { Ok(()) }
    }

    /// Records that something is about to be done with checkpoints.
    pub(crate) fn checkpoint(&self, act: &str, store: &Path, id: Option<u64>) -> Result<Ticket, Error> {
        let ticket = Ticket { id: self.id()?, denials: Arc::default() };
        let fields = || audit::checkpoint(&self.actor, &ticket.id, act, store, id);
        self.append("checkpoint.started", fields)?;
        Ok(ticket)
    }

    /// Records what an undo did to a path.
    pub(crate) fn checkpoint_path(
        &self,
        ticket: &Ticket,
        act: &str,
        event: &PathEvent<'_>,
    ) -> Result<(), Error> {
        self.append("checkpoint.path", || audit::checkpoint_path(&self.actor, &ticket.id, act, event))
    }

    /// Records which checkpoints are about to be given up.
    pub(crate) fn given_up(&self, ticket: &Ticket, ids: &[u64]) -> Result<(), Error> {
        self.append("checkpoint.given-up", || audit::given_up(&self.actor, &ticket.id, ids))
    }

    /// Records what came of an act on checkpoints.
    pub(crate) fn checkpoint_outcome(&self, ticket: &Ticket, act: &str, ending: &str, told: Fields) {
        let fields = || audit::checkpoint_outcome(&self.actor, &ticket.id, act, ending, told);
        self.note(self.append("checkpoint.outcome", fields));
    }

    fn append_command(&self, event: &'static str, fields: impl FnOnce() -> Fields) -> Result<(), Error> {
        if self.commands { self.append(event, fields) } else { Ok(()) }
    }

    fn pending(&self, event: &'static str, fields: &Fields) -> Pending {
        Pending::now(event, Body::Text(audit::rendered(fields)), self.context.clone())
    }

    fn append(&self, event: &'static str, fields: impl FnOnce() -> Fields) -> Result<(), Error> {
        match &self.sink {
            Sink::None => Ok(()),
            Sink::Lost(reason) => {
                self.miss(reason);
                Ok(())
            }
            Sink::Log(log) => {
                let pending = self.pending(event, &fields());
                log.append(&pending).or_else(|error| self.failed(&error))
            }
        }
    }

    fn append_behind(&self, pending: impl FnOnce() -> Pending) -> Result<(), Error> {
        match &self.sink {
            Sink::None => Ok(()),
            Sink::Lost(reason) => {
                self.miss(reason);
                Ok(())
            }
            Sink::Log(log) => log.append_behind(pending()).or_else(|error| self.failed(&error)),
        }
    }

    fn failed(&self, error: &AuditError) -> Result<(), Error> {
        if self.continues {
            self.miss(&error.to_string());
            return Ok(());
        }
        Err(Error::audit(error))
    }

    fn id(&self) -> Result<String, Error> {
        if !matches!(self.sink, Sink::Log(_)) {
            return Ok(String::new());
        }
        Ok(audit::hexadecimal(&random_bytes()?))
    }
}

#[cfg(test)]
mod tests {
    use claw_policy::Protocol;

    use super::*;
    use crate::supervisor::Purpose;

    fn attempt(port: u16) -> NetworkAttempt {
        NetworkAttempt {
            caller: nix::unistd::Pid::this(),
            protocol: Protocol::Tcp,
            address: (std::net::Ipv4Addr::LOCALHOST, port).into(),
            purpose: Purpose::Connect,
        }
    }

    #[test]
    fn a_flood_of_denials_is_counted_by_run() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap().join("log");
        let recorder = Recorder::new(Sink::Log(AuditLog::open(&path).unwrap()), true, &Logging::default());
        let denial = Denial { reasons: Vec::new(), commands: Vec::new() };
        let tickets = [(); 2].map(|()| Ticket { id: recorder.id().unwrap(), denials: Arc::default() });
        let [first, second] = &tickets;
        for port in 0..1100 {
            recorder.of_run(first).network(first.id(), &attempt(port), &denial);
        }
        for port in 0..1000 {
            recorder.of_run(second).network(second.id(), &attempt(port), &denial);
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let count = |ticket: &Ticket, event: &str| {
            text.lines().filter(|line| line.contains(event) && line.contains(ticket.id())).count()
        };
        for (ticket, unwritten, told) in [(first, 100, 1), (second, 0, 0)] {
            assert_eq!(count(ticket, "network.denied"), 1000);
            assert_eq!((ticket.unwritten(), count(ticket, "run.flooded")), (unwritten, told));
        }
    }
}
