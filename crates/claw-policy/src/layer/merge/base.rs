//! Documents that replace what they state: the built-in profile and named ones.

use std::path::PathBuf;

use super::replace;
use crate::expand::Expansion;
use crate::layer::LayerKind;
use crate::layer::state::{Protected, Stated};
use crate::policy::{Bundle, FileLayer, Part, PathPattern, Policy, RootRule, Ruled, Security};
use crate::{Access, Limits, RuleRef, profile};

/// What the built-in and the named documents state of files, the later replacing the earlier.
#[derive(Default)]
pub(super) struct Base {
    workspace: Option<Ruled<PathBuf>>,
    workspace_exec: bool,
    /// With whether a named document lists the path.
    read_only: Vec<(Ruled<PathBuf>, bool)>,
    writable: Vec<(Ruled<PathBuf>, bool)>,
    protected: Vec<Ruled<PathPattern>>,
}

impl Base {
    pub(super) fn replace(&mut self, policy: &mut Policy, document: Stated) {
        if document.kind == LayerKind::Named {
            set_aside(policy, &document);
        }
        let document = self.replace_files(policy, document);
        if let Some(layer) = policy.exec.first_mut() {
            replace(&mut layer.security, document.security);
            replace(&mut layer.ask, document.ask);
            replace(&mut layer.allowlist, document.allowlist);
            replace(&mut layer.inline_eval_denied, document.inline_eval_denied);
            replace(&mut layer.safe_bins, document.safe_bins);
        }
        policy.exec_deny.extend(document.deny);
        if let Some(dirs) = document.trusted_dirs {
            policy.trusted_dirs = dirs.iter().map(|dir| dir.value.clone()).collect();
            policy.places.trusted_dirs = dirs;
        }
        replace(&mut policy.verify, document.verify);
        replace(&mut policy.descendants, document.descendants);
        for (program, parts) in document.bundles {
            add_bundle(&mut policy.bundles, program, &parts);
            policy.places.parts.extend(parts);
        }
        replace(&mut policy.detach, document.detach);
        replace(&mut policy.secrets, document.secrets);
        if let Some(layer) = policy.network.first_mut() {
            replace(&mut layer.default_allow, document.network_default_allow);
            replace(&mut layer.allow, document.network_allow);
        }
        if let Some(pass) = document.pass {
            policy.environment.pass = vec![pass];
        }
        policy.environment.set.extend(document.set);
        if let Some(tools) = document.tools {
            policy.tools = vec![tools];
        }
        policy.limits = overlay(&document.limits, &policy.limits);
        if let Some(degrade) = document.degrade {
            policy.floor.degrade = degrade.iter().map(|guarantee| guarantee.value).collect();
            policy.places.degrade = degrade;
        }
        policy.logging.level = document.log_level.or(policy.logging.level);
        replace(&mut policy.logging.audit_commands, document.audit_commands);
        replace(&mut policy.logging.audit_file_access, document.audit_file_access);
        if document.log_file.is_some() {
            policy.logging.log_file = document.log_file;
        }
        replace(&mut policy.logging.continue_without_log, document.continue_without_log);
        policy.front_door.sections.extend(document.front_door);
        policy.places.keys.extend(document.places);
    }

    fn replace_files(&mut self, policy: &mut Policy, mut document: Stated) -> Stated {
        let named = document.kind == LayerKind::Named;
        if document.workspace.is_some() {
            self.workspace = document.workspace.take();
        }
        replace(&mut self.workspace_exec, document.workspace_exec);
        let with = |paths: Vec<Ruled<PathBuf>>| paths.into_iter().map(|path| (path, named)).collect();
        replace(&mut self.read_only, document.read_only.take().map(with));
        replace(&mut self.writable, document.writable.take().map(with));
        let hidden = if named { &mut policy.hidden } else { &mut policy.hidden_by_default };
        hidden.append(&mut document.hidden);
        match document.protected.take() {
            None => {}
            Some(Protected::None) => self.protected.clear(),
            Some(Protected::Default(rule)) => self.protected = profile::protected(&rule),
            // A list adds to what is protected anyway.
            Some(Protected::List(list)) => self.protected.extend(list),
        }
        document
    }

    pub(super) fn finish(self, policy: &mut Policy, expansion: &Expansion) {
        let named = self.workspace.is_some();
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
        let mut roots = vec![root((workspace.clone(), named), Access::Write, self.workspace_exec)];
        roots.extend(self.writable.into_iter().map(|path| root(path, Access::Write, false)));
        roots.extend(self.read_only.into_iter().map(|path| root(path, Access::Read, false)));
        if let Some(layer) = policy.files.first_mut() {
            *layer = FileLayer { roots, workspace: Some(workspace), workspace_exec: self.workspace_exec };
        }
        policy.protected.splice(0..0, self.protected);
    }
}

/// What a named document states is no longer restricted by the user's and the project's documents.
fn set_aside(policy: &mut Policy, named: &Stated) {
    let security = named.security.as_ref().map(|security| security.value);
    for layer in policy.exec.iter_mut().skip(1) {
        let lifted = match layer.security.value {
            Security::Allowlist => named.allowlist.is_some() || security == Some(Security::Full),
            Security::Deny => security.is_some(),
            Security::Full => named.allowlist.is_some(),
        };
        if lifted {
            layer.security.value = Security::Full;
            // Its entries would still bring their argument rules.
            layer.allowlist.clear();
        }
        if let Some(ask) = &named.ask {
            layer.ask = ask.clone();
        }
        if named.inline_eval_denied.is_some() {
            layer.inline_eval_denied = None;
        }
    }
    // A layer with a workspace says where files may be at all; one without only narrows what it lists.
    let lists = named.read_only.is_some() || named.writable.is_some();
    let mut is_base = true;
    policy.files.retain(|layer| {
        let lifted = lists || (named.workspace.is_some() && layer.workspace.is_some());
        std::mem::take(&mut is_base) || !lifted
    });
    if named.workspace_exec == Some(true) {
        for layer in policy.files.iter_mut().skip(1) {
            layer.workspace_exec = true;
            layer.roots.iter_mut().for_each(|root| root.value.execute |= root.value.access == Access::Write);
        }
    }
    if named.network_default_allow.is_some() || named.network_allow.is_some() {
        policy.network.truncate(1);
    }
}

/// A program's parts replace those that it had; the word `default` among them stands for these.
fn add_bundle(bundles: &mut Vec<Bundle>, program: Vec<u8>, stated: &[Ruled<Part>]) {
    let default = Part::of_text("default");
    let known = bundles.iter().position(|known| known.program == program);
    let before = known.map_or_else(Vec::new, |place| bundles.swap_remove(place).parts);
    let mut parts = Vec::new();
    for part in stated {
        match &part.value {
            part if *part == default => parts.extend_from_slice(&before),
            part => parts.push(part.clone()),
        }
    }
    bundles.push(Bundle { program, parts });
}

/// `over` where it states something, else `under`.
fn overlay(over: &Limits, under: &Limits) -> Limits {
    Limits {
        time: over.time.or(under.time),
        output: over.output.or(under.output),
        cpu: over.cpu.or(under.cpu),
        memory: over.memory.or(under.memory),
        processes: over.processes.or(under.processes),
        open_files: over.open_files.or(under.open_files),
        file_size: over.file_size.or(under.file_size),
        disk: over.disk.or(under.disk),
        new_files: over.new_files.or(under.new_files),
    }
}
