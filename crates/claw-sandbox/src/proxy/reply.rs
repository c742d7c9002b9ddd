//! A decision as data for the host.
#![forbid(unsafe_code)]

use claw_policy::{Code, Decision as Verdict, Question, Reason};
use claw_wire::{Answer, Decision, Effect};

use super::decided::{PATIENCE, Subject};
use crate::ExecInput;
use crate::approval::Approvals;
use crate::pipeline::{self, Decided as Settled};
use crate::told::visible;

/// The answer about `subject`.
pub(super) fn to(subject: &Subject, approvals: &Approvals) -> Decision {
    match subject {
        Subject::Exec { input, verdict: Ok(Settled::Asked(question)) } => {
            let reply = of(Effect::Ask, &question.reasons, "a person has to allow it");
            let question = question_of(question, input, approvals);
            Decision { retryable: true, question: Some(question), ..reply }
        }
        Subject::Exec { verdict: Ok(Settled::Granted { grant, .. }), .. } => allow(grant.reasons()),
        Subject::Exec { verdict: Err(denial), .. } => deny(&denial.reasons),
        Subject::File { verdict, .. } | Subject::Opaque { verdict, .. } => match verdict {
            Verdict::Allow(grant) => allow(grant.reasons()),
            Verdict::Ask(question) => deny(&question.reasons),
            Verdict::Deny(denial) => deny(&denial.reasons),
        },
    }
}

fn deny(reasons: &[Reason]) -> Decision {
    of(Effect::Deny, reasons, "the policy does not allow it")
}

/// The answer to what a person has said yes to before.
pub(super) fn approved() -> Decision {
    let reply = of(Effect::Allow, &[], "a person has allowed it");
    Decision { code: Code::ExecAllowed.name().to_owned(), ..reply }
}

fn allow(reasons: &[Reason]) -> Decision {
    of(Effect::Allow, reasons, "the policy allows it")
}

fn of(effect: Effect, reasons: &[Reason], otherwise: &str) -> Decision {
    let first = reasons.first();
    Decision {
        id: None,
        effect,
        code: first.map_or("", |reason| reason.code.name()).to_owned(),
        message: first.map_or_else(|| otherwise.to_owned(), |reason| visible(&reason.message)),
        rule: reasons.iter().find_map(|reason| reason.rule.as_ref()).map(|rule| visible(&rule.to_string())),
        // Nothing else changes its mind.
        retryable: first.is_some_and(|reason| reason.code == Code::ExecNeedsApproval),
        hint: first
            .filter(|reason| reason.code == Code::ExecNeedsApproval)
            .and_then(|reason| reason.change.clone()),
        change: reasons.iter().find_map(Reason::next_step).map(|step| visible(&step)),
        contexts: Vec::new(),
        question: None,
    }
}

fn question_of(question: &Question, input: &ExecInput, approvals: &Approvals) -> claw_wire::Question {
    let asked = pipeline::asked(question, input);
    let digest = asked.digest(question, approvals);
    let name = question.program().and_then(|program| program.real.file_name());
    let name = name.map_or_else(|| "this".to_owned(), |name| visible(&name.to_string_lossy()));
    // The file system's names have at most 255 bytes; hosts show 80 characters.
    let name: String = name.chars().take(60).collect();
    claw_wire::Question {
        title: format!("May {name} run?"),
        detail: asked.request(question, &digest).shown(),
        answers: vec![Answer::Once, Answer::Always, Answer::Deny],
        digest,
        ttl_ms: u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX),
        id: None,
    }
}
