//! Why a decision is what it is, and the smallest change that would make it another.
//!
//! Nothing here is guessed from messages: a rule is named only when deciding again without it gives
//! another answer, and a change is marked as verified only when deciding again with it does.

mod edit;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::{
    Decision, Facts, FileAction, FileRequest, MissingFacts, NetworkRequest, Policy, Reason, Request, RuleRef,
    decide,
};

/// How many overlapping rules are taken away at most to find what stands behind them.
const OVERLAPPING_RULES: usize = 8;

/// A decision with its why.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The decision itself.
    pub decision: Decision,
    /// What was considered, in the order of weight.
    pub considered: Vec<Reason>,
    /// The rules without which the answer is another one: a single rule, or several that overlap and
    /// flip it together. Empty when no rule decided (nothing matched).
    pub deciding: Vec<RuleRef>,
    /// The smallest change that gives another answer.
    pub change: Option<Change>,
}

/// A change to the policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// What to do, as one line.
    pub text: String,
    /// Whether deciding again with it gave another answer.
    pub verified: bool,
}

/// Explains the decision on `request`.
///
/// # Errors
///
/// As [`decide`]: the facts to look up before asking again. More rounds may be needed, because the
/// question is also decided with changed policies.
pub fn explain(policy: &Policy, facts: &Facts, request: Request<'_>) -> Result<Explanation, MissingFacts> {
    let decision = decide(policy, facts, request)?;
    let deciding = deciding(policy, facts, request, &decision)?;
    let change = match (&decision, deciding.as_slice()) {
        (Decision::Allow(_), []) => None,
        (Decision::Allow(_), rules) => Some(removal(rules)),
        (_, rules) => match addition(policy, facts, request, &decision)? {
            Some(change) => Some(change),
            None if !rules.is_empty() => Some(removal(rules)),
            None => advice(&decision),
        },
    };
    let considered = reasons(&decision).to_vec();
    Ok(Explanation { decision, considered, deciding, change })
}

/// The reasons of a decision, whichever it is.
fn reasons(decision: &Decision) -> &[Reason] {
    match decision {
        Decision::Allow(grant) => grant.reasons(),
        Decision::Deny(denial) => &denial.reasons,
        Decision::Ask(question) => &question.reasons,
    }
}

fn rules(decision: &Decision) -> Vec<RuleRef> {
    let mut rules: Vec<RuleRef> = Vec::new();
    for rule in reasons(decision).iter().filter_map(|reason| reason.rule.as_ref()) {
        if !rules.contains(rule) {
            rules.push(rule.clone());
        }
    }
    rules
}

fn is_other(left: &Decision, right: &Decision) -> bool {
    std::mem::discriminant(left) != std::mem::discriminant(right)
}

/// A rule whose removal changes the answer; where rules overlap, the set that does so together.
fn deciding(
    policy: &Policy,
    facts: &Facts,
    request: Request<'_>,
    decision: &Decision,
) -> Result<Vec<RuleRef>, MissingFacts> {
    for rule in rules(decision) {
        let without = decide(&edit::without(policy, std::slice::from_ref(&rule)), facts, request)?;
        if is_other(&without, decision) {
            return Ok(vec![rule]);
        }
    }
    let mut removed = Vec::new();
    let mut current = decision.clone();
    while removed.len() < OVERLAPPING_RULES {
        let fresh = rules(&current).into_iter().find(|rule| !removed.contains(rule));
        let Some(fresh) = fresh else { return Ok(Vec::new()) };
        removed.push(fresh);
        current = decide(&edit::without(policy, &removed), facts, request)?;
        if is_other(&current, decision) {
            return needed(policy, facts, request, decision, removed);
        }
    }
    Ok(Vec::new())
}

/// Leaves out of `removed` what is not needed for the other answer.
fn needed(
    policy: &Policy,
    facts: &Facts,
    request: Request<'_>,
    decision: &Decision,
    mut removed: Vec<RuleRef>,
) -> Result<Vec<RuleRef>, MissingFacts> {
    for rule in removed.clone() {
        let fewer: Vec<RuleRef> = removed.iter().filter(|other| **other != rule).cloned().collect();
        if is_other(&decide(&edit::without(policy, &fewer), facts, request)?, decision) {
            removed = fewer;
        }
    }
    Ok(removed)
}

