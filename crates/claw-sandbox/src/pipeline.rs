//! The way of a command, top to bottom: parse, decide, record, prepare, spawn. What follows, the observation of
//! the run, belongs to the run's own thread; its end is recorded by [`Launched`].
#![forbid(unsafe_code)]

use std::process::ExitStatus;
use std::sync::Mutex;
use std::sync::{Arc, PoisonError};

use claw_policy::{Decision, Denial, ExecGrant, Grant, Question, Request};

use crate::approval::Asked;
use crate::overseer::Overseer;
use crate::record::{Recorder, Ticket};
use crate::request::{CommandLine, ExecInput};
use crate::sandbox::Parts;
use crate::{Enforcement, Error, LaunchPlan, Outcome, Running, StdioPlan};

/// Runs `input`, or says why not. Nothing has started when this fails.
pub(crate) fn launch(parts: &Parts, input: &ExecInput, io: StdioPlan) -> Result<Launched, Error> {
    launch_decided(parts, input, decide(parts, input), io)
}

/// The same, with what was decided about `input`. Nothing has started when this fails.
pub(crate) fn launch_decided(
    parts: &Parts,
    input: &ExecInput,
    decided: Result<Decided, Denial>,
    io: StdioPlan,
) -> Result<Launched, Error> {
    let decided = decided.and_then(|decided| decided.settle(parts, input));
    if let Err(denial) = &decided {
        note_refused(parts, input, denial);
    }
    let ticket = parts.recorder.decision(input, decided.as_ref().map(|(grant, _)| grant))?;
    let (grant, shown) = decided?;
    let started = start(parts, input, (&grant, shown), io, &ticket);
    match started {
        Ok((running, enforcement)) => Ok(Launched {
            running,
            enforcement,
            recorder: parts.recorder.clone(),
            ticket: Mutex::new(Some(ticket)),
        }),
        Err(error) => {
            parts.recorder.failure(ticket, &error)?;
            Err(error)
        }
    }
}

// Of a line's commands only those that are refused by themselves.
fn note_refused(parts: &Parts, input: &ExecInput, denial: &Denial) {
    if !parts.lessons.are_kept() {
        return;
    }
    for argv in &denial.commands {
        let single = ExecInput { command: CommandLine::Argv(argv.clone()), ..input.clone() };
        if let Err(denial) = decide(parts, &single).and_then(Decided::granted) {
            parts.lessons.command(None, argv, &denial);
        }
    }
}

/// Commands that a person was shown and said yes to, as argument vectors.
pub(crate) type Shown = Vec<Vec<Vec<u8>>>;

/// What the policy says: a grant, or a question that somebody has to answer.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "moved once")]
pub(crate) enum Decided {
    Granted {
        grant: ExecGrant,
        /// The commands that a person was shown and said yes to.
        shown: Shown,
    },
    Asked(Question),
}

/// Decides `input`.
pub(crate) fn decide(parts: &Parts, input: &ExecInput) -> Result<Decided, Denial> {
    let script = input.parse()?;
    match parts.judge.decide(Request::Exec(&input.request(&script))) {
        Some(Decision::Allow(Grant::Exec(grant))) => Ok(Decided::Granted { grant, shown: Vec::new() }),
        Some(Decision::Deny(denial)) => Err(denial),
        Some(Decision::Ask(question)) => Ok(Decided::Asked(question)),
        // A grant of another kind does not answer this request.
        Some(Decision::Allow(_)) | None => Err(crate::sandbox::unsettled()),
    }
}

impl Decided {
    /// The grant; a question is put to who can be asked.
    pub(crate) fn settle(self, parts: &Parts, input: &ExecInput) -> Result<(ExecGrant, Shown), Denial> {
        let question = match self {
            Self::Granted { grant, shown } => return Ok((grant, shown)),
            Self::Asked(question) => question,
        };
        if let Err(reasons) = parts.approvals.settle(&question, &asked(&question, input)) {
            return Err(Denial { reasons, commands: question.commands });
        }
        match approved(question)? {
            Self::Granted { grant, shown } => Ok((grant, shown)),
            Self::Asked(_) => Err(crate::sandbox::unsettled()),
        }
    }

