//! Statements, layer by layer, into a policy.

use std::path::PathBuf;

use super::LayerKind;
use super::state::{Protected, Stated};
use crate::expand::Expansion;
use crate::policy::{
    Ask, EnvironmentRules, ExecLayer, FileLayer, FrontDoor, Logging, NetworkLayer, PathPattern, Policy,
    RootRule, Ruled, Security,
};
use crate::{Access, Floor, Limits, RuleRef, profile};

/// Merges documents that are in order. The built-in profile may be missing; then nothing is allowed that no document states.
pub(super) fn merge(stated: Vec<Stated>, expansion: &Expansion) -> Policy {
    let mut policy = ground(&stated, expansion);
    let mut base = Base::default();
    for document in stated {
        policy.sources.push(document.source.clone());
        match document.kind {
            LayerKind::BuiltIn | LayerKind::Named => base.replace(&mut policy, document),
            LayerKind::User | LayerKind::Project => restrict(&mut policy, document),
        }
    }
    base.finish(&mut policy, expansion);
    policy
}

/// The policy that states nothing: nothing is allowed.
fn ground(stated: &[Stated], expansion: &Expansion) -> Policy {
    let nowhere = |text: &str| RuleRef { source: "default".into(), line: 0, column: 0, text: text.into() };
    let built_in = stated.iter().any(|document| document.kind == LayerKind::BuiltIn);
    Policy {
        sources: Vec::new(),
        exec: vec![ExecLayer {
            security: Ruled { value: Security::Allowlist, rule: nowhere("security: allowlist") },
            ask: Ruled { value: Ask::Off, rule: nowhere("ask: off") },
            allowlist: Vec::new(),
            inline_eval_denied: None,
            safe_bins: Vec::new(),
        }],
        exec_deny: Vec::new(),
        trusted_dirs: profile::trusted_dirs(),
        bundles: profile::bundles(),
        verify: true,
        files: vec![FileLayer::default()],
        system: if built_in { profile::system(expansion) } else { Vec::new() },
        hidden: Vec::new(),
        hidden_by_default: Vec::new(),
        protected: Vec::new(),
        network: vec![NetworkLayer::default()],
        environment: EnvironmentRules::default(),
        limits: Limits::default(),
        floor: Floor::default(),
        detach: false,
        logging: Logging::default(),
        front_door: FrontDoor::default(),
        patterns: Default::default(),
    }
}

/// What the built-in and the named documents state, the later replacing the earlier.
#[derive(Default)]
struct Base {
    workspace: Option<Ruled<PathBuf>>,
    workspace_exec: bool,
    read_only: Vec<(Ruled<PathBuf>, bool)>,
    writable: Vec<(Ruled<PathBuf>, bool)>,
    protected: Vec<Ruled<PathPattern>>,
    protected_stated: bool,
}

impl Base {
    fn replace(&mut self, policy: &mut Policy, document: Stated) {
        let named = document.kind == LayerKind::Named;
        if named {
            set_aside(policy, &document);
        }
        if let Some(layer) = policy.exec.first_mut() {
            replace(&mut layer.security, document.security);
            replace(&mut layer.ask, document.ask);
            replace(&mut layer.allowlist, document.allowlist);
            replace(&mut layer.inline_eval_denied, document.inline_eval_denied);
            replace(&mut layer.safe_bins, document.safe_bins);
        }
        policy.exec_deny.extend(document.deny);
        replace(&mut policy.trusted_dirs, document.trusted_dirs);
        replace(&mut policy.verify, document.verify);
        replace(&mut policy.detach, document.detach);
        if document.workspace.is_some() {
            self.workspace = document.workspace;
        }
        replace(&mut self.workspace_exec, document.workspace_exec);
        let with = |paths: Vec<Ruled<PathBuf>>| paths.into_iter().map(|path| (path, named)).collect();
        replace(&mut self.read_only, document.read_only.map(with));
        replace(&mut self.writable, document.writable.map(with));
        if named { &mut policy.hidden } else { &mut policy.hidden_by_default }.extend(document.hidden);
        self.protect(document.protected);
        if let Some(layer) = policy.network.first_mut() {
            replace(&mut layer.default_allow, document.network_default_allow);
            replace(&mut layer.allow, document.network_allow);
        }
        if let Some(pass) = document.pass {
            policy.environment.pass = vec![pass];
        }
        policy.environment.set.extend(document.set);
        policy.limits = overlay(&document.limits, &policy.limits);
        replace(&mut policy.floor.degrade, document.degrade);
        replace(&mut policy.logging.audit_commands, document.audit_commands);
        replace(&mut policy.logging.audit_file_access, document.audit_file_access);
        if document.log_file.is_some() {
            policy.logging.log_file = document.log_file;
        }
        replace(&mut policy.logging.continue_without_log, document.continue_without_log);
        policy.front_door.sections.extend(document.front_door);
    }

    fn protect(&mut self, protected: Option<Protected>) {
        let Some(protected) = protected else { return };
        match protected {
            Protected::None => self.protected.clear(),
            Protected::Default(rule) => self.protected = profile::protected(&rule),
            // A list adds to what is protected anyway.
            Protected::List(list) => self.protected.extend(list),
        }
        self.protected_stated = true;
    }

