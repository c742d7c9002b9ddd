//! Everything that a thread gives up before it starts runs: prepared first, then done at once.
#![forbid(unsafe_code)]

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::mpsc::channel;

use claw_policy::Confinement;
use nix::errno::Errno;
use seccompiler::BpfProgram;

use crate::KernelFeatures;
use crate::landlock::{LandlockError, OpenedRule, PreparedRuleset};
use crate::ruleset::RulesetPlan;
use crate::seccomp::{CompileError, SeccompSpec};
use crate::sys::caps;

// To hand a rule over may wake the other thread up, which takes about as long as to open one.
const RULES_AT_ONCE: usize = 8;

/// The restrictions of a launcher thread, with every file opened and the program compiled.
#[derive(Debug)]
#[must_use = "nothing is restricted until a thread restricts itself"]
pub(crate) struct PreparedDomain {
    ruleset: Option<PreparedRuleset>,
    filter: Option<BpfProgram>,
}

/// A thread could not be restricted as demanded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DomainError {
    #[error(transparent)]
    Landlock(#[from] LandlockError),
    #[error("seccomp: {0}")]
    Compile(#[from] CompileError),
    #[error("seccomp: {0}")]
    Install(#[from] seccompiler::Error),
    #[error("the thread that prepares them has ended")]
    Ended,
    #[error("no_new_privs cannot be set: {}", .0.desc())]
    NoNewPrivileges(#[source] Errno),
    #[error("the capabilities cannot be given up: {}", .0.desc())]
    Capabilities(#[source] Errno),
}

impl PreparedDomain {
    /// Prepares what `kernel` can enforce of `confinement`.
    ///
    /// What it cannot enforce is left out: compare [`crate::assess`] with the policy's floor first.
    /// `temporary` is a directory that the runs may write.
    pub(crate) fn prepare(
        confinement: &Confinement,
        kernel: &KernelFeatures,
        temporary: Option<&Path>,
    ) -> Result<Self, DomainError> {
        let plan = RulesetPlan::new(confinement, kernel, temporary);
        let ruleset = plan.map(|plan| PreparedRuleset::build(&plan)).transpose()?;
        let filter =
            kernel.seccomp_filter.then(|| SeccompSpec::of(confinement, kernel).compile()).transpose()?;
        Ok(Self { ruleset, filter })
    }

    /// The same with half of the work on another thread, which `run` has do it: that one compiles the program and
    /// gives the kernel the rules that this one opens.
    pub(crate) fn prepare_with(
        confinement: &Confinement,
        kernel: &KernelFeatures,
        temporary: Option<&Path>,
        run: impl FnOnce(Box<dyn FnOnce() + Send>),
    ) -> Result<Self, DomainError> {
        let mut plan = RulesetPlan::new(confinement, kernel, temporary);
        let rules = plan.as_mut().map(|plan| std::mem::take(&mut plan.rules)).unwrap_or_default();
        let spec = kernel.seccomp_filter.then(|| SeccompSpec::of(confinement, kernel));
        let (opened, opened_end) = channel::<Vec<OpenedRule>>();
        let (prepared, is_prepared) = channel();
        run(Box::new(move || {
            let prepare = || -> Result<Self, DomainError> {
                let filter = spec.map(SeccompSpec::compile).transpose()?;
                let build = |plan| PreparedRuleset::with_rules(plan, opened_end.into_iter().flatten());
                Ok(Self { ruleset: plan.as_ref().map(build).transpose()?, filter })
            };
            // Nobody wants it when a path could not be opened.
            let _ = prepared.send(prepare());
        }));
        for rules in rules.chunks(RULES_AT_ONCE) {
            // Who does not take them has failed, which is said below.
            let _ = opened.send(crate::landlock::open(rules).map_err(LandlockError::from)?);
        }
        drop(opened);
        is_prepared.recv().map_err(|_| DomainError::Ended)?
    }

    /// Grants the use of a run's own terminal as well.
    pub(crate) fn grant_terminal(self, terminal: BorrowedFd<'_>) -> Result<Self, DomainError> {
        let grant = |ruleset: PreparedRuleset| ruleset.grant_terminal(terminal);
        Ok(Self { ruleset: self.ruleset.map(grant).transpose()?, ..self })
    }

    /// Restricts the current thread, and all that it makes, for ever.
    ///
    /// The order: no_new_privs, which the others need without privileges; capabilities, while
    /// prctl and capset are sure to be allowed; Landlock; seccomp last, because it may deny what
    /// the steps before it use.
    ///
    /// # Warning
    /// After an error the thread is restricted in part. It must end.
    pub(crate) fn restrict_current_thread(self) -> Result<(), DomainError> {
        let (files, calls) = self.split();
        files.restrict_current_thread()?;
        calls.restrict_current_thread()
    }

    /// The same in two steps, with room for what must have the first one's restrictions only.
    pub(crate) fn split(self) -> (PreparedFiles, PreparedCalls) {
        (PreparedFiles(self.ruleset), PreparedCalls(self.filter))
    }
}

/// Privileges and files.
#[derive(Debug)]
pub(crate) struct PreparedFiles(Option<PreparedRuleset>);

/// System calls.
#[derive(Debug)]
pub(crate) struct PreparedCalls(Option<BpfProgram>);

/// What every thread gives up whatever is prepared for it. To do it again changes nothing.
pub(crate) fn give_up_privileges() -> Result<(), DomainError> {
    caps::set_no_new_privileges().map_err(DomainError::NoNewPrivileges)?;
    caps::drop_all().map_err(DomainError::Capabilities)
}

impl PreparedFiles {
    /// The first step.
    pub(crate) fn restrict_current_thread(self) -> Result<(), DomainError> {
        give_up_privileges()?;
        if let Some(ruleset) = self.0 {
            ruleset.restrict_current_thread()?;
        }
        Ok(())
    }
}

impl PreparedCalls {
    /// The second step.
    pub(crate) fn restrict_current_thread(self) -> Result<(), DomainError> {
        if let Some(filter) = &self.0 {
            seccompiler::apply_filter(filter)?;
        }
        Ok(())
    }
}

/// Adds the layer from which no signal leaves to the current thread, one for each run thread.
///
/// Needs Landlock ABI 6; call it only where [`has_signal_scope`] says so.
pub(crate) fn scope_signals_current_thread() -> Result<(), DomainError> {
    Ok(crate::landlock::scope_signals_current_thread()?)
}

/// The layer that each child takes before its program; `None` without Landlock.
///
/// A process of a run is below the thread that starts it, and not beside it: it can neither signal that thread nor
/// trace it, read its memory or open its descriptors.
pub(crate) fn child_layer(kernel: &KernelFeatures) -> Result<Option<OwnedFd>, DomainError> {
    let make = || crate::landlock::child_layer(has_signal_scope(kernel), kernel.used_abi() >= 2);
    Ok((kernel.used_abi() >= 1).then(make).transpose()?)
}

/// Whether the kernel can confine signals to a domain.
pub(crate) fn has_signal_scope(kernel: &KernelFeatures) -> bool {
    kernel.used_abi() >= 6
}

#[cfg(test)]
mod tests;
