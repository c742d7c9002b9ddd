//! Commands: every layer of the outer policy must hold what some layer of the inner one leaves.

use std::collections::{BTreeSet, HashSet};

use super::{Example, Excess};
use crate::decide::world::World;
use crate::policy::{ArgumentRule, Ask, Descendants, Entry, ExecLayer, ProgramMatcher, Ruled, Security};
use crate::{FileId, Policy};

/// Programs that nearly every machine has, for an example of what `security: full` opens.
const COMMON: [&str; 4] = ["rm", "chmod", "id", "true"];

pub(super) fn excesses(inner: &Policy, outer: &Policy, world: &World<'_>) -> Vec<Excess> {
    let mut excesses = Vec::new();
    for layer in &outer.exec {
        // One layer that lies within is enough: the inner policy allows what all of its layers allow.
        let mut by_layer = inner.exec.iter().map(|inner| layer_excesses(inner, layer, world));
        let least = by_layer.next().unwrap_or_default();
        excesses.extend(
            by_layer.fold(least, |least, found| if found.len() < least.len() { found } else { least }),
        );
        excesses.extend(asked(inner, layer));
    }
    excesses.extend(outer.exec_deny.iter().filter_map(|deny| undenied(inner, deny, world)));
    excesses.extend(settings(inner, outer));
    excesses.extend(bundles(inner, outer));
    excesses
}

fn layer_excesses(inner: &ExecLayer, outer: &ExecLayer, world: &World<'_>) -> Vec<Excess> {
    let mut excesses = Vec::new();
    match (inner.security.value, outer.security.value) {
        (Security::Deny, _) => return excesses,
        (Security::Full, Security::Allowlist | Security::Deny) => excesses.push(
            Excess::new("any command may run".to_owned())
                .inner(&inner.security.rule)
                .outer(&outer.security.rule)
                .examples(COMMON.map(|name| Example::Exec(vec![name.into()]))),
        ),
        (Security::Allowlist, Security::Deny | Security::Allowlist) => {
            let listed = inner.allowlist.iter().filter(|entry| {
                outer.security.value == Security::Deny || !is_covered(&entry.value, &outer.allowlist, world)
            });
            excesses.extend(listed.map(|entry| {
                Excess::new(format!("`{}` may run", entry.rule.text))
                    .inner(&entry.rule)
                    .outer(&outer.security.rule)
                    .examples(forms(&entry.value, world))
            }));
            let filters = inner.safe_bins.iter().filter(|bin| !is_filter(&bin.value, outer));
            excesses.extend(filters.map(|bin| {
                Excess::new(format!("`{}` may run as a filter", bin.rule.text))
                    .inner(&bin.rule)
                    .outer(&outer.security.rule)
                    .examples([Example::Exec(vec![bin.value.clone()])])
            }));
        }
        (_, Security::Full) => {}
    }
    excesses.extend(lifted(inner, outer, world));
    if let (None, Some(rule)) = (&inner.inline_eval_denied, &outer.inline_eval_denied) {
        let examples = [["python3", "-c", "pass"], ["node", "-e", "0"], ["bash", "-c", "true"]];
        excesses.push(
            Excess::new("interpreters may run program text from their arguments".to_owned())
                .outer(rule)
                .examples(
                    examples.map(|argv| Example::Exec(argv.map(|word| word.as_bytes().to_vec()).to_vec())),
                ),
        );
    }
    excesses
}

fn is_filter(name: &[u8], outer: &ExecLayer) -> bool {
    outer.safe_bins.iter().any(|bin| bin.value == name)
        || outer.allowlist.iter().any(|entry| {
            let Entry { program, prefix, allow, deny } = &entry.value;
            *program == ProgramMatcher::Name(name.to_vec())
                && prefix.is_empty()
                && allow.is_empty()
                && deny.is_empty()
        })
}

/// Whether an entry of the list allows all that this one does, but for what other entries deny.
fn is_covered(entry: &Entry, list: &[Ruled<Entry>], world: &World<'_>) -> bool {
    list.iter().any(|other| {
        let other = &other.value;
        let own = ArgumentRule::Prefix(entry.prefix.clone());
        let forms: Vec<&ArgumentRule> = if entry.allow.is_empty() {
            vec![&own]
        } else {
            entry.allow.iter().map(|rule| &rule.value).collect()
        };
        is_program_within(&entry.program, &other.program, world)
            && entry.prefix.starts_with(&other.prefix)
            && (other.allow.is_empty()
                || forms.iter().all(|form| other.allow.iter().any(|allowed| holds(&allowed.value, form))))
    })
}

