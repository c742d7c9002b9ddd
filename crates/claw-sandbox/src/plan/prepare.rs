//! The single steps of a preparation: each checks one fact again and keeps its proof.
#![forbid(unsafe_code)]

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use claw_policy::{Confinement, ProgramFact};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{SFlag, fstat};

use super::PrepareError;
use crate::launcher::Launcher;
use crate::opened::{id_of, kind_of};
use crate::spawn::ChildSpec;

const TEMPORARY_NAME: &[u8] = b"TMPDIR";

/// Opens the working directory that was decided.
///
/// Its path was canonical when the decision was made. Resolving it without following a link opens
/// the same directory or fails.
pub(super) fn open_directory(directory: &Path, confinement: &Confinement) -> Result<OwnedFd, PrepareError> {
    let is_in = |path: &PathBuf| directory.starts_with(path);
    if !confinement.roots.iter().any(|root| is_in(&root.path) && !root.except.iter().any(is_in)) {
        return Err(PrepareError::DirectoryOutside { path: directory.to_owned() });
    }
    open_without_links(directory, OFlag::O_DIRECTORY)
        .map_err(|errno| PrepareError::Directory { path: directory.to_owned(), errno })
}

/// Checks that the program's path still names the file that was decided.
pub(super) fn check_program(program: &ProgramFact) -> Result<CString, PrepareError> {
    let changed = || PrepareError::ProgramChanged { path: program.real.clone() };
    let file = open_without_links(&program.real, OFlag::empty()).map_err(|errno| match errno {
        Errno::ENOENT | Errno::ENOTDIR => PrepareError::ProgramGone { path: program.real.clone() },
        _ => changed(),
    })?;
    let status = fstat(&file).map_err(|_| changed())?;
    if kind_of(&status) != SFlag::S_IFREG || id_of(&status) != program.id {
        return Err(changed());
    }
    CString::new(program.real.as_os_str().as_bytes()).map_err(|_| changed())
}

fn open_without_links(path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC | flags)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    openat2(AT_FDCWD, path, how)
}

/// The argument vector as the kernel takes it.
pub(super) fn arguments(argv: &[Vec<u8>]) -> Result<Vec<CString>, PrepareError> {
    let argv: Result<Vec<CString>, _> = argv.iter().cloned().map(CString::new).collect();
    argv.ok().filter(|argv| !argv.is_empty()).ok_or(PrepareError::Arguments)
}

/// The environment as the kernel takes it.
pub(super) fn environment(environment: &[(Vec<u8>, Vec<u8>)]) -> Result<Vec<CString>, PrepareError> {
    environment.iter().map(|(name, value)| variable(name, value)).collect()
}

fn variable(name: &[u8], value: &[u8]) -> Result<CString, PrepareError> {
    let invalid = || PrepareError::Variable { name: String::from_utf8_lossy(name).into_owned() };
    if name.is_empty() || name.contains(&b'=') {
        return Err(invalid());
    }
    CString::new([name, b"=", value].concat()).map_err(|_| invalid())
}

