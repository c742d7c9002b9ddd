//! Finds program files and what the kernel opens to run them.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use claw_policy::{FactError, FileId, ProgramFact};
use globset::GlobBuilder;
use nix::unistd::{AccessFlags, access};

use super::fact_error;
use super::path::{self, Passed};
use super::script::{Head, Shebang, read_head};

/// `#!` interpreters may be scripts themselves, this deep (the kernel's bound is 5 rewrites).
const SCRIPT_DEPTH: usize = 5;
/// Files that a glob may look at.
const GLOB_LIMIT: usize = 10_000;

type Program = Result<ProgramFact, FactError>;

/// The first file of that name in the directories that can be executed; else the first of that name.
pub(super) fn in_directories(directories: &[PathBuf], name: &[u8], passed: &mut Passed) -> Program {
    if name.is_empty() || name.contains(&b'/') || name.contains(&0) {
        return Err(FactError::Invalid);
    }
    let mut best = Err(FactError::NotFound);
    for directory in directories {
        match found(&directory.join(OsStr::from_bytes(name)), None, directories, passed) {
            Ok(program) if program.executable => return Ok(program),
            other if best == Err(FactError::NotFound) => best = other,
            _ => {}
        }
    }
    best
}

/// The program that an absolute path names.
pub(super) fn at(path: &Path, passed: &mut Passed) -> Program {
    found(path, None, &[], passed)
}

/// The same of a program that is opened already. What is said of another that the path leads to by now is of no use.
pub(super) fn at_opened(path: &Path, opened: &Head) -> Program {
    found(path, Some(opened), &[], &mut Passed::default())
}

/// The programs whose path matches. The part before the first pattern character is not searched for.
pub(super) fn matching(pattern: &str) -> Vec<ProgramFact> {
    let Ok(glob) = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build() else {
        return Vec::new();
    };
    let glob = glob.compile_matcher();
    let literal: PathBuf =
        Path::new(pattern).components().take_while(|part| !is_pattern(part.as_os_str().as_bytes())).collect();
    let mut pending = vec![literal];
    let mut programs = Vec::new();
    let mut seen = 0;
    while let Some(path) = pending.pop() {
        seen += 1;
        if seen > GLOB_LIMIT {
            break;
        }
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if metadata.is_dir() {
            // A link to a directory could lead back up.
            let linked = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink());
            let entries = if linked { None } else { fs::read_dir(&path).ok() };
            pending.extend(entries.into_iter().flatten().flatten().map(|entry| entry.path()));
        } else if glob.is_match(&path) {
            programs.extend(at(&path, &mut Passed::default()));
        }
    }
    programs.sort_by(|left, right| left.found.cmp(&right.found));
    programs
}

fn is_pattern(name: &[u8]) -> bool {
    name.iter().any(|byte| b"*?[{\\".contains(byte))
}

fn found(path: &Path, opened: Option<&Head>, directories: &[PathBuf], passed: &mut Passed) -> Program {
    let resolved = path::resolve(path, true, passed)?;
    let metadata = fs::metadata(&resolved.real).map_err(|error| fact_error(&error))?;
    if metadata.is_dir() {
        return Err(FactError::IsDirectory);
    }
    let is_program = metadata.is_file() && access(&resolved.real, AccessFlags::X_OK).is_ok();
    // What starts something that we cannot find is no program: nobody could judge it.
    let interpreters = match opened {
        _ if !is_program => None,
        Some(head) => interpreters(head, directories),
        None => read_head(&resolved.real).and_then(|head| interpreters(&head, directories)),
    };
    Ok(ProgramFact {
        // The directory part is resolved, the last name is kept as it was found.
        found: entry_of(path, passed).unwrap_or_else(|| resolved.real.clone()),
        id: FileId { device: metadata.dev(), inode: metadata.ino() },
        executable: interpreters.is_some(),
        interpreters: interpreters.unwrap_or_default(),
        real: resolved.real,
    })
}

fn entry_of(path: &Path, passed: &mut Passed) -> Option<PathBuf> {
    let parent = path::resolve(path.parent()?, true, passed).ok()?;
    Some(parent.real.join(path.file_name()?))
}

/// What the kernel opens beside the file itself, and what `env` in a `#!` line would start. `None` when it cannot be known.
fn interpreters(program: &Head, directories: &[PathBuf]) -> Option<Vec<PathBuf>> {
    let mut interpreters = Vec::new();
    let mut pending = Vec::new();
    let mut paths = interpreters_of(program, directories)?;
    for _ in 0..=SCRIPT_DEPTH {
        for path in paths {
            let real = fs::canonicalize(&path).ok()?;
            if !interpreters.contains(&real) {
                interpreters.push(real.clone());
                pending.push(real);
            }
        }
        let Some(file) = pending.pop() else { return Some(interpreters) };
        paths = interpreters_of(&read_head(&file)?, directories)?;
    }
    None
}

fn interpreters_of((file, head): &Head, directories: &[PathBuf]) -> Option<Vec<PathBuf>> {
    if head.starts_with(b"#!") {
        return script_interpreters(&Shebang::of(head)?, directories);
    }
    Some(elf_interpreter(file, head).into_iter().collect())
}

// A relative interpreter is looked for in the caller's directory, whatever that is then.
fn script_interpreters(shebang: &Shebang, directories: &[PathBuf]) -> Option<Vec<PathBuf>> {
    let Shebang { interpreter, argument } = shebang;
    if !interpreter.starts_with(b"/") {
        return None;
    }
    let mut paths = vec![PathBuf::from(OsStr::from_bytes(interpreter))];
    let mut words = argument.iter().flat_map(|argument| argument.split(u8::is_ascii_whitespace));
    if interpreter.ends_with(b"/env")
        && let Some(name) =
            words.find(|word| !word.is_empty() && !word.starts_with(b"-") && !word.contains(&b'='))
        && let Some(path) =
            directories.iter().map(|dir| dir.join(OsStr::from_bytes(name))).find(|path| path.is_file())
    {
        paths.push(path);
    }
    Some(paths)
}

/// `PT_INTERP` of a 64-bit little-endian ELF file.
fn elf_interpreter(file: &File, head: &[u8]) -> Option<PathBuf> {
    const PT_INTERP: u32 = 3;
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = u64::from_le_bytes(head.get(32..40)?.try_into().ok()?);
    let entry_bytes = u16::from_le_bytes(head.get(54..56)?.try_into().ok()?);
    let entries = u16::from_le_bytes(head.get(56..58)?.try_into().ok()?);
    for index in 0..u64::from(entries) {
        let mut entry = [0; 56];
        file.read_exact_at(&mut entry, table.checked_add(index * u64::from(entry_bytes))?).ok()?;
        let field = |range: std::ops::Range<usize>| entry.get(range)?.try_into().ok().map(u64::from_le_bytes);
        if u32::from_le_bytes(entry.get(..4)?.try_into().ok()?) == PT_INTERP {
            let (offset, bytes) = (field(8..16)?, field(32..40)?);
            let mut name = vec![0; usize::try_from(bytes.min(4096)).ok()?];
            file.read_exact_at(&mut name, offset).ok()?;
            let name = name.split(|byte| *byte == 0).next()?;
            return Some(PathBuf::from(OsStr::from_bytes(name)));
        }
    }
    None
}
