//! What the kernel has to enforce for a grant: the policy as plain data, resolved and ready.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::decide::network;
use crate::{Limits, ProgramFact};

/// How far a root's files may be used.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Access {
    /// Read only, no metadata changes.
    Read,
    /// Read and write.
    Write,
}

/// A directory tree (or a single file) that a run may use.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Root {
    /// Canonical path.
    pub path: PathBuf,
    /// What may be done beneath it.
    pub access: Access,
    /// Whether files beneath it may be executed.
    pub execute: bool,
    /// Whether it must exist: a missing optional root is skipped (the system profile's).
    pub required: bool,
    /// Canonical paths strictly beneath it that are not granted. The kernel knows no exceptions, so
    /// their siblings are granted one by one instead.
    pub except: Vec<PathBuf>,
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// An outbound connection that is allowed.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct NetworkRule {
    /// Any when `None`.
    pub protocol: Option<Protocol>,
    /// Any when `None`.
    pub port: Option<u16>,
    /// Any public one when `None`. An address, a network (`10.0.0.0/8`), `loopback`, or a name.
    pub host: Option<String>,
}

impl NetworkRule {
    /// Whether only a name tells what it means, so that no address shows whether it is meant.
    #[must_use]
    pub fn is_by_name(&self) -> bool {
        self.host.as_deref().is_some_and(network::host::is_name)
    }

    /// Whether it opens all ports of this machine's loopback network: then a run may listen there, too.
    fn is_whole_loopback(&self, protocol: Protocol) -> bool {
        self.host.as_deref() == Some(network::host::LOOPBACK)
            && self.port.is_none()
            && self.protocol.is_none_or(|allowed| allowed == protocol)
    }
}

/// Something that enforcement promises, by a stable name.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Guarantee {
    /// `files`: nothing outside the roots is read or written.
    Files,
    /// `nested-paths`: hidden and read-only paths inside a writable root.
    NestedPaths,
    /// `protected-paths`: the protected names inside a writable root.
    ProtectedPaths,
    /// `metadata`: no chmod, chown, utimes or xattr on read-only paths.
    Metadata,
    /// `exec`: only allowlisted programs run, also as descendants.
    Exec,
    /// `exec-arguments`: argument rules hold for descendants.
    ExecArguments,
    /// `network`: only the allowed addresses are reached.
    Network,
    /// `signals`: processes outside are neither signalled nor traced.
    Signals,
    /// `syscalls`: the kernel surface is reduced.
    Syscalls,
    /// `privileges`: no capability and no new privileges.
    Privileges,
    /// `sweep`: nothing of the run survives it.
    Sweep,
    /// `limits`: the bounds that the policy states.
    Limits,
}

impl Guarantee {
    /// All guarantees in the order of reports.
    pub const ALL: [Self; 12] = [
        Self::Files,
        Self::NestedPaths,
        Self::ProtectedPaths,
        Self::Metadata,
        Self::Exec,
        Self::ExecArguments,
        Self::Network,
        Self::Signals,
        Self::Syscalls,
        Self::Privileges,
        Self::Sweep,
        Self::Limits,
    ];

    /// The stable name used in policies (`enforcement.degrade`) and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::NestedPaths => "nested-paths",
            Self::ProtectedPaths => "protected-paths",
            Self::Metadata => "metadata",
            Self::Exec => "exec",
            Self::ExecArguments => "exec-arguments",
            Self::Network => "network",
            Self::Signals => "signals",
            Self::Syscalls => "syscalls",
            Self::Privileges => "privileges",
            Self::Sweep => "sweep",
            Self::Limits => "limits",
        }
    }

    /// The guarantee of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|guarantee| guarantee.name() == name)
    }
}

/// How much of the policy must be enforced before anything runs.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Floor {
    /// Guarantees that the policy gives up by name. All others that it needs are demanded.
    pub degrade: Vec<Guarantee>,
}