/// Whether every command that `inner` matches is matched by `outer` too.
fn holds(outer: &ArgumentRule, inner: &ArgumentRule) -> bool {
    match (outer, inner) {
        (ArgumentRule::Prefix(outer), ArgumentRule::Prefix(inner)) => inner.starts_with(outer),
        (ArgumentRule::Prefix(outer), ArgumentRule::Flags { subcommand, .. }) => {
            subcommand.starts_with(outer)
        }
        (
            ArgumentRule::Flags { subcommand: outer, any_flag: outer_flags },
            ArgumentRule::Flags { subcommand: inner, any_flag: inner_flags },
        ) => {
            let is_flagged = outer_flags.is_empty()
                || (!inner_flags.is_empty() && inner_flags.iter().all(|flag| outer_flags.contains(flag)));
            inner.starts_with(outer) && is_flagged
        }
        (ArgumentRule::Flags { subcommand, any_flag }, ArgumentRule::Prefix(inner)) => {
            any_flag.is_empty() && inner.starts_with(subcommand)
        }
    }
}

/// Argument rules of the outer layer that the inner one does not have.
fn lifted(inner: &ExecLayer, outer: &ExecLayer, world: &World<'_>) -> Vec<Excess> {
    let mut excesses = Vec::new();
    for entry in &outer.allowlist {
        let concerned = |other: &&Ruled<Entry>| {
            let other = &other.value;
            may_mean(&other.program, &entry.value.program, world)
                && (other.prefix.starts_with(&entry.value.prefix)
                    || entry.value.prefix.starts_with(&other.prefix))
        };
        let is_reached = inner.security.value == Security::Full
            || asks(inner)
            || inner.allowlist.iter().any(|other| concerned(&other));
        for rule in entry.value.deny.iter().filter(|_| is_reached) {
            let keeps = |other: &Ruled<Entry>| {
                is_program_within(&entry.value.program, &other.value.program, world)
                    && entry.value.prefix.starts_with(&other.value.prefix)
                    && other.value.deny.iter().any(|own| holds(&own.value, &rule.value))
            };
            if !inner.allowlist.iter().any(keeps) {
                excesses.push(
                    Excess::new(format!(
                        "`{}` may run with the arguments of `{}`",
                        entry.rule.text, rule.rule.text
                    ))
                    .outer(&rule.rule)
                    .examples(invocations(
                        &entry.value.program,
                        &entry.value.prefix,
                        Some(&rule.value),
                        world,
                    )),
                );
            }
        }
        // Under `full` an entry with `allow` still narrows its program.
        let narrows = outer.security.value == Security::Full && !entry.value.allow.is_empty() && is_reached;
        let is_covered = |other: &Ruled<Entry>| is_covered(&other.value, &outer.allowlist, world);
        // What the inner layer does not list it must narrow as well.
        let is_narrowed = |other: &Ruled<Entry>| {
            !other.value.allow.is_empty()
                && is_program_within(&entry.value.program, &other.value.program, world)
                && entry.value.prefix.starts_with(&other.value.prefix)
        };
        let is_open = inner.security.value == Security::Full || asks(inner);
        if narrows
            && (!inner.allowlist.iter().filter(concerned).all(is_covered)
                || is_open && !inner.allowlist.iter().any(is_narrowed))
        {
            excesses.push(
                Excess::new(format!("`{}` may run in other forms", entry.rule.text))
                    .outer(&entry.rule)
                    .examples(invocations(&entry.value.program, &[], None, world)),
            );
        }
    }
    excesses
}

/// A program that the outer policy never runs and the inner one may.
fn undenied(inner: &Policy, deny: &Ruled<ProgramMatcher>, world: &World<'_>) -> Option<Excess> {
    if inner.exec_deny.iter().any(|own| is_program_within(&deny.value, &own.value, world)) {
        return None;
    }
    let is_reached = |layer: &ExecLayer| match layer.security.value {
        Security::Deny => false,
        Security::Full => true,
        Security::Allowlist if asks(layer) => true,
        Security::Allowlist => {
            let bins = layer
                .safe_bins
                .iter()
                .any(|bin| may_mean(&ProgramMatcher::Name(bin.value.clone()), &deny.value, world));
            bins || layer.allowlist.iter().any(|entry| may_mean(&entry.value.program, &deny.value, world))
        }
    };
    inner.exec.iter().all(is_reached).then(|| {
        Excess::new(format!("`{}` may run", deny.rule.text)).outer(&deny.rule).examples(invocations(
            &deny.value,
            &[],
            None,
            world,
        ))
    })
}

/// A question that the outer policy would not ask, or asks and the inner one does not.
fn asked(inner: &Policy, outer: &ExecLayer) -> Option<Excess> {
    let always = |layer: &ExecLayer| layer.ask.value == Ask::Always;
    if always(outer) && !inner.exec.iter().any(always) {
        let examples = inner
            .exec
            .iter()
            .flat_map(|layer| &layer.allowlist)
            .filter_map(|entry| name_of(&entry.value.program));
        return Some(
            Excess::new("commands run without being asked about".to_owned())
                .outer(&outer.ask.rule)
                .examples(examples.map(|name| Example::Exec(vec![name.to_vec()]))),
        );
    }
    let is_silent = outer.ask.value == Ask::Off || outer.security.value == Security::Deny;
    let asking = inner.exec.iter().find(|_| is_silent && inner.exec.iter().all(asks))?;
    Some(
        Excess::new("what is not listed may be asked about".to_owned())
            .inner(&asking.ask.rule)
            .outer(&outer.ask.rule)
            .examples(COMMON.map(|name| Example::Exec(vec![name.into()]))),
    )
}