/// Points TMPDIR at the launcher's private directory, unless the policy sets it itself.
pub(super) fn set_temporary(spec: &mut ChildSpec, confinement: &Confinement, launcher: &Launcher) {
    if let Some(watch) = &mut spec.watch {
        watch.temporary = launcher.temporary().map(|temporary| temporary.path().into());
    }
    let environment = &mut spec.environment;
    if confinement.set_environment.iter().any(|(name, _)| name == TEMPORARY_NAME) {
        return;
    }
    let value = launcher.temporary().map(|temporary| temporary.path().as_os_str().as_bytes());
    let Some(Ok(variable)) = value.map(|value| variable(TEMPORARY_NAME, value)) else {
        return;
    };
    environment.retain(|variable| !variable.as_bytes().starts_with(b"TMPDIR="));
    environment.push(variable);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use claw_policy::{Access, FileId, Root};

    use super::*;

    fn confinement(root: &Path) -> Confinement {
        let path = root.to_owned();
        Confinement {
            roots: vec![Root {
                path,
                access: Access::Write,
                execute: false,
                required: true,
                except: Vec::new(),
            }],
            ..Confinement::default()
        }
    }

    fn program(path: &Path) -> ProgramFact {
        let status = fs::metadata(path).unwrap();
        ProgramFact {
            found: path.to_owned(),
            real: path.to_owned(),
            id: FileId { device: status.dev(), inode: status.ino() },
            executable: true,
            interpreters: Vec::new(),
        }
    }

    fn directory() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        (directory, path)
    }

    #[test]
    fn a_working_directory_that_became_a_link_is_refused() {
        let (_keep, root) = directory();
        let inside = root.join("a/b");
        fs::create_dir_all(&inside).unwrap();
        assert!(open_directory(&inside, &confinement(&root)).is_ok());
        fs::rename(root.join("a"), root.join("moved")).unwrap();
        symlink("/usr", root.join("a")).unwrap();
        fs::create_dir(root.join("moved/bin")).unwrap();
        for path in [inside, root.join("a/bin")] {
            let error = open_directory(&path, &confinement(&root)).unwrap_err();
            assert!(matches!(error, PrepareError::Directory { errno: Errno::ELOOP, .. }), "{error:?}");
        }
    }

    #[test]
    fn a_working_directory_outside_of_the_roots_or_a_file_is_refused() {
        let (_keep, root) = directory();
        fs::create_dir(root.join("inside")).unwrap();
        let inside = confinement(&root.join("inside"));
        // A name that only begins like the root's is not beneath it.
        fs::create_dir(root.join("inside-not")).unwrap();
        for path in [root.clone(), root.join("inside-not")] {
            let error = open_directory(&path, &inside).unwrap_err();
            assert!(matches!(error, PrepareError::DirectoryOutside { .. }), "{error:?}");
        }
        fs::write(root.join("inside/file"), "").unwrap();
        let error = open_directory(&root.join("inside/file"), &inside).unwrap_err();
        assert!(matches!(error, PrepareError::Directory { errno: Errno::ENOTDIR, .. }), "{error:?}");
    }

    #[test]
    fn a_program_that_is_not_the_decided_file_is_refused() {
        let (_keep, root) = directory();
        let path = root.join("program");
        fs::write(&path, "#!/bin/sh\n").unwrap();
        let decided = program(&path);
        assert_eq!(check_program(&decided).unwrap().as_bytes(), path.as_os_str().as_bytes());

        fs::rename(&path, root.join("old")).unwrap();
        assert!(matches!(check_program(&decided).unwrap_err(), PrepareError::ProgramGone { .. }));
        fs::write(&path, "#!/bin/sh\n").unwrap();
        assert!(matches!(check_program(&decided).unwrap_err(), PrepareError::ProgramChanged { .. }));
        fs::remove_file(&path).unwrap();
        symlink("old", &path).unwrap();
        assert!(matches!(check_program(&decided).unwrap_err(), PrepareError::ProgramChanged { .. }));
    }

    #[test]
    fn a_directory_is_not_a_program() {
        let (_keep, root) = directory();
        assert!(matches!(check_program(&program(&root)).unwrap_err(), PrepareError::ProgramChanged { .. }));
    }

    #[test]
    fn strings_that_the_kernel_cannot_take_are_refused() {
        assert!(arguments(&[]).is_err());
        assert!(arguments(&[b"a".to_vec(), b"b\0c".to_vec()]).is_err());
        assert_eq!(arguments(&[b"\xff".to_vec(), Vec::new()]).unwrap(), [c"\xff".into(), CString::default()]);
        let variable = |name: &[u8], value: &[u8]| environment(&[(name.to_vec(), value.to_vec())]);
        assert_eq!(variable(b"A", b"b=c").unwrap(), [CString::from(c"A=b=c")]);
        for (name, value) in [(&b""[..], &b"x"[..]), (b"A=B", b"x"), (b"A", b"x\0"), (b"A\0", b"x")] {
            assert!(variable(name, value).is_err(), "{name:?}={value:?}");
        }
    }
}
