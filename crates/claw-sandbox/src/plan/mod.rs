//! Turns a grant into everything that a run needs.
//!
//! All work that can fail because the world changed happens here, before anything starts: the
//! working directory and the streams are opened, the program is checked again, limits and strings
//! are computed, and what the kernel can enforce is compared with what the policy demands. After
//! this module the policy is not consulted again.
#![forbid(unsafe_code)]

mod prepare;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use claw_policy::{Access, Confinement, ExecGrant, Reason, Role};
use nix::errno::Errno;

use crate::cgroup::Bounds;
use crate::domain::{
    DomainError, PreparedDomain, child_layer, has_signal_scope, scope_signals_current_thread,
};
use crate::enforcement::{has_exec_stop, has_supervisor};
use crate::launcher::{Launcher, LauncherCache, Restrictions, Scope};
use crate::limits::resource_limits;
use crate::seccomp::notify::Notified;
use crate::spawn::{ChildSpec, SpawnError, StdioPlan, Streams, Supervision};
use crate::supervisor::{self, Oversight, SocketPlaces, Watch};
use crate::temporary::TemporaryDirectory;
use crate::{Enforcement, KernelFeatures, Missing, Running, assess};

/// A launch that has been fully prepared and can no longer be refused by policy.
///
/// It owns open descriptors, so it must be spawned or dropped soon.
#[derive(Debug)]
#[must_use = "a plan does nothing until it is spawned"]
pub struct LaunchPlan {
    spec: ChildSpec,
    confinement: Arc<Confinement>,
    kernel: KernelFeatures,
    enforcement: Enforcement,
}

impl LaunchPlan {
    /// Prepares `grant` for the running kernel.
    ///
    /// Fails when the kernel cannot give what the grant demands, and when the program or the
    /// working directory is not what it was when the grant was made.
    pub fn prepare(grant: &ExecGrant, io: StdioPlan, kernel: &KernelFeatures) -> Result<Self, PrepareError> {
        let confinement = grant.confinement();
        let enforcement = assess(confinement, kernel);
        enforcement.meets(&confinement.floor).map_err(PrepareError::Floor)?;
        let (streams, terminal) = Streams::open(io).map_err(PrepareError::Streams)?;
        let bounds = Bounds::of(confinement, kernel);
        let spec = ChildSpec {
            program: prepare::check_program(
                grant.program().map_err(|reason| PrepareError::Program(reason.clone()))?,
            )?,
            argv: prepare::arguments(grant.argv())?,
            environment: prepare::environment(grant.environment())?,
            directory: prepare::open_directory(grant.cwd(), confinement)?,
            streams,
            terminal,
            rlimits: resource_limits(&confinement.limits).map_err(PrepareError::Limits)?,
            supervision: supervision(confinement, bounds.as_ref()),
            bounds,
            group: None,
            watch: None,
        };
        Ok(Self { spec, confinement: Arc::clone(confinement), kernel: kernel.clone(), enforcement })
    }

    /// What is enforced, and how.
    #[must_use]
    pub const fn enforcement(&self) -> &Enforcement {
        &self.enforcement
    }

    /// Ends the run after `timeout`, unless the policy ends it earlier.
    pub fn limit_time(&mut self, timeout: Duration) {
        let time = &mut self.spec.supervision.time;
        *time = Some(time.map_or(timeout, |limit| limit.min(timeout)));
    }

    /// States who judges what the run's processes execute, if that is needed and can be had.
    pub(crate) fn watch<O: Oversight + 'static>(&mut self, role: Role, oversight: impl FnOnce() -> Arc<O>) {
        if has_supervisor(&self.confinement, &self.kernel) {
            self.spec.watch = Some(Watch {
                oversight: oversight(),
                role,
                verify: self.confinement.verify && has_exec_stop(&self.kernel),
                sockets: SocketPlaces::default(),
                temporary: None,
                writable: writable(&self.confinement),
                terminal: None,
                new_files: self.confinement.limits.new_files,
            });
        }
    }

    /// Starts the run.
    ///
    /// The first run under a confinement makes its launcher; the others are as cheap as a plain spawn. A run with
    /// a terminal makes a launcher of its own.
    pub fn spawn(self, launchers: &LauncherCache) -> Result<Running, SpawnError> {
        let Self { mut spec, confinement, kernel, .. } = self;
        let is_watched = spec.watch.is_some();
        let calls = || -> Arc<[_]> {
            if is_watched { supervisor::calls(&confinement, &kernel).into() } else { Arc::default() }
        };
        if let Some(terminal) = &spec.terminal {
            // No other run may use this terminal, so no other run may share the launcher's domain.
            let terminal = Some(terminal.peer());
            let launcher =
                start_launcher(launchers, &confinement, &kernel, &calls(), terminal).map(Arc::new)?;
            prepare::set_temporary(&mut spec, &confinement, &launcher);
            open_sockets(&mut spec, &confinement, &launcher);
            if let (Some(watch), Some(terminal)) = (spec.watch.as_mut(), &spec.terminal) {
                watch.terminal = Some(terminal.relay());
            }
            return launcher.spawn(spec).map_err(|failed| failed.error);
        }
        let start = || start_launcher(launchers, &confinement, &kernel, &calls(), None);
        let found = launchers.get(&confinement, start)?;
        prepare::set_temporary(&mut spec, &confinement, &found.launcher);
        open_sockets(&mut spec, &confinement, &found.launcher);
        let mut failed = match found.launcher.spawn(spec) {
            Ok(running) => return Ok(running),
            Err(failed) => failed,
        };
        if found.is_fresh || !matches!(failed.error, SpawnError::Denied(_)) {
            return Err(failed.error);
        }
        // Landlock rules hold files, not names: a program that an upgrade replaced after the
        // launcher was made is unknown to it. A new launcher knows it.
        launchers.forget(&found.launcher);
        let fresh = launchers.get(&confinement, start)?;
        prepare::set_temporary(&mut failed.spec, &confinement, &fresh.launcher);
        open_sockets(&mut failed.spec, &confinement, &fresh.launcher);
        fresh.launcher.spawn(failed.spec).map_err(|failed| failed.error)
    }
}

