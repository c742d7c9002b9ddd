//! A decision with what is needed to act on it.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use claw_policy::{Code, Decision as Verdict, Denial, FileRequest, Question};
use claw_wire::{Action, Answer, AskSurface, Decision, Request};

use super::{asked, reply};
use crate::approval::{self, Approval, State};
use crate::pipeline::{self, Decided as Settled};
use crate::{Error, ExecInput, Sandbox};

/// How long an answer of a host's own surface is taken.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

/// A decision, with what is needed to act on it. It is used once.
#[derive(Debug)]
#[must_use = "a decision does nothing until it is performed or noted"]
pub struct Decided {
    pub(super) decision: Decision,
    pub(super) sandbox: Sandbox,
    pub(super) subject: Subject,
    surface: AskSurface,
    since: Instant,
    /// The question's digest when somebody has answered it with a yes that was not used yet.
    approved: Option<String>,
}

/// What it is about, with the decision point's own answer.
#[derive(Debug)]
pub(super) enum Subject {
    Exec { input: ExecInput, verdict: Result<Settled, Denial> },
    File { request: FileRequest, verdict: Verdict },
    Opaque { tool: String, verdict: Verdict },
}

impl Decided {
    pub(super) fn new(sandbox: Sandbox, contexts: Vec<String>, request: &Request) -> Self {
        let surface = request.context.ask;
        let cwd = asked::directory(&sandbox, request);
        let mut waiting = Waiting::default();
        let subject = match &request.action {
            Action::Exec(exec) => {
                let refused = asked::refuse(Some(exec), &cwd);
                let input = asked::command(exec, cwd);
                let verdict = refused.and_then(|()| decide(&sandbox, &input, surface, &mut waiting));
                Subject::Exec { input, verdict }
            }
            Action::File(file) => {
                let refused = asked::refuse(None, &cwd);
                let file = asked::file(file, cwd);
                let verdict = match refused {
                    Ok(()) => sandbox.decide_file(&file),
                    Err(denial) => Verdict::Deny(denial),
                };
                Subject::File { request: file, verdict }
            }
            Action::Opaque(opaque) => {
                let tool = opaque.tool.as_str().to_owned();
                let verdict = sandbox.decide(claw_policy::Request::Tool(&tool));
                Subject::Opaque { tool, verdict }
            }
        };
        let mut decision = match waiting.approved {
            Some(_) => reply::approved(),
            None => reply::to(&subject, &sandbox.parts().approvals),
        };
        decision.id.clone_from(&request.id);
        decision.contexts = contexts;
        if let Some(question) = &mut decision.question {
            question.id = waiting.id.and_then(|id| id.try_into().ok());
        }
        Self { decision, sandbox, subject, surface, since: Instant::now(), approved: waiting.approved }
    }

    /// The answer, for the host.
    #[must_use]
    pub const fn decision(&self) -> &Decision {
        &self.decision
    }

    /// What a shell line or an argument vector would run, when it is about a command.
    #[must_use]
    pub const fn input(&self) -> Option<&ExecInput> {
        match &self.subject {
            Subject::Exec { input, .. } => Some(input),
            Subject::File { .. } | Subject::Opaque { .. } => None,
        }
    }

    pub(super) fn answered(self, answer: Answer) -> Self {
        let Self { decision, sandbox, subject, surface, since, approved } = self;
        let in_time = surface == AskSurface::Inline && since.elapsed() < PATIENCE;
        let Subject::Exec { input, verdict: Ok(Settled::Asked(question)) } = subject else {
            return Self { decision, sandbox, subject, surface, since, approved };
        };
        let verdict = match answer {
            _ if !in_time => Err(refused(question, "no answer is taken from there")),
            Answer::Deny => Err(refused(question, "nobody has allowed it")),
            Answer::Once => pipeline::approved(question),
            Answer::Always => remember(&sandbox, question, &input),
        };
        let subject = Subject::Exec { input, verdict };
        let (id, contexts) = (decision.id, decision.contexts);
        let decision = Decision { id, contexts, ..reply::to(&subject, &sandbox.parts().approvals) };
        Self { decision, sandbox, subject, surface, since, approved: None }
    }

