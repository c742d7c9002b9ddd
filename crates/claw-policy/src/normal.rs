//! Normal paths: absolute or relative, without `.`, double and trailing slashes. Their bytes tell what
//! [`Path`] would take them apart for, which would be most of the work of matching one.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A path without `.`, double and trailing slashes.
pub(crate) fn normal(path: &Path) -> Cow<'_, Path> {
    // Nearly every path is written like that.
    let is_name = |name: &[u8]| !name.is_empty() && name != b".";
    match bytes(path).strip_prefix(b"/") {
        Some(rest) if rest.split(|byte| *byte == b'/').all(is_name) => path.into(),
        _ => path.components().collect::<PathBuf>().into(),
    }
}

/// What follows `directory` in `path`, empty for `directory` itself. `None` when it does not lie there.
pub(crate) fn below<'p>(path: &'p Path, directory: &Path) -> Option<&'p Path> {
    let directory = bytes(directory);
    let rest = bytes(path).strip_prefix(directory.strip_suffix(b"/").unwrap_or(directory))?;
    let name = if rest.is_empty() { rest } else { rest.strip_prefix(b"/")? };
    Some(of_bytes(name))
}

/// Whether `path` is `directory` or lies below it.
pub(crate) fn is_within(path: &Path, directory: &Path) -> bool {
    below(path, directory).is_some()
}

/// Whether `path` lies below `directory` and is not it.
pub(crate) fn is_strictly_beneath(path: &Path, directory: &Path) -> bool {
    below(path, directory).is_some_and(|rest| !rest.as_os_str().is_empty())
}

/// Whether the last names of `path` are those of `end`, which is relative.
pub(crate) fn ends_with(path: &Path, end: &Path) -> bool {
    let before = bytes(path).strip_suffix(bytes(end));
    before.is_some_and(|before| before.is_empty() || before.ends_with(b"/"))
}

/// The path, then what holds it, up to `/` or to the first name of a relative one.
pub(crate) fn ancestors(path: &Path) -> impl Iterator<Item = &Path> {
    let whole = Some(bytes(path)).filter(|path| !path.is_empty());
    std::iter::successors(whole, |path| parent(path)).map(of_bytes)
}

/// The part of `path` that ends with each of its names in turn, and that name, below `top`.
pub(crate) fn names<'p>(path: &'p Path, top: &Path) -> impl Iterator<Item = (&'p Path, &'p OsStr)> {
    let rest = below(path, top).map_or(&[][..], bytes);
    let whole = bytes(path);
    let mut end = whole.len() - rest.len();
    rest.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).filter_map(move |name| {
        let to_name = whole.get(..end + name.len())?;
        end = to_name.len() + 1;
        Some((of_bytes(to_name), OsStr::from_bytes(name)))
    })
}

fn parent(path: &[u8]) -> Option<&[u8]> {
    match path.iter().rposition(|byte| *byte == b'/')? {
        0 if path.len() > 1 => path.get(..1),
        0 => None,
        slash => path.get(..slash),
    }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

fn of_bytes(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 10] = ["/", "/a", "/a/b", "/a/bc", "/ab", "/a/b/c", "a", "a/b", "b", "a/b/c"];

    #[test]
    fn a_normal_path_has_the_spelling_of_its_components() {
        for path in ["/", "//", "/a", "/a/", "/a//b", "/a/./b", "/a/.", "/.a/..b", "a", "./a", "", "/a/../b"]
        {
            let components: PathBuf = Path::new(path).components().collect();
            assert_eq!(normal(Path::new(path)).as_os_str(), components.as_os_str(), "{path}");
        }
    }

    #[test]
    fn bytes_tell_of_normal_paths_what_their_components_tell() {
        for path in PATHS.map(Path::new) {
            let own: Vec<&Path> =
                path.ancestors().filter(|ancestor| !ancestor.as_os_str().is_empty()).collect();
            assert_eq!(ancestors(path).collect::<Vec<_>>(), own);
            for other in PATHS.map(Path::new) {
                assert_eq!(below(path, other), path.strip_prefix(other).ok(), "{path:?} {other:?}");
                assert_eq!(is_within(path, other), path.starts_with(other), "{path:?} {other:?}");
                let strictly = path != other && path.starts_with(other);
                assert_eq!(is_strictly_beneath(path, other), strictly, "{path:?} {other:?}");
                if other.is_relative() {
                    assert_eq!(ends_with(path, other), path.ends_with(other), "{path:?} {other:?}");
                }
                let beneath = path.strip_prefix(other).unwrap_or(Path::new(""));
                let components: Vec<&OsStr> = beneath.iter().collect();
                assert_eq!(names(path, other).map(|(_, name)| name).collect::<Vec<_>>(), components);
                for (depth, (part, _)) in names(path, other).enumerate() {
                    assert_eq!(part, other.join(beneath.iter().take(depth + 1).collect::<PathBuf>()));
                }
            }
        }
    }
}
