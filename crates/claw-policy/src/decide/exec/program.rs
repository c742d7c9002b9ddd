//! Which program a command names, and whether a matcher means it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use claw_shell::{CwdId, Word};

use super::words::{base_name, bytes_path};
use super::{Judge, Scope, glob, words};
use crate::policy::ProgramMatcher;
use crate::{FactError, ProgramFact};

/// Program files that act as another program by the name they are called with: that they are the same file says nothing.
const MULTI_CALL: [&[u8]; 6] = [b"busybox", b"toybox", b"coreutils", b"systemctl", b"kmod", b"box"];

/// Whether what the file does depends on the name that it is started under.
pub(in crate::decide) fn is_multi_call(real: &Path) -> bool {
    real.file_name().is_some_and(|name| MULTI_CALL.contains(&name.as_encoded_bytes()))
}

/// Programs that run others with their own options and rights. They are never unwrapped, so a pattern on
/// many files does not mean them: they have to be listed by name.
const NEVER_BY_PATTERN: [&[u8]; 24] = [
    b"sudo",
    b"doas",
    b"su",
    b"pkexec",
    b"chroot",
    b"unshare",
    b"nsenter",
    b"strace",
    b"gdb",
    b"bwrap",
    b"firejail",
    b"script",
    b"systemd-run",
    b"at",
    b"batch",
    b"crontab",
    b"ssh",
    b"ltrace",
    b"setpriv",
    b"runuser",
    b"capsh",
    b"proot",
    b"fakeroot",
    b"sg",
];

/// Those whose only use is to gain rights, which nothing inside does (`no_new_privs`).
const GAINS_RIGHTS: [&str; 5] = ["sudo", "doas", "su", "pkexec", "runuser"];

/// What to do about a program that is in no list.
pub(in crate::decide) fn way_to_list(name: &str) -> String {
    if GAINS_RIGHTS.contains(&name) {
        return format!("leave `{name}` away: nothing inside gains rights, whatever is listed");
    }
    format!("add \"{name}\" to exec.allowlist")
}

/// A program as a command names it.
#[derive(Debug)]
pub(super) struct Program<'a, 'w> {
    /// As invoked: a bare name, or an absolute path.
    pub(super) invoked: Cow<'w, [u8]>,
    /// The file, or why there is none.
    pub(super) fact: Result<&'a ProgramFact, FactError>,
}

impl Program<'_, '_> {
    /// The name under which it is invoked.
    pub(super) fn name(&self) -> &[u8] {
        base_name(&self.invoked)
    }

    pub(super) fn is_bare(&self) -> bool {
        !self.invoked.contains(&b'/')
    }

    fn found(&self) -> Option<&[u8]> {
        self.fact.ok().map(|fact| fact.found.as_os_str().as_encoded_bytes())
    }

    /// The path that an entry would have to name: where the file was found, else as invoked.
    pub(super) fn place(&self) -> &[u8] {
        self.found().unwrap_or(&self.invoked)
    }

    pub(super) fn real(&self) -> Option<&[u8]> {
        self.fact.ok().map(|fact| fact.real.as_os_str().as_encoded_bytes())
    }
}

