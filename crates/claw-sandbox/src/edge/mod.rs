//! The edge to the world: answers the decision point's queries by looking at the file system.
//!
//! What is found here is a fact about one moment. The kernel enforces the decision whatever happens after.
#![forbid(unsafe_code)]

mod hard_links;
mod path;
mod program;
mod resolvers;
pub(crate) mod script;
mod users;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use claw_policy::{FactError, Facts, FileId, FileKind, Policy, Query};

pub(crate) use resolvers::resolvers;
pub use users::own_home;

/// The program that an absolute path names, as [`Query::ProgramPath`] is answered.
pub(crate) fn program_at(path: &Path) -> Result<claw_policy::ProgramFact, FactError> {
    program::at(path, &mut path::Passed::default())
}

/// The most entries of a tree that are looked at one by one.
const TREE_LIMIT: usize = 100_000;

/// What the edge has to know to answer.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    /// Where bare program names are looked up, in order.
    trusted: Vec<PathBuf>,
    /// The trees that the policy lists.
    roots: Vec<PathBuf>,
    /// Where other names of a file are looked for: the same, and what is hidden.
    searched: Vec<PathBuf>,
}

/// What the trusted directories and the roots are at one moment: identity, and the time of the last change
/// of a trusted directory's entries.
pub(crate) type Stamp = Vec<Option<(FileId, i64, i64)>>;

impl Edge {
    pub(crate) fn new(policy: &Policy) -> Self {
        let roots: Vec<PathBuf> = policy.roots().map(|(path, _)| path.to_owned()).collect();
        let searched = roots.iter().cloned().chain(policy.hidden_paths().map(Path::to_owned)).collect();
        Self { trusted: policy.trusted_directories().to_vec(), roots, searched }
    }

    /// Cheap enough for every decision: one `stat` for each directory.
    pub(crate) fn stamp(&self) -> Stamp {
        let of = |path: &PathBuf, times: bool| {
            let metadata = std::fs::metadata(path).ok()?;
            let id = FileId { device: metadata.dev(), inode: metadata.ino() };
            Some(if times { (id, metadata.mtime(), metadata.mtime_nsec()) } else { (id, 0, 0) })
        };
        let trusted = self.trusted.iter().map(|path| of(path, true));
        trusted.chain(self.roots.iter().map(|path| of(path, false))).collect()
    }

    /// Answers ahead what a request for this path asks first, if one look is enough.
    pub(crate) fn answer_at_once(path: PathBuf, facts: &mut Facts) {
        // Of a file with more names the others have to be found.
        if let Some(found) = path::at_once(&path).filter(|found| !found.outside_names) {
            facts.set_path(path, false, Ok(found));
        }
    }

    /// Answers every query. A fact that is there already is kept.
    pub(crate) fn answer(&self, queries: Vec<Query>, facts: &mut Facts) {
        let mut passed = path::Passed::default();
        for query in queries {
            match query {
                Query::Program { name } => {
                    let program = program::in_directories(&self.trusted, &name, &mut passed);
                    facts.set_program(name, program);
                }
                Query::ProgramPath { path } => {
                    let program = program::at(&path, &mut passed);
                    facts.set_program_path(path, program);
                }
                Query::Path { path, follow } => {
                    let mut resolve = |follow| {
                        let resolved = path::resolve(&path, follow, &mut passed);
                        resolved.map(|path| hard_links::find(path, &self.searched))
                    };
                    let fact = resolve(follow);
                    // Whoever finds a link asks next where it leads.
                    if fact.as_ref().is_ok_and(|found| found.kind == FileKind::Link) {
                        facts.set_path(&path, true, resolve(true));
                    }
                    facts.set_path(path, follow, fact);
                }
                Query::ProgramGlob { pattern } => {
                    let programs = program::matching(&pattern);
                    facts.set_glob(pattern, programs);
                }
                Query::Home { user } => {
                    let home = users::home_of(&user);
                    facts.set_home(user, home);
                }
                Query::Tree { path } => {
                    let tree = tree(&path);
                    facts.set_tree(path, tree);
                }
            }
        }
    }
}

/// Every entry beneath a directory, links not followed; `None` when a part cannot be listed.
fn tree(directory: &Path) -> Option<Vec<PathBuf>> {
    let mut entries = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).ok()? {
            let entry = entry.ok()?;
            if entry.file_type().ok()?.is_dir() {
                pending.push(entry.path());
            }
            entries.push(entry.path());
            if entries.len() > TREE_LIMIT {
                return None;
            }
        }
    }
    Some(entries)
}

/// What an error of the system means for a fact.
pub(crate) fn fact_error(error: &std::io::Error) -> FactError {
    match error.raw_os_error() {
        Some(libc::ENOENT) => FactError::NotFound,
        Some(libc::ENOTDIR) => FactError::NotDirectory,
        Some(libc::ELOOP) => FactError::LinkLoop,
        Some(libc::ENAMETOOLONG) => FactError::TooLong,
        Some(libc::EINVAL) => FactError::Invalid,
        None if error.kind() == std::io::ErrorKind::InvalidInput => FactError::Invalid,
        _ => FactError::NoAccess,
    }
}
