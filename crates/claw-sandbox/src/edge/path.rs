//! Resolves a path as the kernel does, keeping every name that was passed on the way.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use claw_policy::{FactError, FileId, FileKind, PathFact, ResolvedPath};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{SFlag, fstat, fstatat};

use super::fact_error;
use crate::opened::{id_of, kind_of};

/// Links that the kernel follows in one resolution (`MAXSYMLINKS`).
const LINKS: usize = 40;
/// Bytes of a path, and of one name in it, with the kernel's closing NUL not counted.
const PATH_BYTES: usize = 4095;
const NAME_BYTES: usize = 255;

/// What a round of questions has come by: the directories, and where nothing is. Its paths have most of them in common.
#[derive(Debug, Default)]
pub(super) struct Passed(HashMap<OsString, Option<Metadata>>);

impl Passed {
    /// What is at a canonical path; `None` for nothing.
    fn look(&mut self, path: &Path) -> io::Result<Option<Metadata>> {
        if let Some(known) = self.0.get(path.as_os_str()) {
            return Ok(known.clone());
        }
        let found = match fs::symlink_metadata(path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => None,
            Err(error) => return Err(error),
        };
        if found.as_ref().is_some_and(Metadata::is_dir) {
            self.0.insert(path.as_os_str().to_owned(), found.clone());
        }
        Ok(found)
    }

    /// Where nothing is, nothing is beneath either.
    fn note_missing(&mut self, directory: &Path) {
        self.0.insert(directory.as_os_str().to_owned(), None);
    }

    /// The directory of this path, if it was come by under this very name, and the one name that is left.
    fn start<'p>(&self, path: &'p [u8]) -> Option<(&'p OsStr, &Metadata, &'p OsStr)> {
        let slash = path.iter().rposition(|byte| *byte == b'/')?;
        let (directory, name) = (OsStr::from_bytes(path.get(..slash)?), path.get(slash + 1..)?);
        let metadata = self.0.get(directory)?.as_ref()?;
        (!matches!(name, b"" | b"." | b"..")).then_some((directory, metadata, OsStr::from_bytes(name)))
    }
}

/// Resolves an absolute path.
pub(super) fn resolve(path: &Path, follow: bool, passed: &mut Passed) -> PathFact {
    let bytes = path.as_os_str().as_bytes();
    if !bytes.starts_with(b"/") || bytes.contains(&0) {
        return Err(FactError::Invalid);
    }
    if bytes.len() > PATH_BYTES {
        return Err(FactError::TooLong);
    }
    // A trailing slash or dot asks for what is behind the last link.
    let follow = follow || bytes.ends_with(b"/") || bytes.ends_with(b"/.");
    let mut at = PathBuf::with_capacity(bytes.len());
    let (found, pending) = match passed.start(bytes) {
        Some((directory, metadata, name)) => {
            at.push(directory);
            (Some(metadata.clone()), vec![Cow::Borrowed(name)])
        }
        None => {
            at.push("/");
            (None, names(bytes).collect())
        }
    };
    Walk { at, found, visited: Vec::new(), links: 0, passed }.run(pending, follow)
}

/// What [`resolve`] finds at a plain absolute path without links, in one look of the kernel instead of one for each name.
/// `None` for everything else.
pub(super) fn at_once(path: &Path) -> Option<ResolvedPath> {
    let bytes = path.as_os_str().as_bytes();
    let is_plain = |name: &[u8]| !matches!(name, b"" | b"." | b"..") && name.len() <= NAME_BYTES;
    if bytes.len() > PATH_BYTES || !bytes.strip_prefix(b"/")?.split(|byte| *byte == b'/').all(is_plain) {
        return None;
    }
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let directory = openat2(AT_FDCWD, path.parent()?, how).ok()?;
    let found = match fstatat(&directory, path.file_name()?, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(status) => Some(status),
        Err(Errno::ENOENT) => None,
        Err(_) => return None,
    };
    let kind = match found.as_ref().map(kind_of) {
        None => FileKind::Missing,
        Some(SFlag::S_IFLNK) => return None,
        Some(SFlag::S_IFREG) => FileKind::File,
        Some(SFlag::S_IFDIR) => FileKind::Directory,
        Some(_) => FileKind::Special,
    };
    let above = fstat(&directory).ok()?.st_dev;
    Some(ResolvedPath {
        real: path.to_owned(),
        visited: Vec::new(),
        kind,
        id: found.as_ref().map(id_of),
        aliases: Vec::new(),
        outside_names: kind == FileKind::File && found.is_some_and(|status| status.st_nlink > 1),
        mount_point: found.is_some_and(|status| status.st_dev != above),
    })
}