    fn finish(self, policy: &mut Policy, expansion: &Expansion) {
        let workspace = self.workspace.unwrap_or_else(|| Ruled {
            value: expansion.cwd.clone(),
            rule: RuleRef {
                source: "built-in".into(),
                line: 0,
                column: 0,
                text: "the current directory".into(),
            },
        });
        let root = |(path, named): (Ruled<PathBuf>, bool), access, execute| Ruled {
            rule: path.rule,
            value: RootRule { path: path.value, access, execute, named },
        };
        let named = workspace.rule.source.as_ref() != "built-in";
        let mut roots = vec![root((workspace.clone(), named), Access::Write, self.workspace_exec)];
        roots.extend(self.writable.into_iter().map(|path| root(path, Access::Write, false)));
        roots.extend(self.read_only.into_iter().map(|path| root(path, Access::Read, false)));
        if let Some(layer) = policy.files.first_mut() {
            *layer = FileLayer { roots, workspace: Some(workspace), workspace_exec: self.workspace_exec };
        }
        let mut protected = self.protected;
        protected.append(&mut policy.protected);
        policy.protected = protected;
    }
}

/// What a named document states is no longer restricted by the user's and the project's documents.
fn set_aside(policy: &mut Policy, named: &Stated) {
    if named.security.is_some() || named.allowlist.is_some() {
        policy.exec.truncate(1);
    }
    if named.workspace.is_some() || named.read_only.is_some() || named.writable.is_some() {
        policy.files.truncate(1);
    }
    if named.network_default_allow.is_some() || named.network_allow.is_some() {
        policy.network.truncate(1);
    }
}

/// A document that only restricts becomes a layer of its own.
fn restrict(policy: &mut Policy, document: Stated) {
    let states_exec = document.security.is_some()
        || document.allowlist.is_some()
        || document.ask.is_some()
        || document.inline_eval_denied.is_some();
    if let Some(ground) = policy.exec.first().filter(|_| states_exec) {
        // Without a list of its own it allows what the layers before it allow.
        let full = Ruled { value: Security::Full, rule: ground.security.rule.clone() };
        let listed =
            document.allowlist.as_ref().map(|_| Ruled { value: Security::Allowlist, ..full.clone() });
        policy.exec.push(ExecLayer {
            security: document.security.or(listed).unwrap_or(full),
            ask: document.ask.unwrap_or_else(|| ground.ask.clone()),
            allowlist: document.allowlist.unwrap_or_default(),
            inline_eval_denied: document.inline_eval_denied.flatten(),
            safe_bins: document.safe_bins.unwrap_or_default(),
        });
    }
    policy.exec_deny.extend(document.deny);
    if let Some(dirs) = document.trusted_dirs {
        policy.trusted_dirs.retain(|dir| dirs.contains(dir));
    }
    policy.verify |= document.verify == Some(true);
    policy.detach &= document.detach != Some(false);
    restrict_files(
        policy,
        document.workspace,
        document.workspace_exec,
        document.read_only,
        document.writable,
    );
    policy.hidden.extend(document.hidden);
    match document.protected {
        Some(Protected::List(list)) => policy.protected.extend(list),
        Some(Protected::Default(rule)) => policy.protected.extend(profile::protected(&rule)),
        Some(Protected::None) | None => {}
    }
    if document.network_default_allow.is_some() || document.network_allow.is_some() {
        policy.network.push(NetworkLayer {
            default_allow: document.network_default_allow.unwrap_or(false),
            allow: document.network_allow.unwrap_or_default(),
        });
    }
    policy.environment.pass.extend(document.pass);
    policy.limits = stricter(&document.limits, &policy.limits);
    policy.logging.audit_commands |= document.audit_commands == Some(true);
    policy.logging.audit_file_access |= document.audit_file_access == Some(true);
    policy.logging.continue_without_log &= document.continue_without_log != Some(false);
    if policy.logging.log_file.is_none() {
        policy.logging.log_file = document.log_file;
    }
    policy.front_door.sections.extend(document.front_door);
}

fn restrict_files(
    policy: &mut Policy,
    workspace: Option<Ruled<PathBuf>>,
    workspace_exec: Option<bool>,
    read_only: Option<Vec<Ruled<PathBuf>>>,
    writable: Option<Vec<Ruled<PathBuf>>>,
) {
    if workspace.is_none() && read_only.is_none() && writable.is_none() && workspace_exec != Some(false) {
        return;
    }
    let execute = workspace_exec.unwrap_or(true);
    let root = |path: Ruled<PathBuf>, access, execute| Ruled {
        rule: path.rule,
        value: RootRule { path: path.value, access, execute, named: false },
    };
    let mut roots: Vec<_> = workspace.iter().map(|path| root(path.clone(), Access::Write, execute)).collect();
    roots.extend(writable.into_iter().flatten().map(|path| root(path, Access::Write, execute)));
    roots.extend(read_only.into_iter().flatten().map(|path| root(path, Access::Read, false)));
    policy.files.push(FileLayer { roots, workspace, workspace_exec: execute });
}

fn replace<T>(place: &mut T, stated: Option<T>) {
    if let Some(value) = stated {
        *place = value;
    }
}

/// `over` where it states something, else `under`.
fn overlay(over: &Limits, under: &Limits) -> Limits {
    combine(over, under, |over, under| over.or(under), |over, under| over.or(under))
}

/// The smaller of both, one by one.
fn stricter(a: &Limits, b: &Limits) -> Limits {
    fn least<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
        match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
    combine(a, b, least, least)
}

fn combine(
    a: &Limits,
    b: &Limits,
    time: impl Fn(Option<std::time::Duration>, Option<std::time::Duration>) -> Option<std::time::Duration>,
    number: impl Fn(Option<u64>, Option<u64>) -> Option<u64>,
) -> Limits {
    Limits {
        time: time(a.time, b.time),
        output: number(a.output, b.output),
        cpu: time(a.cpu, b.cpu),
        memory: number(a.memory, b.memory),
        processes: number(a.processes, b.processes),
        open_files: number(a.open_files, b.open_files),
        file_size: number(a.file_size, b.file_size),
        disk: number(a.disk, b.disk),
        new_files: number(a.new_files, b.new_files),
    }
}
