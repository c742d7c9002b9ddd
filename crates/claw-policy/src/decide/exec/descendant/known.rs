//! What the names of a policy mean on this machine: the files behind them, by identity.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::applet::Called;
use crate::decide::exec::program::is_multi_call;
use crate::decide::world::World;
use crate::policy::{Bundle, ProgramMatcher};
use crate::{FileId, FileKind, Policy, ProgramFact};

/// Programs that run what their arguments name and nothing else. What they run is judged when it is executed.
/// Those that also run text for a shell (`flock -c`, `watch`) are the shell's business then.
pub(super) const WRAPPERS: [&[u8]; 10] =
    [b"env", b"nice", b"nohup", b"setsid", b"timeout", b"stdbuf", b"time", b"flock", b"ionice", b"xargs"];

/// Shells whose text on the command line is read and judged (`claw-shell`).
pub(super) const SHELLS: [&[u8]; 9] =
    [b"sh", b"bash", b"dash", b"ash", b"rbash", b"zsh", b"ksh", b"ksh93", b"mksh"];

/// Every name that the policy knows programs by, and what its bundles hold. Depends on the policy and on facts alone.
#[derive(Debug)]
pub(crate) struct Known {
    names: HashMap<FileId, Vec<Name>>,
    bundles: HashMap<Vec<u8>, Parts>,
    trusted: Vec<PathBuf>,
}

/// A name of a trusted program.
#[derive(Debug)]
struct Name {
    name: Vec<u8>,
    /// Whether the file goes by that name itself, so that what it is called with does not matter (`python3` is
    /// `python3.11`); not for `view`, which is `vim` called in another way.
    is_own: bool,
}

/// What a bundle holds.
#[derive(Debug, Default)]
struct Parts {
    files: HashSet<PathBuf>,
    /// By identity, with the name under which a file that is many programs is meant.
    objects: HashMap<FileId, Vec<u8>>,
    directories: Vec<PathBuf>,
}

impl Known {
    pub(in crate::decide) fn new(policy: &Policy, world: &World<'_>) -> Self {
        let trusted = policy.trusted_dirs.clone();
        let mut known = Self { names: HashMap::new(), bundles: HashMap::new(), trusted };
        for name in names(policy) {
            if let Some(Ok(fact)) = world.program(name) {
                known.add_name(name, fact);
            }
        }
        for bundle in &policy.bundles {
            known.bundles.entry(bundle.program.clone()).or_default().add(bundle, world);
        }
        known
    }

    fn add_name(&mut self, name: &[u8], fact: &ProgramFact) {
        let names = self.names.entry(fact.id).or_default();
        if names.iter().all(|known| known.name != name) {
            let real = fact.real.file_name().map_or(&[][..], std::ffi::OsStr::as_encoded_bytes);
            let is_own = real.starts_with(name) && !is_multi_call(&fact.real);
            names.push(Name { name: name.to_vec(), is_own });
        }
    }

    /// The names of the policy that mean `program` when it is called like this.
    pub(super) fn names_of<'k>(&'k self, program: &ProgramFact, called: Called<'k>) -> Vec<&'k [u8]> {
        if is_multi_call(&program.real) {
            // Whatever of its names the policy knows, it is the one that it is called as.
            return if self.is_trusted(program) { vec![called.name] } else { Vec::new() };
        }
        let names = self.names.get(&program.id).map_or(&[][..], Vec::as_slice);
        let is_meant = |name: &&Name| name.is_own || name.name == called.name;
        names.iter().filter(is_meant).map(|name| name.name.as_slice()).collect()
    }

    /// Whether it is a file of the trusted directories.
    pub(super) fn is_trusted(&self, program: &ProgramFact) -> bool {
        let is_in = |path: &Path| self.trusted.iter().any(|trusted| path.parent() == Some(trusted));
        self.has(program) || is_in(&program.found) || is_in(&program.real)
    }

    /// Whether a program of the policy's is this very file.
    fn has(&self, program: &ProgramFact) -> bool {
        self.names.contains_key(&program.id)
    }

    /// Whether the program `name` has parts.
    pub(super) fn has_bundle(&self, name: &[u8]) -> bool {
        self.bundles.contains_key(name)
    }

    /// Whether `program`, called like this, is a part of `owner`.
    pub(super) fn is_part(&self, owner: &[u8], program: &ProgramFact, called: Called<'_>) -> bool {
        self.bundles.get(owner).is_some_and(|parts| parts.have(program, called))
    }
}

/// The bare names that have a meaning under `policy`.
fn names(policy: &Policy) -> impl Iterator<Item = &[u8]> {
    let entries = policy.exec.iter().flat_map(|layer| &layer.allowlist).map(|entry| &entry.value.program);
    let matchers = entries.chain(policy.exec_deny.iter().map(|entry| &entry.value));
    let named = matchers.filter_map(|matcher| match matcher {
        ProgramMatcher::Name(name) => Some(name.as_slice()),
        ProgramMatcher::Path(_) => None,
    });
    let filters = policy.exec.iter().flat_map(|layer| &layer.safe_bins).map(|name| name.value.as_slice());
    let owners = policy.bundles.iter().map(|bundle| bundle.program.as_slice());
    named.chain(filters).chain(owners).chain(WRAPPERS).chain(SHELLS)
}

impl Parts {
    fn add(&mut self, bundle: &Bundle, world: &World<'_>) {
        for part in &bundle.parts {
            let Some(Ok(path)) = world.path(part, true) else { continue };
            match path.kind {
                FileKind::Directory => self.directories.push(path.real.clone()),
                FileKind::File => {
                    self.files.insert(path.real.clone());
                    let name = part.file_name().map_or(&[][..], std::ffi::OsStr::as_encoded_bytes);
                    self.objects.extend(path.id.map(|id| (id, name.to_vec())));
                }
                FileKind::Missing | FileKind::Link | FileKind::Special => {}
            }
        }
    }

    fn have(&self, program: &ProgramFact, called: Called<'_>) -> bool {
        let is_called = |name: &[u8]| !is_multi_call(&program.real) || called.name == name;
        self.objects.get(&program.id).is_some_and(|name| is_called(name))
            || self.has_path(&program.real) && !is_multi_call(&program.real)
    }

    fn has_path(&self, real: &Path) -> bool {
        self.files.contains(real) || self.directories.iter().any(|directory| real.starts_with(directory))
    }
}
