//! Environment variables: which of the caller's pass, and what we set ourselves.
//!
//! Nothing passes by default but a short list. Names by which a program can be made to run something
//! else never pass. Names that look like secrets pass only when the policy lists that very name, not
//! by a pattern.

mod names;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

pub(crate) use self::names::{OURS, is_hook, is_secret};
use crate::{Code, Decision, Denial, Environment, EnvironmentGrant, Grant, Policy, Reason, RuleRef};

/// MAX_ARG_STRLEN of Linux (`execve(2)`): 32 pages for one string.
const STRING_BYTES: usize = 128 * 1024;
/// A quarter of the smallest stack that `execve(2)` counts with holds arguments and environment
/// together; half of that for the environment.
const TOTAL_BYTES: usize = 1024 * 1024;

/// Git runs no hook and no file-system monitor of a repository that it is used in, and puts none into a new one
/// (`git-config(1)`).
const GIT: [(&str, &str); 10] = [
    ("GIT_CONFIG_COUNT", "3"),
    ("GIT_CONFIG_KEY_0", "core.hooksPath"),
    ("GIT_CONFIG_VALUE_0", "/dev/null"),
    ("GIT_CONFIG_KEY_1", "core.fsmonitor"),
    ("GIT_CONFIG_VALUE_1", "false"),
    ("GIT_CONFIG_KEY_2", "init.templateDir"),
    ("GIT_CONFIG_VALUE_2", ""),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_PAGER", "cat"),
    ("PAGER", "cat"),
];

pub(super) fn decide(policy: &Policy, name: &[u8]) -> Decision {
    match judge(policy, name) {
        Ok(reasons) => Decision::Allow(Grant::Environment(EnvironmentGrant { reasons })),
        Err(reasons) => Decision::Deny(Denial { reasons, commands: Vec::new() }),
    }
}

/// May a variable of this name be passed from the caller to a command? The reasons of the answer.
pub(super) fn judge(policy: &Policy, name: &[u8]) -> Result<Vec<Reason>, Vec<Reason>> {
    Verdict::of(policy, name).reason(name).map(|reason| vec![reason]).map_err(|reason| vec![reason])
}

/// What is said about a name. A command's whole environment is judged name by name, so the words come when somebody
/// wants them.
#[derive(Clone, Copy)]
enum Verdict<'p> {
    NoName,
    Ours,
    Hook,
    Secret,
    Unlisted,
    PassesByDefault,
    Listed(&'p RuleRef),
}

impl<'p> Verdict<'p> {
    fn of(policy: &'p Policy, name: &[u8]) -> Self {
        if !is_name(name) {
            Self::NoName
        } else if OURS.iter().any(|ours| ours.as_bytes() == name) {
            Self::Ours
        } else if is_hook(name) {
            Self::Hook
        } else if is_secret(name) {
            listed(policy, |pattern| pattern.as_bytes() == name).map_or(Self::Secret, Self::Listed)
        } else if names::passes_by_default(name) {
            Self::PassesByDefault
        } else {
            listed(policy, |pattern| matches(pattern, name)).map_or(Self::Unlisted, Self::Listed)
        }
    }

    const fn passes(self) -> bool {
        matches!(self, Self::PassesByDefault | Self::Listed(_))
    }

    fn reason(self, name: &[u8]) -> Result<Reason, Reason> {
        let shown = String::from_utf8_lossy(name);
        match self {
            Self::NoName => {
                let message = format!("`{shown}` is not a variable's name");
                Err(Reason::new(Code::EnvironmentNotPassed, message))
            }
            Self::Ours => {
                let message = format!("`{shown}` is set by the sandbox, not by the caller");
                Err(Reason::new(Code::EnvironmentStripped, message))
            }
            Self::Hook => {
                let message = format!("`{shown}` can make programs run other code: it is never passed");
                Err(Reason::new(Code::EnvironmentStripped, message))
            }
            Self::Secret => {
                Err(Reason::new(Code::EnvironmentStripped, format!("`{shown}` looks like a secret"))
                    .with_change(format!("list `{shown}` by that very name in `environment.pass`")))
            }
            Self::Unlisted => {
                let message = format!("`{shown}` is not in `environment.pass`");
                Err(Reason::new(Code::EnvironmentNotPassed, message)
                    .with_change(format!("add `{shown}` to `environment.pass`")))
            }
            Self::PassesByDefault => {
                Ok(Reason::new(Code::EnvironmentAllowed, format!("`{shown}` always passes")))
            }
            Self::Listed(rule) => {
                let message = format!("`{shown}` passes by `{}`", rule.text);
                Ok(Reason::new(Code::EnvironmentAllowed, message).by(rule))
            }
        }
    }
}

