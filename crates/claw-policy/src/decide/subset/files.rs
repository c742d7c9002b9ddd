//! Files: rights change at roots only, so comparing them there compares them everywhere.

use std::path::{Path, PathBuf};

use super::{Example, Excess};
use crate::decide::ground::{Ground, deepest};
use crate::decide::world::World;
use crate::policy::{PathPattern, Ruled};
use crate::{Access, FileAction, FileRequest, Origin, Policy, RuleRef};

/// A name that no rule is likely to be about.
const ANY: &str = "x-any";

pub(super) fn excesses(
    inner: &Policy,
    inner_world: &World<'_>,
    outer: &Policy,
    outer_world: &World<'_>,
) -> Vec<Excess> {
    let (own, other) = (inner_world.ground(inner), outer_world.ground(outer));
    let mut excesses = roots(own, other);
    excesses.extend(system(own, other));
    excesses.extend(unhidden((inner, own), (outer, other)));
    excesses.extend(unprotected(inner, own, outer));
    for excess in named(own, other) {
        if !excesses.iter().any(|found| found.outer.is_some() && found.outer == excess.outer) {
            excesses.push(excess);
        }
    }
    excesses
}

/// What the outer policy hides or protects under another name: a link leads there, which the inner one does not look at.
fn named(own: &Ground, other: &Ground) -> Vec<Excess> {
    let is_reached = |name: &Path, need| {
        access(own, name).is_some_and(|(access, _)| access >= need)
            || deepest(&own.system, name).is_some_and(|root| root.access >= need)
    };
    let hidden = other.hidden_names().filter(|(_, name)| {
        is_reached(name, Access::Read)
            && own.hidden(name, None).is_none()
            && other.hidden(name, None).is_some()
    });
    let protected = other
        .protected_names()
        .filter(|(_, name)| is_reached(name, Access::Write) && own.protected(name).is_none());
    let excess = |what: &str, action, (rule, name): (&RuleRef, &Path)| {
        Excess::new(format!("`{}` may be {what}", name.display()))
            .outer(rule)
            .examples([Origin::Runtime, Origin::Command].map(|origin| file_by(origin, action, name)))
    };
    let hidden = hidden.map(|named| excess("read", FileAction::Read, named));
    hidden.chain(protected.map(|named| excess("changed", FileAction::Write, named))).collect()
}

fn roots(own: &Ground, other: &Ground) -> Vec<Excess> {
    let mut places: Vec<&Path> = own.roots().chain(other.roots()).map(|root| root.real.as_path()).collect();
    places.sort_unstable();
    places.dedup();
    let mut excesses = Vec::new();
    for place in places {
        let (Some((mine, rule)), theirs) = (access(own, place), access(other, place)) else { continue };
        if theirs.as_ref().is_none_or(|(theirs, _)| *theirs < mine) {
            let (what, action) = match mine {
                Access::Write => ("written", FileAction::Write),
                Access::Read => ("read", FileAction::Read),
            };
            let excess = Excess::new(format!("`{}` may be {what}", place.display())).inner(rule);
            let excess = match theirs {
                Some((_, rule)) => excess.outer(rule),
                None => excess,
            };
            excesses
                .push(excess.examples([place.join(ANY), place.to_owned()].map(|path| file(action, &path))));
        }
        // A root may take an entry of the default profile back.
        if let (None, Some(hidden)) = (own.hidden(place, None), other.hidden(place, None)) {
            let examples = [place.join(ANY), place.to_owned()].map(|path| file(FileAction::Read, &path));
            excesses.push(
                Excess::new(format!("`{}` may be read", place.display()))
                    .inner(rule)
                    .outer(hidden)
                    .examples(examples),
            );
        }
        // What is protected under another name holds this root.
        if let (None, Some(protected), Access::Write) = (own.protected(place), other.protected(place), mine) {
            let examples = [place.join(ANY), place.to_owned()].map(|path| file(FileAction::Write, &path));
            excesses.push(
                Excess::new(format!("`{}` may be changed", place.display()))
                    .inner(rule)
                    .outer(protected)
                    .examples(examples),
            );
        }
        let executes = |ground: &Ground| ground.execution_root(place).is_some();
        if executes(own) && !executes(other) {
            excesses.push(
                Excess::new(format!("what is built in `{}` may be executed", place.display())).inner(rule),
            );
        }
    }
    excesses
}

/// What every layer allows at a place, and the rule that bounds it.
fn access<'g>(ground: &'g Ground, place: &Path) -> Option<(Access, &'g RuleRef)> {
    let mut least: Option<(Access, &RuleRef)> = None;
    let mut is_granted = false;
    for layer in &ground.layers {
        match layer.root_of(place) {
            Some(root) => {
                is_granted |= !layer.narrows;
                if least.is_none_or(|(access, _)| root.access < access) {
                    least = Some((root.access, &root.rule));
                }
            }
            None if layer.narrows => {}
            None => return None,
        }
    }
    least.filter(|_| is_granted)
}

