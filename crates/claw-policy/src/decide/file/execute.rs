//! May this file be executed?

use std::path::{Path, PathBuf};

use super::super::exec::is_multi_call;
use super::judge::Judge;
use super::spelling::Spelling;
use super::{Allowance, Links, Names};
use crate::policy::{ExecLayer, ProgramMatcher, Security};
use crate::{Access, Code, FactError, FileKind, ProgramFact, Reason, RuleRef};

/// A file may be executed when every layer's allowlist has its program, or when it lies in a tree whose
/// files may be executed; never when `exec.deny` names it.
pub(super) fn judge<'a>(judge: &Judge<'a, '_>, spelling: &Spelling<'_>) -> Result<Allowance<'a>, Reason> {
    let names = Names::new(judge.world, spelling, Links::Follow)?;
    for name in names.reached_by() {
        judge.not_hidden(name, None, Access::Read)?;
    }
    judge.not_hidden(&names.object.real, names.object.id, Access::Read)?;
    if names.object.kind == FileKind::Missing {
        return Err(not_a_program(spelling, FactError::NotFound));
    }
    if names.object.kind != FileKind::File {
        let message = format!("`{}` is not a regular file", spelling.path.display());
        return Err(Reason::new(Code::ExecNotExecutable, message));
    }
    let program = match judge.world.program_path(&spelling.path) {
        None => return Err(super::unknown()),
        Some(Ok(program)) => program,
        Some(Err(error)) => return Err(not_a_program(spelling, *error)),
    };
    if !program.executable {
        return Err(not_a_program(spelling, FactError::NoAccess));
    }
    let policy = judge.policy;
    let denied = policy.exec_deny.iter().find(|entry| is_denied(judge, &entry.value, program, spelling));
    if let Some(entry) = denied {
        let message = format!("`{}` is denied by `{}`", program.real.display(), entry.rule.text);
        return Err(Reason::new(Code::ExecDenied, message).by(&entry.rule));
    }
    let (root, rule) =
        by_tree(judge, &names).or_else(|| by_allowlist(judge, program, spelling)).ok_or_else(|| {
            let message = format!("`{}` is not an allowlisted program", program.real.display());
            Reason::new(Code::ExecNotAllowlisted, message)
                .with_change(format!("add `path: {}` to `exec.allowlist`", program.real.display()))
        })?;
    Ok(Allowance::Program { path: names.object, root, real: &program.real, rule })
}

fn not_a_program(spelling: &Spelling<'_>, error: FactError) -> Reason {
    let path = spelling.path.display();
    match error {
        FactError::NotFound => Reason::new(Code::ExecNotFound, format!("`{path}` is not there")),
        _ => Reason::new(Code::ExecNotExecutable, format!("`{path}` cannot be executed")),
    }
}

/// Every layer that bounds files must have it in an executable root; a hard link must not lead out.
fn by_tree<'a>(judge: &Judge<'a, '_>, names: &Names<'_, '_>) -> Option<(&'a Path, &'a RuleRef)> {
    let object = names.object;
    if object.outside_names || judge.policy.exec.iter().any(|layer| layer.security.value == Security::Deny) {
        return None;
    }
    let root = judge.ground.execution_root(&object.real)?;
    let in_tree = |alias: &PathBuf| judge.ground.execution_root(alias).is_some();
    object.aliases.iter().all(in_tree).then_some((&*root.real, &root.rule))
}

fn by_allowlist<'a>(
    judge: &Judge<'a, '_>,
    program: &'a ProgramFact,
    spelling: &Spelling<'_>,
) -> Option<(&'a Path, &'a RuleRef)> {
    let mut found = None;
    for layer in &judge.policy.exec {
        let rule = match layer.security.value {
            Security::Deny => return None,
            Security::Full => &layer.security.rule,
            Security::Allowlist => entry(judge, layer, program, spelling)?,
        };
        found = found.or(Some(rule));
    }
    found.map(|rule| (&*program.real, rule))
}

fn entry<'a>(
    judge: &Judge<'_, '_>,
    layer: &'a ExecLayer,
    program: &ProgramFact,
    spelling: &Spelling<'_>,
) -> Option<&'a RuleRef> {
    let entry =
        layer.allowlist.iter().find(|entry| matches(judge, &entry.value.program, program, spelling))?;
    Some(&entry.rule)
}

/// Whether a `deny` entry means the file: any of its names is enough.
fn is_denied(
    judge: &Judge<'_, '_>,
    matcher: &ProgramMatcher,
    program: &ProgramFact,
    spelling: &Spelling<'_>,
) -> bool {
    let is_named = |name: &[u8]| {
        let names = [&*spelling.path, &program.found, &program.real];
        names.into_iter().any(|path| has_name(path, name))
    };
    matches!(matcher, ProgramMatcher::Name(name) if is_named(name))
        || matches(judge, matcher, program, spelling)
}

/// Whether the matcher means this very file: by the object, or by a name in a trusted directory.
fn matches(
    judge: &Judge<'_, '_>,
    matcher: &ProgramMatcher,
    program: &ProgramFact,
    spelling: &Spelling<'_>,
) -> bool {
    let is_it = |known: &ProgramFact| known.id == program.id || known.real == program.real;
    match matcher {
        ProgramMatcher::Name(name) => {
            // What such a file does depends on the name that it is started under.
            if is_multi_call(&program.real) && !has_name(&spelling.path, name) {
                return false;
            }
            let is_trusted = |directory: &PathBuf| program.found.parent() == Some(directory.as_path());
            has_name(&program.found, name) && judge.policy.trusted_dirs.iter().any(is_trusted)
                || judge.world.program(name).is_some_and(|known| known.as_ref().is_ok_and(is_it))
        }
        ProgramMatcher::Path(pattern) => {
            let literal = !crate::pattern::is_magic(pattern);
            if literal && spelling.path == Path::new(pattern) {
                return true;
            }
            judge.world.glob(pattern).is_some_and(|known| known.iter().any(is_it))
        }
    }
}

fn has_name(path: &Path, name: &[u8]) -> bool {
    path.file_name().is_some_and(|file| file.as_encoded_bytes() == name)
}