    /// The same, with a question that was answered before taken for a grant; one that cannot be looked up stays open.
    pub(crate) fn with_what_was_answered(self, parts: &Parts, input: &ExecInput) -> Result<Self, Denial> {
        match self {
            Self::Asked(question) if parts.approvals.remembers(&asked(&question, input)) => {
                approved(question)
            }
            decided => Ok(decided),
        }
    }

    /// The grant, if nobody has to be asked.
    pub(crate) fn granted(self) -> Result<ExecGrant, Denial> {
        match self {
            Self::Granted { grant, .. } => Ok(grant),
            Self::Asked(question) => Err(Denial { reasons: question.reasons, commands: question.commands }),
        }
    }
}

/// The question about `input`, for whoever is asked.
pub(crate) fn asked<'a>(question: &'a Question, input: &'a ExecInput) -> Asked<'a> {
    let (line, argv) = match &input.command {
        CommandLine::Argv(argv) => (None, argv.as_slice()),
        CommandLine::Line { text, .. } => (Some(text.as_slice()), [].as_slice()),
    };
    Asked {
        program: question.program(),
        line,
        argv,
        cwd: &input.cwd,
        caller: None,
        terminal: None,
        waits: crate::approval::Waits::always(),
    }
}

/// What a yes to a question about a command grants.
pub(crate) fn approved(question: Question) -> Result<Decided, Denial> {
    let shown = question.commands.clone();
    match question.grant_approved() {
        Grant::Exec(grant) => Ok(Decided::Granted { grant, shown }),
        _ => Err(crate::sandbox::unsettled()),
    }
}

fn start(
    parts: &Parts,
    input: &ExecInput,
    (grant, shown): (&ExecGrant, Shown),
    io: StdioPlan,
    ticket: &Ticket,
) -> Result<(Running, Enforcement), Error> {
    let mut plan = LaunchPlan::prepare(grant, io, &parts.kernel)?;
    if let Some(timeout) = input.timeout {
        plan.limit_time(timeout);
    }
    plan.watch(grant.role(), || {
        let (judge, recorder) = (Arc::clone(&parts.judge), parts.recorder.of_run(ticket));
        let run = ticket.id().into();
        let (approvals, lessons) = (parts.approvals.of_run(shown), parts.lessons.clone());
        Arc::new(Overseer::new(judge, recorder, approvals, lessons, run, grant.confinement()))
    });
    let enforcement = plan.enforcement().clone();
    Ok((plan.spawn(&parts.launchers)?, enforcement))
}

/// A run that has started, whose end will be recorded.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) running: Running,
    pub(crate) enforcement: Enforcement,
    recorder: Recorder,
    ticket: Mutex<Option<Ticket>>,
}

impl Launched {
    /// Records the end; only the first call does.
    pub(crate) fn record(&self, outcome: &Outcome) -> Result<(), Error> {
        let ticket = self.ticket.lock().unwrap_or_else(PoisonError::into_inner).take();
        ticket.map_or(Ok(()), |ticket| self.recorder.outcome(ticket, outcome, &self.enforcement))
    }

    /// The main process's status; a run whose status somebody else took counts as killed.
    pub(crate) fn status(outcome: &Outcome) -> ExitStatus {
        use std::os::unix::process::ExitStatusExt as _;
        outcome.status.unwrap_or_else(|| ExitStatus::from_raw(libc::SIGKILL))
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        // Dropping the run kills it; its end is recorded all the same.
        if self.ticket.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return;
        }
        if self.running.try_wait().is_none() {
            self.running.kill();
        }
        match self.running.wait_for(crate::observe::DROP_PATIENCE) {
            Some(outcome) => {
                if let Err(error) = self.record(&outcome) {
                    self.recorder.miss(&error.to_string());
                }
            }
            None => self.recorder.miss("a run that was dropped did not end in time"),
        }
    }
}
