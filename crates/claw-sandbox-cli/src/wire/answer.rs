//! Decisions as JSON.

use std::borrow::Cow;

use claw_policy::{Decision, Explanation, Grant, Reason};
use serde::Serialize;

use super::{Bytes, Id};

/// A decision, for programs. Every field is always there.
#[derive(Debug, Serialize)]
pub(crate) struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Id>,
    decision: &'static str,
    /// The code of the first reason.
    code: &'static str,
    /// False for a denial: asking again without a change of the policy is pointless.
    #[serde(skip_serializing_if = "Option::is_none")]
    retryable: Option<bool>,
    reasons: Vec<WireReason<'a>>,
    /// Every simple command that could run, wrappers and what they run both.
    commands: Vec<Vec<Bytes>>,
    /// The rules about contexts that narrowed the policy; only when a context was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    contexts: Option<&'a [String]>,
}

/// One rule's part in a decision.
#[derive(Debug, Serialize)]
struct WireReason<'a> {
    code: &'static str,
    message: &'a str,
    /// `policy.yaml:7:7`
    rule: Option<String>,
    /// Where in the command line, in bytes.
    span: Option<(usize, usize)>,
    /// The smallest change to the policy that would flip it.
    change: Option<&'a str>,
}

/// A decision with its why.
#[derive(Debug, Serialize)]
pub(crate) struct ExplainedAnswer<'a> {
    #[serde(flatten)]
    answer: Answer<'a>,
    /// The rules without which the answer is another one, all of them together.
    deciding: Vec<String>,
    change: Option<WireChange<'a>>,
}

/// The smallest change that gives another answer.
#[derive(Debug, Serialize)]
struct WireChange<'a> {
    text: &'a str,
    /// Whether deciding again with it did.
    verified: bool,
}

/// A line that could not be answered.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorAnswer {
    pub(crate) id: Id,
    pub(crate) error: String,
}

impl<'a> Answer<'a> {
    /// The answer to the request with this id.
    pub(crate) fn new(id: Option<&'a Id>, decision: &'a Decision) -> Self {
        let reasons = reasons(decision);
        Self {
            id,
            decision: name(decision),
            code: reasons.first().map_or("", |reason| reason.code.name()),
            retryable: matches!(decision, Decision::Deny(_)).then_some(false),
            reasons: reasons.iter().map(WireReason::new).collect(),
            commands: commands(decision)
                .iter()
                .map(|argv| argv.iter().map(|word| word.as_slice().into()).collect())
                .collect(),
            contexts: None,
        }
    }

    /// The same, with the rules about contexts that narrowed the policy.
    pub(crate) fn in_contexts(self, contexts: Option<&'a [String]>) -> Self {
        Self { contexts, ..self }
    }
}

impl<'a> ExplainedAnswer<'a> {
    /// The answer with its why, and the rules about contexts that narrowed the policy.
    pub(crate) fn new(explanation: &'a Explanation, contexts: Option<&'a [String]>) -> Self {
        Self {
            answer: Answer::new(None, &explanation.decision).in_contexts(contexts),
            deciding: explanation.deciding.iter().map(ToString::to_string).collect(),
            change: explanation
                .change
                .as_ref()
                .map(|change| WireChange { text: &change.text, verified: change.verified }),
        }
    }
}

impl<'a> WireReason<'a> {
    fn new(reason: &'a Reason) -> Self {
        Self {
            code: reason.code.name(),
            message: &reason.message,
            rule: reason.rule.as_ref().map(ToString::to_string),
            span: reason.span.map(|span| (span.start, span.end)),
            change: reason.change.as_deref(),
        }
    }
}

/// The decision's name.
pub(crate) const fn name(decision: &Decision) -> &'static str {
    match decision {
        Decision::Allow(_) => "allow",
        Decision::Deny(_) => "deny",
        Decision::Ask(_) => "ask",
    }
}

/// The rules that made it.
pub(crate) fn reasons(decision: &Decision) -> &[Reason] {
    match decision {
        Decision::Allow(grant) => grant.reasons(),
        Decision::Deny(denial) => &denial.reasons,
        Decision::Ask(question) => &question.reasons,
    }
}

/// What could run.
fn commands(decision: &Decision) -> Cow<'_, [Vec<Vec<u8>>]> {
    match decision {
        Decision::Allow(Grant::Exec(grant)) => grant.commands().into(),
        Decision::Allow(_) => Cow::default(),
        Decision::Deny(denial) => denial.commands.as_slice().into(),
        Decision::Ask(question) => question.commands.as_slice().into(),
    }
}