/// Whether somebody is asked about what the layer does not list.
fn asks(layer: &ExecLayer) -> bool {
    layer.security.value != Security::Deny && layer.ask.value != Ask::Off
}

fn settings(inner: &Policy, outer: &Policy) -> Vec<Excess> {
    let mut excesses = Vec::new();
    let mut when = |exceeds: bool, message: &str| {
        if exceeds {
            excesses.push(Excess::new(message.to_owned()));
        }
    };
    when(
        // A name means the first file: directories after those of the outer policy, or in another order, change that.
        !outer.trusted_dirs.starts_with(&inner.trusted_dirs),
        "programs are taken from other directories, or in another order (`exec.trustedDirs`)",
    );
    when(
        inner.descendants == Descendants::System && outer.descendants == Descendants::Strict,
        "commands may start any program of the system (`exec.descendants`)",
    );
    when(!inner.verify && outer.verify, "executions are not checked again (`exec.verify`)");
    when(inner.detach && !outer.detach, "processes may outlive their run (`detach`)");
    excesses
}

/// What programs may run as parts of themselves.
fn bundles(inner: &Policy, outer: &Policy) -> Vec<Excess> {
    let parts = |policy: &Policy, program: &[u8]| {
        // Of a program that occurs twice the last holds.
        policy
            .bundles
            .iter()
            .rev()
            .find(|bundle| bundle.program == program)
            .map(|bundle| bundle.parts.clone())
            .unwrap_or_default()
    };
    let programs: BTreeSet<&[u8]> = inner.bundles.iter().map(|bundle| bundle.program.as_slice()).collect();
    let exceeding = programs.into_iter().filter(|program| {
        let allowed = parts(outer, program);
        parts(inner, program).iter().any(|part| !allowed.contains(part))
    });
    exceeding
        .map(|program| {
            Excess::new(format!(
                "`{}` may start other parts of itself (`exec.bundles`)",
                String::from_utf8_lossy(program)
            ))
        })
        .collect()
}

/// Whether `inner` can only mean what `outer` means.
fn is_program_within(inner: &ProgramMatcher, outer: &ProgramMatcher, world: &World<'_>) -> bool {
    inner == outer || {
        let files = meaning(inner, world);
        // A name means one file, until somebody installs another; a glob may gain files that the other has not.
        matches!(inner, ProgramMatcher::Name(_))
            && !files.is_empty()
            && files.is_subset(&meaning(outer, world))
    }
}

/// Whether both can mean one program.
fn may_mean(one: &ProgramMatcher, other: &ProgramMatcher, world: &World<'_>) -> bool {
    match (one, other) {
        (ProgramMatcher::Path(_), ProgramMatcher::Path(_)) => true,
        _ => one == other || !meaning(one, world).is_disjoint(&meaning(other, world)),
    }
}

fn meaning(matcher: &ProgramMatcher, world: &World<'_>) -> HashSet<FileId> {
    match matcher {
        ProgramMatcher::Name(name) => {
            world.program(name).and_then(|fact| fact.as_ref().ok()).map(|fact| fact.id).into_iter().collect()
        }
        ProgramMatcher::Path(pattern) => {
            world.glob(pattern).unwrap_or_default().iter().map(|fact| fact.id).collect()
        }
    }
}

fn forms(entry: &Entry, world: &World<'_>) -> Vec<Example> {
    let rules =
        entry.allow.iter().map(|rule| Some(&rule.value)).chain(entry.allow.is_empty().then_some(None));
    rules.flat_map(|rule| invocations(&entry.program, &entry.prefix, rule, world)).collect()
}

/// Commands of a program with these leading arguments, in the form of a rule.
fn invocations(
    program: &ProgramMatcher,
    prefix: &[Vec<u8>],
    rule: Option<&ArgumentRule>,
    world: &World<'_>,
) -> Vec<Example> {
    let programs: Vec<Vec<u8>> = match program {
        ProgramMatcher::Name(name) => vec![name.clone()],
        ProgramMatcher::Path(pattern) => world
            .glob(pattern)
            .unwrap_or_default()
            .iter()
            .take(4)
            .map(|fact| fact.found.as_os_str().as_encoded_bytes().to_vec())
            .collect(),
    };
    let arguments: Vec<Vec<u8>> = match rule {
        None => Vec::new(),
        Some(ArgumentRule::Prefix(words)) => words.iter().skip(prefix.len()).cloned().collect(),
        Some(ArgumentRule::Flags { subcommand, any_flag }) => {
            subcommand.iter().skip(prefix.len()).chain(any_flag.first()).cloned().collect()
        }
    };
    programs
        .into_iter()
        .map(|name| Example::Exec([vec![name], prefix.to_vec(), arguments.clone()].concat()))
        .collect()
}

fn name_of(program: &ProgramMatcher) -> Option<&[u8]> {
    match program {
        ProgramMatcher::Name(name) => Some(name),
        ProgramMatcher::Path(_) => None,
    }
}
