//! The program files that a run may execute.

use std::path::{Component, Path, PathBuf};

use super::super::exec;
use super::super::world::World;
use crate::policy::{Descendants, ExecLayer, Part, ProgramMatcher, Security};
use crate::{Confinement, FileId, FileKind, Policy, ProgramFact};

/// Whether every layer lets any readable program run.
pub(super) fn is_any(policy: &Policy) -> bool {
    !policy.exec.is_empty() && policy.exec.iter().all(|layer| layer.security.value == Security::Full)
}

/// Whether the arguments of descendants matter.
pub(super) fn has_argument_rules(policy: &Policy) -> bool {
    policy.exec.iter().any(|layer| {
        let by_entry = |entry: &crate::policy::Entry| {
            !entry.prefix.is_empty() || !entry.allow.is_empty() || !entry.deny.is_empty()
        };
        layer.inline_eval_denied.is_some()
            || !layer.safe_bins.is_empty()
            || layer.allowlist.iter().any(|entry| by_entry(&entry.value))
    })
}

/// Whether any program could be refused to a run's processes.
pub(super) fn is_bounded(policy: &Policy) -> bool {
    !is_any(policy) || !policy.exec_deny.is_empty() || has_argument_rules(policy)
}

/// Adds what every layer allows and no `exec.deny` names, with interpreters and bundles.
pub(super) fn add(policy: &Policy, world: &World<'_>, confinement: &mut Confinement) {
    let lists: Vec<Option<Vec<&ProgramFact>>> =
        policy.exec.iter().map(|layer| allowed(layer, world)).collect();
    let denied: Vec<FileId> = policy
        .exec_deny
        .iter()
        .flat_map(|entry| meant(&entry.value, world))
        .map(|program| program.id)
        .collect();
    let mut bounded = lists.iter().flatten();
    let Some(first) = bounded.next() else { return };
    let rest: Vec<_> = bounded.collect();
    for program in first {
        let everywhere = rest.iter().all(|list| list.iter().any(|other| other.id == program.id));
        if everywhere && program.executable && !denied.contains(&program.id) {
            confinement.add_program(program);
            add_bundles(policy, world, program, confinement);
        }
    }
}

/// The programs of one layer; `None` when it allows any.
fn allowed<'w>(layer: &ExecLayer, world: &World<'w>) -> Option<Vec<&'w ProgramFact>> {
    match layer.security.value {
        Security::Full => None,
        Security::Deny => Some(Vec::new()),
        Security::Allowlist => {
            let listed = layer.allowlist.iter().flat_map(|entry| meant(&entry.value.program, world));
            let safe = layer.safe_bins.iter().filter_map(|name| by_name(&name.value, world));
            Some(listed.chain(safe).collect())
        }
    }
}

fn meant<'w>(matcher: &ProgramMatcher, world: &World<'w>) -> Vec<&'w ProgramFact> {
    match matcher {
        ProgramMatcher::Name(name) => by_name(name, world).into_iter().collect(),
        ProgramMatcher::Path(pattern) => world.glob(pattern).unwrap_or_default().iter().collect(),
    }
}

fn by_name<'w>(name: &[u8], world: &World<'w>) -> Option<&'w ProgramFact> {
    world.program(name)?.as_ref().ok()
}

/// What `program` executes as parts of itself.
pub(super) fn add_bundles(
    policy: &Policy,
    world: &World<'_>,
    program: &ProgramFact,
    confinement: &mut Confinement,
) {
    let names = [program.found.file_name(), program.real.file_name()];
    let is_named = |name: &[u8]| names.iter().flatten().any(|known| known.as_encoded_bytes() == name);
    for bundle in policy.bundles.iter().filter(|bundle| is_named(&bundle.program)) {
        // The trusted program of that name, not another file that is called like it.
        if !by_name(&bundle.program, world).is_some_and(|known| known.id == program.id) {
            continue;
        }
        bundle.parts.iter().for_each(|part| add_part(policy, world, (program, part), confinement));
    }
}

fn add_part(
    policy: &Policy,
    world: &World<'_>,
    (program, part): (&ProgramFact, &Part),
    confinement: &mut Confinement,
) {
    match part {
        Part::Command { name, .. } => {
            if let Some(fact) = by_name(name, world) {
                confinement.add_program(fact);
            }
        }
        Part::Path(path) => {
            if let Some(real) = existing(path, world) {
                insert(&mut confinement.executables, real);
            }
        }
        // Which files match can change during the run.
        Part::Glob(pattern) => add_glob(pattern, world, confinement),
        Part::Installation(pattern) => {
            if let Some(glob) = exec::in_installation(program, pattern) {
                add_glob(&glob, world, confinement);
            }
        }
        Part::Workspace(_) => {
            if let Some(real) = exec::workspace(policy, world) {
                insert(&mut confinement.execute_supervised, &real);
            }
        }
    }
}

fn add_glob(pattern: &str, world: &World<'_>, confinement: &mut Confinement) {
    let fixed: PathBuf = Path::new(pattern).components().take_while(is_plain).collect();
    if let Some(real) = existing(&fixed, world) {
        insert(&mut confinement.execute_supervised, real);
    }
}

/// Adds what the kernel lets through because every execution is judged by itself.
pub(super) fn add_supervised(policy: &Policy, world: &World<'_>, confinement: &mut Confinement) {
    if !confinement.supervise || confinement.execute_any {
        return;
    }
    for program in exec::SUPERVISED.into_iter().filter_map(|name| by_name(name, world)) {
        for file in std::iter::once(&program.real).chain(&program.interpreters) {
            insert(&mut confinement.execute_supervised, file);
        }
    }
    // What somebody is asked about must be able to run after a yes.
    if policy.descendants == Descendants::System || policy.asks() {
        for directory in policy.trusted_dirs.iter().filter_map(|directory| existing(directory, world)) {
            insert(&mut confinement.execute_supervised, directory);
        }
    }
}

fn existing<'w>(path: &Path, world: &World<'w>) -> Option<&'w PathBuf> {
    let known = world.path(path, true)?.as_ref().ok()?;
    (known.kind != FileKind::Missing).then_some(&known.real)
}

fn is_plain(component: &Component<'_>) -> bool {
    component.as_os_str().to_str().is_some_and(|name| !crate::pattern::is_magic(name))
}

fn insert(list: &mut Vec<PathBuf>, file: &PathBuf) {
    if let Err(place) = list.binary_search(file) {
        list.insert(place, file.clone());
    }
}
