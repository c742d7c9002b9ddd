//! Facts about the world, as values.
//!
//! The edge (`claw-sandbox`) answers [`Query`]s by looking at the file system; [`crate::decide`]
//! only reads the answers. So every situation, a symlink loop or a hard link to a secret, is a
//! plain value in a unit test.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::confinement::BaseConfinement;
use crate::decide::{Ground, Known};
use crate::pattern::Patterns;

/// Something about the world that a decision depends on.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Query {
    /// A program's bare name, looked up in the policy's trusted directories in order.
    Program {
        /// The bare name, without `/`.
        name: Vec<u8>,
    },
    /// The program file that an absolute path names, links followed.
    ProgramPath {
        /// Absolute, as spelled (`..` and links not resolved).
        path: PathBuf,
    },
    /// What an absolute path resolves to.
    Path {
        /// Absolute, as spelled (`..` and links not resolved).
        path: PathBuf,
        /// Whether a link in the last component is followed.
        follow: bool,
    },
    /// The program files that match an absolute glob (`*` does not cross `/`, `**` does).
    ProgramGlob {
        /// The pattern.
        pattern: String,
    },
    /// The home directory of `~name`.
    Home {
        /// The user's name.
        user: Vec<u8>,
    },
    /// Everything beneath a directory that would be removed, moved or changed as a whole.
    Tree {
        /// The directory, canonical.
        path: PathBuf,
    },
}

/// The answers to queries, and who and where we are.
///
/// `decide` never changes it.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The home directory that `~` means.
    pub home: Option<PathBuf>,
    /// Whether only one command will ever run under its confinement, which then need not serve others: a command
    /// that starts no programs beside its own gets no others.
    pub one_shot: bool,
    /// Answers that hold for longer than one request; ours come first.
    base: Option<Arc<Self>>,
    programs: HashMap<Vec<u8>, Result<ProgramFact, FactError>>,
    program_paths: HashMap<PathBuf, Result<ProgramFact, FactError>>,
    /// By the spelling of the path: taking it apart would be most of a look-up.
    followed: HashMap<OsString, PathFact>,
    entries: HashMap<OsString, PathFact>,
    globs: HashMap<String, Vec<ProgramFact>>,
    homes: HashMap<Vec<u8>, Option<PathBuf>>,
    trees: HashMap<PathBuf, TreeFact>,
    /// A policy laid over these facts. Later facts cannot change it, a corrected fact discards it.
    pub(crate) ground: OnceLock<Arc<Ground>>,
    /// The same policy's confinement.
    pub(crate) confinement: OnceLock<(Arc<Patterns>, Arc<BaseConfinement>)>,
    /// What the same policy's names of programs mean.
    pub(crate) known: OnceLock<(Arc<Patterns>, Arc<Known>)>,
}

/// An answer to a [`Query::Tree`]: the canonical path of every entry beneath the directory, links not
/// followed. `None` when a part cannot be listed or there are more entries than the edge's bound.
pub type TreeFact = Option<Vec<PathBuf>>;

/// An answer to a [`Query::Path`].
pub type PathFact = Result<ResolvedPath, FactError>;

/// Which object a path names, independent of its spelling.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct FileId {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

/// What kind of object a path names.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FileKind {
    /// Nothing is there yet.
    Missing,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link (only when the last link is not followed).
    Link,
    /// A FIFO, socket or device.
    Special,
}

/// A path after kernel resolution.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ResolvedPath {
    /// The canonical path: no links, no `..`. For a missing file, where it would be.
    pub real: PathBuf,
    /// Every directory entry that was passed on the way, as canonical parent + name: links appear
    /// under the name that was followed. `real` and what is above it may be left out: its name tells them.
    pub visited: Vec<PathBuf>,
    /// What is there.
    pub kind: FileKind,
    /// Its identity, unless missing.
    pub id: Option<FileId>,
    /// Other known names of the same regular file (hard links found beneath the policy's roots).
    pub aliases: Vec<PathBuf>,
    /// True when the file has hard links that were not found beneath the policy's roots.
    pub outside_names: bool,
    /// True when this is a mount point or another file system begins here.
    pub mount_point: bool,
}

/// A program file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProgramFact {
    /// The path under which it was found (a trusted directory + name, or the path as resolved up to
    /// its last component).
    pub found: PathBuf,
    /// The canonical path.
    pub real: PathBuf,
    /// Its identity.
    pub id: FileId,
    /// Whether the execute permission is there for us.
    pub executable: bool,
    /// The files that the kernel opens to run it: ELF interpreter, `#!` interpreters and (for
    /// `#!/usr/bin/env NAME`) the program that `env` starts. Canonical paths.
    pub interpreters: Vec<PathBuf>,
}

/// Why a query has no good answer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FactError {
    /// Nothing of that name.
    NotFound,
    /// A directory, not a program.
    IsDirectory,
    /// A component of the path is not a directory.
    NotDirectory,
    /// Too many symbolic links.
    LinkLoop,
    /// The path or a name in it is too long.
    TooLong,
    /// The path contains a NUL byte or is empty.
    Invalid,
    /// We may not look.
    NoAccess,
}

impl Facts {
    /// No facts but the home directory.
    #[must_use]
    pub fn new(home: Option<PathBuf>) -> Self {
        // The built-in profile alone asks for as many paths.
        let entries = HashMap::with_capacity(256);
        Self { home, entries, ..Self::default() }
    }

