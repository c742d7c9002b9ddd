//! Policies with rules taken away or added, for asking what would be otherwise.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::policy::{Ask, Entry, ExecLayer, FileLayer, Policy, ProgramMatcher, RootRule, Ruled, Security};
use crate::{Access, Facts, NetworkRule, RuleRef};

/// The policy without these rules.
pub(super) fn without(policy: &Policy, rules: &[RuleRef]) -> Policy {
    fn keep<T>(list: &mut Vec<Ruled<T>>, rules: &[RuleRef]) {
        list.retain(|stated| !rules.contains(&stated.rule));
    }
    policy.edited(|policy| {
        policy.exec.iter_mut().for_each(|layer| exec_without(layer, rules));
        for layer in &mut policy.files {
            // The layer still bounds what it speaks about: `workspace` stays.
            keep(&mut layer.roots, rules);
        }
        keep(&mut policy.exec_deny, rules);
        keep(&mut policy.system, rules);
        keep(&mut policy.hidden, rules);
        keep(&mut policy.hidden_by_default, rules);
        keep(&mut policy.protected, rules);
        policy.network.iter_mut().for_each(|layer| keep(&mut layer.allow, rules));
        policy.environment.pass.iter_mut().for_each(|layer| keep(layer, rules));
        keep(&mut policy.environment.set, rules);
        policy.tools.iter_mut().for_each(|layer| keep(layer, rules));
    })
}

fn exec_without(layer: &mut ExecLayer, rules: &[RuleRef]) {
    layer.allowlist.retain(|entry| !rules.contains(&entry.rule));
    for entry in &mut layer.allowlist {
        entry.value.allow.retain(|rule| !rules.contains(&rule.rule));
        entry.value.deny.retain(|rule| !rules.contains(&rule.rule));
    }
    layer.safe_bins.retain(|name| !rules.contains(&name.rule));
    layer.inline_eval_denied.take_if(|rule| rules.contains(rule));
    // What is not stated is as in the built-in profile.
    if rules.contains(&layer.security.rule) {
        layer.security.value = Security::Allowlist;
    }
    if rules.contains(&layer.ask.rule) {
        layer.ask.value = Ask::Off;
    }
}

/// Rules to add.
#[derive(Clone, Debug)]
pub(super) enum Addition {
    ReadOnly(Vec<PathBuf>),
    Writable(Vec<PathBuf>),
    Programs(Vec<ProgramMatcher>),
    Pass(String),
    Tool(String),
    Network(NetworkRule),
}

/// The policy with them: in every layer, since every layer must allow.
pub(super) fn with(policy: &Policy, addition: &Addition) -> Policy {
    policy.edited(|policy| match addition {
        Addition::ReadOnly(paths) => add_roots(&mut policy.files, paths, Access::Read),
        Addition::Writable(paths) => add_roots(&mut policy.files, paths, Access::Write),
        Addition::Programs(programs) => {
            for layer in &mut policy.exec {
                layer.allowlist.extend(programs.iter().cloned().map(entry));
            }
        }
        Addition::Pass(name) => {
            if policy.environment.pass.is_empty() {
                policy.environment.pass.push(Vec::new());
            }
            policy.environment.pass.iter_mut().for_each(|layer| layer.push(added(name.clone())));
        }
        Addition::Tool(name) => {
            policy.tools.iter_mut().for_each(|layer| layer.push(added(name.clone())));
        }
        Addition::Network(rule) => {
            policy.network.iter_mut().for_each(|layer| layer.allow.push(added(rule.clone())));
        }
    })
}

fn add_roots(layers: &mut [FileLayer], paths: &[PathBuf], access: Access) {
    for layer in layers {
        for path in paths {
            layer.roots.push(added(RootRule { path: path.clone(), access, execute: false, named: true }));
        }
    }
}

fn entry(program: ProgramMatcher) -> Ruled<Entry> {
    added(Entry { program, prefix: Vec::new(), allow: Vec::new(), deny: Vec::new() })
}

fn added<T>(value: T) -> Ruled<T> {
    let rule = RuleRef { source: Arc::from("added"), line: 1, column: 1, text: Arc::from("added") };
    Ruled { value, rule }
}

/// The program that a command's first word names.
pub(super) fn by_name(word: &[u8]) -> ProgramMatcher {
    if word.contains(&b'/') {
        return by_path(Path::new(OsStr::from_bytes(word)));
    }
    ProgramMatcher::Name(word.to_vec())
}

/// Exactly this file.
pub(super) fn by_path(path: &Path) -> ProgramMatcher {
    ProgramMatcher::Path(globset::escape(&path.to_string_lossy()))
}

/// A requested path as a policy would write it: absolute, and where `..` leads in place of one.
pub(super) fn absolute(path: &[u8], cwd: &Path, facts: &Facts) -> Option<PathBuf> {
    let joined = match path.strip_prefix(b"~/") {
        Some(rest) => facts.home.as_deref()?.join(OsStr::from_bytes(rest)),
        None => cwd.join(OsStr::from_bytes(path)),
    };
    let path: PathBuf = joined.is_absolute().then(|| joined.components().collect())?;
    if !path.components().any(|component| component == Component::ParentDir) {
        return Some(path);
    }
    let fact = facts.path(&path, true).or_else(|| facts.path(&path, false))?;
    fact.as_ref().ok().map(|resolved| resolved.real.clone())
}

impl fmt::Display for Addition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |paths: &[PathBuf]| {
            let paths: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
            paths.join(" and ")
        };
        match self {
            Self::ReadOnly(paths) => write!(f, "add {} to `filesystem.readOnly`", shown(paths)),
            Self::Writable(paths) => write!(f, "add {} to `filesystem.writable`", shown(paths)),
            Self::Programs(programs) => {
                let names: Vec<String> = programs.iter().map(program).collect();
                write!(f, "add {} to `exec.allowlist`", names.join(" and "))
            }
            Self::Tool(name) => write!(f, "add `{name}` to `tools.allow`"),
            Self::Pass(name) => write!(f, "add `{name}` to `environment.pass`"),
            Self::Network(rule) => write!(f, "add `{}` to `network.allow`", network(rule)),
        }
    }
}

fn program(matcher: &ProgramMatcher) -> String {
    match matcher {
        ProgramMatcher::Name(name) => format!("`{}`", String::from_utf8_lossy(name)),
        ProgramMatcher::Path(path) => format!("`path: {path}`"),
    }
}

fn network(rule: &NetworkRule) -> String {
    let host = rule.host.as_ref().map(|host| format!("host: \"{host}\""));
    let port = rule.port.map(|port| format!("port: {port}"));
    let protocol = rule.protocol.map(|protocol| format!("protocol: {protocol:?}").to_lowercase());
    let parts: Vec<String> = [host, port, protocol].into_iter().flatten().collect();
    format!("{{ {} }}", parts.join(", "))
}
