//! What is answered.

use serde::{Deserialize, Serialize};

use crate::{Identifier, visible};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It may happen.
    Allow,
    /// It may not.
    Deny,
    /// Somebody has to be asked. Without somebody to ask this is a denial.
    Ask,
}

/// The answer to a request, for programs, and for the model that asked.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The request's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Identifier>,
    /// What becomes of it.
    pub effect: Effect,
    /// A stable name of the first reason.
    pub code: String,
    /// Why, in one line without control characters.
    pub message: String,
    /// The rule that made it (`policy.yaml:7:7`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Whether the same request may be answered otherwise later, without a change of the policy: after an approval.
    pub retryable: bool,
    /// What a person, or the model, can do now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The smallest change of the policy that would flip it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// The rules for contexts that narrowed the policy for this request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contexts: Vec<String>,
    /// What somebody has to be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
}

/// What somebody has to be asked, for the host's own way to ask.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// One short line.
    pub title: String,
    /// Everything that would happen, whole, with control characters escaped. A surface with less room must not cut it:
    /// it cannot ask this question.
    pub detail: String,
    /// What may be answered.
    pub answers: Vec<Answer>,
    /// SHA-256, hexadecimal, of the action, the principal and the policy: an answer is about nothing else.
    pub digest: String,
    /// For how long an answer is taken, in milliseconds.
    pub ttl_ms: u64,
    /// The broker's name of the question, when it has it (`claw-sandbox approve ID`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Identifier>,
}

/// What somebody can say to a question.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// This time.
    Once,
    /// This time, and whenever exactly this is asked for again.
    Always,
    /// No.
    Deny,
}

impl Decision {
    /// Whether it may happen now.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.effect == Effect::Allow
    }

    /// The message, the rule and what can be done, as the one line that a model should see.
    #[must_use]
    pub fn line(&self) -> String {
        let verb = match self.effect {
            Effect::Allow => "allowed",
            Effect::Deny => "denied",
            Effect::Ask => "needs approval",
        };
        let mut line = format!("{verb}: {}", self.message);
        if let Some(rule) = &self.rule {
            line.push_str(&format!(" [rule={rule}]"));
        }
        if let Some(hint) = &self.hint {
            line.push_str("; ");
            line.push_str(hint);
        }
        visible(&line)
    }
}