    /// No facts but those of `base`. What is recorded here does not change it, and costs no copy of it.
    #[must_use]
    pub fn over(base: &Arc<Self>) -> Self {
        Self {
            home: base.home.clone(),
            one_shot: base.one_shot,
            base: Some(Arc::clone(base)),
            ground: base.ground.clone(),
            confinement: base.confinement.clone(),
            known: base.known.clone(),
            ..Self::default()
        }
    }

    /// Records the answer to [`Query::Program`].
    pub fn set_program(&mut self, name: impl Into<Vec<u8>>, fact: Result<ProgramFact, FactError>) {
        let replaced = self.programs.insert(name.into(), fact).is_some();
        self.forget_ground(replaced);
    }

    /// Records the answer to [`Query::ProgramPath`].
    pub fn set_program_path(&mut self, path: impl Into<PathBuf>, fact: Result<ProgramFact, FactError>) {
        let replaced = self.program_paths.insert(path.into(), fact).is_some();
        self.forget_ground(replaced);
    }

    /// Records the answer to [`Query::Path`].
    pub fn set_path(&mut self, path: impl Into<PathBuf>, follow: bool, fact: PathFact) {
        let path = path.into().into_os_string();
        // What is no link has answered for what it leads to.
        let answered = follow && self.entries.contains_key(&path);
        let paths = if follow { &mut self.followed } else { &mut self.entries };
        let replaced = paths.insert(path, fact).is_some();
        self.forget_ground(replaced || answered);
    }

    /// Records the answer to [`Query::ProgramGlob`].
    pub fn set_glob(&mut self, pattern: impl Into<String>, programs: Vec<ProgramFact>) {
        let replaced = self.globs.insert(pattern.into(), programs).is_some();
        self.forget_ground(replaced);
    }

    /// Records the answer to [`Query::Home`].
    pub fn set_home(&mut self, user: impl Into<Vec<u8>>, home: Option<PathBuf>) {
        let replaced = self.homes.insert(user.into(), home).is_some();
        self.forget_ground(replaced);
    }

    /// Records the answer to [`Query::Tree`].
    pub fn set_tree(&mut self, path: impl Into<PathBuf>, tree: TreeFact) {
        let replaced = self.trees.insert(path.into(), tree).is_some();
        self.forget_ground(replaced);
    }

    /// Adds answers that were looked up elsewhere. One that is here already stays.
    pub fn add(&mut self, other: Self) {
        fn add<K: std::hash::Hash + Eq, V>(ours: &mut HashMap<K, V>, theirs: HashMap<K, V>) {
            theirs.into_iter().for_each(|(question, answer)| {
                ours.entry(question).or_insert(answer);
            });
        }
        add(&mut self.programs, other.programs);
        add(&mut self.program_paths, other.program_paths);
        add(&mut self.followed, other.followed);
        add(&mut self.entries, other.entries);
        add(&mut self.globs, other.globs);
        add(&mut self.homes, other.homes);
        add(&mut self.trees, other.trees);
    }

    fn forget_ground(&mut self, replaced: bool) {
        if replaced {
            self.ground = OnceLock::new();
            self.confinement = OnceLock::new();
            self.known = OnceLock::new();
        }
    }

    /// The answer to [`Query::Program`], if known.
    #[must_use]
    pub fn program(&self, name: &[u8]) -> Option<&Result<ProgramFact, FactError>> {
        self.programs.get(name).or_else(|| self.base.as_ref()?.program(name))
    }

    /// The answer to [`Query::ProgramPath`], if known.
    #[must_use]
    pub fn program_path(&self, path: &Path) -> Option<&Result<ProgramFact, FactError>> {
        self.program_paths.get(path).or_else(|| self.base.as_ref()?.program_path(path))
    }

    /// The answer to [`Query::Path`], if known. What is no link leads to itself.
    #[must_use]
    pub fn path(&self, path: &Path, follow: bool) -> Option<&PathFact> {
        let entry = || self.entries.get(path.as_os_str());
        let own = if follow {
            let followed = self.followed.get(path.as_os_str());
            followed.or_else(|| entry().filter(|fact| !is_link(fact)))
        } else {
            entry()
        };
        own.or_else(|| self.base.as_ref()?.path(path, follow))
    }

    /// The answer to [`Query::ProgramGlob`], if known.
    #[must_use]
    pub fn glob(&self, pattern: &str) -> Option<&[ProgramFact]> {
        let own = self.globs.get(pattern).map(Vec::as_slice);
        own.or_else(|| self.base.as_ref()?.glob(pattern))
    }

    /// The answer to [`Query::Home`], if known.
    #[must_use]
    pub fn home_of(&self, user: &[u8]) -> Option<&Option<PathBuf>> {
        self.homes.get(user).or_else(|| self.base.as_ref()?.home_of(user))
    }

    /// The answer to [`Query::Tree`], if known.
    #[must_use]
    pub fn tree(&self, path: &Path) -> Option<&TreeFact> {
        self.trees.get(path).or_else(|| self.base.as_ref()?.tree(path))
    }
}

fn is_link(fact: &PathFact) -> bool {
    fact.as_ref().is_ok_and(|path| path.kind == FileKind::Link)
}
