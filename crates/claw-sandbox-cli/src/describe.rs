//! Decisions, said to people.

use claw_policy::{Decision, Explanation, Reason};

use crate::output::visible;
use crate::wire;

/// What `check` prints: a line for every reason, then the change that would allow it.
pub(crate) fn answer(decision: &Decision) -> String {
    let mut text = reasons(decision);
    if let (Some(change), false) = (change(decision), matches!(decision, Decision::Allow(_))) {
        text += &format!("to allow it: {}\n", visible(change.as_bytes()));
    }
    text
}

/// What `explain` prints: the reasons, the rules that decide, and the change that would flip the answer.
pub(crate) fn explanation(explanation: &Explanation) -> String {
    let mut text = reasons(&explanation.decision);
    match explanation.deciding.as_slice() {
        // Where several say the same, taking one away changes nothing.
        [] if wire::reasons(&explanation.decision).iter().any(|reason| reason.rule.is_some()) => {
            text += "decided by: no single rule (removing the rule above would not change the answer)\n";
        }
        [] => text += "decided by: no rule\n",
        rules => {
            for rule in rules {
                text += &format!("decided by: {rule}: {}\n", visible(rule.text.as_bytes()));
            }
        }
    }
    if let Some(change) = &explanation.change {
        let flip = if matches!(explanation.decision, Decision::Allow(_)) { "deny" } else { "allow" };
        let doubt = if change.verified { "" } else { " (not verified)" };
        text += &format!("to {flip} it: {}{doubt}\n", visible(change.text.as_bytes()));
    }
    text
}

/// The rules about contexts that narrowed the policy, when there was a context.
pub(crate) fn contexts(rules: Option<&[String]>) -> String {
    match rules {
        None => String::new(),
        Some([]) => "in this context: the policy as it is\n".to_owned(),
        Some(rules) => rules
            .iter()
            .map(|rule| format!("in this context: narrowed by {}\n", visible(rule.as_bytes())))
            .collect(),
    }
}

fn reasons(decision: &Decision) -> String {
    let line =
        |reason: &Reason| format!("{}: {}: {}\n", wire::name(decision), reason.code.name(), cause(reason));
    wire::reasons(decision).iter().map(line).collect()
}

/// Why, with the place of the rule.
fn cause(reason: &Reason) -> String {
    let message = visible(reason.message.as_bytes());
    reason.rule.as_ref().map_or_else(|| message.clone(), |rule| format!("{message} ({rule})"))
}

/// The smallest change of the first reason that knows one.
fn change(decision: &Decision) -> Option<String> {
    wire::reasons(decision).iter().find_map(Reason::next_step)
}