/// The system profile: for commands, readable.
fn system(own: &Ground, other: &Ground) -> Vec<Excess> {
    let exceeding = own.system.iter().filter(|root| {
        let by_system = deepest(&other.system, &root.real)
            .is_some_and(|theirs| theirs.access >= root.access && (theirs.execute || !root.execute));
        !by_system && access(other, &root.real).is_none_or(|(theirs, _)| theirs < root.access)
    });
    exceeding
        .map(|root| Excess::new(format!("commands may read `{}`", root.real.display())).inner(&root.rule))
        .collect()
}

fn unhidden((inner, own): (&Policy, &Ground), (outer, other): (&Policy, &Ground)) -> Vec<Excess> {
    let patterns =
        |policy: &Policy| policy.hidden.iter().chain(&policy.hidden_by_default).cloned().collect::<Vec<_>>();
    let kept = patterns(inner);
    let hides = |pattern: &PathPattern| {
        kept.iter().any(|hidden| holds(&hidden.value, pattern)) && !is_taken_back(own, pattern)
    };
    let exposed = patterns(outer)
        .into_iter()
        .filter(|hidden| !is_taken_back(other, &hidden.value) && !hides(&hidden.value));
    exposed
        .filter_map(|hidden| {
            let examples = reached(own, &hidden.value, FileAction::Read)?;
            let message = format!("what `{}` hides may be read", hidden.rule.text);
            Some(Excess::new(message).outer(&hidden.rule).examples(examples))
        })
        .collect()
}

/// Whether a root of the policy takes a whole entry of the default profile back.
fn is_taken_back(ground: &Ground, pattern: &PathPattern) -> bool {
    matches!(pattern, PathPattern::Literal(path) if ground.hidden(path, None).is_none())
}

fn unprotected(inner: &Policy, own: &Ground, outer: &Policy) -> Vec<Excess> {
    let keeps = |protected: &Ruled<PathPattern>| {
        inner.protected.iter().any(|own| holds(&own.value, &protected.value))
    };
    outer
        .protected
        .iter()
        .filter(|protected| !keeps(protected))
        .filter_map(|protected| {
            let examples = reached(own, &protected.value, FileAction::Write)?;
            Some(
                Excess::new(format!("what `{}` protects may be changed", protected.rule.text))
                    .outer(&protected.rule)
                    .examples(examples),
            )
        })
        .collect()
}

/// Whether the first pattern covers all that the second does.
fn holds(outer: &PathPattern, inner: &PathPattern) -> bool {
    match (outer, inner) {
        (PathPattern::Literal(outer), PathPattern::Literal(inner)) => inner.starts_with(outer),
        _ => outer == inner,
    }
}

/// Requests for what a pattern means, when a root of the policy can hold it.
fn reached(own: &Ground, pattern: &PathPattern, action: FileAction) -> Option<Vec<Example>> {
    let need = if action == FileAction::Write { Access::Write } else { Access::Read };
    let granted =
        own.roots().filter(|root| access(own, &root.real).is_some_and(|(access, _)| access >= need));
    // What the system profile has, commands read.
    let system = own.system.iter().filter(|root| root.access >= need);
    let roots: Vec<&Path> = granted.chain(system).map(|root| root.real.as_path()).collect();
    let paths: Vec<PathBuf> = match pattern {
        PathPattern::Literal(path) => {
            let beneath = roots.iter().filter(|root| root.starts_with(path)).map(|root| root.to_path_buf());
            let holding = access(own, path).is_some_and(|(access, _)| access >= need)
                || deepest(&own.system, path).is_some_and(|root| root.access >= need);
            holding.then(|| path.clone()).into_iter().chain(beneath).collect()
        }
        PathPattern::Component(name) => roots.iter().map(|root| root.join(without_magic(name))).collect(),
        PathPattern::Glob(glob) => {
            let plain = without_magic(glob);
            let anywhere = plain.trim_start_matches('/').to_owned();
            let under = roots.iter().map(|root| root.join(&anywhere));
            std::iter::once(PathBuf::from(plain)).chain(under).collect()
        }
    };
    // The runtime's own request first; what only the system profile has, a command reads.
    let by = |origin: Origin| paths.iter().map(move |path| file_by(origin, action, path));
    (!paths.is_empty()).then(|| by(Origin::Runtime).chain(by(Origin::Command)).collect())
}

/// A name that the pattern matches, for the simple ones.
fn without_magic(pattern: &str) -> String {
    pattern.replace("**/", "").replace("/**", "").replace(['*', '?'], "x")
}

fn file(action: FileAction, path: &Path) -> Example {
    file_by(Origin::Runtime, action, path)
}

fn file_by(origin: Origin, action: FileAction, path: &Path) -> Example {
    let path = path.as_os_str().as_encoded_bytes().to_vec();
    Example::File(FileRequest { action, path, to: None, recursive: false, cwd: PathBuf::from("/"), origin })
}
