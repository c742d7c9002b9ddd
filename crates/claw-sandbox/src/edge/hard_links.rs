//! Finds the other names of a file that has several.
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use claw_policy::{FileKind, ResolvedPath};

/// Entries that are looked at. Beyond it the file counts as having a name elsewhere.
const LIMIT: usize = 100_000;

/// Fills in the names beneath `roots` of a file with more than one, and whether there are others.
pub(super) fn find(mut path: ResolvedPath, roots: &[PathBuf]) -> ResolvedPath {
    if path.kind != FileKind::File || !path.outside_names {
        return path;
    }
    let roots: Vec<PathBuf> = roots.iter().filter_map(|root| fs::canonicalize(root).ok()).collect();
    // Outside of the policy's trees (a program with two names in /usr/bin) no other name gives a right.
    if !roots.iter().any(|root| path.real.starts_with(root)) {
        path.outside_names = false;
        return path;
    }
    let Ok(metadata) = fs::symlink_metadata(&path.real) else { return path };
    let mut search = Search {
        device: metadata.dev(),
        inode: metadata.ino(),
        wanted: metadata.nlink().saturating_sub(1),
        seen: 0,
        found: Vec::new(),
        own: path.real.clone(),
    };
    for root in &roots {
        if search.is_over() {
            break;
        }
        search.tree(root);
    }
    path.outside_names = (search.found.len() as u64) < search.wanted;
    path.aliases = search.found;
    path
}

struct Search {
    device: u64,
    inode: u64,
    /// Names that are missing.
    wanted: u64,
    seen: usize,
    found: Vec<PathBuf>,
    own: PathBuf,
}

impl Search {
    fn is_over(&self) -> bool {
        self.found.len() as u64 >= self.wanted || self.seen > LIMIT
    }

    fn tree(&mut self, root: &Path) {
        let mut pending = vec![root.to_owned()];
        while let Some(path) = pending.pop() {
            self.seen += 1;
            if self.is_over() {
                return;
            }
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            // Hard links do not cross file systems.
            if metadata.dev() != self.device {
                continue;
            }
            if metadata.is_dir() {
                pending.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
            } else if metadata.ino() == self.inode && path != self.own && !self.found.contains(&path) {
                self.found.push(path);
            }
        }
    }
}