// States where AF_UNIX sockets may be, where somebody asks.
fn open_sockets(spec: &mut ChildSpec, confinement: &Arc<Confinement>, launcher: &Launcher) {
    if let Some(watch) = spec.watch.as_mut() {
        let temporary = launcher.temporary().map(TemporaryDirectory::path);
        watch.sockets = SocketPlaces::of(confinement, temporary);
    }
}

// Makes the private temporary directory and a thread that has restricted itself.
fn start_launcher(
    launchers: &LauncherCache,
    confinement: &Confinement,
    kernel: &KernelFeatures,
    calls: &Arc<[Notified]>,
    terminal: Option<BorrowedFd<'_>>,
) -> Result<Launcher, SpawnError> {
    let restrict = |error: DomainError| SpawnError::Restrict(error.to_string());
    let (launcher, temporary) = launchers.take_ahead()?.into_parts()?;
    let meanwhile = |work| launcher.meanwhile(work);
    let domain = PreparedDomain::prepare_with(confinement, kernel, Some(temporary.path()), meanwhile);
    let domain = domain.map_err(restrict)?;
    let domain = match terminal {
        Some(terminal) => domain.grant_terminal(terminal).map_err(restrict)?,
        None => domain,
    };
    let scope: Option<Scope> = has_signal_scope(kernel)
        .then(|| -> Scope { Arc::new(|| scope_signals_current_thread().map_err(|error| error.to_string())) });
    let child_layer = child_layer(kernel).map_err(restrict)?.map(Arc::new);
    let (files, filters) = domain.split();
    let restrictions = Restrictions {
        domain: Box::new(|| files.restrict_current_thread().map_err(|error| error.to_string())),
        filters: Box::new(|| filters.restrict_current_thread().map_err(|error| error.to_string())),
        guarded: scope.is_some() && !confinement.detach,
        scope,
        child_layer,
        calls: Arc::clone(calls),
    };
    launcher.complete(restrictions, Some(temporary))
}

fn writable(confinement: &Confinement) -> Arc<[PathBuf]> {
    let writable = confinement.roots.iter().filter(|root| root.access == Access::Write);
    writable.map(|root| root.path.clone()).collect()
}

fn supervision(confinement: &Confinement, bounds: Option<&Bounds>) -> Supervision {
    let limits = &confinement.limits;
    Supervision {
        time: limits.time,
        output: limits.output,
        processes: limits.processes,
        cpu: limits.cpu,
        // Otherwise the kernel does.
        memory: limits.memory.filter(|_| !bounds.is_some_and(Bounds::bounds_memory)),
        disk: limits.disk,
        file_size: limits.file_size.is_some(),
        detach: confinement.detach,
        ..Supervision::default()
    }
}

/// Why a grant could not be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The kernel cannot give what the policy demands.
    #[error("{}", one_line(.0))]
    Floor(Vec<Missing>),
    /// The working directory is not beneath any tree that the run may use.
    #[error("the working directory `{}` is outside of the policy's trees; start in its workspace, or in a directory of it with `-C DIR`", path.display())]
    DirectoryOutside {
        /// The directory.
        path: PathBuf,
    },
    /// The working directory cannot be opened, or is not what it was.
    #[error("the working directory `{}` cannot be entered: {errno}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The kernel's answer; `ELOOP` when a part of it has become a link.
        errno: Errno,
    },
    /// The program is allowed, but it is not there or not executable.
    #[error("{}", .0.message)]
    Program(Reason),
    /// The program was removed after the decision.
    #[error("the program `{}` does not exist any more", path.display())]
    ProgramGone {
        /// The program's canonical path.
        path: PathBuf,
    },
    /// Another file has taken the program's place after the decision.
    #[error("the program `{}` has changed since the decision", path.display())]
    ProgramChanged {
        /// The program's canonical path.
        path: PathBuf,
    },
    /// No arguments at all, or a NUL byte in one.
    #[error("the arguments are empty or contain a NUL byte")]
    Arguments,
    /// A variable that the kernel cannot take.
    #[error("the variable `{name}` has an invalid name or a NUL byte")]
    Variable {
        /// Its name.
        name: String,
    },
    /// A standard stream cannot be opened.
    #[error("the standard streams cannot be set up: {0}")]
    Streams(#[source] io::Error),
    /// The limits in force cannot be read.
    #[error("the resource limits cannot be read: {0}")]
    Limits(#[source] Errno),
}

fn one_line(missing: &[Missing]) -> String {
    let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
    missing.join("; ")
}
