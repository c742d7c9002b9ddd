//! A decision with what is needed to act on it.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use claw_policy::{Code, Decision as Verdict, Denial, FileRequest, Question};
use claw_wire::{Action, Answer, AskSurface, Decision, Request};

use super::{asked, digest, reply};
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
        let subject = match &request.action {
            Action::Exec(exec) => {
                let refused = asked::refuse(Some(exec), &cwd);
                let input = asked::command(exec, cwd);
                let verdict = refused.and_then(|()| decide(&sandbox, &input, surface));
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
        let digest = |question: &Question, input: &ExecInput| {
            digest::of(request, &input.cwd, question.program(), sandbox.policy())
        };
        let mut decision = reply::to(&subject, digest);
        decision.id.clone_from(&request.id);
        decision.contexts = contexts;
        Self { decision, sandbox, subject, surface, since: Instant::now() }
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
        let Self { decision, sandbox, subject, surface, since } = self;
        let in_time = surface == AskSurface::Inline && since.elapsed() < PATIENCE;
        let Subject::Exec { input, verdict: Ok(Settled::Asked(question)) } = subject else {
            return Self { decision, sandbox, subject, surface, since };
        };
        let verdict = match answer {
            _ if !in_time => Err(refused(question, "no answer is taken from there")),
            Answer::Deny => Err(refused(question, "nobody has allowed it")),
            Answer::Once => pipeline::approved(question).map(Settled::Granted),
            Answer::Always => remember(&sandbox, question, &input),
        };
        let subject = Subject::Exec { input, verdict };
        let (id, contexts) = (decision.id, decision.contexts);
        let decision = Decision { id, contexts, ..reply::to(&subject, |_, _| String::new()) };
        Self { decision, sandbox, subject, surface, since }
    }

    pub(super) fn note(&self) -> Result<(), Error> {
        match &self.subject {
            Subject::Exec { input, verdict } => {
                let recorder = &self.sandbox.parts().recorder;
                let ticket = match verdict {
                    Ok(Settled::Granted(grant)) => recorder.decision(input, Ok(grant)),
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

fn decide(sandbox: &Sandbox, input: &ExecInput, surface: AskSurface) -> Result<Settled, Denial> {
    let decided = pipeline::decide(sandbox.parts(), input)?.with_what_was_answered(sandbox.parts(), input)?;
    match decided {
        Settled::Asked(question) if surface == AskSurface::None => Err(unasked(question)),
        decided => Ok(decided),
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
    Denial { reasons: crate::approval::refused(&question, why), commands: question.commands }
}

fn remember(sandbox: &Sandbox, question: Question, input: &ExecInput) -> Result<Settled, Denial> {
    match sandbox.parts().approvals.remember(&pipeline::asked(&question, input)) {
        Ok(()) => pipeline::approved(question).map(Settled::Granted),
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