    /// The same, without a question: somebody is asked, if the request's context says that this can be.
    pub(super) fn settled(self) -> Self {
        if self.approved.is_some() || self.surface != AskSurface::Broker {
            return self;
        }
        let Self { decision, sandbox, subject, surface, since, .. } = self;
        let Subject::Exec { input, verdict: Ok(settled @ Settled::Asked(_)) } = subject else {
            return Self { decision, sandbox, subject, surface, since, approved: None };
        };
        let verdict =
            settled.settle(sandbox.parts(), &input).map(|(grant, shown)| Settled::Granted { grant, shown });
        let subject = Subject::Exec { input, verdict };
        let (id, contexts) = (decision.id, decision.contexts);
        let decision = Decision { id, contexts, ..reply::to(&subject, &sandbox.parts().approvals) };
        Self { decision, sandbox, subject, surface, since, approved: None }
    }

    /// The same, with a yes that somebody gave before used up.
    pub(super) fn redeemed(self) -> Self {
        let (Some(digest), Subject::Exec { .. }) = (&self.approved, &self.subject) else { return self };
        let taken = take(&self.sandbox, digest);
        let Self { decision, sandbox, subject, surface, since, .. } = self;
        let subject = match subject {
            Subject::Exec { input, verdict: Ok(Settled::Asked(question)) } => {
                let verdict = match taken {
                    Ok(Approval::Once) => pipeline::approved(question),
                    Ok(Approval::Always) => remember(&sandbox, question, &input),
                    Ok(Approval::Denied) => Err(refused(question, "nobody has allowed it")),
                    Err(why) => Err(refused(question, &why)),
                };
                Subject::Exec { input, verdict }
            }
            subject => subject,
        };
        Self { decision, sandbox, subject, surface, since, approved: None }
    }

    pub(super) fn note(&self) -> Result<(), Error> {
        match &self.subject {
            Subject::Exec { input, verdict: Ok(Settled::Asked(question)) } if self.approved.is_some() => {
                self.note_approved(input, question)
            }
            Subject::Exec { input, verdict } => {
                let recorder = &self.sandbox.parts().recorder;
                let ticket = match verdict {
                    Ok(Settled::Granted { grant, .. }) => recorder.decision(input, Ok(grant)),
                    Ok(Settled::Asked(question)) => {
                        let (reasons, commands) = (question.reasons.clone(), question.commands.clone());
                        recorder.decision(input, Err(&Denial { reasons, commands }))
                    }
                    Err(denial) => recorder.decision(input, Err(denial)),
                };
                // The host runs it: its end is not ours to see.
                ticket.map(drop)
            }
            Subject::File { request, verdict } => note_file(&self.sandbox, request, verdict),
            Subject::Opaque { tool, verdict } => note_tool(&self.sandbox, tool, verdict),
        }
    }
}

impl Decided {
    // The host runs it itself, so the yes is used now.
    fn note_approved(&self, input: &ExecInput, question: &Question) -> Result<(), Error> {
        let digest = self.approved.as_deref().unwrap_or_default();
        let parts = self.sandbox.parts();
        let verdict = match take(&self.sandbox, digest) {
            Ok(Approval::Denied) => Err(refused(question.clone(), "nobody has allowed it")),
            Ok(Approval::Once) => pipeline::approved(question.clone()),
            Ok(Approval::Always) => remember(&self.sandbox, question.clone(), input),
            Err(why) => Err(refused(question.clone(), &why)),
        };
        match verdict {
            Ok(Settled::Granted { grant, .. }) => parts.recorder.decision(input, Ok(&grant)).map(drop),
            Ok(Settled::Asked(_)) => Err(crate::sandbox::unsettled().into()),
            Err(denial) => {
                let _ = parts.recorder.decision(input, Err(&denial))?;
                Err(denial.into())
            }
        }
    }
}

