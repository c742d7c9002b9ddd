//! The spelled path of a request: `~`, the working directory, and the spellings that are refused unseen.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

use super::super::world::World;
use crate::{Code, FileKind, Reason};

/// PATH_MAX of Linux without the terminating NUL (`limits.h`).
const PATH_BYTES: usize = 4095;
/// NAME_MAX of Linux (`limits.h`).
const NAME_BYTES: usize = 255;

/// An absolute path as it was spelled, without `.` and doubled slashes.
#[derive(Debug)]
pub(super) struct Spelling<'p> {
    pub(super) path: Cow<'p, Path>,
    /// It ends in `/` or `/.`: the kernel follows a last link and wants a directory.
    pub(super) wants_directory: bool,
}

impl<'p> Spelling<'p> {
    /// Expands `~` and joins the working directory. `None` when a fact is missing.
    pub(super) fn new(world: &World<'_>, spelled: &'p [u8], cwd: &Path) -> Option<Result<Self, Reason>> {
        let expanded = match expand(world, spelled)? {
            Ok(expanded) => expanded,
            Err(reason) => return Some(Err(reason)),
        };
        Some(check(&expanded).and_then(|()| join(expanded, cwd)))
    }

    /// The path without its `..`s, each followed after links: the name under which the object is asked
    /// for. `None` when it does not resolve or a fact is missing.
    pub(super) fn name(&self, world: &World<'_>) -> Option<Cow<'_, Path>> {
        if !self.path.components().any(|component| component == Component::ParentDir) {
            return Some(Cow::Borrowed(&self.path));
        }
        let mut name = PathBuf::new();
        for component in self.path.components() {
            if component != Component::ParentDir {
                name.push(component);
                continue;
            }
            let entry = world.path(&name, false)?.as_ref().ok()?;
            if entry.kind == FileKind::Link {
                name.clone_from(&world.path(&name, true)?.as_ref().ok()?.real);
            }
            name.pop();
        }
        Some(Cow::Owned(name))
    }

    /// Whether it names the caller's own descriptors or terminal, which it has anyway.
    pub(super) fn is_standard_stream(&self) -> bool {
        let Ok(name) = self.path.strip_prefix("/dev") else { return false };
        let name = name.as_os_str().as_bytes();
        matches!(name, b"stdin" | b"stdout" | b"stderr" | b"tty")
            || name.strip_prefix(b"fd/").is_some_and(|number| {
                !number.is_empty() && number.len() <= 4 && number.iter().all(u8::is_ascii_digit)
            })
    }
}

fn expand<'p>(world: &World<'_>, spelled: &'p [u8]) -> Option<Result<Cow<'p, [u8]>, Reason>> {
    let Some(tilde) = spelled.strip_prefix(b"~") else { return Some(Ok(Cow::Borrowed(spelled))) };
    let end = tilde.iter().position(|byte| *byte == b'/').unwrap_or(tilde.len());
    let (user, rest) = tilde.split_at(end);
    if user.contains(&0) {
        return Some(Err(Reason::new(Code::FileUnresolved, "the path contains a NUL byte")));
    }
    let home = if user.is_empty() { world.home() } else { world.home_of(user)?.as_deref() };
    Some(match home {
        Some(home) => Ok(Cow::Owned([home.as_os_str().as_bytes(), rest].concat())),
        None if user.is_empty() => {
            Err(Reason::new(Code::FileUnknownUser, "the home directory that `~` means is not known"))
        }
        None => {
            let user = String::from_utf8_lossy(user);
            Err(Reason::new(Code::FileUnknownUser, format!("there is no user `{user}`")))
        }
    })
}

fn check(path: &[u8]) -> Result<(), Reason> {
    let problem = if path.is_empty() {
        "the path is empty"
    } else if path.contains(&0) {
        "the path contains a NUL byte"
    } else if path.len() > PATH_BYTES || path.split(|byte| *byte == b'/').any(|name| name.len() > NAME_BYTES)
    {
        "the path or a name in it is too long"
    } else {
        return Ok(());
    };
    Err(Reason::new(Code::FileUnresolved, problem))
}

fn join<'p>(path: Cow<'p, [u8]>, cwd: &Path) -> Result<Spelling<'p>, Reason> {
    if is_plain(&path) {
        let path = match path {
            Cow::Borrowed(path) => Cow::Borrowed(Path::new(OsStr::from_bytes(path))),
            Cow::Owned(path) => Cow::Owned(PathBuf::from(OsString::from_vec(path))),
        };
        return Ok(Spelling { path, wants_directory: false });
    }
    let joined = cwd.join(OsStr::from_bytes(&path));
    if !joined.is_absolute() {
        return Err(Reason::new(Code::CwdInvalid, "the working directory is not an absolute path"));
    }
    let wants_directory = path.ends_with(b"/") || path.ends_with(b"/.") || *path == *b".";
    Ok(Spelling { path: Cow::Owned(joined.components().collect()), wants_directory })
}

/// Whether the path is absolute and already without `.` and doubled or trailing slashes.
fn is_plain(path: &[u8]) -> bool {
    let mut names = path.split(|byte| *byte == b'/');
    names.next().is_some_and(<[u8]>::is_empty) && names.all(|name| !matches!(name, b"" | b"."))
}