/// The names of a path, last first. A trailing slash is a last name `.`.
fn names(bytes: &[u8]) -> impl Iterator<Item = Cow<'_, OsStr>> {
    let last: &[u8] = if bytes.ends_with(b"/") { b"." } else { b"" };
    let names = std::iter::once(last).chain(bytes.rsplit(|byte| *byte == b'/'));
    names.filter(|name| !name.is_empty()).map(|name| Cow::Borrowed(OsStr::from_bytes(name)))
}

struct Walk<'p> {
    /// Where we are: canonical.
    at: PathBuf,
    /// What is there, when it was looked at.
    found: Option<Metadata>,
    visited: Vec<PathBuf>,
    links: usize,
    passed: &'p mut Passed,
}

impl Walk<'_> {
    fn run(mut self, mut pending: Vec<Cow<'_, OsStr>>, follow: bool) -> PathFact {
        while let Some(name) = pending.pop() {
            self.must_be_directory()?;
            match name.as_bytes() {
                b"." => {}
                b".." => {
                    self.leave();
                    self.at.pop();
                    self.found = None;
                }
                name if name.len() > NAME_BYTES => return Err(FactError::TooLong),
                _ => {
                    self.at.push(&name);
                    match self.passed.look(&self.at).map_err(|error| fact_error(&error))? {
                        Some(metadata) if metadata.is_symlink() && (follow || !pending.is_empty()) => {
                            self.enter_link(&mut pending)?;
                        }
                        Some(metadata) => self.found = Some(metadata),
                        None => {
                            if !pending.is_empty() {
                                self.passed.note_missing(&self.at);
                            }
                            return self.missing(pending);
                        }
                    }
                }
            }
        }
        self.finish()
    }

    fn must_be_directory(&self) -> Result<(), FactError> {
        match &self.found {
            Some(metadata) if !metadata.is_dir() => Err(FactError::NotDirectory),
            _ => Ok(()),
        }
    }

    /// Notes the names that were passed up to here, because the rest of the way leads elsewhere. The end's own
    /// name tells the others.
    fn leave(&mut self) {
        let mut names: Vec<&Path> = self.at.ancestors().filter(|name| *name != Path::new("/")).collect();
        names.retain(|name| !self.visited.iter().any(|known| known == name));
        self.visited.extend(names.into_iter().rev().map(Path::to_owned).collect::<Vec<_>>());
    }

    /// Goes where the link leads at which we are.
    fn enter_link(&mut self, pending: &mut Vec<Cow<'_, OsStr>>) -> Result<(), FactError> {
        self.links += 1;
        if self.links > LINKS {
            return Err(FactError::LinkLoop);
        }
        let target = fs::read_link(&self.at).map_err(|error| fact_error(&error))?;
        let bytes = target.as_os_str().as_bytes();
        self.leave();
        self.at.pop();
        if bytes.starts_with(b"/") {
            self.at = PathBuf::from("/");
            self.found = None;
        }
        pending.extend(names(bytes).map(|name| Cow::Owned(name.into_owned())));
        Ok(())
    }

    /// Nothing is there. What follows could only be there if directories were made first.
    fn missing(mut self, mut pending: Vec<Cow<'_, OsStr>>) -> PathFact {
        while let Some(name) = pending.pop() {
            match name.as_bytes() {
                // A link that says so wants a directory there, and nobody makes one through a link.
                b"." if self.links > 0 && pending.is_empty() => return Err(FactError::NotFound),
                b"." => {}
                b".." => return Err(FactError::NotFound),
                name if name.len() > NAME_BYTES => return Err(FactError::TooLong),
                _ => self.at.push(name),
            }
        }
        Ok(ResolvedPath {
            real: self.at,
            visited: self.visited,
            kind: FileKind::Missing,
            id: None,
            aliases: Vec::new(),
            outside_names: false,
            mount_point: false,
        })
    }

    fn finish(mut self) -> PathFact {
        let metadata = match self.found.take() {
            Some(metadata) => metadata,
            None => {
                self.passed.look(&self.at).map_err(|error| fact_error(&error))?.ok_or(FactError::NotFound)?
            }
        };
        let kind = kind(&metadata);
        Ok(ResolvedPath {
            mount_point: is_mount_point(&self.at, &metadata, self.passed),
            id: Some(FileId { device: metadata.dev(), inode: metadata.ino() }),
            kind,
            aliases: Vec::new(),
            outside_names: kind == FileKind::File && metadata.nlink() > 1,
            real: self.at,
            visited: self.visited,
        })
    }
}

fn kind(metadata: &Metadata) -> FileKind {
    let kind = metadata.file_type();
    if kind.is_file() {
        FileKind::File
    } else if kind.is_dir() {
        FileKind::Directory
    } else if kind.is_symlink() {
        FileKind::Link
    } else {
        FileKind::Special
    }
}

