//! What a process of a run is: for whom it works, and what that lets it start.

use std::fmt;
use std::sync::Arc;

use crate::ProgramFact;

/// What a process of a run is, for the judgement of the programs that it starts.
///
/// The first process has [`crate::ExecGrant::role`]; every other one has the role that the decision on its
/// program gave it ([`crate::DescendantGrant::role`]). A process that is forked has its parent's. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Role(Arc<Part>);

impl PartialEq for Role {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for Role {}

#[derive(Debug, Eq, PartialEq)]
struct Part {
    /// The program, as people call it.
    name: String,
    /// Who started it; `None` for a run's first process.
    caller: Option<String>,
    held: Held,
    /// The script that the process runs, which its interpreter may be started for.
    script: Option<Arc<ProgramFact>>,
}

/// Whose parts a process may start.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Held {
    /// Those of this program; which bundles that are is told when it starts something.
    Command { program: Box<ProgramFact>, argv: Vec<Vec<u8>> },
    /// Those of the bundles of these programs.
    Bundles(Vec<Vec<u8>>),
}

impl Role {
    /// The role of a run's first process.
    pub(crate) fn of_command(program: Option<&ProgramFact>, argv: &[Vec<u8>]) -> Self {
        let held = match program {
            // What a file is called with, and as what, is told by the first two words.
            Some(program) => Held::Command {
                program: Box::new(program.clone()),
                argv: argv.iter().take(2).cloned().collect(),
            },
            None => Held::Bundles(Vec::new()),
        };
        let name = argv.first().map_or_else(String::new, |name| shown(name));
        let script = program.filter(|program| program.is_script()).cloned().map(Arc::new);
        Self(Arc::new(Part { name, caller: None, held, script }))
    }

    /// The role of what a process of the role `caller` starts under the name `name`.
    pub(crate) fn started_by(
        caller: &Self,
        name: &[u8],
        bundles: Vec<Vec<u8>>,
        script: Option<Arc<ProgramFact>>,
    ) -> Self {
        let caller = Some(caller.0.name.clone());
        Self(Arc::new(Part { name: shown(name), caller, held: Held::Bundles(bundles), script }))
    }

    pub(crate) fn held(&self) -> &Held {
        &self.0.held
    }

    pub(crate) fn script(&self) -> Option<&Arc<ProgramFact>> {
        self.0.script.as_ref()
    }

    /// The program, as people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.caller {
            None => write!(f, "`{}` (the command)", self.0.name),
            Some(caller) => write!(f, "`{}` (started by `{caller}`)", self.0.name),
        }
    }
}

/// The last component of a path or name, fit for a message.
fn shown(name: &[u8]) -> String {
    let base = name.rsplit(|byte| *byte == b'/').next().unwrap_or(name);
    String::from_utf8_lossy(base).chars().filter(|character| !character.is_control()).take(60).collect()
}

impl ProgramFact {
    /// Whether the kernel starts an interpreter for it (`#!`), beside the dynamic loader.
    pub(crate) fn is_script(&self) -> bool {
        self.started_for_it().next().is_some()
    }

    /// The interpreters that are programs of their own, without the dynamic loader.
    pub(crate) fn started_for_it(&self) -> impl Iterator<Item = &std::path::PathBuf> {
        // `ld-linux-x86-64.so.2`, `ld-musl-x86_64.so.1`, `ld.so.1`, `ld64.so.2`: the names of ELF interpreters.
        let is_loader = |path: &&std::path::PathBuf| {
            let name = path.file_name().map_or(&b""[..], std::ffi::OsStr::as_encoded_bytes);
            name.starts_with(b"ld") && name.windows(3).any(|part| part == b".so")
        };
        self.interpreters.iter().filter(move |path| !is_loader(path))
    }
}
