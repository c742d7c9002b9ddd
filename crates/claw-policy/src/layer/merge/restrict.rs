//! Documents that only restrict: the user's and the project's.

use crate::layer::LayerKind;
use crate::layer::state::{Protected, Stated};
use crate::policy::{Descendants, ExecLayer, FileLayer, NetworkLayer, Policy, RootRule, Ruled, Security};
use crate::{Access, Limits, profile};

/// A document that only restricts becomes a layer of its own.
pub(in crate::layer) fn restrict(policy: &mut Policy, document: Stated) {
    let document = restrict_exec(policy, document);
    let document = restrict_files(policy, document);
    if document.network_default_allow.is_some() || document.network_allow.is_some() {
        policy.network.push(NetworkLayer {
            default_allow: document.network_default_allow.unwrap_or(false),
            allow: document.network_allow.unwrap_or_default(),
        });
    }
    policy.environment.pass.extend(document.pass);
    policy.tools.extend(document.tools);
    policy.limits = stricter(&document.limits, &policy.limits);
    if let Some(degrade) = document.degrade {
        policy.floor.degrade.retain(|given_up| degrade.iter().any(|stated| stated.value == *given_up));
    }
    policy.verify |= document.verify == Some(true);
    if let Some(Descendants::Strict) = document.descendants {
        policy.descendants = Descendants::Strict;
    }
    policy.detach &= document.detach != Some(false);
    policy.secrets = policy.secrets.max(document.secrets.unwrap_or_default());
    // More is logged, never less.
    policy.logging.level = policy.logging.level.max(document.log_level);
    policy.logging.audit_commands |= document.audit_commands == Some(true);
    policy.logging.audit_file_access |= document.audit_file_access == Some(true);
    policy.logging.continue_without_log &= document.continue_without_log != Some(false);
    if policy.logging.log_file.is_none() {
        policy.logging.log_file = document.log_file;
    }
    // Who owns the assistant is the user's to say, and nobody's to replace. A project is a stranger's text.
    if document.kind == LayerKind::User {
        for (name, section) in document.front_door {
            policy.front_door.sections.entry(name).or_insert(section);
        }
    }
    for (key, place) in document.places {
        policy.places.keys.entry(key).or_insert(place);
    }
}

fn restrict_exec(policy: &mut Policy, mut document: Stated) -> Stated {
    let states_exec = document.security.is_some()
        || document.allowlist.is_some()
        || document.ask.is_some()
        || document.inline_eval_denied.is_some();
    if let Some(ground) = policy.exec.first().filter(|_| states_exec) {
        let stated = document.security.take();
        let value = stated.as_ref().map(|security| security.value);
        let rule = stated.map_or_else(|| ground.security.rule.clone(), |security| security.rule);
        // Without a list of its own it allows what the layers before it allow, also under `security: allowlist`.
        let security = match &document.allowlist {
            _ if value == Some(Security::Deny) => Ruled { value: Security::Deny, rule },
            Some(_) if value != Some(Security::Full) => Ruled { value: Security::Allowlist, rule },
            _ => Ruled { value: Security::Full, rule: ground.security.rule.clone() },
        };
        policy.exec.push(ExecLayer {
            security,
            ask: document.ask.take().unwrap_or_else(|| ground.ask.clone()),
            allowlist: document.allowlist.take().unwrap_or_default(),
            inline_eval_denied: document.inline_eval_denied.take().flatten(),
            safe_bins: document.safe_bins.take().unwrap_or_default(),
        });
    }
    policy.exec_deny.append(&mut document.deny);
    if let Some(dirs) = document.trusted_dirs.take() {
        policy.trusted_dirs.retain(|trusted| dirs.iter().any(|dir| dir.value == *trusted));
        policy.places.keys.extend(document.places.get("exec.trustedDirs").map(|place| {
            let key = "exec.trustedDirs".to_owned();
            (key, place.clone())
        }));
    }
    document
}

fn restrict_files(policy: &mut Policy, mut document: Stated) -> Stated {
    let (workspace, read_only, writable) =
        (document.workspace.take(), document.read_only.take(), document.writable.take());
    let execute = document.workspace_exec.unwrap_or(true);
    if workspace.is_some() || read_only.is_some() || writable.is_some() || !execute {
        let root = |path: Ruled<_>, access, execute| Ruled {
            rule: path.rule,
            value: RootRule { path: path.value, access, execute, named: false },
        };
        let writable = writable.into_iter().flatten();
        let mut roots: Vec<_> = workspace
            .iter()
            .cloned()
            .chain(writable)
            .map(|path| root(path, Access::Write, execute))
            .collect();
        roots.extend(read_only.into_iter().flatten().map(|path| root(path, Access::Read, false)));
        policy.files.push(FileLayer { roots, workspace, workspace_exec: execute });
    }
    policy.hidden.append(&mut document.hidden);
    match document.protected.take() {
        Some(Protected::List(list)) => policy.protected.extend(list),
        Some(Protected::Default(rule)) => policy.protected.extend(profile::protected(&rule)),
        Some(Protected::None) | None => {}
    }
    document
}

/// The smaller of both, one by one.
pub(in crate::layer) fn stricter(a: &Limits, b: &Limits) -> Limits {
    fn least<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
        match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
    Limits {
        time: least(a.time, b.time),
        output: least(a.output, b.output),
        cpu: least(a.cpu, b.cpu),
        memory: least(a.memory, b.memory),
        processes: least(a.processes, b.processes),
        open_files: least(a.open_files, b.open_files),
        file_size: least(a.file_size, b.file_size),
        disk: least(a.disk, b.disk),
        new_files: least(a.new_files, b.new_files),
    }
}