/// Everything about a run that belongs to the policy and not to the single command.
///
/// Two grants with equal confinements share a launcher. The default grants nothing.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Confinement {
    /// Trees and files that may be used, the system profile included.
    pub roots: Vec<Root>,
    /// Program files that may be executed (canonical), with their interpreters and what their
    /// bundle needs; directories mean everything beneath them. Sorted.
    pub executables: Vec<PathBuf>,
    /// True under `security: full`: every readable program may be executed.
    pub execute_any: bool,
    /// Existing or possible hidden and read-only paths inside a writable root, as they were written.
    /// Not empty means that `nested-paths` is needed.
    pub nested: Vec<String>,
    /// Whether some of them are hidden, so that reading has to be looked at too.
    pub nested_hidden: bool,
    /// Protected patterns inside writable roots. Not empty means that `protected-paths` is needed.
    pub protected: Vec<String>,
    /// Whether argument rules exist, so that `exec-arguments` is needed for descendants.
    pub argument_rules: bool,
    /// Whether every execution of a run's processes has to be decided (`crate::Request::Descendant`): not when any
    /// program may run with any arguments.
    pub supervise: bool,
    /// Whether what was decided is checked again at the exec stop (`exec.verify`).
    pub verify: bool,
    /// Files, and directories for everything beneath, that may be executed beside `executables` only while every
    /// execution is supervised: what a bundle needs where files can change, and programs that run other programs.
    /// Canonical, sorted.
    pub execute_supervised: Vec<PathBuf>,
    /// Outbound connections that are allowed; empty is no network at all.
    pub network: Vec<NetworkRule>,
    /// Bounds.
    pub limits: Limits,
    /// What may be missing.
    pub floor: Floor,
    /// Environment variables set for every run, after the caller's were filtered.
    pub set_environment: Vec<(Vec<u8>, Vec<u8>)>,
    /// PATH for every run: the trusted directories.
    pub search_path: Vec<PathBuf>,
    /// Whether what a run leaves behind may survive it.
    pub detach: bool,
}

/// The confinement of every run under one policy, before a run's own programs are added.
#[derive(Debug)]
pub(crate) struct BaseConfinement {
    pub(crate) confinement: Arc<Confinement>,
    /// The same executables, to be looked up for every command of a line.
    executables: HashSet<OsString>,
    /// The first confinement with files beside them. Nearly always these are the shell that reads the lines, so
    /// that all lines share it.
    extended: OnceLock<(Vec<PathBuf>, Arc<Confinement>)>,
}

impl BaseConfinement {
    pub(crate) fn new(confinement: Confinement) -> Self {
        let executables = confinement.executables.iter().map(|file| file.clone().into_os_string()).collect();
        Self { confinement: Arc::new(confinement), executables, extended: OnceLock::new() }
    }

    /// The confinement in which `programs` may be executed too.
    pub(crate) fn with<'p>(&self, programs: impl IntoIterator<Item = &'p ProgramFact>) -> Arc<Confinement> {
        let files = programs.into_iter().flat_map(executed);
        let mut more: Vec<&PathBuf> =
            files.filter(|file| !self.executables.contains(file.as_os_str())).collect();
        if self.confinement.execute_any || more.is_empty() {
            return Arc::clone(&self.confinement);
        }
        more.sort_unstable();
        more.dedup();
        let made = || {
            let mut confinement = Confinement::clone(&self.confinement);
            more.iter().for_each(|file| confinement.add_executable(file));
            Arc::new(confinement)
        };
        let (known, extended) =
            self.extended.get_or_init(|| (more.iter().copied().cloned().collect(), made()));
        if known.iter().eq(more.iter().copied()) { Arc::clone(extended) } else { made() }
    }
}

/// The program and what the kernel opens to run it.
fn executed(program: &ProgramFact) -> impl Iterator<Item = &PathBuf> {
    std::iter::once(&program.real).chain(&program.interpreters)
}

impl Confinement {
    /// Whether any rule allows connections of this protocol.
    #[must_use]
    pub fn may_connect(&self, protocol: Protocol) -> bool {
        self.network.iter().any(|rule| rule.protocol.is_none_or(|allowed| allowed == protocol))
    }

    /// Whether a run may be reached on loopback addresses: `host: loopback` without a port.
    #[must_use]
    pub fn may_listen_on_loopback(&self, protocol: Protocol) -> bool {
        self.network.iter().any(|rule| rule.is_whole_loopback(protocol))
    }

    /// Adds a program and what the kernel opens to run it. The list stays sorted.
    pub(crate) fn add_program(&mut self, program: &ProgramFact) {
        executed(program).for_each(|file| self.add_executable(file));
    }

    fn add_executable(&mut self, file: &PathBuf) {
        if let Err(place) = self.executables.binary_search(file) {
            self.executables.insert(place, file.clone());
        }
    }
}
