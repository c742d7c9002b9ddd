//! What Landlock shall enforce for a confinement, as data.
//!
//! A pure function of the confinement and the kernel's features; [`crate::landlock`] builds it.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use claw_policy::{Access, Confinement, Root};
use landlock::{ABI, Access as _, AccessFs, AccessNet, BitFlags, Scope, make_bitflags};

use crate::KernelFeatures;
use crate::enforcement::is_supervised;

// Terminals want their settings asked and changed by ioctl. What types into one is denied by seccomp.
const TERMINAL: &str = "/dev/tty";

// Opening it takes CAP_SYS_RAWIO (`open_kcore` in fs/proc/kcore.c), which no run has. Its siblings come
// and go, so an exception could only be made by granting none of the processes that are yet to come.
const NEEDS_NO_EXCEPTION: &str = "/proc/kcore";

/// A Landlock ruleset as data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RulesetPlan {
    /// Rights that are denied unless a rule grants them.
    pub(crate) files: BitFlags<AccessFs>,
    /// Network rights that are denied; no rule grants any. Empty where the kernel has none.
    pub(crate) network: BitFlags<AccessNet>,
    /// What is confined to the domain. Empty where the kernel has none.
    pub(crate) scopes: BitFlags<Scope>,
    /// What is granted. The kernel unites the rights of all rules on the way to a file.
    pub(crate) rules: Vec<RulePlan>,
}

/// Rights beneath a path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RulePlan {
    /// A canonical path of a directory or a file.
    pub(crate) path: PathBuf,
    /// The rights, if it is a directory; a file gets those of them that fit a file.
    pub(crate) access: BitFlags<AccessFs>,
    /// Whether it is an error that the path does not exist.
    pub(crate) required: bool,
    /// Canonical paths beneath it that are not granted.
    pub(crate) except: Vec<PathBuf>,
}

impl RulesetPlan {
    /// The ruleset of `confinement`, with `temporary` as one more writable directory.
    ///
    /// `None` without Landlock.
    pub(crate) fn new(
        confinement: &Confinement,
        kernel: &KernelFeatures,
        temporary: Option<&Path>,
    ) -> Option<Self> {
        let abi = known_abi(kernel)?;
        let files = AccessFs::from_all(abi);
        let roots = confinement.roots.iter().map(|root| root_rule(root, confinement.execute_any));
        // Where each execution is judged, the kernel's first layer may be wider.
        let supervised = is_supervised(confinement, kernel).then_some(&confinement.execute_supervised);
        let programs = confinement.executables.iter().chain(supervised.into_iter().flatten());
        let programs = programs.map(|path| optional(path, program_access()));
        let temporary = temporary.map(|path| RulePlan { required: true, ..optional(path, write_access()) });
        let mut rules: Vec<_> = roots.chain(programs).chain(temporary).collect();
        for rule in &mut rules {
            rule.access &= files;
        }
        Some(Self { files, network: network(kernel, abi), scopes: scopes(kernel), rules })
    }
}

impl RulesetPlan {
    /// A ruleset in which AF_UNIX sockets are made beneath these directories only, and nothing else is ruled.
    pub(crate) fn of_sockets<'a>(
        directories: impl Iterator<Item = &'a Root>,
        temporary: Option<&Path>,
    ) -> Self {
        let roots = directories.map(|root| RulePlan {
            except: root.except.clone(),
            ..optional(&root.path, AccessFs::MakeSock.into())
        });
        let temporary = temporary.map(|path| optional(path, AccessFs::MakeSock.into()));
        Self {
            files: AccessFs::MakeSock.into(),
            network: BitFlags::EMPTY,
            scopes: BitFlags::EMPTY,
            rules: roots.chain(temporary).collect(),
        }
    }
}

impl RulePlan {
    /// Rights on every file.
    pub(crate) fn everywhere(access: BitFlags<AccessFs>) -> Self {
        Self { required: true, ..optional(Path::new("/"), access) }
    }
}

/// The kernel's ABI in the landlock crate's terms; `None` without Landlock.
fn known_abi(kernel: &KernelFeatures) -> Option<ABI> {
    Some(match kernel.used_abi() {
        0 => return None,
        1 => ABI::V1,
        2 => ABI::V2,
        3 => ABI::V3,
        4 => ABI::V4,
        5 => ABI::V5,
        6 => ABI::V6,
        7 => ABI::V7,
        8 => ABI::V8,
        9 => ABI::V9,
        _ => ABI::V10,
    })
}

// The crate takes an empty set of network rights for an error, so it must not be asked below 4.
fn network(kernel: &KernelFeatures, abi: ABI) -> BitFlags<AccessNet> {
    if kernel.used_abi() >= 4 { AccessNet::from_all(abi) } else { BitFlags::EMPTY }
}

fn scopes(kernel: &KernelFeatures) -> BitFlags<Scope> {
    if kernel.used_abi() >= 6 { Scope::Signal | Scope::AbstractUnixSocket } else { BitFlags::EMPTY }
}

fn root_rule(root: &Root, execute_any: bool) -> RulePlan {
    let access = match root.access {
        Access::Read => read_access(),
        Access::Write => write_access(),
    };
    let execute = if root.execute || execute_any { AccessFs::Execute.into() } else { BitFlags::EMPTY };
    let is_terminal = root.path == Path::new(TERMINAL);
    let ioctl = if is_terminal { AccessFs::IoctlDev.into() } else { BitFlags::EMPTY };
    let except = root.except.iter().filter(|path| *path != Path::new(NEEDS_NO_EXCEPTION));
    RulePlan {
        path: root.path.clone(),
        access: access | execute | ioctl,
        required: root.required,
        except: except.cloned().collect(),
    }
}

fn optional(path: &Path, access: BitFlags<AccessFs>) -> RulePlan {
    RulePlan { path: path.to_owned(), access, required: false, except: Vec::new() }
}

fn read_access() -> BitFlags<AccessFs> {
    make_bitflags!(AccessFs::{ReadFile | ReadDir})
}

// Everything but execution, device files and the control of devices. No run may make device files:
// it has no capability, and a node that somebody else makes is none of its own.
fn write_access() -> BitFlags<AccessFs> {
    make_bitflags!(AccessFs::{
        ReadFile | ReadDir | WriteFile | Truncate | Refer | RemoveDir | RemoveFile
        | MakeDir | MakeReg | MakeSym | MakeSock | MakeFifo | ResolveUnix
    })
}

// A script's interpreter and the dynamic loader read the program too.
fn program_access() -> BitFlags<AccessFs> {
    make_bitflags!(AccessFs::{Execute | ReadFile | ReadDir})
}

#[cfg(test)]
mod tests;
