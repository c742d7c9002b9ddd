//! What must not be reached inside a granted tree.
//!
//! The kernel's rules are a union of grants. An exception inside a tree that is only read is expressed
//! by granting its siblings instead ([`Root::except`]); inside a writable tree, where new siblings can
//! appear, it is not, and `nested-paths` has to be enforced by other means.

use std::path::{Path, PathBuf};

use super::super::ground::{Ground, Place};
use crate::normal::{is_strictly_beneath, is_within};
use crate::{Access, Root};

/// Drops hidden roots, notes the exceptions of readable ones, and returns what stays inexpressible, and whether some
/// of that is hidden.
pub(super) fn nested(ground: &Ground, roots: &mut Vec<Root>, system: &mut Vec<Root>) -> (Vec<String>, bool) {
    roots.retain(|root| ground.hidden(&root.path, None).is_none());
    system.retain(|root| ground.hidden(&root.path, None).is_none());
    let mut nested = read_only_inside_writable(ground, roots);
    let read_only = nested.len();
    for place in ground.hidden_places() {
        // What is missing in the system profile is not made by a run, so it is no exception there.
        let expressed = except(&place, roots, true) & except_in_system(&place, system);
        if !expressed {
            nested.push(place.text().to_owned());
        }
    }
    let hidden = nested.len() > read_only;
    nested.sort();
    nested.dedup();
    (nested, hidden)
}

/// Names that can appear anywhere are hidden beneath the policy's own roots only.
fn except_in_system(place: &Place<'_>, system: &mut [Root]) -> bool {
    matches!(place, Place::Anywhere { .. }) || except(place, system, false)
}

fn read_only_inside_writable(ground: &Ground, roots: &[Root]) -> Vec<String> {
    let read_only = roots.iter().filter(|root| root.access == Access::Read);
    let inside = read_only.filter(|root| {
        let outer = roots.iter().filter(|outer| is_strictly_beneath(&root.path, &outer.path));
        // The nearest tree around it decides: a writable one around a readable one around it is met there.
        let nearest = outer.max_by_key(|outer| outer.path.components().count());
        nearest.is_some_and(|outer| outer.access == Access::Write)
    });
    inside.map(|root| ground.spelling_of(&root.path)).collect()
}

/// Whether the hidden place is kept out of every granted tree. Notes it where that can be expressed.
fn except(place: &Place<'_>, roots: &mut [Root], missing_too: bool) -> bool {
    match place {
        Place::Anywhere { .. } => roots.is_empty(),
        Place::Exact { exists, .. } if !exists && !missing_too => true,
        Place::Exact { paths, .. } => in_every(roots, paths.iter(), except_path),
        Place::Beneath { bases, .. } => in_every(roots, bases.iter().copied(), except_beneath),
    }
}

/// Excepts every path from every root; all are visited, whatever the first ones answer.
fn in_every<'a>(
    roots: &mut [Root],
    paths: impl Iterator<Item = &'a PathBuf>,
    except: fn(&Path, &mut Root) -> bool,
) -> bool {
    let mut expressed = true;
    for path in paths {
        for root in roots.iter_mut() {
            expressed &= except(path, root);
        }
    }
    expressed
}

fn except_path(path: &Path, root: &mut Root) -> bool {
    if !is_strictly_beneath(path, &root.path) {
        return true;
    }
    // Processes come and go, so the siblings of an entry of `/proc` cannot be listed. The kernel's memory
    // needs CAP_SYS_RAWIO (`proc(5)`, kcore), which no run has.
    if is_within(path, Path::new("/proc")) {
        return path == Path::new("/proc/kcore");
    }
    note(root, path);
    root.access == Access::Read
}

/// A glob's directory as a whole is kept out of a readable tree: its matches cannot be listed here.
fn except_beneath(base: &Path, root: &mut Root) -> bool {
    if root.path.starts_with(base) {
        return false;
    }
    except_path(base, root)
}

fn note(root: &mut Root, path: &Path) {
    if root.access == Access::Read
        && let Err(place) = root.except.binary_search_by(|known| known.as_path().cmp(path))
    {
        root.except.insert(place, path.to_owned());
    }
}

/// The protected patterns that can match inside a writable tree.
pub(super) fn protected(ground: &Ground, writable: &[PathBuf]) -> Vec<String> {
    let inside = |path: &Path| writable.iter().any(|root| path.starts_with(root) || root.starts_with(path));
    let mut protected: Vec<String> = ground
        .protected_places()
        .filter(|place| match place {
            Place::Anywhere { .. } => !writable.is_empty(),
            Place::Exact { paths, .. } => paths.iter().any(|path| inside(path)),
            Place::Beneath { bases, .. } => bases.iter().any(|base| inside(base)),
        })
        .map(|place| place.text().to_owned())
        .collect();
    protected.sort();
    protected.dedup();
    protected
}
