//! Tools of which nothing but the name is known: those that the policy names.

use crate::policy::Ruled;
use crate::{Code, Decision, Denial, Grant, Policy, Reason, RuleRef, ToolGrant};

pub(super) fn decide(policy: &Policy, name: &str) -> Decision {
    let mut rule: Option<&RuleRef> = None;
    for layer in &policy.tools {
        match layer.iter().find(|own| names(&own.value, name)) {
            Some(own) => rule = rule.or(Some(&own.rule)),
            None => return Decision::Deny(Denial { reasons: vec![refused(name)], commands: Vec::new() }),
        }
    }
    let reason = Reason::new(Code::ToolAllowed, format!("the tool `{name}` is named"));
    let reasons = vec![match rule {
        Some(rule) => reason.by(rule),
        None => reason,
    }];
    Decision::Allow(Grant::Tool(ToolGrant { reasons }))
}

fn refused(name: &str) -> Reason {
    let message = format!("`{name}` is neither a command nor a file operation, and not in `tools.allow`");
    Reason::new(Code::ToolNotNamed, message).with_change(format!("add `{name}` to `tools.allow`"))
}

/// A trailing `*` is any rest.
fn names(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

/// Whether every name of the one pattern is one of the other.
pub(super) fn is_within(inner: &str, outer: &[Ruled<String>]) -> bool {
    outer.iter().any(|outer| match (inner.strip_suffix('*'), outer.value.strip_suffix('*')) {
        (Some(inner), Some(outer)) => inner.starts_with(outer),
        (Some(_), None) => false,
        (None, _) => names(&outer.value, inner),
    })
}