impl<'a> Judge<'a> {
    /// The program with the bare name `name`; `None` while the fact is missing.
    pub(super) fn named<'w>(&self, name: Cow<'w, [u8]>) -> Option<Program<'a, 'w>> {
        let fact = self.world.program(&name)?;
        Some(program(name, fact))
    }

    /// The programs that the path `word` may name in the directory of a command; `None` when the text does not tell.
    pub(super) fn programs_of<'w>(
        &self,
        scope: &Scope<'_>,
        word: &'w Word,
        directory: CwdId,
    ) -> Option<Vec<Program<'a, 'w>>> {
        let mut programs = Vec::new();
        let directories = scope.directories.at(directory);
        for directory in directories.map_or_else(|| vec![None], |all| all.iter().map(Some).collect()) {
            let path = words::path(word, directory.map(PathBuf::as_path), self.world)?;
            let path = self.expected(scope, word.span, None, &path).into_owned();
            if let Some(fact) = self.world.program_path(&path) {
                programs.push(program(Cow::Owned(path.into_os_string().into_encoded_bytes()), fact));
            }
        }
        Some(programs)
    }

    /// The trusted program of that bare name, or the one at that path when it lies in a trusted directory.
    pub(super) fn find_trusted(&self, name: &[u8], cwd: &Path) -> Option<&'a ProgramFact> {
        if !name.contains(&b'/') {
            return self.world.program(name)?.as_ref().ok();
        }
        let path = cwd.join(bytes_path(name));
        let fact = self.world.program_path(&path)?.as_ref().ok()?;
        let program = program(Cow::Borrowed(name), self.world.program_path(&path)?);
        self.is_trusted(&program).then_some(fact)
    }

    /// Whether it is the trusted program of the name it is invoked under.
    pub(super) fn is_trusted(&self, program: &Program<'_, '_>) -> bool {
        program.is_bare() || self.is_program(program, program.name())
    }

    /// Whether `matcher` means `program`.
    pub(super) fn is_meant(&self, matcher: &ProgramMatcher, program: &Program<'_, '_>) -> bool {
        match matcher {
            ProgramMatcher::Name(name) => self.is_program(program, name),
            ProgramMatcher::Path(pattern) => is_at(pattern, program) && !needs_a_name(pattern, program),
        }
    }

    /// Whether a `deny` entry means `program`: any of its names is enough.
    pub(super) fn is_denied(&self, matcher: &ProgramMatcher, program: &Program<'_, '_>) -> bool {
        match matcher {
            ProgramMatcher::Path(pattern) => {
                is_at(pattern, program) || glob::matches(pattern.as_bytes(), &program.invoked)
            }
            ProgramMatcher::Name(name) => {
                program.name() == name
                    || program.found().map(base_name) == Some(name)
                    || program.real().map(base_name) == Some(name)
                    || self.is_same_file(program, name)
            }
        }
    }

    /// Whether `program` is the trusted program `name`.
    fn is_program(&self, program: &Program<'_, '_>, name: &[u8]) -> bool {
        if program.is_bare() {
            return *program.invoked == *name;
        }
        let Ok(fact) = program.fact else {
            return self.is_in_trusted(&bytes_path(&program.invoked), name);
        };
        self.is_in_trusted(&fact.found, name)
            || (program.name() == name && self.is_trusted_file(fact, name))
            || self.is_same_file(program, name)
    }

    fn is_in_trusted(&self, path: &Path, name: &[u8]) -> bool {
        path.file_name().is_some_and(|file| file.as_encoded_bytes() == name)
            && path.parent().is_some_and(|parent| self.policy.trusted_dirs.iter().any(|dir| dir == parent))
    }

    fn is_trusted_file(&self, fact: &ProgramFact, name: &[u8]) -> bool {
        let trusted = self.world.program(name).and_then(|fact| fact.as_ref().ok());
        trusted.is_some_and(|trusted| trusted.id == fact.id && trusted.real == fact.real)
    }

    /// Whether `program` is the file of the trusted `name` under another of its names (`python3` is `python3.11`).
    fn is_same_file(&self, program: &Program<'_, '_>, name: &[u8]) -> bool {
        let Ok(fact) = program.fact else { return false };
        let Some(real) = program.real().map(base_name) else { return false };
        program.name() != name
            && real.starts_with(name)
            && !MULTI_CALL.contains(&real)
            && self.is_trusted_file(fact, name)
    }
}

fn program<'a, 'w>(invoked: Cow<'w, [u8]>, fact: &'a Result<ProgramFact, FactError>) -> Program<'a, 'w> {
    Program { invoked, fact: fact.as_ref().map_err(|error| *error) }
}

fn is_at(pattern: &str, program: &Program<'_, '_>) -> bool {
    let pattern = pattern.as_bytes();
    match program.fact {
        Err(_) => !program.is_bare() && glob::matches(pattern, &program.invoked),
        Ok(_) => {
            [program.found(), program.real()].into_iter().flatten().any(|path| glob::matches(pattern, path))
        }
    }
}

/// Whether the program has to be listed by name and the pattern does not name it.
fn needs_a_name(pattern: &str, program: &Program<'_, '_>) -> bool {
    let names = [Some(program.name()), program.real().map(base_name)];
    needs_a_name_of(pattern, names.into_iter().flatten())
}

/// Whether a program of these names has to be listed by name and the pattern does not name it.
pub(super) fn needs_a_name_of<'n>(pattern: &str, names: impl IntoIterator<Item = &'n [u8]>) -> bool {
    let last = base_name(pattern.as_bytes());
    names.into_iter().any(|name| NEVER_BY_PATTERN.contains(&name) && last != name)
}