/// What the broker knows about a question.
#[derive(Debug, Default)]
struct Waiting {
    id: Option<String>,
    approved: Option<String>,
}

fn decide(
    sandbox: &Sandbox,
    input: &ExecInput,
    surface: AskSurface,
    waiting: &mut Waiting,
) -> Result<Settled, Denial> {
    let decided = pipeline::decide(sandbox.parts(), input)?.with_what_was_answered(sandbox.parts(), input)?;
    let question = match decided {
        Settled::Asked(question) if surface != AskSurface::Inline => question,
        decided => return Ok(decided),
    };
    let approvals = &sandbox.parts().approvals;
    let Some(broker) = &approvals.broker else {
        return if surface == AskSurface::None {
            Err(unasked(question))
        } else {
            Ok(Settled::Asked(question))
        };
    };
    let asked = pipeline::asked(&question, input);
    let digest = asked.digest(&question, approvals);
    let elsewhere = surface == AskSurface::Broker && !approvals.broker_asks;
    let known = broker.state(&digest).and_then(|state| match state {
        Some(known) => Ok(known),
        // Somebody else is asked when it comes to that.
        None if elsewhere => Ok((String::new(), State::Open)),
        None => Ok((broker.post(&asked.request(&question, &digest))?, State::Open)),
    });
    let (id, state) = match known {
        Ok(known) => known,
        Err(error) => return Err(refused(question, &error.to_string())),
    };
    match (state, surface) {
        (State::Answered(Approval::Denied), _) => Err(refused(question, "a person said no")),
        (State::Answered(_), _) => {
            waiting.approved = Some(digest);
            Ok(Settled::Asked(question))
        }
        (State::Open, AskSurface::None) => {
            let reasons = approval::needs_approval(&question, approval::how_to(&id));
            Err(Denial { reasons, commands: question.commands })
        }
        (State::Open, _) => {
            waiting.id = Some(id).filter(|_| !elsewhere);
            Ok(Settled::Asked(question))
        }
    }
}

/// Uses a yes up.
fn take(sandbox: &Sandbox, digest: &str) -> Result<Approval, String> {
    let Some(broker) = &sandbox.parts().approvals.broker else { return Ok(Approval::Denied) };
    match broker.take(digest) {
        Ok(Some(approval)) => Ok(approval),
        Ok(None) => Err("the yes to it was used, or came too early".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A question where nobody can be asked.
fn unasked(question: Question) -> Denial {
    let Question { mut reasons, commands, .. } = question;
    if let Some(first) = reasons.first_mut() {
        first.code = Code::ExecNeedsApproval;
    }
    Denial { reasons, commands }
}

fn refused(question: Question, why: &str) -> Denial {
    Denial { reasons: approval::refused(&question, why), commands: question.commands }
}

fn remember(sandbox: &Sandbox, question: Question, input: &ExecInput) -> Result<Settled, Denial> {
    match sandbox.parts().approvals.remember(&pipeline::asked(&question, input)) {
        Ok(()) => pipeline::approved(question),
        Err(error) => Err(refused(question, &error.to_string())),
    }
}

pub(super) fn note_file(sandbox: &Sandbox, request: &FileRequest, verdict: &Verdict) -> Result<(), Error> {
    if sandbox.policy().logging().audit_file_access {
        let _ = sandbox.parts().recorder.file(request, verdict)?;
    }
    Ok(())
}

pub(super) fn note_tool(sandbox: &Sandbox, tool: &str, verdict: &Verdict) -> Result<(), Error> {
    sandbox.parts().recorder.tool(tool, verdict)
}

/// The refusal of what was not allowed.
pub(super) fn denial_of(verdict: Verdict) -> Denial {
    match verdict {
        Verdict::Deny(denial) => denial,
        Verdict::Ask(question) => Denial { reasons: question.reasons, commands: question.commands },
        Verdict::Allow(_) => crate::sandbox::unsettled(),
    }
}