/// The first rule that passes the name, when every layer that lists names has one.
fn listed(policy: &Policy, passes: impl Fn(&str) -> bool) -> Option<&RuleRef> {
    let mut found: Option<&RuleRef> = None;
    for layer in &policy.environment.pass {
        let rule = layer.iter().find(|rule| passes(&rule.value))?;
        found = found.or(Some(&rule.rule));
    }
    found
}

/// A trailing `*` matches any rest.
fn matches(pattern: &str, name: &[u8]) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix.as_bytes()),
        None => pattern.as_bytes() == name,
    }
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && !name.contains(&b'=') && !name.contains(&0)
}

/// The whole environment of a run, made from what the caller asks to pass, and the names that were
/// stripped. Sorted by name; of a name that comes twice the last value counts.
pub(super) fn build(policy: &Policy, caller: &Environment) -> (Arc<Environment>, Vec<Vec<u8>>) {
    let ours = &policy.patterns().environment;
    if caller.is_empty() {
        return (Arc::clone(ours), Vec::new());
    }
    let mut passed: Vec<(&[u8], &[u8])> = Vec::with_capacity(caller.len() + ours.len());
    let mut stripped = Vec::new();
    let mut bytes = 0;
    for (name, value) in caller {
        bytes += name.len() + value.len() + 2;
        if bytes <= TOTAL_BYTES && is_value(name, value) && Verdict::of(policy, name).passes() {
            passed.push((name, value));
        } else {
            passed.retain(|(known, _)| known != name);
            stripped.push(name.clone());
        }
    }
    passed.extend(ours.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
    (Arc::new(last_of_each(passed)), stripped)
}

fn last_of_each(mut variables: Vec<(&[u8], &[u8])>) -> Environment {
    // The sort is stable, so the last of a name stays the last.
    variables.sort_by_key(|(name, _)| *name);
    let mut environment: Environment = Vec::with_capacity(variables.len());
    let mut variables = variables.into_iter().peekable();
    while let Some((name, value)) = variables.next() {
        if variables.peek().is_none_or(|(next, _)| *next != name) {
            environment.push((name.to_vec(), value.to_vec()));
        }
    }
    environment
}

/// `() {` is how bash once took functions from values of any name (CVE-2014-6271).
fn is_value(name: &[u8], value: &[u8]) -> bool {
    !value.contains(&0) && name.len() + value.len() + 2 <= STRING_BYTES && !value.starts_with(b"() {")
}

/// What every run gets, whatever the caller passes: the policy's own variables, but none that would
/// make programs run other code, then ours. Sorted by name.
pub(crate) fn set_for_every_run(policy: &Policy) -> Environment {
    let mut all: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for rule in &policy.environment.set {
        let (name, value) = (rule.value.0.as_bytes(), rule.value.1.as_bytes());
        if is_name(name) && is_value(name, value) && !is_hook(name) {
            all.insert(name.to_vec(), value.to_vec());
        }
    }
    all.extend(GIT.map(|(name, value)| (name.into(), value.into())));
    all.insert(b"PATH".to_vec(), search_path(policy));
    all.into_iter().collect()
}

fn search_path(policy: &Policy) -> Vec<u8> {
    let directories = policy.trusted_dirs.iter().map(|directory| directory.as_os_str().as_bytes());
    // A directory with a colon in its name cannot stand in PATH.
    let directories: Vec<&[u8]> = directories.filter(|directory| !directory.contains(&b':')).collect();
    directories.join(&b':')
}
