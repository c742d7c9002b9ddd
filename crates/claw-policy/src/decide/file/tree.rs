//! Actions on a whole tree need the right on all of it.

use std::path::Path;

use super::judge::{Judge, needs};
use crate::{Access, Code, FileAction, FileKind, Reason, ResolvedPath};

/// Judges everything beneath `directory`; with `to`, also where each entry would be afterwards.
pub(super) fn judge(
    judge: &Judge<'_, '_>,
    action: FileAction,
    directory: &ResolvedPath,
    to: Option<&Path>,
) -> Result<(), Reason> {
    if directory.kind != FileKind::Directory {
        return Ok(());
    }
    let top = &directory.real;
    let need = needs(action);
    if need == Access::Write
        && let Some((code, rule, path)) = judge.ground.known_beneath(top)
    {
        let message = format!("`{}` contains `{}`, which may not be changed", top.display(), path.display());
        return Err(Reason::new(code, message).by(rule));
    }
    let Some(tree) = judge.world.tree(top) else { return Err(super::unknown()) };
    let Some(entries) = tree else {
        let message = format!("`{}` cannot be listed as a whole, so not all of it is known", top.display());
        return Err(Reason::new(Code::FileUnresolved, message));
    };
    for entry in entries {
        member(judge, entry, need)?;
        if let (Some(to), Ok(name)) = (to, entry.strip_prefix(top)) {
            member(judge, &to.join(name), need)?;
        }
    }
    Ok(())
}

fn member(judge: &Judge<'_, '_>, path: &Path, need: Access) -> Result<(), Reason> {
    judge.not_hidden(path, None, need)?;
    judge.right(path, need)
}
