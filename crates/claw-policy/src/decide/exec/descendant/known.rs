//! What the names of a policy mean on this machine: the files behind them, by identity.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::applet::Called;
use super::parts::{Form, Parts};
use crate::decide::exec::program::is_multi_call;
use crate::decide::world::World;
use crate::policy::{Part, ProgramMatcher};
use crate::{FileId, Policy, ProgramFact};

/// Programs that run what their arguments name and nothing else. What they run is judged when it is executed.
/// Those that also run text for a shell (`flock -c`, `watch`) are the shell's business then.
pub(super) const WRAPPERS: [&[u8]; 10] =
    [b"env", b"nice", b"nohup", b"setsid", b"timeout", b"stdbuf", b"time", b"flock", b"ionice", b"xargs"];

/// Shells whose text on the command line is read and judged (`claw-shell`).
pub(super) const SHELLS: [&[u8]; 9] =
    [b"sh", b"bash", b"dash", b"ash", b"rbash", b"zsh", b"ksh", b"ksh93", b"mksh"];

/// Those of both that everything uses, so that the kernel has to let them through.
pub(in crate::decide) const SUPERVISED: [&[u8]; 9] =
    [b"env", b"nice", b"nohup", b"setsid", b"timeout", b"xargs", b"sh", b"bash", b"dash"];

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
    real: PathBuf,
    /// Whether the file goes by that name itself, so that what it is called with does not matter (`python3` is
    /// `python3.11`); not for `view`, which is `vim` called in another way.
    is_own: bool,
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
            // Parts of what is not there are nobody's.
            if world.program(&bundle.program).is_none_or(Result::is_ok) {
                known.bundles.insert(bundle.program.clone(), Parts::new(bundle, policy, world));
            }
        }
        for directory in &policy.trusted_dirs {
            known
                .trusted
                .extend(world.path(directory, true).and_then(|path| Some(path.as_ref().ok()?.real.clone())));
        }
        known
    }

    fn add_name(&mut self, name: &[u8], fact: &ProgramFact) {
        let names = self.names.entry(fact.id).or_default();
        if names.iter().all(|known| known.name != name) {
            let is_own = base(&fact.real).starts_with(name) && !is_multi_call(&fact.real);
            names.push(Name { name: name.to_vec(), real: fact.real.clone(), is_own });
        }
    }

    /// The names of the policy that mean `program` when it is called like this.
    pub(super) fn names_of<'k>(&'k self, program: &'k ProgramFact, called: Called<'k>) -> Vec<&'k [u8]> {
        if is_multi_call(&program.real) {
            // Whatever of its names the policy knows, it is the one that it is called as.
            return if self.is_trusted(program) { vec![called.name] } else { Vec::new() };
        }
        let names = self.names.get(&program.id).map_or(&[][..], Vec::as_slice);
        let is_meant = |name: &&Name| name.is_own || name.name == called.name;
        let mut meant: Vec<&[u8]> = names.iter().filter(is_meant).map(|name| name.name.as_slice()).collect();
        // A trusted directory may have another file of the name (`/usr/bin/git` beside `/usr/local/bin/git`).
        let real = base(&program.real);
        let is_own = |name: &&[u8]| *name == called.name || real.starts_with(name);
        let placed = [&program.found, &program.real].into_iter().filter(|path| self.is_in_trusted(path));
        for name in placed.map(|path| base(path)).filter(is_own) {
            if !meant.contains(&name) {
                meant.push(name);
            }
        }
        if meant.is_empty() {
            meant.extend(self.own_part(program));
        }
        meant
    }

    /// The program whose own file in its bundle this is: `git-core/git` is git.
    fn own_part(&self, program: &ProgramFact) -> Option<&[u8]> {
        let base = base(&program.real);
        let whole = self.bundles.get_key_value(base);
        let (name, parts) = whole.or_else(|| {
            let at = base.iter().position(|byte| *byte == b'-')?;
            self.bundles.get_key_value(base.get(..at)?)
        })?;
        parts.has_file(&program.real).then_some(name)
    }

    /// Whether it is a program of the trusted directories, or the file of one.
    pub(super) fn is_trusted(&self, program: &ProgramFact) -> bool {
        self.names.contains_key(&program.id)
            || self.is_in_trusted(&program.found)
            || self.is_in_trusted(&program.real)
    }

    fn is_in_trusted(&self, path: &Path) -> bool {
        self.trusted.iter().any(|trusted| path.parent() == Some(trusted))
    }

    /// The names that mean an interpreter, of which only the path is known.
    pub(super) fn names_at<'k>(&'k self, real: &'k Path) -> impl Iterator<Item = &'k [u8]> {
        let names = self.names.values().flatten();
        names.filter(move |name| name.real == real).map(|name| name.name.as_slice())
    }

    /// Whether the program `name` has parts.
    pub(super) fn has_bundle(&self, name: &[u8]) -> bool {
        self.bundles.contains_key(name)
    }

    /// The parts of `owner`.
    pub(super) fn parts(&self, owner: &[u8]) -> Option<&Parts> {
        self.bundles.get(owner)
    }

    /// How `program`, called like this, is a part of `owner`.
    pub(super) fn form(
        &self,
        owner: &[u8],
        program: &ProgramFact,
        called: Called<'_>,
        names: &[&[u8]],
        arguments: &[Vec<u8>],
    ) -> Option<Form> {
        self.bundles.get(owner)?.form(program, called, names, arguments)
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
    let parts = policy.bundles.iter().flat_map(|bundle| &bundle.parts);
    let parts = parts.filter_map(|part| match part {
        Part::Command { name, .. } => Some(name.as_slice()),
        Part::Path(_) | Part::Glob(_) | Part::Workspace(_) | Part::Installation(_) => None,
    });
    named.chain(filters).chain(owners).chain(parts).chain(WRAPPERS).chain(SHELLS)
}

/// The last component.
fn base(path: &Path) -> &[u8] {
    path.file_name().map_or(&[][..], std::ffi::OsStr::as_encoded_bytes)
}
