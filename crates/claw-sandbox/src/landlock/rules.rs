//! Opens the paths of a plan's rules.
//!
//! Paths were canonical when the policy was resolved, so they are opened without following a link:
//! what turned into one since is an error. Rules hold the opened files, not names.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use landlock::{AccessFs, BitFlags, PathBeneath};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{SFlag, fstat};

use crate::ruleset::RulePlan;

/// A path could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be granted: {}", path.display(), errno.desc())]
pub(crate) struct RuleError {
    path: PathBuf,
    errno: Errno,
}

/// Opens the path of each rule, and instead of a directory with exceptions its other children.
pub(crate) fn open(plans: &[RulePlan]) -> Result<Vec<PathBeneath<OwnedFd>>, RuleError> {
    let mut rules = Vec::with_capacity(plans.len());
    for plan in plans {
        match grant(plan, &mut rules) {
            // An optional path that is missing: less is granted than the policy says, never more.
            Err(errno) if plan.required => return Err(RuleError { path: plan.path.clone(), errno }),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(rules)
}

fn grant(plan: &RulePlan, rules: &mut Vec<PathBeneath<OwnedFd>>) -> nix::Result<()> {
    let file = open_at(AT_FDCWD, plan.path.as_os_str(), ResolveFlag::empty())?;
    let kind = file_kind(&file)?;
    if kind == SFlag::S_IFLNK {
        return Err(Errno::ELOOP);
    }
    let except: Vec<&Path> =
        plan.except.iter().filter_map(|path| path.strip_prefix(&plan.path).ok()).collect();
    grant_beneath(file, kind, plan.access, &except, rules).map(|_| ())
}

// What was left out of a directory.
#[derive(Clone, Copy, Eq, PartialEq)]
enum LeftOut {
    Nothing,
    Files,
    Directories,
}

// Grants `file`, which is of `kind`, without the paths of `except`, which are relative to it.
fn grant_beneath(
    file: OwnedFd,
    kind: SFlag,
    access: BitFlags<AccessFs>,
    except: &[&Path],
    rules: &mut Vec<PathBeneath<OwnedFd>>,
) -> nix::Result<LeftOut> {
    if kind != SFlag::S_IFDIR {
        rules.push(PathBeneath::new(file, access & file_rights()));
        return Ok(LeftOut::Nothing);
    }
    if except.is_empty() {
        rules.push(PathBeneath::new(file, access));
        return Ok(LeftOut::Nothing);
    }
    let mut left_out = LeftOut::Files;
    for name in names(file.as_fd())? {
        // It may be gone by now, and is then not granted.
        let Ok(child) = open_at(file.as_fd(), &name, ResolveFlag::RESOLVE_BENEATH) else { continue };
        let below = beneath(except, &name);
        let kind = file_kind(&child)?;
        let child_left_out = if below.iter().any(|path| path.as_os_str().is_empty()) {
            if kind == SFlag::S_IFDIR { LeftOut::Directories } else { LeftOut::Files }
        } else if kind == SFlag::S_IFLNK {
            // What a link leads to is granted where it lies, or not at all.
            LeftOut::Nothing
        } else {
            grant_beneath(child, kind, access, &below, rules)?
        };
        if child_left_out == LeftOut::Directories {
            left_out = LeftOut::Directories;
        }
    }
    // Rights reach everything beneath, so the right to list this directory would list the hidden
    // ones too.
    if left_out == LeftOut::Files && access.contains(AccessFs::ReadDir) {
        rules.push(PathBeneath::new(file, AccessFs::ReadDir));
    }
    Ok(left_out)
}

// The exceptions that begin with `name`, relative to it.
fn beneath<'a>(except: &[&'a Path], name: &OsStr) -> Vec<&'a Path> {
    let relative = |path: &&'a Path| {
        let mut components = path.components();
        (components.next() == Some(Component::Normal(name))).then_some(components.as_path())
    };
    except.iter().filter_map(relative).collect()
}

fn names(directory: BorrowedFd<'_>) -> nix::Result<Vec<OsString>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut names = Vec::new();
    for entry in Dir::openat(directory, ".", flags, nix::sys::stat::Mode::empty())?.iter() {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    Ok(names)
}

fn open_at(directory: BorrowedFd<'_>, path: &OsStr, resolve: ResolveFlag) -> nix::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
        .resolve(resolve | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    openat2(directory, path.as_bytes(), how)
}

fn file_kind(file: &OwnedFd) -> nix::Result<SFlag> {
    let bits = fstat(file)?.st_mode & SFlag::S_IFMT.bits();
    Ok(SFlag::from_bits_truncate(bits))
}

// Rights of directories on a file are an error to the kernel.
fn file_rights() -> BitFlags<AccessFs> {
    AccessFs::from_file(landlock::ABI::V10)
}

#[cfg(test)]
mod tests;