fn is_mount_point(path: &Path, metadata: &Metadata, passed: &mut Passed) -> bool {
    let above = path.parent().map(|parent| passed.look(parent));
    above
        .is_none_or(|above| above.is_ok_and(|above| above.is_some_and(|above| above.dev() != metadata.dev())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    /// Directories, files and links, some of which lead in circles or nowhere.
    fn tree() -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        let at = |name: &str| tree.path().join(name);
        fs::create_dir_all(at("a/a/b")).unwrap();
        fs::create_dir_all(at("b/a")).unwrap();
        fs::write(at("a/f"), "").unwrap();
        fs::write(at("b/a/f"), "").unwrap();
        symlink("../b", at("a/l")).unwrap();
        symlink(at("a/a"), at("b/l")).unwrap();
        symlink("l", at("b/a/l")).unwrap();
        symlink("f/", at("a/a/l")).unwrap();
        symlink("gone/x", at("l")).unwrap();
        tree
    }

    /// Every entry that is passed on the way, one look at a time.
    fn passed_on_the_way(path: &Path) -> Vec<PathBuf> {
        let (mut at, mut passed) = (PathBuf::from("/"), Vec::new());
        let mut pending: Vec<OsString> = names(path.as_os_str().as_bytes()).map(Cow::into_owned).collect();
        while let Some(name) = pending.pop() {
            if name == ".." {
                at.pop();
            } else if name != "." {
                passed.push(at.join(&name));
                match fs::read_link(at.join(&name)) {
                    Ok(target) if target.is_absolute() => at = "/".into(),
                    Ok(_) => {}
                    Err(_) => at.push(&name),
                }
                let target = fs::read_link(passed.last().unwrap()).unwrap_or_default();
                pending.extend(names(target.as_os_str().as_bytes()).map(Cow::into_owned));
            }
        }
        passed
    }

    #[test]
    fn every_path_resolves_as_the_kernel_resolves_it() {
        let tree = tree();
        let root = tree.path().canonicalize().unwrap();
        let paths = prop::collection::vec("(/(a|b|f|l|g|\\.|\\.\\.)){1,5}/?", 1..8);
        proptest!(|(paths in paths)| {
            let mut passed = Passed::default();
            for path in paths.iter().map(|path| PathBuf::from(format!("{}{path}", root.display()))) {
                let fact = resolve(&path, true, &mut passed);
                prop_assert_eq!(&fact, &resolve(&path, true, &mut Passed::default()), "{:?}", path);
                if let Some(found) = at_once(&path) {
                    prop_assert_eq!(&Ok(found), &fact, "{:?}", path);
                }
                let real = fact.as_ref().ok().filter(|found| found.kind != FileKind::Missing);
                prop_assert_eq!(real.map(|found| found.real.clone()), fs::canonicalize(&path).ok(), "{:?}", path);
                if let Some(found) = real {
                    let metadata = fs::metadata(&path).unwrap();
                    prop_assert_eq!(found.id, Some(FileId { device: metadata.dev(), inode: metadata.ino() }));
                    let told = |name: &PathBuf| found.real.starts_with(name) || found.visited.contains(name);
                    prop_assert!(passed_on_the_way(&path).iter().all(told), "{:?}: {:?}", path, found);
                    let entry = resolve(&path, false, &mut passed);
                    let is_link = fs::symlink_metadata(&path).unwrap().is_symlink();
                    prop_assert_eq!(entry == fact, !is_link, "{:?}", path);
                }
            }
        });
    }

    #[test]
    fn a_path_without_links_is_resolved_in_one_look() {
        let tree = tree();
        let root = tree.path().canonicalize().unwrap();
        for path in ["a/f", "b/a", "a/gone"].map(|name| root.join(name)) {
            let expected = resolve(&path, true, &mut Passed::default());
            assert_eq!(at_once(&path).ok_or(FactError::Invalid), expected, "{path:?}");
        }
        for name in ["a/l", "a/l/f", "gone/f", "a/f/x", "a/../b", "a//f", "a/f/", "./a"] {
            assert_eq!(at_once(Path::new(&format!("{}/{name}", root.display()))), None, "{name}");
        }
    }

    #[test]
    fn what_is_missing_is_told_where_it_would_be() {
        let tree = tree();
        let root = tree.path().canonicalize().unwrap();
        let cases = [
            ("b/new/x", Ok("b/new/x")),
            ("l", Ok("gone/x")),
            ("a/l/new", Ok("b/new")),
            ("b/new/../x", Err(FactError::NotFound)),
            ("a/f/x", Err(FactError::NotDirectory)),
            ("b/a/l", Err(FactError::LinkLoop)),
        ];
        for (path, expected) in cases {
            let found = resolve(&root.join(path), true, &mut Passed::default());
            assert_eq!(found.map(|found| found.real), expected.map(|name| root.join(name)), "{path}");
        }
    }
}