fn removal(rules: &[RuleRef]) -> Change {
    let shown: Vec<String> = rules.iter().map(|rule| format!("`{}` ({rule})", rule.text)).collect();
    Change { text: format!("remove {}", shown.join(" and ")), verified: true }
}

/// Something to add that changes the answer.
fn addition(
    policy: &Policy,
    facts: &Facts,
    request: Request<'_>,
    decision: &Decision,
) -> Result<Option<Change>, MissingFacts> {
    for candidate in candidates(facts, request, decision) {
        if is_other(&decide(&edit::with(policy, &candidate), facts, request)?, decision) {
            return Ok(Some(Change { text: candidate.to_string(), verified: true }));
        }
    }
    Ok(None)
}

fn candidates(facts: &Facts, request: Request<'_>, decision: &Decision) -> Vec<edit::Addition> {
    match request {
        Request::File(request) => file_candidates(facts, request),
        Request::Environment(name) => vec![edit::Addition::Pass(String::from_utf8_lossy(name).into_owned())],
        Request::Network(request) => network_candidates(request),
        Request::Tool(name) => vec![edit::Addition::Tool(name.to_owned())],
        Request::Exec(_) | Request::Descendant(_) => exec_candidates(decision),
    }
}

fn file_candidates(facts: &Facts, request: &FileRequest) -> Vec<edit::Addition> {
    let reads = matches!(request.action, FileAction::Read | FileAction::List | FileAction::Stat);
    let paths = std::iter::once(&request.path).chain(&request.to);
    let roots: Vec<_> = paths.filter_map(|path| edit::absolute(path, &request.cwd, facts)).collect();
    match request.action {
        FileAction::Execute => {
            roots.into_iter().map(|path| edit::Addition::Programs(vec![edit::by_path(&path)])).collect()
        }
        _ if reads => vec![edit::Addition::ReadOnly(roots)],
        // A root itself cannot be removed or replaced, so its directory is what helps.
        _ => {
            let parents = roots.iter().filter_map(|path| path.parent().map(Into::into)).collect();
            vec![edit::Addition::Writable(roots), edit::Addition::Writable(parents)]
        }
    }
}

fn network_candidates(request: &NetworkRequest) -> Vec<edit::Addition> {
    let rule = crate::NetworkRule { protocol: Some(request.protocol), port: Some(request.port), host: None };
    let named = crate::NetworkRule { host: request.host.clone(), ..rule.clone() };
    [named, rule].map(edit::Addition::Network).into()
}

/// First each program alone, then all of them.
fn exec_candidates(decision: &Decision) -> Vec<edit::Addition> {
    let (Decision::Deny(crate::Denial { commands, .. }) | Decision::Ask(crate::Question { commands, .. })) =
        decision
    else {
        return Vec::new();
    };
    let mut programs = Vec::new();
    for name in commands.iter().filter_map(|command| command.first()) {
        let program = edit::by_name(name);
        if !programs.contains(&program) {
            programs.push(program);
        }
    }
    let mut candidates: Vec<_> =
        programs.iter().map(|program| edit::Addition::Programs(vec![program.clone()])).collect();
    if programs.len() > 1 {
        candidates.push(edit::Addition::Programs(programs));
    }
    candidates
}

/// What the rules themselves propose, unverified.
fn advice(decision: &Decision) -> Option<Change> {
    let text = reasons(decision).iter().find_map(|reason| reason.change.clone())?;
    Some(Change { text, verified: false })
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decision = match self.decision {
            Decision::Allow(_) => "allow",
            Decision::Deny(_) => "deny",
            Decision::Ask(_) => "ask",
        };
        write!(f, "{decision}")?;
        for reason in &self.considered {
            write!(f, "\n  {}: {}", reason.code.name(), reason.message)?;
            if let Some(rule) = &reason.rule {
                write!(f, " ({rule})")?;
            }
        }
        for rule in &self.deciding {
            write!(f, "\ndecided by {rule}: `{}`", rule.text)?;
        }
        if let Some(change) = &self.change {
            let verified = if change.verified { "" } else { " (not verified)" };
            write!(f, "\nto change it: {}{verified}", change.text)?;
        }
        Ok(())
    }
}
