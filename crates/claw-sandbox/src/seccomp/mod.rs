//! The system calls that no run may make.
//!
//! [`SeccompSpec::compile`] makes the program of the table. What they must do is specified apart from
//! them, over the same table; an emulator of the kernel's interpreter and the kernel itself are the
//! tests that they agree.
#![forbid(unsafe_code)]

mod bpf;
mod dispatch;
#[cfg(test)]
mod emulator;
pub(crate) mod notify;
#[cfg(test)]
mod specification;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use claw_policy::{Confinement, Protocol};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use crate::KernelFeatures;
use crate::cgroup::Bounds;
use crate::enforcement::{has_supervisor, is_gated, is_supervised, judges_modes};
use table::{ArgumentRule, Call, Group, Operation, Test, When};

/// What happens to a system call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// It happens.
    Allow,
    /// It fails with this error number.
    Errno(u32),
    /// The whole process is killed with SIGSYS.
    KillProcess,
}

impl From<Verdict> for u32 {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Allow => libc::SECCOMP_RET_ALLOW,
            Verdict::Errno(errno) => libc::SECCOMP_RET_ERRNO | errno,
            Verdict::KillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        }
    }
}

/// Which program a run gets.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct SeccompSpec {
    /// Whether AF_UNIX sockets may connect: where Landlock rules on their paths (ABI 9), or the supervisor does.
    pub(crate) unix_connect: bool,
    /// Which sockets may be made beside AF_UNIX ones.
    pub(crate) sockets: Sockets,
    /// Whether space on disk may be taken without writing it: what is written can be counted, what is reserved cannot.
    pub(crate) reserve_space: bool,
    /// Whether files in memory may be made: without a control group nobody can count one that was sent and closed.
    pub(crate) files_in_memory: bool,
    /// Whether the modes of files are judged by the supervisor, who can tell a directory from a file.
    pub(crate) judged_modes: bool,
    /// Whether the threads that have the program install a listener: then the listener's own program refuses others.
    pub(crate) supervised: bool,
}

/// Which sockets of IPv4 and IPv6 may be made. What reaches an address with them is asked about.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct Sockets {
    /// TCP.
    pub(crate) tcp: bool,
    /// UDP.
    pub(crate) udp: bool,
}

impl Sockets {
    const fn any(self) -> bool {
        self.tcp || self.udp
    }
}

/// The program could not be made. A bug of ours, found by the tests.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompileError {
    #[error("no system call table for the architecture `{}`", std::env::consts::ARCH)]
    Architecture,
    #[error("the number dispatch needs a jump of {0} instructions")]
    Jump(usize),
    #[error("the argument rules do not compile: {0}")]
    Arguments(#[from] seccompiler::BackendError),
}

impl SeccompSpec {
    /// The program for a confinement.
    pub(crate) fn of(confinement: &Confinement, kernel: &KernelFeatures) -> Self {
        Self {
            unix_connect: kernel.used_abi() >= 9 || is_supervised(confinement, kernel),
            sockets: if is_gated(confinement, kernel) {
                Sockets {
                    tcp: confinement.may_connect(Protocol::Tcp),
                    udp: confinement.may_connect(Protocol::Udp),
                }
            } else {
                Sockets::default()
            },
            reserve_space: confinement.limits.disk.is_none(),
            files_in_memory: confinement.limits.memory.is_none()
                || Bounds::of(confinement, kernel).is_some_and(|bounds| bounds.bounds_memory()),
            judged_modes: judges_modes(confinement, kernel),
            supervised: has_supervisor(confinement, kernel),
        }
    }

    /// The program: the numbers first, then the arguments of what they allow.
    ///
    /// One and not two, because the kernel translates and protects the code of each program that it installs.
    pub(crate) fn compile(self) -> Result<BpfProgram, CompileError> {
        let architecture = table::AUDIT_ARCHITECTURE.ok_or(CompileError::Architecture)?;
        let numbers = dispatch::compile(self, architecture)?;
        Ok(dispatch::followed_by(numbers, self.compile_argument_rules()?))
    }

    fn compile_argument_rules(self) -> Result<BpfProgram, CompileError> {
        let target = TargetArch::try_from(std::env::consts::ARCH).map_err(|_| CompileError::Architecture)?;
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
        for rule in self.argument_rules() {
            rules.entry(rule.call.number.into()).or_default().push(rule.compile()?);
        }
        let deny = SeccompAction::Errno(table::EPERM);
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, deny, target)?;
        Ok(filter.try_into()?)
    }

    fn argument_rules(self) -> impl Iterator<Item = &'static ArgumentRule> {
        let refuses_listeners = |rule: &&ArgumentRule| i64::from(rule.call.number) == libc::SYS_seccomp;
        let Sockets { tcp, udp } = self.sockets;
        let tables = [
            (true, table::ARGUMENTS),
            (!self.files_in_memory, table::NO_FILES_IN_MEMORY),
            (!self.judged_modes, table::NEW_MODES),
            (!self.judged_modes, table::OLD_NEW_MODES),
            (!self.judged_modes, table::MODES),
            (!self.judged_modes, table::OLD_MODES),
            (!self.sockets.any(), table::NO_NETWORK),
            (self.sockets.any(), table::NETWORK),
            (self.sockets.any() && !tcp, table::NO_TCP),
            (self.sockets.any() && !udp, table::NO_UDP),
        ];
        let rules = tables.into_iter().filter(|(holds, _)| *holds).flat_map(|(_, rules)| rules);
        rules.filter(move |rule| !(self.supervised && refuses_listeners(rule)))
    }

    // Calls that are denied whatever their arguments.
    fn denied(self) -> impl Iterator<Item = (&'static Group, &'static Call)> {
        let groups = table::DENIED.iter().filter(move |group| match group.when {
            When::Always => true,
            When::DiskLimit => !self.reserve_space,
            When::NoUnixRules => !self.unix_connect && !self.sockets.any(),
        });
        groups.flat_map(|group| group.calls.iter().map(move |call| (group, call)))
    }
}

impl ArgumentRule {
    fn compile(&self) -> Result<SeccompRule, seccompiler::BackendError> {
        let conditions: Result<Vec<_>, _> = self.tests.iter().map(Test::compile).collect();
        SeccompRule::new(conditions?)
    }
}

impl Test {
    // The kernel declares all of these arguments as `int` or `unsigned int`, or cuts them to 32
    // bits itself (clone's flags). A comparison of 64 bits could be passed by setting high ones.
    fn compile(&self) -> Result<SeccompCondition, seccompiler::BackendError> {
        let operation = match self.operation {
            Operation::Equal => SeccompCmpOp::Eq,
            Operation::NotEqual => SeccompCmpOp::Ne,
            Operation::Masked(mask) => SeccompCmpOp::MaskedEq(mask.into()),
        };
        SeccompCondition::new(self.argument, SeccompCmpArgLen::Dword, operation, self.value.into())
    }
}
