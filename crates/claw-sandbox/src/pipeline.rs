//! The way of a command, top to bottom: parse, decide, record, prepare, spawn. What follows, the observation of
//! the run, belongs to the run's own thread; its end is recorded by [`Launched`].
#![forbid(unsafe_code)]

use std::process::ExitStatus;
use std::sync::Mutex;
use std::sync::{Arc, PoisonError};

use claw_policy::{Decision, Denial, ExecGrant, Grant, Request};

use crate::overseer::Overseer;
use crate::record::{Recorder, Ticket};
use crate::request::ExecInput;
use crate::sandbox::Parts;
use crate::{Enforcement, Error, LaunchPlan, Outcome, Running, StdioPlan};

/// Runs `input`, or says why not. Nothing has started when this fails.
pub(crate) fn launch(parts: &Parts, input: &ExecInput, io: StdioPlan) -> Result<Launched, Error> {
    let decided = decide(parts, input);
    let ticket = parts.recorder.decision(input, decided.as_ref())?;
    let grant = decided?;
    let started = start(parts, input, &grant, io, &ticket);
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

/// A grant, or the denial that an unanswered question is too.
pub(crate) fn decide(parts: &Parts, input: &ExecInput) -> Result<ExecGrant, Denial> {
    let script = input.parse()?;
    match parts.judge.decide(Request::Exec(&input.request(&script))) {
        Some(Decision::Allow(Grant::Exec(grant))) => Ok(grant),
        Some(Decision::Deny(denial)) => Err(denial),
        Some(Decision::Ask(question)) => {
            Err(Denial { reasons: question.reasons, commands: question.commands })
        }
        // A grant of another kind does not answer this request.
        Some(Decision::Allow(_)) | None => Err(crate::sandbox::unsettled()),
    }
}

fn start(
    parts: &Parts,
    input: &ExecInput,
    grant: &ExecGrant,
    io: StdioPlan,
    ticket: &Ticket,
) -> Result<(Running, Enforcement), Error> {
    let mut plan = LaunchPlan::prepare(grant, io, &parts.kernel)?;
    if let Some(timeout) = input.timeout {
        plan.limit_time(timeout);
    }
    plan.watch(grant.role(), || {
        let (judge, recorder) = (Arc::clone(&parts.judge), parts.recorder.clone());
        Arc::new(Overseer::new(judge, recorder, ticket.id().into()))
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
        if self.ticket.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            if self.running.try_wait().is_none() {
                self.running.kill();
            }
            if let Some(outcome) = self.running.wait_for(crate::observe::DROP_PATIENCE) {
                let _ = self.record(&outcome);
            }
        }
    }
}
