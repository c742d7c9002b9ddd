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
use nix::sys::signal::SigSet;

pub(crate) use resolvers::resolvers;
pub use users::own_home;

/// The program that an absolute path names, as [`Query::ProgramPath`] is answered.
pub(crate) fn program_at(path: &Path, opened: &script::Head) -> Result<claw_policy::ProgramFact, FactError> {
    program::at_opened(path, opened)
}

/// As many questions take about 0.2 ms, which is more than it costs to have half of them answered on another processor.
const MANY_QUERIES: usize = 96;

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

    /// Answers the queries; of many some may be left for the next time. A fact that is there already is kept.
    pub(crate) fn answer(&self, mut queries: Vec<Query>, facts: &mut Facts) {
        if queries.len() < MANY_QUERIES {
            return self.answer_each(queries, facts);
        }
        let theirs = queries.split_off(queries.len() / 2);
        std::thread::scope(|scope| {
            let look = || {
                let mut found = Facts::default();
                // Handlers of this program must not run on our threads.
                if SigSet::all().thread_block().is_ok() {
                    self.answer_each(theirs, &mut found);
                }
                found
            };
            let helper = std::thread::Builder::new().name("claw-edge".into()).spawn_scoped(scope, look);
            self.answer_each(queries, facts);
            // What nobody could answer is asked again.
            if let Some(found) = helper.ok().and_then(|helper| helper.join().ok()) {
                facts.add(found);
            }
        });
    }

    fn answer_each(&self, queries: Vec<Query>, facts: &mut Facts) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_questions_are_answered_like_one_at_a_time() {
        let tree = tempfile::tempdir().unwrap();
        let policy = crate::built_in_policy(tree.path()).unwrap();
        let edge = Edge::new(&policy);
        let paths: Vec<PathBuf> =
            (0..MANY_QUERIES * 2).map(|number| tree.path().join(number.to_string())).collect();
        paths.iter().step_by(3).for_each(|path| std::fs::write(path, "").unwrap());
        let query = |path: &PathBuf| Query::Path { path: path.clone(), follow: true };
        let mut together = Facts::new(None);
        edge.answer(paths.iter().map(query).collect(), &mut together);
        for path in &paths {
            let mut alone = Facts::new(None);
            edge.answer(vec![query(path)], &mut alone);
            assert!(alone.path(path, true).is_some());
            assert_eq!(together.path(path, true), alone.path(path, true), "{path:?}");
        }
    }
}
