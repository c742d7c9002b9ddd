//! The parts of a bundle as the files that they are on this machine.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::applet::Called;
use crate::decide::exec::glob;
use crate::decide::exec::program::is_multi_call;
use crate::decide::world::World;
use crate::normal::{below, is_strictly_beneath};
use crate::policy::{Bundle, Part, Policy};
use crate::{FileId, FileKind, ProgramFact};

/// What a bundle holds.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Trusted programs.
    names: Vec<Vec<u8>>,
    /// By identity, with the name under which a file that is many programs is meant.
    objects: HashMap<FileId, Vec<u8>>,
    files: HashSet<PathBuf>,
    directories: Vec<PathBuf>,
    globs: Vec<Vec<u8>>,
    /// The workspace and patterns beneath it.
    workspace: Option<PathBuf>,
    relative: Vec<Vec<u8>>,
    /// Programs that are meant with these leading arguments.
    forms: Vec<(FileId, Vec<u8>, Vec<Vec<u8>>)>,
}

/// How a program is a part.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Form {
    /// With any arguments.
    Any,
    /// In just this form, whatever other forms entries of the allowlist name.
    Stated,
}

impl Parts {
    pub(super) fn new(bundle: &Bundle, policy: &Policy, world: &World<'_>) -> Self {
        let mut parts = Self::default();
        for part in &bundle.parts {
            match part {
                Part::Command { name, arguments } => parts.add_command(name, arguments, world),
                Part::Path(path) => parts.add_path(path, world),
                Part::Glob(pattern) => parts.globs.push(pattern.as_bytes().to_vec()),
                Part::Installation(pattern) => {
                    let program = world.program(&bundle.program).and_then(|fact| fact.as_ref().ok());
                    let glob = program.and_then(|program| in_installation(program, pattern));
                    parts.globs.extend(glob.map(String::into_bytes));
                }
                Part::Workspace(pattern) => {
                    parts.workspace = workspace(policy, world);
                    parts.relative.push(pattern.as_bytes().to_vec());
                }
            }
        }
        parts
    }

    fn add_command(&mut self, name: &[u8], arguments: &[Vec<u8>], world: &World<'_>) {
        let Some(Ok(fact)) = world.program(name) else { return };
        if arguments.is_empty() {
            self.names.push(name.to_vec());
            self.files.insert(fact.real.clone());
        } else {
            self.forms.push((fact.id, name.to_vec(), arguments.to_vec()));
        }
    }

    fn add_path(&mut self, path: &Path, world: &World<'_>) {
        let Some(Ok(known)) = world.path(path, true) else { return };
        match known.kind {
            FileKind::Directory => self.directories.push(known.real.clone()),
            FileKind::File => {
                let name = path.file_name().map_or(&[][..], std::ffi::OsStr::as_encoded_bytes);
                self.objects.extend(known.id.map(|id| (id, name.to_vec())));
                self.files.insert(known.real.clone());
            }
            FileKind::Missing | FileKind::Link | FileKind::Special => {}
        }
    }

    /// How `program`, called like this with these arguments, is a part.
    pub(super) fn form(
        &self,
        program: &ProgramFact,
        called: Called<'_>,
        names: &[&[u8]],
        arguments: &[Vec<u8>],
    ) -> Option<Form> {
        // By identity, or as the program itself under another file (`git` of git's own directory).
        let is_stated = |(id, name, form): &&(FileId, Vec<u8>, Vec<Vec<u8>>)| {
            (*id == program.id || names.contains(&name.as_slice())) && arguments.starts_with(form)
        };
        if self.forms.iter().any(|form| is_stated(&form)) {
            return Some(Form::Stated);
        }
        let is_many = is_multi_call(&program.real);
        let is_called = |name: &[u8]| !is_many || called.name == name;
        let is_part = self.names.iter().any(|name| names.contains(&name.as_slice()))
            || self.objects.get(&program.id).is_some_and(|name| is_called(name))
            || (!is_many && self.holds(&program.found, &program.real));
        is_part.then_some(Form::Any)
    }

    /// Whether a part has this real path, or is found beneath the workspace and lies there.
    pub(super) fn holds(&self, found: &Path, real: &Path) -> bool {
        self.has_file(real)
            || self.globs.iter().any(|pattern| glob::matches(pattern, bytes(real)))
            || self.is_relative(found, real)
    }

    /// Whether the file, or a directory that it lies in, is a part.
    pub(super) fn has_file(&self, real: &Path) -> bool {
        self.files.contains(real)
            || self.directories.iter().any(|directory| is_strictly_beneath(real, directory))
    }

    fn is_relative(&self, found: &Path, real: &Path) -> bool {
        let Some(workspace) = &self.workspace else { return false };
        // A link out of the workspace is what it leads to.
        if !is_strictly_beneath(real, workspace) {
            return false;
        }
        [found, real]
            .into_iter()
            .filter_map(|path| below(path, workspace))
            .any(|rest| self.relative.iter().any(|pattern| glob::matches(pattern, bytes(rest))))
    }
}

/// The workspace under its canonical name.
pub(in crate::decide) fn workspace(policy: &Policy, world: &World<'_>) -> Option<PathBuf> {
    let path = policy.workspace()?;
    Some(world.path(path, true)?.as_ref().ok()?.real.clone())
}

/// The glob of a part that lies where `program` is installed. A program that is installed in a directory by itself has
/// no such place.
pub(in crate::decide) fn in_installation(program: &ProgramFact, pattern: &str) -> Option<String> {
    let place = program.real.parent()?.parent()?.to_str()?;
    Some(format!("{}/{pattern}", globset::escape(place.trim_end_matches('/'))))
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}
